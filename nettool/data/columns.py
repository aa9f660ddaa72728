"""What kind each column is, and what part it plays."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nettool.config.data import ColumnKind, DataSpec
from nettool.data.inference import CONSTANT, DISTINCT, NOTHING, infer_kind
from nettool.data.kinds import as_kind, declare
from nettool.data.parallel import each
from nettool.data.values import count_missing, missing, show, simplify
from nettool.errors import ConfigError, ConfigPath, DataError, Mistake

Role = Literal["feature", "target", "weights", "group", "unused"]


@dataclass(frozen=True)
class Column:
    """One column of the table.

    reason: in words, how its kind was found, or why it is ignored. num_distinct: how many levels; None for numbers
    and dates, where nobody counts. examples: a few of its values, as text.
    """

    name: str
    kind: ColumnKind
    role: Role
    reason: str = ""
    num_missing: int = 0
    num_distinct: int | None = None
    examples: tuple[str, ...] = ()


def describe_columns(table: pa.Table, spec: DataSpec, source: str = "the table") -> tuple[Column, ...]:
    """Find kind and role of every column, in the table's order.

    Raises ConfigError when the config names columns that do not exist, cannot be used or contradict each other,
    DataError when there is text among a column's numbers.
    """
    _check_names(table.column_names, spec)
    table = simplify(table)
    names = table.column_names
    described = tuple(each(lambda name: _describe(table.column(name), name, spec, source), names, table.num_rows))
    unusable = [
        Mistake(path, f"{show(column.name)} cannot be used: {column.reason}.")
        for path, name in _named(spec)
        for column in described
        if column.name == name and column.kind == "ignore" and column.role != "unused"
    ]
    if unusable:
        raise ConfigError(unusable)
    if spec.window is None:  # a series has its own past to be predicted from
        _check_features(described, spec)
    return described


def input_column(spec: DataSpec, *kinds: ColumnKind) -> str | None:
    """The column of one of these kinds, image or text, which is then all that the network takes."""
    return next((name for name, kind in spec.columns.items() if kind in kinds), None)


def _chosen_features(spec: DataSpec) -> tuple[str, ...] | None:
    """The features that the config names, or an image or text alone; None for all columns that are left."""
    alone = input_column(spec, "image", "text")
    return spec.features if spec.features is not None or alone is None else (alone,)


def used(columns: Iterable[Column], *roles: Role) -> tuple[Column, ...]:
    """The columns that play one of these parts."""
    return tuple(column for column in columns if column.role in roles)


def named(columns: Iterable[Column], names: Sequence[str]) -> tuple[Column, ...]:
    """The columns of these names, in the order of the names."""
    known = {column.name: column for column in columns}
    return tuple(known[name] for name in names)


def notes(columns: Sequence[Column]) -> tuple[str, ...]:
    """Sentences on the columns that were left out though nobody asked for it, those of one reason together."""
    reasons: dict[str, list[str]] = {}
    for place, column in enumerate(columns, 1):
        if column.role == "unused" and column.kind == "ignore" and column.reason not in (DECLARED, UNNAMED):
            reasons.setdefault(column.reason, []).append(f"{show(column.name)} (column {place})")
    return tuple(
        f"{names[0]} is ignored: {reason}."
        if len(names) == 1
        else f"{_listed(names)} are ignored, each because {reason}."
        for reason, names in reasons.items()
    )


def scattered(columns: Sequence[Column], num_rows: int) -> tuple[str, ...]:
    """Sentences on categories with so many levels that they are hardly categories."""
    return tuple(
        f"{show(column.name)} is a category of {column.num_distinct:,} levels in {num_rows:,} rows, so there is little "
        f"to learn from it. If it is a name or an id, set data.columns: {{{column.name}: ignore}}; `text` if it is one."
        for column in used(columns, "feature")
        if column.kind == "category" and (column.num_distinct or 0) > max(SCATTERED_SHARE * num_rows, 32)
    )


def _listed(names: Sequence[str], most: int = 5) -> str:
    rest = [f"{len(names) - most} more"] if len(names) > most else []
    *first, last = [*names[:most], *rest]
    return f"{', '.join(first)} and {last}"


SCATTERED_SHARE = 0.3
"""A category with more levels than this share of the rows is hardly one."""
DECLARED = "data.columns says so"
UNNAMED = "data.features does not name it"


def _describe(column: pa.ChunkedArray, name: str, spec: DataSpec, source: str) -> Column:
    features = _chosen_features(spec)
    role = _role(name, spec, features)
    chosen = role == "feature" and features is None
    strict = role not in ("unused", "group") and name not in spec.columns
    found = infer_kind(column, name, source, strict=strict, may_ignore=chosen)
    kind, reason = found.kind, found.reason
    if name in spec.columns and not (role == "group" and spec.columns[name] == "ignore"):
        kind, reason = spec.columns[name], reason if spec.columns[name] == kind else DECLARED
    elif role == "weights":
        kind = "number"
    if chosen and kind == "ignore":
        role = "unused"
    if role == "unused" and features is not None:
        reason = UNNAMED
    return Column(name, kind, role, reason, found.num_missing, found.num_distinct, found.examples)


def _role(name: str, spec: DataSpec, features: tuple[str, ...] | None) -> Role:
    if name in spec.target:
        return "target"
    if features is not None and name in features:
        return "feature"
    if name == spec.weights:
        return "weights"
    if name == spec.split.by:
        return "group"
    return "unused" if features is not None else "feature"


def _named(spec: DataSpec) -> list[tuple[ConfigPath, str]]:
    """Every column that the config names, and where it does."""
    several = len(spec.target) > 1
    named: list[tuple[ConfigPath, str]] = [
        (("data", "target", index) if several else ("data", "target"), name) for index, name in enumerate(spec.target)
    ]
    named += [(("data", "features", index), name) for index, name in enumerate(spec.features or ())]
    named += [(("data", "columns", name), name) for name in spec.columns if name not in (spec.features or ())]
    if spec.weights is not None:
        named.append((("data", "weights"), spec.weights))
    if spec.split.by is not None:
        named.append((("data", "split", "by"), spec.split.by))
    return named


def _check_names(names: Sequence[str], spec: DataSpec) -> None:
    mistakes = [
        Mistake(path, f"the table has no column {show(name)}.{near_names(name, names)}")
        for path, name in _named(spec)
        if name not in names
    ]
    unknown = {mistake.path for mistake in mistakes}
    mistakes += [Mistake(path, text) for path, text in _contradictions(spec) if path not in unknown]
    if mistakes:
        raise ConfigError(mistakes)


def _contradictions(spec: DataSpec) -> Iterable[tuple[ConfigPath, str]]:
    for name, kind in spec.columns.items():
        if kind == "ignore" and name in spec.target:
            text = f"{show(name)} is the target, and cannot be ignored. Take it out here or in data.target."
            yield ("data", "columns", name), text
        elif kind == "ignore" and name in (spec.features or ()):
            text = f"{show(name)} is to be ignored, but data.features names it. Take it out of one of them."
            yield ("data", "columns", name), text
        elif name == spec.weights and kind != "number":
            yield ("data", "columns", name), f"{show(name)} is the weights, and weights are numbers. Take it out."
    if spec.weights is not None and spec.weights in (spec.features or ()):
        text = f"{show(spec.weights)} is a feature too. What an example weighs is not known of a new one: take it out."
        yield ("data", "weights"), text
    if spec.split.by in spec.target:
        text = f"{show(spec.split.by)} is the target; each of its values would be in one split only. Name another."
        yield ("data", "split", "by"), text


def near_names(name: str, names: Sequence[str]) -> str:
    """A sentence with the columns that may have been meant: the nearest ones, else all (at most twenty)."""
    lowered = {other.lower(): other for other in reversed(names)}
    near = difflib.get_close_matches(name.lower(), list(lowered), n=2, cutoff=0.6)
    if near:
        return f" Did you mean {' or '.join(show(lowered[other]) for other in near)}?"
    listed = ", ".join(show(other) for other in names[:20])
    return f" It has {listed}{f' and {len(names) - 20} more' if len(names) > 20 else ''}."


def _check_features(columns: Sequence[Column], spec: DataSpec) -> None:
    if used(columns, "feature"):
        return
    ignored = [column for column in columns if column.kind == "ignore"]
    why = "; ".join(f"{show(column.name)}: {column.reason}" for column in ignored[:10])
    cure = ""
    known = [column for column in ignored if column.reason not in (DECLARED, NOTHING, CONSTANT)]
    texts = [column for column in known if DISTINCT in column.reason]
    if texts:
        cure = f" To keep one, {declare(texts[0].name, 'text')} (or category)."
    elif known:
        cure = f" To keep one, {declare(known[0].name, 'number')}."
    said = f" Ignored are {why}." if ignored else " It has no other column than the target."
    text = f"no column is left to predict {show(spec.target[0])} from.{said}{cure}"
    raise ConfigError([Mistake(("data",), text)])


def conform(table: pa.Table, columns: Iterable[Column], source: str = "the table") -> pa.Table:
    """The given columns of the table, each in the type of its kind (see `values.py`).

    Raises DataError with row and value where a cell has no such meaning, or is infinite.
    """
    columns = tuple(columns)
    kinds = each(lambda c: as_kind(table.column(c.name), c.kind, c.name, source), columns, table.num_rows)
    return pa.table(kinds, names=[column.name for column in columns])


def check_target(table: pa.Table, columns: Iterable[Column], source: str) -> None:
    """Refuse a target that is missing somewhere."""
    for column in used(columns, "target"):
        count = count_missing(table.column(column.name))
        if count:
            row = int(np.flatnonzero(missing(table.column(column.name)))[0])
            raise DataError(
                f"{source}: the target {show(column.name)} is missing in {count:,} of {table.num_rows:,} rows, "
                f"first in row {row + 1:,}. Cure: fill these rows in, or take them out."
            )


def check_weights(weights: NDArray[np.float64], name: str, source: str) -> None:
    """Refuse weights that are missing, negative, or all zero."""
    checks = (np.isnan(weights), "is missing"), (weights < 0, "is negative"), (weights > 1e30, "is above 1e30")
    for bad, what in checks:
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            raise DataError(
                f"{source}: the weight {show(name)} {what} in {int(bad.sum()):,} of {len(weights):,} rows, first "
                f"in row {row + 1:,}. Cure: a number of 0 or more in every row."
            )
    if len(weights) and not weights.astype(np.float32).any():  # as which they are used
        raise DataError(
            f"{source}: every weight {show(name)} is 0, or next to it, so no example counts. Cure: some above 0."
        )
