"""Stored encoders meet the same table again, new tables, and files of their own for each split."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from people import bits, people, refusal, write

from nettool.config.data import DataSpec
from nettool.config.losses import CrossEntropy, LossSpec, MeanSquaredError
from nettool.data.bundle import Encoders, TrainingData
from nettool.data.encode import encode_file, encode_table, load_rows, load_split
from nettool.data.prepare import prepare
from nettool.errors import DataError, UsageError

MANY, MSE = CrossEntropy(), MeanSquaredError()


# Stored encoders


def test_a_stored_split_has_the_rows_and_the_bits_that_training_had(path: str) -> None:
    spec = DataSpec(path=path, target=("label",), weights="weight", limit=77, split={"by": "house"})
    found = prepare(spec, MANY)
    stored = Encoders.from_json(json.loads(json.dumps(found.encoders.to_json())))
    assert stored.signature == found.signature
    for name, split in found.splits.items():
        assert bits(load_split(spec, stored, name)) == bits(split)


def test_the_raw_rows_of_a_split_are_those_of_its_arrays(path: str, data: TrainingData) -> None:
    spec = DataSpec(path=path, target=("label",))
    split, raw = load_rows(spec, data.encoders, "test")
    assert raw is not None
    assert raw.column_names == list(people())
    rows = split.rows
    assert raw["score"].take(rows).to_pylist() == people()["score"][rows].tolist()


def test_a_table_without_its_groups_cannot_be_split_again(path: str) -> None:
    spec = DataSpec(path=path, target=("label",), split={"by": "house"})
    encoders = prepare(spec, MANY).encoders
    write(Path(path), {name: column for name, column in people().items() if name != "house"})
    with pytest.raises(DataError, match=r'the column "house", which the network was trained with, is missing'):
        load_split(spec, encoders, "test")


def test_encoders_that_something_else_wrote_are_refused() -> None:
    for junk in (
        {},
        [],
        None,
        {"features": [{"kind": "magic", "name": "x", "missing": True}], "target": {}, "columns": []},
    ):
        with pytest.raises(ValueError, match="the fitted encoders cannot be read"):
            Encoders.from_json(junk)


def changed(data: TrainingData, where: str, value: object) -> dict[str, object]:
    """What `to_json` wrote, with one value of it changed."""
    stored = json.loads(json.dumps(data.encoders.to_json()))
    *parents, last = where.split(".")
    place = stored
    for key in parents:
        place = place[int(key)] if isinstance(place, list) else place[key]
    place[int(last) if isinstance(place, list) else last] = value
    return dict(stored)


@pytest.mark.parametrize(
    ("where", "value", "why"),
    [
        ("features.columns", [], "no columns"),
        ("features.columns.0.name", "shoe size", "the columns of the features are not those"),
        ("features.columns.0.kind", "magic", "KeyError"),
        ("features.columns.0.missing", "perhaps", "missing is 'perhaps'"),
        ("columns.0.kind", "ignore", "a column that plays no part"),
        ("columns.0.role", "judge", "role is 'judge'"),
        ("target.name", "shoe size", "the columns of the target are not those"),
        ("target.kind", "numbers", "Field required"),
        ("target.classes", ["a", "a"], "two classes of one name"),
    ],
)
def test_encoders_with_one_value_changed_are_refused(data: TrainingData, where: str, value: object, why: str) -> None:
    Encoders.from_json(changed(data, "target.kind", data.target.kind))  # as it was
    with pytest.raises(ValueError, match=why):
        Encoders.from_json(changed(data, where, value))


def test_encoders_of_another_config_are_refused(data: TrainingData, path: str) -> None:
    data.encoders.check_data(DataSpec(path=path, target=("label",)))
    for other, why in (
        ({"window": {"length": 5}}, "another `data.window`"),
        ({"target": ("next",), "path": "song.txt"}, "for a text"),
        ({"split": {"by": "street"}}, '`data.split.by` is "street"'),
    ):
        with pytest.raises(ValueError, match=why):
            data.encoders.check_data(DataSpec(**{"path": path, "target": ("label",), **other}))


def test_a_split_that_the_config_lacks_is_refused(path: str) -> None:
    spec = DataSpec(path=path, target=("label",), split={"train": 0.8, "validation": 0.2, "test": 0.0})
    with pytest.raises(UsageError, match=r"the config has no test split: data\.split\.test is 0"):
        load_split(spec, prepare(spec, MANY).encoders, "test")
    spec = DataSpec(train=path, target=("label",))
    with pytest.raises(UsageError, match=r"the config has no test data"):
        load_split(spec, prepare(spec, MANY).encoders, "test")


# Other tables


def test_a_new_table_needs_neither_target_nor_order_nor_the_same_types(data: TrainingData) -> None:
    raw = pa.table(people())
    expected = encode_table(raw, data.encoders, needs_target=True)
    text = pa.table({name: pa.array([None if value is None else str(value) for value in raw[name].to_pylist()])
                     for name in reversed(raw.column_names) if name != "label"} | {"extra": [1] * 200})  # fmt: skip
    found = encode_table(text, data.encoders, needs_target=False)
    assert found.features.tobytes() == expected.features.tobytes()
    assert (found.target, found.weights) == (None, None)


def test_missing_columns_are_named_with_those_that_may_be_meant(data: TrainingData) -> None:
    raw = pa.table(people())
    with pytest.raises(DataError) as caught:
        encode_table(
            raw.rename_columns(["Age", *raw.column_names[1:]]), data.encoders, needs_target=False, source="n.csv"
        )
    assert str(caught.value) == (
        'n.csv: the column "age", which the network was trained with, is missing. Is it what is called "Age"?'
    )
    with pytest.raises(DataError) as caught:
        encode_table(raw.select(["age", "since"]), data.encoders, needs_target=False, source="n.csv")
    assert str(caught.value).startswith('n.csv: the columns "town", "member", "house", "weight", "score", which the')


def test_text_in_a_number_column_is_named_at_prediction_too(data: TrainingData) -> None:
    raw = pa.table(people()).set_column(0, "age", pa.array(["41"] * 99 + ["old"] + ["40"] * 100))
    with pytest.raises(DataError, match=r'n\.csv: column "age", row 100: "old" is no number'):
        encode_table(raw, data.encoders, needs_target=False, source="n.csv")


def test_an_empty_table_is_predicted_as_nothing(data: TrainingData) -> None:
    found = encode_table(pa.table(people()).slice(0, 0), data.encoders, needs_target=False)
    assert found.features.shape == (0, len(data.encoders.features.feature_names))


def test_a_frames_two_columns_of_one_name_are_refused(data: TrainingData) -> None:
    raw = pa.table(people())
    with pytest.raises(DataError, match='two columns are called "age"'):
        encode_table(raw.append_column("age", raw["age"]), data.encoders, needs_target=False)


# Separate files


@pytest.mark.parametrize("loss", [MANY, MSE])
@pytest.mark.parametrize("scale", ["standard", "minmax", "none"])
def test_nothing_of_validation_and_test_files_reaches_the_statistics(
    tmp_path: Path, loss: LossSpec, scale: str
) -> None:
    train = write(tmp_path / "train.parquet", people())
    target = "label" if loss is MANY else "score"
    found = []
    for replaced in (False, True):
        other = people(60, seed=1)
        if replaced:
            size = 60
            other |= {"age": np.full(size, 1e9), "house": np.full(size, 10**9), "weight": np.full(size, 10**9)}
            other |= {"town": ["X"] * size, "member": [None] * size, "since": [None] * size, "score": [1e9] * size}
        files = {name: write(tmp_path / f"{name}{replaced}.parquet", other) for name in ("validation", "test")}
        spec = DataSpec(train=train, target=(target,), scale=scale, **files)
        found.append(prepare(spec, loss))
    clean, poisoned = found
    assert poisoned.encoders == clean.encoders
    assert bits(poisoned.splits["train"]) == bits(clean.splits["train"])
    assert len(clean.splits["train"].rows) == 200
    assert len(clean.splits["validation"].rows) == 60
    assert poisoned.splits["validation"].features.tobytes() != clean.splits["validation"].features.tobytes()


def test_a_training_file_without_a_validation_file_gives_up_its_share(tmp_path: Path, path: str) -> None:
    test = write(tmp_path / "test.csv", people(50, seed=3))
    spec = DataSpec(train=path, test=test, target=("label",))
    found = prepare(spec, MANY)
    assert {name: len(split.rows) for name, split in found.splits.items()} == {"train": 170, "validation": 30}
    assert load_split(spec, found.encoders, "test").rows.tolist() == list(range(50))
    assert bits(load_split(spec, found.encoders, "validation")) == bits(found.splits["validation"])
    assert set(found.fingerprint) == {"train", "test"}
    _, raw = load_rows(spec, found.encoders, "test")
    assert raw is not None
    assert raw.num_rows == 50
    assert bits(encode_file(Path(test), found.encoders, needs_target=True)) == bits(
        load_split(spec, found.encoders, "test")
    )


def test_a_class_of_another_file_that_training_lacks_is_named(tmp_path: Path, path: str) -> None:
    other = people(20, seed=1) | {"label": ["a"] * 19 + ["z"]}
    spec = DataSpec(train=path, validation=write(tmp_path / "v.csv", other), target=("label",))
    assert 'v.csv: row 20: "label" is "z", a class that the training rows do not have' in refusal(spec, MANY)


def test_a_missing_file_is_named_before_any_is_read(tmp_path: Path, path: str) -> None:
    assert "there is no such file" in refusal(
        DataSpec(train=path, test=str(tmp_path / "no.csv"), target=("label",)), MANY
    )
