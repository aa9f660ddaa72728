"""A table in time order as examples: so many rows to look back on, the target in the rows after them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nettool.config.data import DataSpec, SplitName
from nettool.config.inputs import WindowSpec
from nettool.config.signature import TableExample
from nettool.data.columns import Column, used
from nettool.data.encoders import TableEncoder
from nettool.data.examples import Split, Windows
from nettool.data.features import Rows
from nettool.data.kinds import as_kind
from nettool.data.targets import NumberEncoder, TargetEncoder
from nettool.data.values import instants, show
from nettool.errors import ConfigError, DataError, Mistake


@dataclass(frozen=True)
class SeriesEncoder:
    """Stretches of `length` rows of a table; the past of what is to be predicted is part of them."""

    kind: ClassVar[str] = "series"
    rows: TableEncoder
    length: int
    horizon: int

    @classmethod
    def fit(cls, table: pa.Table, columns: Sequence[Column], spec: DataSpec, rows: Rows) -> SeriesEncoder:
        """Fit to the training rows of a conformed table."""
        assert spec.window is not None
        named = spec.features
        seen = [
            replace(column, role="feature")
            for column in used(columns, "feature", "target")
            if named is None or column.name in named
        ]
        return cls(TableEncoder.fit(table, seen, spec.scale, rows), spec.window.length, spec.window.horizon)

    @property
    def example(self) -> TableExample:
        """What a stretch looks like."""
        return replace(self.rows.example, window=self.length)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, exact."""
        return {"rows": self.rows.to_json(), "length": self.length, "horizon": self.horizon}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> SeriesEncoder:
        """The encoder that `to_json` wrote."""
        return cls(TableEncoder.from_json(data["rows"]), int(data["length"]), int(data["horizon"]))


def time_parts(num_rows: int, fractions: Sequence[float]) -> dict[SplitName, Rows]:
    """The rows of each split, one stretch behind the other: training first, the test last."""
    ends = np.rint(np.cumsum(fractions) * num_rows).astype(np.int64)
    names: tuple[SplitName, ...] = ("train", "validation", "test")
    starts = [0, *ends[:-1]]
    return {
        name: np.arange(start, end)
        for name, fraction, start, end in zip(names, fractions, starts, ends, strict=True)
        if fraction > 0
    }


def settle_series(raw: pa.Table, columns: Sequence[Column], spec: DataSpec, source: str) -> tuple[Column, ...]:
    """The columns of a series: a date says what comes after what, and is no feature unless `data.features` names it.

    raw: the table as read (packed). Raises DataError where a date goes back.
    """
    for column in columns:
        if column.kind == "date" and column.role != "target":
            _check_order(instants(as_kind(raw.column(column.name), "date", column.name, source)), column.name, source)
    if spec.features is not None:
        return tuple(columns)
    return tuple(
        replace(column, role="unused", kind="ignore", reason="it says when, which in a series the order of rows does")
        if column.kind == "date" and column.role == "feature"
        else column
        for column in columns
    )


def _check_order(times: NDArray[np.datetime64], name: str, source: str) -> None:
    known = np.flatnonzero(~np.isnat(times))
    back = np.flatnonzero(np.diff(times[known].astype(np.int64)) < 0)
    if len(back):
        row = known[back[0] + 1]
        raise DataError(
            f"{source}: {show(name)} goes back in row {row + 1:,}, but a series (`data.window`) is in the order of "
            "time. Cure: sort the table, or set the column's kind to `ignore`."
        )


def check_lengths(parts: dict[SplitName, Rows], window: WindowSpec) -> None:
    """Every split must have room for one example."""
    for name, rows in parts.items():
        if len(rows) < window.length + window.horizon:
            text = (
                f"the {name} split has {len(rows):,} rows, too few for one example of {window.length:,} and "
                f"{window.horizon:,} after them. Take a smaller length, more rows, or another split."
            )
            raise ConfigError([Mistake(("data", "window", "length"), text)])


def tell_horizon(target: TargetEncoder, spec: DataSpec) -> TargetEncoder:
    """The target's encoder, told how far a series looks ahead. Classes are predicted one step ahead only."""
    if spec.window is None:
        return target
    if isinstance(target, NumberEncoder):
        return replace(target, horizon=spec.window.horizon)
    if spec.window.horizon > 1:
        text = "only numbers are predicted several steps ahead; a class or a label one step. Set it to 1."
        raise ConfigError([Mistake(("data", "window", "horizon"), text)])
    return target


def cut_windows(
    features: NDArray[np.float32],
    target: NDArray[Any] | None,
    weights: NDArray[np.float32] | None,
    encoder: SeriesEncoder,
    first_row: int,
) -> Split:
    """Every stretch of these consecutive rows, with the target of the rows after it.

    features: [rows, width]. target: [rows] or [rows, k]; None to predict, when stretches go up to the last row.
    weights: [rows], of which an example has that of its first predicted row.
    """
    ahead = 0 if target is None else encoder.horizon
    starts = np.arange(max(len(features) - encoder.length - ahead + 1, 0), dtype=np.int64)
    last = starts + encoder.length - 1
    windows = Windows(features, starts, encoder.length)
    if target is None:
        return Split(windows, None, None, last + first_row)
    steps = last[:, None] + np.arange(1, encoder.horizon + 1)
    future = target[steps[:, 0]] if encoder.horizon == 1 else target[steps].reshape(len(starts), -1)
    return Split(windows, future, None if weights is None else weights[last + 1], last + first_row)
