"""What kind each column is found to be, and what is said when the config and the table disagree."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from nettool.config.data import DataSpec
from nettool.data.columns import Column, check_weights, conform, describe_columns, notes
from nettool.data.values import simplify
from nettool.errors import ConfigError, DataError

DAY = datetime.date(2026, 1, 31)
NUMBERS = [1.5, 0.5, 2.5, 2.5]


def spec(**settings: Any) -> DataSpec:
    return DataSpec(**{"path": "t.csv", "target": ("y",), **settings})


def described(values: Any, **settings: Any) -> Column:
    columns = values if isinstance(values, (pa.Array, pa.ChunkedArray)) else pa.array(values)
    other = np.arange(len(columns)) / 7
    table = pa.table({"x": columns, "other": other, "y": other})
    return describe_columns(table, spec(**settings))[0]


def mistakes(call: Callable[[], Any]) -> list[tuple[str, str]]:
    with pytest.raises(ConfigError) as caught:
        call()
    return [(mistake.name, mistake.text) for mistake in caught.value.mistakes]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (NUMBERS, "number"),
        ([3, 1, None, 7], "number"),
        (pa.array([1, 2, 2], pa.uint8()), "number"),
        (pa.array(["1.10", "2.25", "2.25"]).cast(pa.decimal128(9, 2)), "number"),
        ([datetime.time(9, 30), datetime.time(10, 0), datetime.time(9, 30)], "number"),
        (["1", "2.5", "-3e2", None, " 4 "], "number"),
        ([True, False, None], "boolean"),
        ([0, 1, 1, None], "boolean"),
        ([0.0, 1.0, float("nan")], "boolean"),
        (["yes", "No", "YES", None], "boolean"),
        (["TRUE", "false", "", "True"], "boolean"),
        (["0", "1", "1"], "boolean"),
        ([DAY, DAY, datetime.date(1999, 1, 1)], "date"),
        (pa.array([1, 1, 2], pa.timestamp("ns", "UTC")), "date"),
        (["2026-01-31", "1999-01-01T10:30", "2026-01-31 10:00:00Z", None], "date"),
        (["a", "b", "a", "b"], "category"),
        (["1", "2", "3+", "3+", "1"], "category"),
        (["yes", "no", "maybe", "no"], "category"),
        (pa.array(["a", "b", "a"]).dictionary_encode(), "category"),
        (pa.array([10, 20, 10]).dictionary_encode(), "number"),
        ([1, None, 1], "number"),
    ],
)
def test_the_kind_of_a_column_follows_from_what_stands_in_it(values: Any, kind: str) -> None:
    column = described(values)
    assert (column.kind, column.role) == (kind, "feature")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([1, 2, 3, 4], "it counts the rows"),
        ([2, 0, 1], "it counts the rows"),
        ([3.0, 1.0, 2.0], "it counts the rows"),
        (list(range(5000, 6000)), "it counts the rows"),
        ([7, 7, 7], "it is the same in every row"),
        (["a", "a", "a"], "it is the same in every row"),
        ([True, True], "it is the same in every row"),
        ([None, None], "it has no value at all"),
        (["", "NA", "?"], "it has no value at all"),
        ([f"person {i}" for i in range(40)], "40 of its 40 values are distinct texts"),
        ([f"person {max(i, 1)}" for i in range(40)], "39 of its 40 values are distinct texts"),
        ([[1], [2]], "it holds lists, which nettool does not read"),
        ([{"a": 1}, {"a": 2}], "it holds nested objects, which nettool does not read"),
        ([b"a", b"b"], "it holds raw data (binary), which nettool does not read"),
    ],
)
def test_a_column_that_teaches_nothing_is_ignored_and_the_reason_told(values: Any, reason: str) -> None:
    column = described(values)
    assert (column.kind, column.role, column.reason) == ("ignore", "unused", reason)
    table = pa.table({"x": pa.array(values), "other": np.arange(len(values)) / 7, "y": np.arange(len(values)) / 7})
    assert notes(describe_columns(table, spec())) == (f'"x" (column 1) is ignored: {reason}.',)


@pytest.mark.parametrize(
    "values",
    [
        [1, 2],  # two rows show nothing
        [1, 2, 4],
        [1, 1, 2],
        [1, 2, None],
        list(range(1950, 2020)),  # years
        [0.0, 0.5, 1.5, 2.5, 4.0],
        [f"group {i % 38}" for i in range(40)],
    ],
)
def test_a_column_that_merely_resembles_a_row_number_or_a_name_is_kept(values: Any) -> None:
    assert described(values).role == "feature"


@pytest.mark.parametrize("name", ["", "Unnamed: 0"])
def test_a_column_without_a_name_is_ignored(name: str) -> None:
    table = pa.table({name: [5, 7, 9], "x": [1.5, 2, 3], "y": [1.0, 2.0, 4.0]})
    assert notes(describe_columns(table, spec())) == (f'"{name}" (column 1) is ignored: it has no name.',)


def test_columns_ignored_for_one_reason_share_a_sentence() -> None:
    table = pa.table({**{f"p{i}": [0, 0, 0] for i in range(7)}, "x": [1.5, 2, 3], "y": [1.0, 2.0, 4.0]})
    assert notes(describe_columns(table, spec())) == (
        '"p0" (column 1), "p1" (column 2), "p2" (column 3), "p3" (column 4), "p4" (column 5) and 2 more are ignored, '
        "each because it is the same in every row.",
    )


def test_what_the_config_says_of_a_column_wins() -> None:
    assert described([1, 2, 3, 4], columns={"x": "number"}).kind == "number"
    assert described([1, 2, 3, 4], columns={"x": "category"}).role == "feature"
    assert described([1, 2, 3, 4], features=("x",)).kind == "number"
    assert described(["a", "b", "c"], features=("x",)).kind == "category"
    assert described(NUMBERS, columns={"x": "ignore"}).role == "unused"
    assert described(NUMBERS, features=("other",)).reason == "data.features does not name it"
    assert described([str(i) for i in range(20)] + ["x"], columns={"x": "category"}).kind == "category"


def test_a_column_keeps_its_count_of_missing_values_and_levels() -> None:
    column = described(["a", " a", "NA", None, "b"])
    assert (column.num_missing, column.num_distinct, column.examples) == (2, 2, ("a", "b"))
    assert described([1.5, float("nan"), None, 2]).num_missing == 2


def test_columns_have_roles() -> None:
    table = pa.table(dict.fromkeys(("a", "b", "w", "g", "y"), NUMBERS))
    columns = describe_columns(table, spec(weights="w", split={"by": "g"}, features=("a",)))
    assert [column.role for column in columns] == ["feature", "unused", "weights", "group", "target"]
    columns = describe_columns(table, spec(split={"by": "g"}, features=("a", "g")))
    assert [column.role for column in columns] == ["feature", "unused", "unused", "feature", "target"]


def test_a_group_may_be_ignored_as_a_feature() -> None:
    table = pa.table({"a": NUMBERS, "g": ["p", "p", "q", "q"], "y": NUMBERS})
    (_, group, _) = describe_columns(table, spec(split={"by": "g"}, columns={"g": "ignore"}))
    assert (group.role, group.kind) == ("group", "category")


def test_a_weight_of_0_and_1_is_still_a_number() -> None:
    table = pa.table({"a": NUMBERS, "w": [0, 1, 1, 0], "y": NUMBERS})
    assert describe_columns(table, spec(weights="w"))[1].kind == "number"


def test_text_among_numbers_is_answered_with_row_and_value() -> None:
    with pytest.raises(DataError) as caught:
        described([str(i) for i in range(20)] + ["n.a.", "7"])
    assert str(caught.value) == (
        'the table: column "x", row 21: "n.a." is no number, but the column is one. Cure: mend the cell (empty counts '
        "as missing), or set `data.columns: {x: category}`."
    )
    with pytest.raises(DataError, match=r'row 1: "1,5" is no number, .* with a decimal point: 1234\.5\.'):
        described(["1,5", "2,5", "3"])
    with pytest.raises(DataError, match=r'row 2: "\$1,200" is no number'):
        described(["7", "$1,200", "3"])


@pytest.mark.parametrize(
    ("values", "kind", "text"),
    [
        (["1", "x"], "number", 'row 2: "x" is no number, but the column is one.'),
        ([DAY], "number", 'column "x" is to be a number, but holds dates.'),
        ([1.0, float("-inf")], "number", 'column "x", row 2: the value is infinite. Networks take finite numbers only.'),
        (["1", "1e999"], "number", "row 2: the value is infinite."),
        (["yes", "maybe"], "boolean", 'row 2: "maybe" is neither yes nor no, but the column is boolean.'),
        ([0, 1, 2], "boolean", 'row 3: "2" is neither yes nor no'),
        ([DAY], "boolean", 'column "x" is to be yes or no, but holds dates. Cure: another kind for it in data.columns'),
        (["2026-01-31", "abc"], "date", 'row 2: "abc" is no date, but the column is one. Cure: write dates as 2026-01-31'),
        (["2026-02-30"], "date", 'row 1: "2026-02-30" is no date'),
        ([3], "date", 'column "x" is to be a date, but holds numbers.'),
        ([[1]], "category", 'column "x" is to be a category, but holds lists. Cure: another kind'),
    ],
)  # fmt: skip
def test_a_cell_that_cannot_be_of_its_columns_kind_is_named(values: Any, kind: Any, text: str) -> None:
    with pytest.raises(DataError) as caught:
        conform(simplify(pa.table({"x": pa.array(values)})), [Column("x", kind, "feature")], "t.csv")
    assert text in str(caught.value)


def test_names_that_yaml_would_misread_are_quoted_in_cures() -> None:
    with pytest.raises(DataError, match=r'set `data\.columns: \{"no": category\}`'):
        conform(simplify(pa.table({"no": ["1", "x"]})), [Column("no", "number", "feature")])


@pytest.mark.parametrize(
    "values",
    [
        pa.array([1, 2, None]),
        pa.array([1.0, 2.0, None]),
        pa.array([1.0, 2.0, float("nan")], pa.float32()),
        pa.array(["1", " 2 ", "NA"]),
        pa.array(["1", "2", None]).dictionary_encode(),
        pa.array([1, 2, None], pa.uint8()),
        pa.array(["1", "2", None]).cast(pa.decimal128(5, 2)),
    ],
)
def test_a_category_has_the_same_levels_in_every_format(values: pa.Array) -> None:
    table = conform(simplify(pa.table({"x": values})), [Column("x", "category", "feature")])
    assert table["x"].to_pylist() == ["1", "2", None]


def test_a_float_category_keeps_its_shortest_text() -> None:
    table = pa.table({"x": pa.array([0.1, -0.0, 2.5], pa.float32())})
    assert conform(table, [Column("x", "category", "feature")])["x"].to_pylist() == ["0.1", "0", "2.5"]


@pytest.mark.parametrize(
    ("settings", "name", "text"),
    [
        ({"target": ("speces",)}, "data.target", 'the table has no column "speces". Did you mean "species"?'),
        ({"target": ("y",), "features": ("a", "Speces")}, "data.features.1", 'Did you mean "species"?'),
        ({"columns": {"zzz": "number"}}, "data.columns.zzz", 'It has "a", "species", "y".'),
        ({"weights": "w"}, "data.weights", 'the table has no column "w".'),
        ({"split": {"by": "b"}}, "data.split.by", 'the table has no column "b".'),
        ({"columns": {"y": "ignore"}}, "data.columns.y", '"y" is the target, and cannot be ignored.'),
        (
            {"columns": {"a": "ignore"}, "features": ("a",)},
            "data.columns.a",
            '"a" is to be ignored, but data.features names it.',
        ),
        ({"weights": "a", "features": ("a",)}, "data.weights", '"a" is a feature too.'),
        (
            {"weights": "a", "columns": {"a": "category"}},
            "data.columns.a",
            '"a" is the weights, and weights are numbers',
        ),
        ({"split": {"by": "y"}}, "data.split.by", '"y" is the target; each of its values would be in one split only.'),
    ],
)
def test_a_config_that_does_not_fit_the_table_is_answered_at_its_key(
    settings: dict[str, Any], name: str, text: str
) -> None:
    table = pa.table({"a": NUMBERS, "species": ["x", "z", "x", "z"], "y": NUMBERS})
    ((found, said),) = mistakes(lambda: describe_columns(table, spec(**settings)))
    assert found == name
    assert text in said


def test_all_unknown_columns_are_reported_at_once() -> None:
    table = pa.table({"a": NUMBERS, "y": NUMBERS})
    found = mistakes(lambda: describe_columns(table, spec(target=("q",), features=("b",), columns={"c": "date"})))
    assert [name for name, _ in found] == ["data.target", "data.features.0", "data.columns.c"]


def test_a_column_that_is_asked_for_but_cannot_be_used_is_a_mistake() -> None:
    table = pa.table({"a": [[1], [2]], "y": [1.0, 2.0]})
    assert mistakes(lambda: describe_columns(table, spec(features=("a",)))) == [
        ("data.features.0", '"a" cannot be used: it holds lists, which nettool does not read.')
    ]


def test_a_table_without_a_feature_left_says_why_and_how_to_keep_one() -> None:
    table = pa.table({"id": [1, 2, 3], "name": ["a", "b", "c"], "y": [1.0, 2.0, 4.0]})
    assert mistakes(lambda: describe_columns(table, spec())) == [
        (
            "data",
            'no column is left to predict "y" from. Ignored are "id": it counts the rows; "name": 3 of its 3 values '
            "are distinct texts. To keep one, set `data.columns: {name: text}` (or category).",
        )
    ]
    table = pa.table({"name": ["a", "b", "c"], "one": [1, 1, 1], "y": [1.0, 2.0, 4.0]})
    assert mistakes(lambda: describe_columns(table, spec()))[0][1].endswith("{name: text}` (or category).")
    table = pa.table({"id": [1, 2, 3], "y": [1.0, 2.0, 4.0]})
    assert mistakes(lambda: describe_columns(table, spec()))[0][1].endswith("set `data.columns: {id: number}`.")
    table = pa.table({"name": ["a", "b", "c"], "one": [1, 1, 1], "y": [1.0, 2.0, 4.0]})
    assert mistakes(lambda: describe_columns(table.drop(["name"]), spec()))[0][1].endswith("same in every row.")
    assert "no other column than the target" in mistakes(lambda: describe_columns(table.select(["y"]), spec()))[0][1]


@pytest.mark.parametrize(
    ("weights", "text"),
    [
        ([1.0, np.nan, np.nan], 'the weight "w" is missing in 2 of 3 rows, first in row 2.'),
        ([1.0, 0.0, -1.0], 'the weight "w" is negative in 1 of 3 rows, first in row 3.'),
        ([1.0, 1e300, 1.0], 'the weight "w" is above 1e30 in 1 of 3 rows, first in row 2.'),
        ([0.0, 0.0, 0.0], 'every weight "w" is 0, or next to it, so no example counts.'),
        ([0.0, 1e-320, 2e-320], 'every weight "w" is 0, or next to it, so no example counts.'),
    ],
)
def test_weights_that_cannot_weigh_are_refused(weights: list[float], text: str) -> None:
    with pytest.raises(DataError) as caught:
        check_weights(np.array(weights), "w", "t.csv")
    assert text in str(caught.value)


def test_whole_numbers_beyond_63_bits_that_follow_each_other_are_numbers() -> None:
    values = pa.array(range(2**63 + 5, 2**63 + 2005), pa.uint64())
    assert described(values).kind == "number"
