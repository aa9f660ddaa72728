"""Columns <-> numbers: what training sees, and the way back."""

from __future__ import annotations

import datetime
import json
import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nettool.config.data import ColumnKind, Scale
from nettool.data import arrow
from nettool.data.columns import Column, conform
from nettool.data.encoders import TableEncoder
from nettool.data.features import MOST_ONE_HOT
from nettool.data.values import simplify
from nettool.errors import DataError


def columns(**kinds: ColumnKind) -> tuple[Column, ...]:
    return tuple(Column(name, kind, "feature") for name, kind in kinds.items())


def conformed(values: dict[str, Any], **kinds: ColumnKind) -> pa.Table:
    return conform(simplify(pa.table(values)), columns(**kinds))


def fitted(values: list[Any], kind: ColumnKind, scale: Scale = "standard") -> TableEncoder:
    return TableEncoder.fit(conformed({"x": pa.array(values)}, x=kind), columns(x=kind), scale)


def encoded(encoder: TableEncoder, values: list[Any], kind: ColumnKind) -> list[list[float]]:
    return encoder.encode(conformed({"x": pa.array(values)}, x=kind)).tolist()


# Numbers


def test_numbers_are_standardised_by_population_statistics() -> None:
    encoder = fitted([1.0, 2.0, 3.0, 4.0], "number")
    matrix = np.array(encoded(encoder, [1.0, 2.0, 3.0, 4.0], "number"))
    assert matrix.mean() == pytest.approx(0, abs=1e-7)
    assert matrix.std() == pytest.approx(1)
    assert encoder.feature_names == ("x",)


def test_minmax_goes_from_0_to_1_and_none_leaves_numbers_alone() -> None:
    assert encoded(fitted([2, 4, 6], "number", "minmax"), [2, 3, 6], "number") == [[0], [0.25], [1]]
    assert encoded(fitted([2, 4, 6], "number", "none"), [2, 3, 600], "number") == [[2], [3], [600]]


@pytest.mark.parametrize(("scale", "mean"), [("standard", 0.0), ("minmax", 0.25), ("none", 3.0)])
def test_missing_is_the_mean_and_has_an_indicator_where_training_had_missing(scale: Scale, mean: float) -> None:
    encoder = fitted([2, 2, None, 2, 6], "number", scale)
    assert encoder.feature_names == ("x", "x missing")
    assert encoded(encoder, [None], "number") == [[mean, 1]]
    assert encoded(fitted([2, 2, 2, 6], "number", scale), [None], "number") == [[mean]]


@pytest.mark.parametrize("scale", ["standard", "minmax"])
@pytest.mark.parametrize(
    "values", [[7.0, 7.0], [1e9, 1e9 + 1], [0.1 + 0.2, 0.3], [0.0, 5e-324], [None, None], [3, None]]
)
def test_a_nearly_constant_column_says_nothing(scale: Scale, values: list[Any]) -> None:
    matrix = np.array(encoded(fitted(values, "number", scale), [*values, -1e30, 1e30], "number"))
    assert (matrix[:, 0] == 0).all()


def test_small_and_huge_numbers_are_scaled_like_others() -> None:
    for size in (1e-200, 1e-30, 1e30, 1e200, 1.7e308):
        matrix = encoded(fitted([-size, size, 0.0], "number"), [-size, size, 0.0], "number")
        assert np.array(matrix)[:, 0] == pytest.approx([-math.sqrt(1.5), math.sqrt(1.5), 0])
        assert encoded(fitted([-size, size], "number", "minmax"), [0.0], "number") == [[pytest.approx(0.5, abs=0.51)]]


def test_values_far_outside_are_clipped_at_ten() -> None:
    encoder = fitted([0.0, 1.0, 2.0, 3.0], "number")
    assert encoded(encoder, [1e300, -1e300, 1.7e308], "number") == [[10], [-10], [10]]


def test_unscaled_numbers_too_large_for_float32_are_refused() -> None:
    encoder = fitted([1.0, 2.0], "number", "none")
    with pytest.raises(
        DataError, match=r'column "x": 1e\+39 does not fit a 32-bit number\. Cure: `data\.scale: standard`'
    ):
        encoded(encoder, [1e39], "number")


def test_types_may_differ_between_training_and_prediction() -> None:
    encoder = fitted([1.0, 2.0, 4.0], "number")
    for values in ([2, 4], ["2", " 4.0 "], [2.0, 4.0]):
        assert encoded(encoder, values, "number") == encoded(encoder, [2.0, 4.0], "number")


# Booleans


def test_booleans_are_0_and_1_and_missing_is_their_mean() -> None:
    encoder = fitted(["yes", "no", "no", "no", None], "boolean")
    assert encoder.feature_names == ("x", "x missing")
    assert encoded(encoder, [True, False, None], "boolean") == [[1, 0], [0, 0], [0.25, 1]]
    assert encoded(fitted([0, 1, 1, 1], "boolean"), [1, 0, None], "boolean") == [[1], [0], [0.75]]


def test_a_boolean_that_training_saw_one_side_of_says_nothing() -> None:
    assert encoded(fitted([True, True], "boolean"), [True, False, None], "boolean") == [[0], [0], [0]]


# Categories


def test_a_category_has_one_column_for_each_training_level() -> None:
    encoder = fitted(["b", "a", "b"], "category")
    assert encoder.feature_names == ("x=a", "x=b")
    assert encoded(encoder, ["a", "b", "unseen", None], "category") == [[1, 0], [0, 1], [0, 0], [0, 0]]


def test_missing_is_a_level_of_its_own_where_training_had_missing() -> None:
    encoder = fitted(["b", None, "a"], "category")
    assert encoder.feature_names == ("x=a", "x=b", "x missing")
    assert encoded(encoder, ["b", "NA", "unseen"], "category") == [[0, 1, 0], [0, 0, 1], [0, 0, 0]]


def test_many_levels_become_one_column_of_codes_at_the_end() -> None:
    names = [f"level {i:02}" for i in range(MOST_ONE_HOT + 1)]
    kinds: dict[str, ColumnKind] = {"x": "category", "n": "number"}
    table = conformed({"x": [*names, None], "n": np.arange(len(names) + 1) / 2}, **kinds)
    encoder = TableEncoder.fit(table, columns(**kinds), "none")
    assert encoder.embedded == (MOST_ONE_HOT + 3,)
    assert (encoder.example.numbers, encoder.feature_names) == (1, ("n", "x"))
    other = conformed({"n": [5, 6, 7, 8], "x": ["unseen", None, names[0], names[-1]]}, **kinds)
    assert encoder.encode(other).tolist() == [[5, 0], [6, 1], [7, 2], [8, MOST_ONE_HOT + 2]]
    assert fitted(names[:MOST_ONE_HOT], "category").embedded == ()


def test_missing_is_unseen_for_codes_too_where_training_had_none() -> None:
    encoder = fitted([f"level {i}" for i in range(40)], "category")
    assert encoded(encoder, [None], "category") == [[0]]


def test_a_category_of_whole_numbers_does_not_mind_how_they_are_stored() -> None:
    encoder = fitted([1, 2, 3], "category")
    for values in ([2, 1], [2.0, 1.0], ["2", "1"]):
        assert encoded(encoder, values, "category") == [[0, 1, 0], [1, 0, 0]]


# Dates


def test_a_date_becomes_five_numbers() -> None:
    days = ["2026-01-31", "2024-02-29T12:00", None]
    encoder = fitted(days, "date", "none")
    assert encoder.feature_names == ("x: year", "x: month", "x: day", "x: weekday", "x: days", "x missing")
    parts = [scaler.decode(np.array(matrix)) for scaler, matrix in zip(
        encoder.columns[0].scalers, np.array(encoded(encoder, days, "date")).T, strict=False)]  # fmt: skip
    assert np.rint(np.array(parts)[:4, :2]).tolist() == [[2026, 2024], [1, 2], [31, 29], [5, 3]]
    assert parts[4][:2] == pytest.approx([701.5, 0], abs=1e-3)
    assert encoded(encoder, [None], "date") == [[0, 0, 0, 0, 0, 1]]


# All kinds


NUMBER = st.none() | st.floats(-1e6, 1e6) | st.integers(-1000, 1000).map(float)
LEVEL = st.none() | st.text("abcXYZ é🙂-", min_size=1).filter(lambda text: text.strip() not in ("", "-"))
DATE = st.none() | st.dates(datetime.date(1900, 1, 1), datetime.date(2100, 1, 1))
ROWS = st.lists(st.tuples(NUMBER, st.none() | st.booleans(), LEVEL, DATE), min_size=1, max_size=50)
KINDS: dict[str, ColumnKind] = {"n": "number", "b": "boolean", "c": "category", "d": "date"}
TYPES = {"n": pa.float64(), "b": pa.bool_(), "c": pa.string(), "d": pa.date32()}


def table_of(rows: list[tuple[Any, ...]]) -> pa.Table:
    values = zip(*rows, strict=True)
    return pa.table({name: pa.array(v, kind) for (name, kind), v in zip(TYPES.items(), values, strict=True)})


@given(ROWS, st.sampled_from(["standard", "minmax", "none"]))
@settings(max_examples=60)
def test_training_rows_come_back_from_their_encoding(rows: list[tuple[Any, ...]], scale: Scale) -> None:
    table = conform(simplify(table_of(rows)), columns(**KINDS))
    encoder = TableEncoder.fit(table, columns(**KINDS), scale)
    matrix = encoder.encode(table)
    assert matrix.dtype == np.float32
    assert np.isfinite(matrix).all()
    back = encoder.decode(matrix)
    for name in "bc":
        assert back[name].to_pylist() == table[name].to_pylist()
    days = [None if day is None else day.date() for day in table["d"].to_pylist()]
    assert back["d"].to_pylist() == days
    numbers = [number for number in table["n"].to_pylist() if number is not None]
    spread = max(map(abs, numbers), default=0.0)
    assert [number is None for number in back["n"].to_pylist()] == [row[0] is None for row in rows]
    found = [number for number in back["n"].to_pylist() if number is not None]
    assert found == pytest.approx(numbers, rel=1e-6, abs=max(spread * 1e-6, 1e-30))


@given(ROWS, st.sampled_from(["standard", "minmax", "none"]))
@settings(max_examples=40)
def test_encoders_come_back_from_json_with_every_bit(rows: list[tuple[Any, ...]], scale: Scale) -> None:
    table = conform(simplify(table_of(rows)), columns(**KINDS))
    encoder = TableEncoder.fit(table, columns(**KINDS), scale)
    again = TableEncoder.from_json(json.loads(json.dumps(encoder.to_json())))
    assert again == encoder
    assert again.encode(table).tobytes() == encoder.encode(table).tobytes()


@pytest.mark.parametrize("size", [1, 29, 30, 65])
@pytest.mark.parametrize("scale", ["standard", "minmax", "none"])
def test_chosen_rows_are_encoded_as_they_are_among_all(
    size: int, scale: Scale, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrow, "CELLS", 30 * 6)
    random = np.random.default_rng(0)
    values: dict[str, Any] = {name: random.normal(size=size) for name in "nmkz"}
    values |= {"c": random.choice(list("abc"), size), "b": random.random(size) < 0.5, "m": np.full(size, 7.0)}
    order = "nmkcbz"
    kinds: dict[str, ColumnKind] = dict.fromkeys("nmkz", "number") | {"c": "category", "b": "boolean"}
    kinds = {name: kinds[name] for name in order}
    table = conformed({name: values[name] for name in order}, **kinds)
    encoder = TableEncoder.fit(table, columns(**kinds), scale)
    rows = np.flatnonzero(random.random(size) < 0.3)
    encoded = encoder.encode(table)
    assert encoder.encode(table, rows).tobytes() == encoded[rows].tobytes()
    names = encoder.feature_names
    for name in "nmkz":
        (column,) = (column for column in encoder.columns if column.name == name)
        alone = column.scaler.encode(values[name]).astype(np.float32)
        np.testing.assert_array_equal(encoded[:, names.index(name)], alone)


def test_chunks_and_slices_of_a_table_are_encoded_like_the_whole() -> None:
    values = {"n": [1.5, None, 3.0, 4.0] * 5, "b": [True, None, False, True] * 5, "c": ["x", None, "y", "x"] * 5}
    kinds: dict[str, ColumnKind] = {"n": "number", "b": "boolean", "c": "category"}
    whole = conformed(values, **kinds)
    encoder = TableEncoder.fit(whole, columns(**kinds), "standard")
    raw = pa.table(values)
    parts = pa.concat_tables([raw.slice(0, 3), raw.slice(3, 10), raw.slice(13)])
    chunked = conform(simplify(parts), columns(**kinds))
    assert encoder.encode(chunked).tobytes() == encoder.encode(whole).tobytes()
    tail = conform(simplify(raw.slice(3, 9)), columns(**kinds))
    assert encoder.encode(tail).tobytes() == encoder.encode(whole)[3:12].tobytes()


def test_an_empty_table_is_encoded_as_nothing() -> None:
    encoder = fitted(["a", "b"], "category")
    assert encoder.encode(conformed({"x": pa.array([], pa.string())}, x="category")).shape == (0, 2)


def test_statistics_come_from_the_training_rows_alone() -> None:
    kinds: dict[str, ColumnKind] = {"n": "number", "b": "boolean", "c": "category", "d": "date"}
    train = {
        "n": [1.0, 2.0, 4.0],
        "b": [True, False, True],
        "c": ["x", "y", "x"],
        "d": ["2026-01-01", "2026-02-03", None],
    }
    other = {"n": [1e9, None], "b": [None, None], "c": ["z", None], "d": ["1970-01-01", None]}
    both = conformed({name: train[name] + other[name] for name in kinds}, **kinds)
    rows = np.arange(3)
    alone = TableEncoder.fit(conformed(train, **kinds), columns(**kinds), "standard")
    assert TableEncoder.fit(both, columns(**kinds), "standard", rows) == alone
