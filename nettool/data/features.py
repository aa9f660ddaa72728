"""How a feature column of each kind becomes numbers, and numbers the column again.

Each class is fitted on the training rows, writes its columns of the encoded matrix, and reads them back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, ClassVar, TypeGuard

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field

from nettool.config.data import Scale
from nettool.data.arrow import from_numpy, from_texts, gather
from nettool.data.scaling import Floats, Scaler, encode_rows
from nettool.data.stored import from_stored
from nettool.data.values import codes, instants, levels, numbers, show
from nettool.errors import DataError

Matrix = NDArray[np.float32]
Rows = NDArray[np.int64]
Read = Callable[[pa.Array], NDArray[Any]]
"""A part of a column -> one number or code for each of its rows."""

MOST_ONE_HOT = 32
"""A category of more levels is embedded."""
UNSEEN, MISSING, FIRST_LEVEL = 0, 1, 2
"""The codes of an embedded category."""
DATE_PARTS = ("year", "month", "day", "weekday", "days")


@dataclass(frozen=True)
class NumberColumn:
    """A number: scaled, missing as the mean, and an indicator where training had missing ones."""

    kind: ClassVar[str] = "number"
    embedded: ClassVar[bool] = False
    name: str
    scaler: Scaler
    missing: bool

    @classmethod
    def fit(cls, name: str, column: pa.ChunkedArray, rows: Rows, scale: Scale) -> NumberColumn:
        """Fit to the training rows."""
        values = gather(numbers, column, rows)
        return cls(name, Scaler.fit(values, scale), bool(np.isnan(values).any()))

    @property
    def names(self) -> tuple[str, ...]:
        """Of the encoded columns."""
        return (self.name, f"{self.name} missing")[: 1 + self.missing]

    def reader(self, column: pa.ChunkedArray) -> Read:
        """How parts of this column are read."""
        return numbers

    def write(self, values: Floats, out: Matrix) -> None:
        """Encode into float32 [n, width]."""
        write_numbers([self], values[None].copy(), out[:, :1])
        if self.missing:
            out[:, 1] = np.isnan(values)

    def read(self, encoded: Matrix) -> pa.Array:
        """The column again, as float64."""
        values = self.scaler.decode(encoded[:, 0].astype(np.float64))
        return from_numpy(values, encoded[:, 1] > 0.5 if self.missing else None)


def is_plain(column: FeatureColumn) -> TypeGuard[NumberColumn]:
    """Whether all that is encoded of a column is its number."""
    return isinstance(column, NumberColumn) and not column.missing


def write_numbers(columns: Sequence[NumberColumn], values: Floats, out: Matrix) -> None:
    """Encode columns of numbers together, without their indicators: values [k, n], lost, into float32 [n, k]."""
    encode_rows([column.scaler for column in columns], values)
    with np.errstate(over="ignore"):
        out[:] = values.T
    for index, column in enumerate(columns):
        if not column.scaler.clip and (too_large := np.isinf(out[:, index])).any():
            value = column.scaler.decode(values[index][too_large])[0]
            raise DataError(
                f"column {show(column.name)}: {value:g} does not fit a 32-bit number. Cure: `data.scale: standard`."
            )


@dataclass(frozen=True)
class BooleanColumn:
    """Yes is 1 and no is 0; missing is the share of yes, with an indicator where training had missing ones."""

    kind: ClassVar[str] = "boolean"
    embedded: ClassVar[bool] = False
    name: str
    share: Annotated[float, Field(ge=0, le=1)]
    missing: bool

    @classmethod
    def fit(cls, name: str, column: pa.ChunkedArray, rows: Rows, scale: Scale) -> BooleanColumn:
        """Fit to the training rows."""
        values = gather(numbers, column, rows)
        known = values[~np.isnan(values)]
        return cls(name, float(known.mean()) if len(known) else 0.0, bool(len(known) < len(values)))

    @property
    def names(self) -> tuple[str, ...]:
        """Of the encoded columns."""
        return (self.name, f"{self.name} missing")[: 1 + self.missing]

    def reader(self, column: pa.ChunkedArray) -> Read:
        """How parts of this column are read."""
        return numbers

    def write(self, values: Floats, out: Matrix) -> None:
        """Encode into float32 [n, width]. Where training saw one answer only, the column says nothing: 0."""
        absent = np.isnan(values)
        out[:, 0] = 0.0 if self.share in (0.0, 1.0) else np.where(absent, self.share, values)
        if self.missing:
            out[:, 1] = absent

    def read(self, encoded: Matrix) -> pa.Array:
        """The column again, as bool."""
        values = np.full(len(encoded), self.share == 1.0) if self.share in (0.0, 1.0) else encoded[:, 0] > 0.5
        return from_numpy(values, encoded[:, 1] > 0.5 if self.missing else None)


@dataclass(frozen=True)
class CategoryColumn:
    """A category: one column for each training level, or one column of codes where there are too many.

    A level that training did not have is all zeros, as is a missing one where none was missing in training. A column
    of their own would be zero in all of training, so its weights would be the random numbers they began as.
    """

    kind: ClassVar[str] = "category"
    name: str
    levels: tuple[str, ...]
    missing: bool

    def __post_init__(self) -> None:
        if len(set(self.levels)) < len(self.levels):
            raise ValueError(f"a level of {show(self.name)} stands there twice")

    @classmethod
    def fit(cls, name: str, column: pa.ChunkedArray, rows: Rows, scale: Scale) -> CategoryColumn:
        """Fit to the training rows."""
        found = np.flatnonzero(np.bincount(codes(column)[rows] + 1)) - 1
        known = levels(column)
        return cls(name, tuple(sorted(known[code] for code in found if code >= 0)), bool((found < 0).any()))

    @property
    def embedded(self) -> bool:
        """Whether it is one column of codes."""
        return len(self.levels) > MOST_ONE_HOT

    @property
    def num_codes(self) -> int:
        """Codes of an embedded category: unseen, missing, and the levels."""
        return FIRST_LEVEL + len(self.levels)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the encoded columns."""
        if self.embedded:
            return (self.name,)
        return (*(f"{self.name}={level}" for level in self.levels), *[f"{self.name} missing"][: self.missing])

    def reader(self, column: pa.ChunkedArray) -> Read:
        """How parts of this column are read: codes of this table's levels become codes of training's."""
        place = {level: code for code, level in enumerate(self.levels, FIRST_LEVEL)}
        known = [place.get(level, UNSEEN) for level in levels(column)]
        table = np.array([*known, MISSING if self.missing else UNSEEN], np.int32)
        return lambda part: table[codes(part)]

    def write(self, values: NDArray[np.int32], out: Matrix) -> None:
        """Encode into float32 [n, width]."""
        if self.embedded:
            out[:, 0] = values
            return
        out[:] = 0
        seen = np.flatnonzero(values != UNSEEN)
        # Levels in their order, and missing in the last column.
        out[seen, np.where(values[seen] == MISSING, len(self.levels), values[seen] - FIRST_LEVEL)] = 1

    def read(self, encoded: Matrix) -> pa.Array:
        """The column again, as text; missing and unseen levels are null."""
        none = len(self.levels)
        if self.embedded:
            found = encoded[:, 0].astype(np.int64) - FIRST_LEVEL
            found[found < 0] = none
        else:
            found = np.where(encoded.max(axis=1, initial=0) > 0.5, encoded.argmax(axis=1), none)
        return from_texts([*self.levels, None]).take(from_numpy(found))


@dataclass(frozen=True)
class DateColumn:
    """A date: year, month, day, weekday (Monday is 0) and the days since the earliest training date, all scaled."""

    kind: ClassVar[str] = "date"
    embedded: ClassVar[bool] = False
    name: str
    earliest: Annotated[int, Field(ge=-(2**63), lt=2**63)]
    """Microseconds since 1970, UTC."""
    scalers: Annotated[tuple[Scaler, ...], Field(min_length=len(DATE_PARTS), max_length=len(DATE_PARTS))]
    missing: bool

    @classmethod
    def fit(cls, name: str, column: pa.ChunkedArray, rows: Rows, scale: Scale) -> DateColumn:
        """Fit to the training rows. Years and days differ too much in size to be left unscaled."""
        values = gather(instants, column, rows)
        known = values[~np.isnat(values)]
        earliest = int(known.min().astype(np.int64)) if len(known) else 0
        parts = _date_parts(values, earliest)
        how: Scale = "standard" if scale == "none" else scale
        return cls(name, earliest, tuple(Scaler.fit(part, how) for part in parts), len(known) < len(values))

    @property
    def names(self) -> tuple[str, ...]:
        """Of the encoded columns."""
        parts = [f"{self.name}: {part}" for part in DATE_PARTS]
        return (*parts, *[f"{self.name} missing"][: self.missing])

    def reader(self, column: pa.ChunkedArray) -> Read:
        """How parts of this column are read."""
        return instants

    def write(self, values: NDArray[np.datetime64], out: Matrix) -> None:
        """Encode into float32 [n, width]."""
        for index, part in enumerate(_date_parts(values, self.earliest)):
            out[:, index] = self.scalers[index].encode(part)
        if self.missing:
            out[:, len(DATE_PARTS)] = np.isnat(values)

    def read(self, encoded: Matrix) -> pa.Array:
        """The column again, to the day."""
        year, month, day = (
            np.rint(scaler.decode(encoded[:, index].astype(np.float64))).astype(np.int64)
            for index, scaler in enumerate(self.scalers[:3])
        )
        months = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
        values = months.astype("datetime64[D]") + (day - 1)
        return from_numpy(values, encoded[:, len(DATE_PARTS)] > 0.5 if self.missing else None)


def _date_parts(values: NDArray[np.datetime64], earliest: int) -> list[Floats]:
    """Year, month, day, weekday and days since `earliest`, NaN where there is no date."""
    years, months, days = (values.astype(f"datetime64[{unit}]") for unit in "YMD")
    since = days.astype(np.int64)
    parts = [
        years.astype(np.int64) + 1970,
        (months - years.astype("datetime64[M]")).astype(np.int64) + 1,
        (days - months.astype("datetime64[D]")).astype(np.int64) + 1,
        (since + 3) % 7,
        (values.astype(np.int64) - earliest) / 86_400_000_000,
    ]
    return [np.where(np.isnat(values), np.nan, part.astype(np.float64)) for part in parts]


FeatureColumn = NumberColumn | BooleanColumn | CategoryColumn | DateColumn
CLASSES: dict[str, type[FeatureColumn]] = {
    each.kind: each for each in (NumberColumn, BooleanColumn, CategoryColumn, DateColumn)
}


def fit_column(kind: str, name: str, column: pa.ChunkedArray, rows: Rows, scale: Scale) -> FeatureColumn:
    """Fit the class that is for this kind of column."""
    return CLASSES[kind].fit(name, column, rows, scale)


def column_to_json(column: FeatureColumn) -> dict[str, Any]:
    """Plain JSON; floats are exact, as Python writes them."""
    return {"kind": column.kind, **asdict(column)}


def column_from_json(data: dict[str, Any]) -> FeatureColumn:
    """The fitted column that `column_to_json` wrote. Raises ValueError or KeyError for anything else."""
    return from_stored(CLASSES[data["kind"]], data)
