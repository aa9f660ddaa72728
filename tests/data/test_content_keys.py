"""Keys and sides of rows, worked out by vectors and threads, beside the same worked out row by row in plain Python."""

from __future__ import annotations

import math
import struct
from datetime import datetime
from hashlib import blake2b
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nettool.config.data import ColumnKind
from nettool.data import arrow, parallel, splits
from nettool.data.columns import Column, conform
from nettool.data.splits import content_keys, split_rows
from nettool.data.values import simplify

ALL = 2**64 - 1
MISSING = 0x9E3779B97F4A7C15


def mixed(key: int) -> int:
    """The finalizer of SplitMix64."""
    key = ((key ^ (key >> 30)) * 0xBF58476D1CE4E5B9) & ALL
    key = ((key ^ (key >> 27)) * 0x94D049BB133111EB) & ALL
    return key ^ (key >> 31)


def text_key(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def value_key(value: Any, kind: str) -> int:
    if kind == "category":
        return MISSING if value is None else text_key(value)
    if kind == "date":
        since = -(2**63) if value is None else round((value - datetime(1970, 1, 1)).total_seconds() * 10**6)
        return since & ALL
    if value is None or math.isnan(value):
        return MISSING
    return int.from_bytes(struct.pack("<d", float(value) + 0.0), "little")


def keys_by_row(table: pa.Table, kinds: dict[str, str], seed: int) -> list[int]:
    """table: conformed to these kinds, so that each value has one spelling."""
    rows = [0] * table.num_rows
    for name, kind in kinds.items():
        for index, value in enumerate(table[name].to_pylist()):
            rows[index] = (rows[index] + mixed(value_key(value, kind) ^ text_key(name))) & ALL
    return [mixed(row ^ text_key(f"seed {seed}")) for row in rows]


def smallest_of_groups(groups: list[int], rows: list[int]) -> list[int]:
    smallest: dict[int, int] = {}
    for group, row in zip(groups, rows, strict=True):
        smallest[group] = min(row, smallest.get(group, ALL))
    return [smallest[group] for group in groups]


TYPES = {"n": pa.float64(), "i": pa.int32(), "b": pa.bool_(), "c": pa.string(), "d": pa.timestamp("us")}
AS_READ = {"n": "number", "i": "number", "b": "number", "c": "category", "d": "date"}
OTHER_KINDS: dict[str, list[ColumnKind]] = {
    "n": ["number"],
    "i": ["number", "category"],
    "b": ["boolean", "number", "category"],
    "c": ["category", "text"],
    "d": ["date", "category"],
}
ROWS = st.lists(
    st.tuples(
        st.none() | st.sampled_from([0.0, -0.0, 1.5, math.nan, 1e300]),
        st.none() | st.integers(-2, 2),
        st.none() | st.booleans(),
        st.none() | st.sampled_from(["x", "y", "ü"]),
        st.none() | st.datetimes(datetime(1969, 12, 30), datetime(1970, 1, 3)).map(lambda at: at.replace(hour=0)),
    ),
    min_size=1,
    max_size=30,
)


@st.composite
def used_columns(draw: st.DrawFn) -> tuple[Column, ...]:
    names = draw(st.lists(st.sampled_from(list(TYPES)), unique=True, min_size=1))
    return tuple(Column(name, draw(st.sampled_from(OTHER_KINDS[name])), "feature") for name in names)


def in_pieces(table: pa.Table, size: int) -> pa.Table:
    return pa.concat_tables([table.slice(start, size) for start in range(0, table.num_rows, size)])


@given(ROWS, used_columns(), st.integers(0, 2), st.integers(1, 7))
@settings(max_examples=150)
def test_keys_are_those_worked_out_row_by_row(
    rows: list[tuple[Any, ...]], columns: tuple[Column, ...], seed: int, size: int
) -> None:
    values = zip(*rows, strict=True)
    table = pa.table({name: pa.array(v, kind) for (name, kind), v in zip(TYPES.items(), values, strict=True)})
    raw = simplify(in_pieces(table, size))
    conformed = conform(raw, columns)
    read_as = {"category": "category", "text": "category", "date": "date"}
    groups = keys_by_row(conformed, {c.name: read_as.get(c.kind, "number") for c in columns}, seed)
    whole = keys_by_row(raw, AS_READ, seed)
    assert content_keys(conformed, columns, raw, seed).tolist() == smallest_of_groups(groups, whole)


def test_threads_and_the_pieces_of_a_file_change_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    table = pa.table(
        {
            "n": random.normal(size=20_000).round(1),
            "i": random.integers(0, 9, 20_000),
            "c": random.choice(["x", "y", "z"], 20_000),
        }
    )
    columns = (Column("n", "number", "feature"), Column("c", "category", "target"))
    found = []
    for size, block, many in ((20_000, 1 << 15, 10**9), (777, 1000, 0), (20_000, 64, 0)):
        monkeypatch.setattr(arrow, "CELLS", block)
        monkeypatch.setattr(parallel, "MANY_ROWS", many)
        raw = simplify(in_pieces(table, size))
        found.append(content_keys(conform(raw, columns), columns, raw, 0).tobytes())
    assert found[0] == found[1] == found[2]


def sides_by_row(
    keys: list[int], fractions: tuple[float, float, float], classes: list[int] | None, groups: list[int] | None
) -> list[int]:
    """Each class by itself: its rows in the order of their keys, cut where the equal ones end."""
    units = keys if groups is None else groups
    labels = classes if classes is not None and groups is None else [0] * len(keys)
    sides, excess = [0] * len(keys), np.zeros(3)
    cuts = np.array([fractions[0], fractions[0] + fractions[1]])
    for label in sorted(set(labels)):
        rows = sorted((row for row in range(len(keys)) if labels[row] == label), key=lambda row: units[row])
        starts = [0, *(i for i in range(1, len(rows)) if units[rows[i]] != units[rows[i - 1]]), len(rows)]
        first, second = splits._best_cuts(np.array(starts), cuts * len(rows), np.array(fractions) > 0, excess)
        for place, row in enumerate(rows):
            sides[row] = (place >= first) + (place >= second)
        excess += np.array([first, second - first, len(rows) - second]) - np.array(fractions) * len(rows)
    return sides


FRACTIONS = st.sampled_from([(0.7, 0.15, 0.15), (0.8, 0.2, 0.0), (0.5, 0.0, 0.5), (0.0, 0.5, 0.5), (0.9, 0.05, 0.05)])
FEW_KEYS = st.integers(0, 12) | st.sampled_from([ALL, ALL - 1, 2**63])


@given(
    st.lists(st.tuples(FEW_KEYS, st.sampled_from([0, 1, 2, 65_537]), FEW_KEYS), min_size=1, max_size=50),
    FRACTIONS,
    st.booleans(),
    st.booleans(),
)
@settings(max_examples=300)
def test_sides_are_those_of_each_class_sorted_and_cut(
    rows: list[tuple[int, int, int]], fractions: tuple[float, float, float], stratified: bool, grouped: bool
) -> None:
    keys, classes, groups = (list(column) for column in zip(*rows, strict=True))
    found = split_rows(
        np.array(keys, np.uint64),
        fractions,
        classes=np.array(classes) if stratified else None,
        groups=np.array(groups, np.uint64) if grouped else None,
    )
    assert found.dtype == np.int8
    assert found.tolist() == sides_by_row(keys, fractions, classes if stratified else None, groups if grouped else None)
