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
from nettool.data.stored import Length, from_stored
from nettool.data.targets import NumberEncoder, TargetEncoder
from nettool.data.values import instants, show
from nettool.errors import ConfigError, DataError, Mistake
from nettool.memory import check_memory

CURE = "a smaller `data.window.horizon`"
WHEN = "it says when, which in a series the order of rows does"


@dataclass(frozen=True)
class SeriesEncoder:
    """Stretches of `length` rows of a table; the past of what is to be predicted is part of them.

    dates: columns that, where a table has them, must not go back.
    """

    kind: ClassVar[str] = "series"
    rows: TableEncoder
    length: Length
    horizon: Length
    dates: tuple[str, ...] = ()

    @classmethod
    def fit(
        cls, table: pa.Table, columns: Sequence[Column], spec: DataSpec, rows: Rows, dates: tuple[str, ...]
    ) -> SeriesEncoder:
        """Fit to the training rows of a conformed table."""
        assert spec.window is not None
        named = spec.features
        seen = [
            replace(column, role="feature")
            for column in used(columns, "feature", "target")
            if named is None or column.name in named
        ]
        encoder = TableEncoder.fit(table, seen, spec.scale, rows)
        return cls(encoder, spec.window.length, spec.window.horizon, dates)

    @property
    def example(self) -> TableExample:
        """What a stretch looks like."""
        return replace(self.rows.example, window=self.length)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, exact."""
        settings = {"length": self.length, "horizon": self.horizon, "dates": list(self.dates)}
        return {"rows": self.rows.to_json(), **settings}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> SeriesEncoder:
        """The encoder that `to_json` wrote. Raises ValueError or KeyError for anything else."""
        return from_stored(cls, {**data, "rows": TableEncoder.from_json(data["rows"])})


def dates_of(columns: Sequence[Column]) -> tuple[str, ...]:
    """The columns that say when a row was."""
    return tuple(
        column.name
        for column in columns
        if column.reason == WHEN or (column.kind == "date" and column.role != "target")
    )


def settle_series(columns: Sequence[Column], spec: DataSpec) -> tuple[Column, ...]:
    """The columns of a series: a date says what comes after what, and is no feature unless `data.features` names it."""
    if spec.features is not None:
        return tuple(columns)
    return tuple(
        replace(column, role="unused", kind="ignore", reason=WHEN)
        if column.kind == "date" and column.role == "feature"
        else column
        for column in columns
    )


def check_order(raw: pa.Table, dates: Sequence[str], source: str) -> None:
    """Raise DataError where a date goes back. raw: the table as read (packed), in which a date may be missing."""
    for name in dates:
        if name not in raw.column_names:
            continue
        times = instants(as_kind(raw.column(name), "date", name, source))
        known = np.flatnonzero(~np.isnat(times))
        back = np.flatnonzero(np.diff(times[known].astype(np.int64)) < 0)
        if len(back):
            row = known[back[0] + 1]
            raise DataError(
                f"{source}: {show(name)} goes back in row {row + 1:,}, but a series (`data.window`) is in the order of "
                "time. Cure: sort the table, or set the column's kind to `ignore`."
            )


def check_length(num_rows: int, encoder: SeriesEncoder, source: str) -> None:
    """Raise DataError for a table that is too short for one example with what comes after it."""
    if num_rows < encoder.length + encoder.horizon:
        raise DataError(
            f"{source} has {num_rows:,} rows, too few for one example of {encoder.length:,} and {encoder.horizon:,} "
            f"after them. Cure: a longer table, or a network with a smaller `data.window.length`."
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
    outputs = encoder.horizon * (target.size // max(len(target), 1))
    num_bytes = len(starts) * (8 * encoder.horizon + 8 * outputs)
    check_memory(num_bytes, f"{len(starts):,} stretches of {encoder.horizon:,} rows", CURE)
    steps = last[:, None] + np.arange(1, encoder.horizon + 1)
    future = target[steps[:, 0]] if encoder.horizon == 1 else target[steps].reshape(len(starts), -1)
    naive = np.tile(target[last], encoder.horizon) if target.ndim == 2 else None
    return Split(windows, future, None if weights is None else weights[last + 1], last + first_row, naive)
