"""One example as it stands in the data, and the numbers that the network is given for it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nettool.analysis.formulas import Formula
from nettool.analysis.outcomes import Array
from nettool.config.signature import NumberTarget
from nettool.data.encoders import TableEncoder
from nettool.data.features import MISSING, BooleanColumn, CategoryColumn, FeatureColumn, NumberColumn
from nettool.data.image_encoder import ImageEncoder
from nettool.data.inputs import FeatureEncoder
from nettool.data.scaling import CLIP, Scaler
from nettool.data.series import SeriesEncoder
from nettool.data.targets import ClassEncoder, LabelEncoder, NumberEncoder, TargetEncoder

Row = Mapping[str, Any]
"""A row of a table, as it was read: a cell for each column."""


@dataclass(frozen=True)
class EncodedColumn:
    """A column of a row. raw: as it stands in the table; None where nothing does. numbers: what the network gets, each
    with its name. how: the calculation, or a few words.
    """

    name: str
    raw: str | None
    numbers: tuple[tuple[str, float], ...]
    how: Formula | str

    @property
    def names(self) -> tuple[str, ...]:
        """Of its numbers."""
        return tuple(name for name, _ in self.numbers)


@dataclass(frozen=True)
class EncodedTarget:
    """What is to be predicted. numbers: what the loss compares with."""

    name: str
    raw: str
    number: float
    how: Formula | str


def encoded_row(encoder: TableEncoder, row: Row, numbers: Array) -> tuple[EncodedColumn, ...]:
    """The columns of a row. numbers: float32 [width], the row encoded."""
    found, start = [], 0
    for column in encoder.columns:
        own = numbers[start : start + len(column.names)].astype(np.float64).tolist()
        start += len(column.names)
        raw = cell_text(row.get(column.name))
        found.append(
            EncodedColumn(column.name, raw, tuple(zip(column.names, own, strict=True)), _how(column, raw, own))
        )
    return tuple(found)


def cell_text(cell: Any) -> str | None:
    """A cell as a text; None where it holds nothing."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return None
    return str(cell)


def _how(column: FeatureColumn, raw: str | None, numbers: Sequence[float]) -> Formula | str:
    match column:
        case NumberColumn(scaler=scaler):
            return _scaled(column.name, scaler, raw, numbers[0])
        case BooleanColumn():
            return "yes is 1, no is 0" if raw is not None else "missing: the share of yes in training"
        case CategoryColumn(embedded=True):
            known = {MISSING: "the code of a missing one"}.get(int(numbers[0]), "its code")
            return known if numbers[0] >= MISSING else "0, for training had no such level"
        case CategoryColumn():
            return "1 for its level, else 0" if any(numbers) else "all 0: training had no such level"
        case _:
            return "year, month, day, weekday and days since the first, each scaled"


def _scaled(name: str, scaler: Scaler, raw: str | None, number: float) -> Formula | str:
    """How a cell became a number. Only said where the calculation gives that number."""
    if raw is None:
        return "missing: the mean of the training rows stands for it"
    if scaler.scale == 0:
        return "0, for it is the same in all training rows"
    try:
        value = float(raw)
    except ValueError:  # a spelling of missing, or a type that is not written as a number
        return "scaled"
    scaled = (value - scaler.shift) / scaler.scale
    if scaler.clip and abs(scaled) > CLIP:
        return f"scaled values end at {CLIP:g}"
    if not math.isclose(scaled, number, rel_tol=1e-5, abs_tol=1e-6):
        return "scaled"
    if (scaler.shift, scaler.scale) == (0.0, 1.0):
        return "as it is"
    numbers = {"x": value, "m": scaler.shift, "d": scaler.scale}
    return Formula(name, "(x - shift) / scale", "({x} - {m}) / {d}", numbers, number)


def encoded_targets(encoder: TargetEncoder, rows: Sequence[Row], target: Array) -> tuple[EncodedTarget, ...]:
    """What is to be predicted; nothing for the next tokens of a text.

    rows: that of the example; of a series the rows ahead, which hold what is to be predicted. target: its code, or
    float32 [k].
    """
    match encoder:
        case ClassEncoder(name=name, classes=classes, binary=binary):
            code = int(target.reshape(-1)[0])
            how = f"{classes[1]} is 1, {classes[0]} is 0" if binary else f"class {code + 1} of {len(classes)}"
            return (EncodedTarget(name, classes[code], float(code), how),)
        case LabelEncoder(names=names):
            values = target.astype(np.float64).tolist()
            pairs = zip(names, values, strict=True)
            return tuple(EncodedTarget(name, "yes" if y else "no", y, "yes is 1, no is 0") for name, y in pairs)
        case NumberEncoder():
            return _numbers(encoder, rows, target.astype(np.float64).tolist())
        case _:
            return ()


def _numbers(encoder: NumberEncoder, rows: Sequence[Row], target: Sequence[float]) -> tuple[EncodedTarget, ...]:
    ahead = encoder.target
    assert isinstance(ahead, NumberTarget)
    found: list[EncodedTarget] = []
    for row in rows[: encoder.horizon]:
        for name, mean, deviation in zip(encoder.names, encoder.means, encoder.deviations, strict=True):
            y, raw = target[len(found)], cell_text(row.get(name)) or ""
            value = y * deviation + mean
            numbers = {"x": value, "m": mean, "d": deviation}
            how = Formula(name, "(y - mean) / deviation", "({x} - {m}) / {d}", numbers, y)
            found.append(EncodedTarget(ahead.names[len(found)], raw or f"{value:.6g}", y, how))
    return tuple(found)


def table_encoder(encoder: FeatureEncoder) -> TableEncoder | None:
    """What encodes a row, of a table or of a series."""
    if isinstance(encoder, SeriesEncoder):
        return encoder.rows
    return encoder if isinstance(encoder, TableEncoder) else None


def token_texts(encoder: FeatureEncoder, codes: Sequence[int]) -> tuple[str, ...]:
    """Each token of a text, as it was read; of what has no code of its own what it is."""
    assert not isinstance(encoder, TableEncoder | SeriesEncoder | ImageEncoder)
    vocabulary = encoder.vocabulary
    unknown = vocabulary.first - 1
    names = {0: "padding"} if vocabulary.padded else {}
    names[unknown] = "unknown"
    return tuple(vocabulary.units[code - vocabulary.first] if code > unknown else names[code] for code in codes)
