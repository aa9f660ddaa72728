"""Which example is for training, which for validation, which for the test.

The split is a function of the split's seed and of what the rows say, never of their order. Rows that say the
same have the same key, and one key is on one side: a duplicate of a training example would be no test.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import product
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nettool.config.data import SplitName
from nettool.data.arrow import empty, stretches
from nettool.data.columns import Column
from nettool.data.kinds import as_kind
from nettool.data.parallel import each
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
    return _keys_of_sums(_sums(_values_used(table, columns), table.num_rows), seed)


def content_keys(table: pa.Table, columns: Iterable[Column], raw: pa.Table, seed: int) -> Keys:
    """The same groups of rows as `row_keys` makes, under keys that depend on all that the table says: uint64 [n].

    columns: those that are used, of the conformed table. raw: the simplified table, with all columns as they were read.
    So a run with other features, or with a column read as another kind, meets the same split, and the two compare. A
    group has the smallest key among its rows.
    """
    used, read = _values_used(table, columns), _values_read(raw, columns)
    both = used & read
    sums = _sums(both, raw.num_rows)
    if used == read:
        return _keys_of_sums(sums, seed)
    groups = _keys_of_sums(sums + _sums(used - both, raw.num_rows), seed)
    rows = _keys_of_sums(sums + _sums(read - both, raw.num_rows), seed)
    ordered = np.sort(groups)
    if (ordered[1:] != ordered[:-1]).all():  # each row is a group of its own
        return rows
    _, group = np.unique(groups, return_inverse=True)
    smallest = np.full(group.max(initial=-1) + 1, np.iinfo(np.uint64).max, np.uint64)
    np.minimum.at(smallest, group, rows)
    return smallest[group]


@dataclass(frozen=True)
class _Values:
    """A column whose values are hashed. Two of one name and one way to hash them say the same, row by row.

    kind: category for all text, number for truths too.
    """

    name: str
    kind: Literal["category", "date", "number"]
    values: pa.ChunkedArray = field(compare=False)


def _values_used(table: pa.Table, columns: Iterable[Column]) -> set[_Values]:
    """Columns of a conformed table."""
    ways: dict[str, Literal["category", "date"]] = {"category": "category", "text": "category", "date": "date"}
    return {_Values(c.name, ways.get(c.kind, "number"), table.column(c.name)) for c in columns}


def _values_read(raw: pa.Table, used: Iterable[Column]) -> set[_Values]:
    """Columns of a simplified table, without those that have no plain values."""
    names = {column.name for column in used}
    found = set()
    for name in raw.column_names:
        values = raw.column(name)
        if is_text(values.type):
            # Those that are used have a say in any case, or groups that differ in nothing else would be one.
            if name in names or len(levels(values)) <= MAX_TEXTS:
                found.add(_Values(name, "category", values))
        elif is_date(values.type):
            found.add(_Values(name, "date", as_kind(values, "date", name, "")))
        elif is_numeric(values.type) or pa.types.is_boolean(values.type):
            found.add(_Values(name, "number", values))
    return found


def _sums(columns: Collection[_Values], num_rows: int) -> Keys:
    """The sum of the hashes of each row's values: uint64 [n]. A sum has no order."""
    sums = np.zeros(num_rows, np.uint64)
    ordered = sorted(columns, key=lambda column: column.kind == "number")  # which come last
    table = pa.table([column.values for column in ordered], names=[column.name for column in ordered])
    names = np.array([_text_key(column.name) for column in ordered], np.uint64)[:, None]
    readers = [_reader(column) for column in ordered]
    first_number = sum(column.kind != "number" for column in ordered)

    def add(stretch: tuple[int, list[pa.RecordBatch]]) -> None:
        start, batches = stretch
        bits = empty((len(readers), sum(batch.num_rows for batch in batches)), np.uint64)
        end = 0
        for batch in batches:
            begin, end = end, end + batch.num_rows
            for row, values, read in zip(bits, batch.columns, readers, strict=True):
                row[begin:end] = read(values)
        _unite_spellings(bits[first_number:])
        bits ^= names
        sums[start : start + end] = _mix(bits).sum(axis=0)

    each(add, stretches(table), num_rows)
    return sums


def _reader(column: _Values) -> Callable[[pa.Array], Keys]:
    """64 bits for each value of this column: the same for values that say the same, but for numbers."""
    if column.kind == "category":
        known = np.array([_text_key(level) for level in levels(column.values)] + [_MISSING], np.uint64)
        return lambda part: known[codes(part)]
    if column.kind == "date":
        # NaT is the smallest integer, the same for every missing date.
        return lambda part: instants(part).view(np.uint64)
    return lambda part: numbers(part).view(np.uint64)


def _unite_spellings(bits: Keys) -> None:
    """The same bits for numbers that say the same, in place."""
    values = bits.view(np.float64)
    values += 0.0  # which turns -0.0 into 0.0
    absent = np.isnan(values)
    if absent.any():
        bits[absent] = _MISSING  # NaN has many bit patterns


def _keys_of_sums(sums: Keys, seed: int) -> Keys:
    """The keys, in the memory of the sums."""
    sums ^= _text_key(f"seed {seed}")
    return _mix(sums)


def _text_key(text: str) -> np.uint64:
    return np.uint64(int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little"))


def _mix(keys: Keys) -> Keys:
    """Spread every bit over all others: the finalizer of SplitMix64 (Steele, Lea and Flood, 2014).

    In place.
    """
    scratch = empty(keys.shape, np.uint64)
    keys ^= np.right_shift(keys, np.uint64(30), out=scratch)
    keys *= np.uint64(0xBF58476D1CE4E5B9)
    keys ^= np.right_shift(keys, np.uint64(27), out=scratch)
    keys *= np.uint64(0x94D049BB133111EB)
    keys ^= np.right_shift(keys, np.uint64(31), out=scratch)
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
    if classes is None or groups is not None or len(keys) == 0:
        order, edges = None, np.zeros(min(len(keys), 1), np.int64)
    else:
        order = np.argsort(_small(classes), kind="stable")
        units = units[order]
        edges = np.flatnonzero(np.diff(classes[order], prepend=-1))
    sides = np.zeros(len(units), np.int8)
    cuts = np.array([fractions[0], fractions[0] + fractions[1]])
    wanted = np.array(fractions) > 0
    excess = np.zeros(3)
    for start, end in zip(edges, [*edges[1:], len(units)], strict=True):
        part = np.sort(units[start:end])
        # Where one group of equal rows ends and the next begins: the only places to cut.
        places = np.flatnonzero(np.concatenate(([True], part[1:] != part[:-1], [True])))
        first, second = _best_cuts(places, cuts * len(part), wanted, excess)
        for cut in (first, second):
            if cut < len(part):
                sides[start:end] += units[start:end] >= part[cut]
        excess += np.array([first, second - first, len(part) - second]) - np.array(fractions) * len(part)
    if order is None:
        return sides
    found = np.empty_like(sides)
    found[order] = sides
    return found


def _small(classes: Codes) -> NDArray[np.integer[Any]]:
    """The same numbers in 16 bits where they fit: numpy sorts those by their digits, which is faster."""
    return classes.astype(np.uint16) if classes.max() < 1 << 16 else classes


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
