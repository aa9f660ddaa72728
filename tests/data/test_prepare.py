"""From files to arrays: splits, leakage, the way back from stored encoders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from people import people, refusal, write

from nettool.config.data import DataSpec, SplitSpec
from nettool.config.load import load_mapping
from nettool.config.losses import BinaryCrossEntropy, CrossEntropy, MeanSquaredError
from nettool.config.signature import ClassTarget, NumberTarget, Signature, TableExample
from nettool.data.bundle import TrainingData
from nettool.data.encode import encode_table, load_split
from nettool.data.prepare import prepare
from nettool.data.sources import read_table
from nettool.errors import ConfigError

DATA = Path(__file__).parents[2] / "configs" / "data"
MANY, TWO, MSE = CrossEntropy(), BinaryCrossEntropy(), MeanSquaredError()


# One table


def test_penguins_become_arrays() -> None:
    found = prepare(DataSpec(path=str(DATA / "penguins.csv"), target=("species",)), MANY)
    classes = ClassTarget(("Adelie", "Chinstrap", "Gentoo"), binary=False)
    assert found.signature == Signature(TableExample(15), classes)
    train = found.splits["train"]
    assert (train.features.shape, train.features.dtype, train.weights) == ((241, 15), np.float32, None)
    assert train.target is not None
    assert train.target.dtype == np.int64
    assert found.fingerprint["path"]["rows"] == 344
    assert len(found.fingerprint["path"]["sha256"]) == 64


def test_training_sees_train_and_validation_but_no_test(data: TrainingData) -> None:
    assert {name: len(split.rows) for name, split in data.splits.items()} == {"train": 140, "validation": 30}


def test_the_splits_together_are_the_table(path: str, data: TrainingData) -> None:
    spec = DataSpec(path=path, target=("label",))
    names = ("train", "validation", "test")
    rows = np.concatenate([load_split(spec, data.encoders, name).rows for name in names])
    assert sorted(rows.tolist()) == list(range(200))


def test_the_experiments_seed_has_no_part_in_the_split_but_the_splits_own_has(path: str) -> None:
    first, again, other = (
        prepare(DataSpec(path=path, target=("label",), split=split), MANY).splits["train"].rows.tolist()
        for split in ({}, {"seed": 0}, {"seed": 1})
    )
    assert first == again != other


def test_other_features_and_kinds_meet_the_same_split() -> None:
    path = str(DATA / "penguins.csv")
    changes = (
        {},
        {"features": ("bill_length_mm", "bill_depth_mm")},
        {"columns": {"year": "number"}},
        {"columns": {"sex": "ignore", "island": "ignore"}},
        {"scale": "none"},
    )
    sides = [
        prepare(DataSpec(path=path, target=("species",), **change), MANY).splits["validation"].rows.tolist()
        for change in changes
    ]
    # Rows that are equal once a column is left out stay together, which may move a few.
    assert all(len(set(sides[0]) & set(other)) >= len(sides[0]) - 2 for other in sides)


def test_shuffling_the_file_leaves_every_row_on_its_side(tmp_path: Path, path: str, data: TrainingData) -> None:
    order = np.random.default_rng(5).permutation(200)
    values = {name: np.asarray(column)[order] for name, column in people().items()}
    shuffled = prepare(DataSpec(path=write(tmp_path / "shuffled.csv", values), target=("label",)), MANY)
    for name, split in data.splits.items():
        assert sorted(order[shuffled.splits[name].rows].tolist()) == split.rows.tolist()


def test_another_format_and_another_order_of_columns_give_the_same_split(tmp_path: Path, data: TrainingData) -> None:
    values = dict(reversed(people().items()))
    found = prepare(DataSpec(path=write(tmp_path / "people.parquet", values), target=("label",)), MANY)
    assert found.splits["train"].rows.tolist() == data.splits["train"].rows.tolist()


def test_the_loss_has_no_part_in_the_split_of_two_classes(tmp_path: Path) -> None:
    spec = DataSpec(path=str(DATA / "circles.csv"), target=("class",))
    first, second = (prepare(spec, loss).splits["train"].rows for loss in (MANY, TWO))
    assert (first == second).all()


@pytest.mark.parametrize("by", [None, "house"])
def test_every_example_that_is_not_for_the_test_is_in_one_of_the_folds(path: str, by: str | None) -> None:
    folds, tests = [], []
    for fold in range(1, 5):
        split = {"train": 0.7, "validation": 0.1, "test": 0.2, "folds": 4, "fold": fold, "by": by}
        spec = DataSpec(path=path, target=("label",), split=SplitSpec(**split))
        found = prepare(spec, MANY)
        folds.append(found.splits["validation"].rows.tolist())
        tests.append(load_split(spec, found.encoders, "test").rows.tolist())
        assert not set(found.splits["train"].rows) & {*folds[-1], *tests[-1]}
        assert len(found.splits["train"].rows) + len(folds[-1]) + len(tests[-1]) == 200
        if by is not None:
            houses = [{people()["house"][row] for row in rows} for rows in (folds[-1], found.splits["train"].rows)]
            assert not houses[0] & houses[1]
    assert all(test == tests[0] for test in tests)
    assert sorted(row for rows in folds for row in rows) == sorted(set(range(200)) - set(tests[0]))
    assert max(map(len, folds)) - min(map(len, folds)) <= (2 if by is None else 8)
    if by is None:
        shares = [np.mean([people()["label"][row] == "a" for row in rows]) for rows in folds]
        assert max(shares) - min(shares) < 0.05


def test_folds_need_one_table_that_may_be_cut_anywhere() -> None:
    config = {"data": {"path": "t.csv", "target": "y"}, "layers": ["output"], "loss": "mse"}
    for changes, told in (
        (["data.split.fold=2"], "there are no `folds`"),
        (["data.split={folds: 3, fold: 4}"], "there are 3 folds"),
        (["data.split.folds=3", "data.window=5"], "it is cut in time order"),
        (["data={train: t.csv, validation: v.csv, target: y, split: {folds: 3}}"], "come as a file of their own"),
    ):
        with pytest.raises(ConfigError, match=told):
            load_mapping(config, changes)
    assert load_mapping(config, ["data.split={folds: 3, fold: 3, validation: 0, train: 0.85}"])


def test_duplicates_are_on_one_side(tmp_path: Path) -> None:
    values = {name: np.tile(column, 3) for name, column in people(80).items()}
    spec = DataSpec(path=write(tmp_path / "t.csv", values), target=("label",))
    found = prepare(spec, MANY)
    for name in ("train", "validation", "test"):
        rows = load_split(spec, found.encoders, name).rows
        assert all(count == 3 for count in np.bincount(rows % 80)[np.unique(rows % 80)])


def test_groups_stay_together_and_are_no_feature(path: str) -> None:
    spec = DataSpec(path=path, target=("score",), split={"by": "house"})
    found = prepare(spec, MSE)
    houses = people()["house"]
    sides = [
        set(houses[load_split(spec, found.encoders, name).rows].tolist()) for name in ("train", "validation", "test")
    ]
    assert sum(map(len, sides)) == len(set.union(*sides))
    assert "house" not in found.encoders.features.feature_names


def test_a_limit_makes_training_smaller_and_leaves_validation_as_it_is(path: str, data: TrainingData) -> None:
    limited = prepare(DataSpec(path=path, target=("label",), limit=50), MANY)
    assert len(limited.splits["train"].rows) == 50
    assert set(limited.splits["train"].rows.tolist()) < set(data.splits["train"].rows.tolist())
    assert limited.splits["validation"].rows.tolist() == data.splits["validation"].rows.tolist()
    assert len(prepare(DataSpec(path=path, target=("label",), limit=0.5), MANY).splits["train"].rows) == 70


def test_a_limited_training_split_keeps_the_shares_of_the_classes(path: str, data: TrainingData) -> None:
    whole = np.bincount(data.splits["train"].target)
    for limit in (10, 25, 40, 70, 100):
        kept = np.bincount(prepare(DataSpec(path=path, target=("label",), limit=limit), MANY).splits["train"].target)
        assert np.abs(kept - whole * limit / 140).max() <= 1


def test_weights_come_along_and_are_no_feature(path: str) -> None:
    spec = DataSpec(path=path, target=("label",), weights="weight")
    found = prepare(spec, MANY)
    train = found.splits["train"]
    assert train.weights is not None
    assert train.weights.tolist() == people()["weight"][train.rows].tolist()
    assert "weight" not in found.encoders.features.feature_names


def test_no_validation_is_none(path: str) -> None:
    found = prepare(DataSpec(path=path, target=("label",), split={"train": 1.0, "validation": 0.0, "test": 0.0}), MANY)
    assert {name: len(split.rows) for name, split in found.splits.items()} == {"train": 200}


def test_statistics_come_from_the_training_split(path: str, data: TrainingData) -> None:
    ages = people()["age"][data.splits["train"].rows]
    assert data.encoders.features.columns[0].scaler.shift == pytest.approx(np.nanmean(ages), rel=1e-12)  # type: ignore[union-attr]
    found = prepare(DataSpec(path=path, target=("score",)), MSE)
    scores = people()["score"][found.splits["train"].rows]
    assert found.target.means == pytest.approx((scores.mean(),), rel=1e-12)  # type: ignore[union-attr]


# What cannot be


def test_a_target_that_is_missing_somewhere_is_refused() -> None:
    text = refusal(DataSpec(path=str(DATA / "penguins.csv"), target=("sex",)), MANY)
    assert 'the target "sex" is missing in 11 of 344 rows, first in row 4. Cure: fill these rows in' in text


def test_a_class_too_small_for_every_split_is_named(tmp_path: Path) -> None:
    values = people() | {"label": ["a"] * 100 + ["b"] * 97 + ["rare"] * 3}
    text = refusal(DataSpec(path=write(tmp_path / "t.csv", values), target=("label",)), MANY)
    assert text.startswith('data.split: class "rare" of "label" has 3 rows, too few: none is in the')


def test_equal_rows_that_fill_no_split_are_named(tmp_path: Path) -> None:
    values = {"x": [0, 0, 1, 1] * 50, "z": [0, 1, 0, 1] * 50, "y": ["a", "b", "b", "a"] * 50}
    text = refusal(DataSpec(path=write(tmp_path / "t.csv", values), target=("y",)), MANY)
    assert 'class "a" of "y" has 100 rows, of which 2 differ (equal rows stay together), too few' in " ".join(
        text.split()
    )
    found = prepare(
        DataSpec(path=str(tmp_path / "t.csv"), target=("y",), split={"train": 1.0, "validation": 0.0, "test": 0.0}),
        MANY,
    )
    assert len(found.splits["train"].rows) == 200


def test_a_table_too_small_to_split_is_named(tmp_path: Path) -> None:
    values = {"x": [0.5, 1.5], "y": [1.0, 2.0]}
    text = refusal(DataSpec(path=write(tmp_path / "t.csv", values), target=("y",)), MSE)
    assert "data.split: the table has 2 rows, too few to split: none is left for the" in text


def test_too_few_groups_are_named(path: str) -> None:
    text = refusal(DataSpec(path=path, target=("score",), split={"by": "member"}), MSE)
    assert 'data.split.by: "member" has 2 groups, too few to fill every split' in text


def test_a_class_that_whole_groups_take_out_of_training_is_named(tmp_path: Path) -> None:
    values = people() | {"label": ["a", "b"] * 99 + ["rare"] * 2, "house": [*range(198), 500, 500]}
    texts = []
    for seed in range(12):
        spec = DataSpec(path=write(tmp_path / "t.csv", values), target=("label",), split={"by": "house", "seed": seed})
        try:
            prepare(spec, MANY)
        except ConfigError as error:
            texts.append(" ".join(str(error).split()))
    assert 0 < len(texts) < 12
    assert 'class "rare" of "label" has 2 rows, too few: none is in the train split.' in texts[0]


def test_a_limit_below_the_number_of_classes_is_refused(path: str) -> None:
    text = refusal(DataSpec(path=path, target=("label",), limit=2), MANY)
    assert text == "data.limit: 2 training examples are fewer than there are classes. Raise the limit."


def test_infinite_values_are_named(tmp_path: Path) -> None:
    values = people() | {"score": [1.0] * 150 + [float("inf")] + [2.0] * 49}
    spec = DataSpec(path=write(tmp_path / "t.csv", values), target=("label",))
    assert 'column "score", row 151: the value is infinite' in refusal(spec, MANY)


# The first rows


def test_the_first_rows_tell_the_widths(path: str) -> None:
    found = prepare(DataSpec(path=path, target=("label",)), MANY, rows=100)
    assert found.signature == prepare(DataSpec(path=path, target=("label",)), MANY).signature
    assert found.notes[-1].startswith("Only the first 100 rows were read")
    assert found.fingerprint == {}


def test_first_rows_that_mislead_are_not_believed(tmp_path: Path) -> None:
    values = people() | {"label": ["a"] * 120 + ["b"] * 80}
    found = prepare(DataSpec(path=write(tmp_path / "t.csv", values), target=("label",)), MANY, rows=50)
    assert found.signature.target == ClassTarget(("a", "b"), binary=False)


def test_several_numbers_are_predicted_together(path: str) -> None:
    found = prepare(DataSpec(path=path, target=("score", "weight")), MSE)
    assert found.signature.target == NumberTarget(("score", "weight"))
    assert found.splits["train"].target is not None
    assert found.splits["train"].target.shape == (140, 2)


def test_arrays_can_be_written_to_by_their_owner(data: TrainingData) -> None:
    for split in data.splits.values():
        assert split.features.flags.writeable
        assert split.features.flags.c_contiguous


def test_the_table_may_come_from_a_file_of_any_kind(tmp_path: Path, data: TrainingData) -> None:
    table = read_table(Path(write(tmp_path / "p.parquet", people())))
    assert encode_table(table, data.encoders, needs_target=True).rows.tolist() == list(range(200))
