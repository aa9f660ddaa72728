"""Target columns <-> what the loss compares with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field, FiniteFloat

from nettool.config.losses import BinaryCrossEntropy, CrossEntropy, LossSpec
from nettool.config.signature import ClassTarget, LabelTarget, NextTarget, NumberTarget, Target
from nettool.data.arrow import from_numpy, from_texts
from nettool.data.columns import Column
from nettool.data.features import Rows
from nettool.data.kinds import TRUTHS, as_kind
from nettool.data.scaling import is_constant, moments
from nettool.data.stored import Length, Positive, check_distinct, from_stored
from nettool.data.values import codes, levels, numbers, show
from nettool.errors import ConfigError, DataError, Mistake


@dataclass(frozen=True)
class ClassEncoder:
    """One class out of several: int64 [n], or float32 [n, 1] of 0 and 1 for a single output."""

    kind: ClassVar[str] = "class"
    name: str
    classes: tuple[str, ...]
    binary: bool

    def __post_init__(self) -> None:
        check_distinct(self.classes, "classes")
        if self.binary and len(self.classes) != 2:
            raise ValueError(f"{len(self.classes)} classes instead of two")

    @classmethod
    def fit(cls, raw: pa.Table, table: pa.Table, columns: Sequence[Column], rows: Rows, binary: bool) -> ClassEncoder:
        """Take the classes of the training rows, as the user wrote them."""
        (column,) = columns
        found = class_codes(table, column)
        names = class_names(raw, table, column)
        return cls(column.name, tuple(names[code] for code in np.flatnonzero(np.bincount(found[rows]))), binary)

    @property
    def target(self) -> Target:
        """What the model's outputs mean."""
        return ClassTarget(self.classes, self.binary)

    def encode(self, table: pa.Table, rows: Rows, source: str) -> NDArray[Any]:
        """Encode rows of a conformed table. Raises DataError for a class that training lacks."""
        column = table.column(self.name)
        if pa.types.is_boolean(column.type):
            names = ["no", "yes"]
            found = numbers(column)[rows].astype(np.int32)
            place = {"yes" if TRUTHS[text.lower()] else "no": code for code, text in enumerate(self.classes)}
        else:
            names, found = levels(column), codes(column)[rows]
            place = {text: code for code, text in enumerate(self.classes)}
        encoded = np.array([place.get(name, -1) for name in names], np.int64)[found]
        if (encoded < 0).any():
            first = int(np.flatnonzero(encoded < 0)[0])
            raise DataError(
                f"{source}: row {rows[first] + 1:,}: {show(self.name)} is {show(names[found[first]])}, a class that "
                f"the training rows do not have: they have {listed(self.classes)}. Cure: add such examples to the "
                f"training rows, or take them out here."
            )
        return encoded.astype(np.float32)[:, None] if self.binary else encoded

    def decode(self, encoded: NDArray[Any]) -> pa.Array:
        """The names of classes, from what `encode` gives."""
        found = encoded[:, 0] > 0.5 if self.binary else encoded
        return from_texts(self.classes).take(from_numpy(found.astype(np.int64)))


@dataclass(frozen=True)
class LabelEncoder:
    """Several yes/no labels: float32 [n, k] of 0 and 1."""

    kind: ClassVar[str] = "labels"
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        check_distinct(self.names, "labels")

    @property
    def target(self) -> Target:
        """What the model's outputs mean."""
        return LabelTarget(self.names)

    def encode(self, table: pa.Table, rows: Rows, source: str) -> NDArray[Any]:
        """Encode rows of a conformed table."""
        return np.stack([numbers(table.column(name))[rows] for name in self.names], axis=1).astype(np.float32)

    def decode(self, encoded: NDArray[Any]) -> pa.Table:
        """The labels as booleans, from float32 [n, k]."""
        return pa.table({name: from_numpy(encoded[:, index] > 0.5) for index, name in enumerate(self.names)})


@dataclass(frozen=True)
class NumberEncoder:
    """One number or several, each standardised by mean and deviation of the training rows: float32 [n, k].

    horizon: rows ahead that are predicted of a series, each row with all its numbers; 1 for a plain table.
    """

    kind: ClassVar[str] = "numbers"
    names: tuple[str, ...]
    means: tuple[FiniteFloat, ...]
    deviations: tuple[Positive, ...]
    horizon: Length = 1

    def __post_init__(self) -> None:
        check_distinct(self.names, "numbers")
        if not len(self.names) == len(self.means) == len(self.deviations):
            raise ValueError("as many means and deviations as numbers are needed")

    @classmethod
    def fit(cls, table: pa.Table, columns: Sequence[Column], rows: Rows) -> NumberEncoder:
        """Fit to the training rows; a target that is the same in all of them is refused."""
        names = tuple(column.name for column in columns)
        fitted = [moments(numbers(table.column(name))[rows]) for name in names]
        for name, (mean, deviation) in zip(names, fitted, strict=True):
            if is_constant(mean, deviation):
                text = f"{show(name)} is {mean:g} in every training row. There is nothing to learn."
                raise ConfigError([Mistake(("data", "target"), text)])
        return cls(names, tuple(mean for mean, _ in fitted), tuple(deviation for _, deviation in fitted))

    @property
    def target(self) -> Target:
        """What the model's outputs mean."""
        if self.horizon == 1:
            return NumberTarget(self.names)
        steps = range(1, self.horizon + 1)
        return NumberTarget(tuple(f"{name}+{step}" for step in steps for name in self.names))

    def encode(self, table: pa.Table, rows: Rows, source: str) -> NDArray[Any]:
        """Encode rows of a conformed table."""
        values = np.stack([numbers(table.column(name))[rows] for name in self.names], axis=1)
        standard = (values - np.array(self.means)) / np.array(self.deviations)
        with np.errstate(over="ignore"):  # so far from all of training that the loss may well be infinite
            return np.asarray(standard, np.float32)

    def decode(self, encoded: NDArray[Any]) -> NDArray[np.float64]:
        """The target's own units, from standardised [n, k]."""
        means, deviations = self.means * self.horizon, self.deviations * self.horizon
        units: NDArray[np.float64] = np.asarray(encoded, np.float64) * deviations + means
        return units


@dataclass(frozen=True)
class NextEncoder:
    """The next token of a text: what it is made of is what the features are made of."""

    kind: ClassVar[str] = "next"
    vocabulary: Annotated[int, Field(ge=1)]

    @property
    def target(self) -> Target:
        """What the model's outputs mean."""
        return NextTarget(self.vocabulary)

    def encode(self, table: pa.Table, rows: Rows, source: str) -> NDArray[Any]:
        """A table has no next token."""
        raise DataError(f"{source} is a table, but the network predicts the next token of a text.")


TargetEncoder = ClassEncoder | LabelEncoder | NumberEncoder | NextEncoder


def fit_target(raw: pa.Table, table: pa.Table, targets: Sequence[Column], rows: Rows, loss: LossSpec) -> TargetEncoder:
    """Fit the encoder that suits the loss. raw: the table as read (packed); table: the same, conformed."""
    if not isinstance(loss, CrossEntropy | BinaryCrossEntropy):
        return NumberEncoder.fit(table, targets, rows)
    if len(targets) > 1:
        return LabelEncoder(tuple(column.name for column in targets))
    return ClassEncoder.fit(raw, table, targets, rows, isinstance(loss, BinaryCrossEntropy))


def target_to_json(encoder: TargetEncoder) -> dict[str, Any]:
    """Plain JSON, exact."""
    return {"kind": encoder.kind, **asdict(encoder)}


def target_from_json(data: dict[str, Any]) -> TargetEncoder:
    """The encoder that `target_to_json` wrote. Raises ValueError or KeyError for anything else."""
    kinds: dict[str, type[TargetEncoder]] = {
        each.kind: each for each in (ClassEncoder, LabelEncoder, NumberEncoder, NextEncoder)
    }
    return from_stored(kinds[data["kind"]], data)


# Classes


def class_codes(table: pa.Table, column: Column) -> NDArray[np.int64]:
    """The class of every row of a conformed table, in an order that the rows' order has no part in."""
    values = table.column(column.name)
    if column.kind == "boolean":
        return numbers(values).astype(np.int64)
    return _order(levels(values))[codes(values)]


def class_names(raw: pa.Table, table: pa.Table, column: Column) -> list[str]:
    """The names that belong to `class_codes`, as the user wrote them."""
    if column.kind != "boolean":
        return sort_classes(levels(table.column(column.name)))
    spelled = sorted(levels(as_kind(raw.column(column.name), "category", column.name, "")))
    names = ["no", "yes"]
    for text in reversed(spelled):
        names[TRUTHS[text.lower()]] = text
    return names


def _order(names: Sequence[str]) -> NDArray[np.int64]:
    place = {name: code for code, name in enumerate(sort_classes(names))}
    return np.array([place[name] for name in names], np.int64)


def sort_classes(names: Sequence[str]) -> list[str]:
    """By number if all are numbers, no before yes if that is all, else by their letters."""
    truths = [TRUTHS.get(name.lower()) for name in names]
    if len(names) == 2 and set(truths) == {False, True}:
        return [name for _, name in sorted(zip(truths, names, strict=True))]
    try:
        return sorted(names, key=lambda name: (float(name), name))
    except ValueError:
        return sorted(names)


def listed(names: Sequence[str], most: int = 10) -> str:
    """Names for a message, the first ones if there are many."""
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(show(name) for name in names[:most]) + rest
