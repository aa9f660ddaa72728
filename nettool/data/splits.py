"""Which example is for training, which for validation, which for the test.

The split is a function of the split's seed and of what the rows say, never of their order. Rows that say the
same have the same key, and one key is on one side: a duplicate of a training example would be no test.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from hashlib import blake2b
from itertools import product

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nettool.config.data import ColumnKind, SplitName
from nettool.data.columns import Column
from nettool.data.kinds import as_kind
from nettool.data.values import codes, instants, is_date, is_numeric, is_text, levels, numbers

Keys = NDArray[np.uint64]
Codes = NDArray[np.int64]
Fractions = tuple[float, float, float]
NAMES: tuple[SplitName, ...] = ("train", "validation", "test")

MAX_TEXTS = 100_000
"""An unused column of more different texts has no say in where its rows go: hashing them takes too long."""

_MISSING = np.uint64(0x9E3779B97F4A7C15)


def row_keys(table: pa.Table, columns: Iterable[Column], seed: int) -> Keys:
    """A 64-bit hash of each row's values in these columns: uint64 [n].

    The table is conformed (`columns.conform`), so equal values have equal keys in every file format. The order of
    the columns has no say.
    """
    total = np.zeros(table.num_rows, np.uint64)
    for column in columns:
        # Each column's hash depends on its name, and their sum on no order.
        total += _value_keys(table.column(column.name), column)
    return _mixed(total ^ _text_key(f"seed {seed}"))


def content_keys(keys: Keys, raw: pa.Table, seed: int, used: Collection[str] = ()) -> Keys:
    """The same groups of rows as `keys` makes, under keys that depend on all that the table says: uint64 [n].

    keys: of the columns that are used (`row_keys`), which say what rows are equal. raw: the simplified table, with all
    columns as they were read. So a run with other features, or with a column read as another kind, meets the same
    split, and the two compare. A group has the smallest key among its rows. used: columns that have a say however
    many texts they hold: those of `keys`, or groups that differ in nothing else would be one.
    """
    total = np.zeros(raw.num_rows, np.uint64)
    for name in raw.column_names:
        values = raw.column(name)
        kind = _kind_of_type(values, name in used)
        if kind is not None:
            values = as_kind(values, kind, name, "") if kind == "date" else values
            total += _value_keys(values, Column(name, kind, "unused"))
    rows = _mixed(total ^ _text_key(f"seed {seed}"))
    _, group = np.unique(keys, return_inverse=True)
    smallest = np.full(group.max(initial=-1) + 1, np.iinfo(np.uint64).max, np.uint64)
    np.minimum.at(smallest, group, rows)
    return smallest[group]


def _kind_of_type(values: pa.ChunkedArray, is_used: bool) -> ColumnKind | None:
    """How to hash a column of this type; None for what has no plain values, or so many texts that it would be slow."""
    if is_text(values.type):
        return "category" if is_used or len(levels(values)) <= MAX_TEXTS else None
    if is_date(values.type):
        return "date"
    return "number" if is_numeric(values.type) or pa.types.is_boolean(values.type) else None


def _value_keys(values: pa.ChunkedArray, column: Column) -> Keys:
    name = _text_key(column.name)
    if column.kind in ("category", "text"):
        known = np.array([_text_key(level) for level in levels(values)] + [_MISSING], np.uint64)
        return _mixed(known ^ name)[codes(values)]
    if column.kind == "date":
        # NaT is the smallest integer, the same for every missing date.
        return _mixed(instants(values).view(np.uint64) ^ name)
    found = numbers(values) + 0.0  # which turns -0.0 into 0.0
    bits = found.view(np.uint64)
    bits[np.isnan(found)] = _MISSING  # NaN has many bit patterns
    return _mixed(bits ^ name)


def _text_key(text: str) -> np.uint64:
    return np.uint64(int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little"))


def _mixed(keys: Keys) -> Keys:
    """Spread every bit over all others: the finalizer of SplitMix64 (Steele, Lea and Flood, 2014)."""
    keys = keys ^ (keys >> np.uint64(30))
    keys *= np.uint64(0xBF58476D1CE4E5B9)
    keys ^= keys >> np.uint64(27)
    keys *= np.uint64(0x94D049BB133111EB)
    keys ^= keys >> np.uint64(31)
    return keys


def split_rows(
    keys: Keys,
    fractions: Fractions,
    *,
    classes: Codes | None = None,
    groups: Keys | None = None,
) -> NDArray[np.int8]:
    """The side of every row: 0 training, 1 validation, 2 test; int8 [n].

    keys: a hash of each row (`row_keys`). fractions: of the three sides. classes: codes [n]; each class is split
    by the fractions. groups: a hash of each row's group; groups are then kept whole instead of equal rows.

    Class shares hold to within the largest group of rows that stay together, and so do the sizes, unless a class
    of a handful of rows would be missing on some side.
    """
    units = keys if groups is None else groups
    order = np.argsort(units, kind="stable")
    if classes is not None and groups is None:
        order = order[np.argsort(classes[order], kind="stable")]
        edges = np.flatnonzero(np.diff(classes[order], prepend=-1))
    else:
        edges = np.zeros(min(len(order), 1), np.int64)
    sorted_units = units[order]
    sides = np.empty(len(order), np.int8)
    cuts = np.array([fractions[0], fractions[0] + fractions[1]])
    wanted = np.array(fractions) > 0
    excess = np.zeros(3)
    for start, end in zip(edges, [*edges[1:], len(order)], strict=True):
        part = sorted_units[start:end]
        # Where one group of equal rows ends and the next begins: the only places to cut.
        places = np.flatnonzero(np.concatenate(([True], part[1:] != part[:-1], [True])))
        first, second = _best_cuts(places, cuts * len(part), wanted, excess)
        sides[order[start : start + first]] = 0
        sides[order[start + first : start + second]] = 1
        sides[order[start + second : end]] = 2
        excess += np.array([first, second - first, len(part) - second]) - np.array(fractions) * len(part)
    return sides


def _best_cuts(
    places: Codes, targets: NDArray[np.float64], wanted: NDArray[np.bool_], excess: NDArray[np.float64]
) -> tuple[int, int]:
    """The two places to cut at: near the targets, no wanted side empty, and evening out what went before.

    Rounding each class by itself would add up over many classes; `excess` is what the sides have too much so far.
    """
    size = int(places[-1])
    largest = int(np.diff(places).max())
    shares = np.diff(np.concatenate(([0], targets, [size])))
    best: tuple[float, ...] | None = None
    cuts = (0, size)
    for first, second in product(_around(places, targets[0]), _around(places, targets[1])):
        counts = np.array([first, second - first, size - second])
        if first > second or (counts[~wanted] > 0).any():
            continue
        errors = counts - shares
        score = (
            float(round(max(np.abs(errors).max() - largest, 0), 9)),
            float((counts[wanted] == 0).sum()),
            float(np.abs(excess + errors).max()),
            float(np.abs(errors).max()),
        )
        if best is None or score < best:
            best, cuts = score, (first, second)
    return cuts


def _around(places: Codes, target: float) -> list[int]:
    """The places next to a target, one or two on each side."""
    index = int(np.searchsorted(places, target - 1e-9))
    return [int(place) for place in places[max(index - 2, 0) : index + 2]]


def cut_in_time(count: int, fractions: Fractions) -> dict[SplitName, tuple[int, int]]:
    """Where each split of what is in the order of time begins and ends: training first, the test last."""
    ends = np.rint(np.cumsum(fractions) * count).astype(np.int64).tolist()
    bounds = zip(NAMES, fractions, [0, *ends], ends, strict=False)
    return {name: (start, end) for name, fraction, start, end in bounds if fraction > 0}


def num_kept(limit: int | float, count: int) -> int:
    """How many of so many examples a limit leaves: a number (an int), or a fraction (a float), but one at least."""
    return min(count, limit) if isinstance(limit, int) else max(1, round(limit * count))


def limit_rows(keys: Keys, limit: int | float, classes: Codes | None = None) -> NDArray[np.int64]:
    """The rows to keep, ascending, of which `keys` (and `classes`) are given; int64.

    limit: how many (an int) or which fraction (a float). Class shares hold to within one row, each class keeps
    a row as long as there is room, and a smaller limit keeps some of what a larger one keeps.
    """
    count = len(keys)
    keep = num_kept(limit, count)
    order = np.argsort(keys, kind="stable")
    if classes is not None:
        by_class = order[np.argsort(classes[order], kind="stable")]
        sizes = np.bincount(classes)
        starts = np.concatenate(([0], np.cumsum(sizes)))[classes[by_class]]
        place = (np.arange(count) - starts) / sizes[classes[by_class]]
        order = by_class[np.lexsort((keys[by_class], place))]
    return np.sort(order[:keep])
