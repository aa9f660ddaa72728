"""Targets: what the loss compares with, and what is said where target and loss contradict each other."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nettool.config.data import ColumnKind, DataSpec
from nettool.config.losses import BinaryCrossEntropy, CrossEntropy, Huber, LossSpec, MeanSquaredError
from nettool.config.signature import ClassTarget, LabelTarget, NumberTarget
from nettool.data.columns import conform, describe_columns, named
from nettool.data.targets import (
    ClassEncoder,
    NumberEncoder,
    TargetEncoder,
    fit_target,
    sort_classes,
    target_from_json,
    target_to_json,
)
from nettool.data.tasks import settle_target
from nettool.data.values import simplify
from nettool.errors import ConfigError, DataError

MANY, TWO, MSE = CrossEntropy(), BinaryCrossEntropy(), MeanSquaredError()


def fitted(
    loss: LossSpec, kinds: dict[str, ColumnKind] | None = None, **targets: Any
) -> tuple[TargetEncoder, pa.Table]:
    """The target's encoder, and the table in the types of its kinds."""
    count = len(next(iter(targets.values())))
    raw = simplify(pa.table({**targets, "x": np.arange(count) / 3}))
    spec = DataSpec(path="t.csv", target=tuple(targets), columns=kinds or {})
    columns = settle_target(raw, describe_columns(raw, spec), spec.target, loss, "t.csv")
    table = conform(raw, columns)
    return fit_target(raw, table, named(columns, spec.target), np.arange(count), loss), table


def every(table: pa.Table) -> np.ndarray:
    return np.arange(table.num_rows)


def refusal(loss: LossSpec, kinds: dict[str, ColumnKind] | None = None, **targets: Any) -> tuple[str, str]:
    with pytest.raises(ConfigError) as caught:
        fitted(loss, kinds, **targets)
    (mistake,) = caught.value.mistakes
    return mistake.name, mistake.text


# Classes


@pytest.mark.parametrize(
    ("values", "classes", "codes"),
    [
        (["b", "a", "c"], ("a", "b", "c"), [1, 0, 2]),
        ([10, 9, 2], ("2", "9", "10"), [2, 1, 0]),
        ([1.0, 0.0, 2.0], ("0", "1", "2"), [1, 0, 2]),
        (["10", "9", "x"], ("10", "9", "x"), [0, 1, 2]),
        ([" b", "a ", "b"], ("a", "b"), [1, 0, 1]),
        (["yes", "no", "Yes"], ("no", "Yes"), [1, 0, 1]),
    ],
)
def test_classes_are_sorted_by_number_or_by_letter(values: Any, classes: tuple[str, ...], codes: list[int]) -> None:
    encoder, table = fitted(MANY, y=values)
    assert encoder.target == ClassTarget(classes, binary=False)
    found = encoder.encode(table, every(table), "t.csv")
    assert found.dtype == np.int64
    assert found.tolist() == codes


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        (["Yes", "No", "Yes"], ("No", "Yes")),
        (["yes", "NO", "yes"], ("NO", "yes")),
        ([True, False, True], ("false", "true")),
        ([1, 0, 1], ("0", "1")),
        ([1.0, 0.0, 1.0], ("0", "1")),
        (["T", "F", "T"], ("F", "T")),
        (["outer", "inner", "outer"], ("inner", "outer")),
        ([2, 1, 2], ("1", "2")),
    ],
)
def test_the_positive_class_is_yes_or_true_or_1_or_else_the_last(values: Any, classes: tuple[str, str]) -> None:
    encoder, table = fitted(TWO, y=values)
    assert encoder.target == ClassTarget(classes, binary=True)
    found = encoder.encode(table, every(table), "t.csv")
    assert (found.dtype, found.tolist()) == (np.float32, [[1], [0], [1]])
    assert isinstance(encoder, ClassEncoder)
    assert encoder.decode(found).to_pylist() == [classes[1], classes[0], classes[1]]


def test_yes_comes_after_no_in_a_category_too() -> None:
    assert sort_classes(["Yes", "no"]) == ["no", "Yes"]
    assert sort_classes(["true", "FALSE"]) == ["FALSE", "true"]


def test_a_target_means_the_same_in_every_format() -> None:
    encoder, _ = fitted(TWO, y=["Yes", "No", "Yes"])
    _, other = fitted(TWO, y=[True, False, True])
    assert encoder.encode(other, every(other), "t.csv").tolist() == [[1], [0], [1]]
    encoder, _ = fitted(MANY, y=[3, 1, 2])
    _, other = fitted(MANY, y=[3.0, 1.0, 2.0])
    assert encoder.encode(other, every(other), "t.csv").tolist() == [2, 0, 1]


def test_a_class_that_training_lacks_is_named() -> None:
    encoder, _ = fitted(MANY, y=["a", "b", "c"])
    _, other = fitted(MANY, y=["a", "d", "c"])
    with pytest.raises(DataError) as caught:
        encoder.encode(other, every(other), "test.csv")
    assert str(caught.value) == (
        'test.csv: row 2: "y" is "d", a class that the training rows do not have: they have "a", "b", "c". Cure: add '
        "such examples to the training rows, or take them out here."
    )


# Labels and numbers


def test_several_labels_are_several_columns_of_0_and_1() -> None:
    encoder, table = fitted(TWO, a=["yes", "no", "yes"], b=[0, 0, 1])
    assert encoder.target == LabelTarget(("a", "b"))
    assert encoder.encode(table, every(table), "t.csv").tolist() == [[1, 0], [0, 0], [1, 1]]


def test_numbers_are_standardised_and_come_back_in_their_own_units() -> None:
    encoder, table = fitted(Huber(), a=[1.5, 2.0, 4.0], b=[100, 300, 250])
    assert encoder.target == NumberTarget(("a", "b"))
    found = encoder.encode(table, every(table), "t.csv")
    assert (found.dtype, found.shape) == (np.float32, (3, 2))
    assert found.mean(axis=0) == pytest.approx(0, abs=1e-6)
    assert found.std(axis=0) == pytest.approx(1)
    assert isinstance(encoder, NumberEncoder)
    assert pytest.approx(np.array([[1.5, 2, 4], [100, 300, 250]])) == encoder.decode(found).T


def test_targets_keep_the_order_of_the_config() -> None:
    raw = pa.table({"b": [1.0, 2.0, 4.0], "a": ["x", "y", "x"], "x": [0.5, 2.5, 0.1]})
    spec = DataSpec(path="t.csv", target=("a", "b"))
    with pytest.raises(ConfigError) as caught:
        settle_target(simplify(raw), describe_columns(raw, spec), spec.target, TWO, "t.csv")
    assert [mistake.name for mistake in caught.value.mistakes] == ["data.target.0"]


def test_a_regression_may_have_a_target_of_0_and_1() -> None:
    assert fitted(MSE, y=[0, 1, 1])[0].target == NumberTarget(("y",))


@given(
    st.lists(st.floats(-1e9, 1e9), min_size=2).filter(lambda numbers: np.std(numbers) > 1e-3 * max(map(abs, numbers)))
)
@settings(max_examples=40)
def test_number_targets_come_back(numbers: list[float]) -> None:
    encoder, table = fitted(MSE, {"y": "number"}, y=numbers)
    assert isinstance(encoder, NumberEncoder)
    back = encoder.decode(encoder.encode(table, every(table), "t.csv"))[:, 0]
    assert back == pytest.approx(numbers, abs=1e-5 * max(map(abs, numbers)))


@given(st.lists(st.text("abcé🙂 ", min_size=1).filter(str.strip), min_size=2, max_size=20))
@settings(max_examples=40)
def test_class_targets_come_back(texts: list[str]) -> None:
    texts = [text.strip() for text in texts]
    if len(set(texts)) > 1:
        encoder, table = fitted(MANY, {"y": "category"}, y=texts)
        assert isinstance(encoder, ClassEncoder)
        assert encoder.decode(encoder.encode(table, every(table), "t.csv")).to_pylist() == texts


@pytest.mark.parametrize(
    ("loss", "targets"),
    [
        (MANY, {"y": ["a", "b"]}),
        (TWO, {"y": ["a", "b"]}),
        (TWO, {"a": [0, 1], "b": [1, 0]}),
        (MSE, {"a": [0.1, 1 / 3], "b": [1e300, 2]}),
    ],
)
def test_target_encoders_come_back_from_json(loss: LossSpec, targets: dict[str, Any]) -> None:
    encoder, _ = fitted(loss, **targets)
    assert target_from_json(json.loads(json.dumps(target_to_json(encoder)))) == encoder


# Contradictions

LETTERS = ["a", "b", "c", "a"]


@pytest.mark.parametrize(
    ("loss", "targets", "name", "text"),
    [
        (MANY, {"y": ["a"] * 4}, "data.target", '"y" is "a" in every row: one class only, so there is nothing to tell'),
        (TWO, {"y": [True] * 4}, "data.target", '"y" is "true" in every row: one class only'),
        (TWO, {"y": [1] * 4}, "data.target", '"y" is "1" in every row: one class only'),
        (
            TWO,
            {"y": LETTERS},
            "loss",
            'binary_cross_entropy has two classes, but the target "y" has 3: "a", "b", "c". Use cross_entropy.',
        ),
        (
            MANY,
            {"y": [1.5, 2, 3]},
            "loss",
            'the target "y" looks like a number: it has values that are not whole. Use mse.',
        ),
        (
            MANY,
            {"y": [i // 2 for i in range(600)]},
            "loss",
            'the target "y" looks like a number: it has 300 distinct values. Use mse.',
        ),
        (
            MSE,
            {"y": ["yes", "no"]},
            "loss",
            'mse needs a number to predict, but the target "y" holds yes or no. Use binary_cross_entropy.',
        ),
        (MSE, {"y": [True, False]}, "loss", ""),
        (
            Huber(),
            {"y": LETTERS},
            "loss",
            'huber needs a number to predict, but the target "y" holds text. Use cross_entropy.',
        ),
        (MSE, {"y": ["2026-01-31", "2026-02-01"]}, "loss", 'the target "y" holds dates. Use cross_entropy.'),
        (MANY, {"a": LETTERS, "b": LETTERS}, "loss", "cross_entropy has one target, but data.target names several."),
        (
            TWO,
            {"a": [0, 1, 1, 0], "b": LETTERS},
            "data.target.1",
            'several targets with binary_cross_entropy are yes/no labels, but "b" is a category. Keep one target, or '
            "set `data.columns: {b: boolean}` if it is one.",
        ),
        (MSE, {"y": [7, 7, 7]}, "data.target", '"y" is 7 in every training row. There is nothing to learn.'),
        (MSE, {"y": [1e9, 1e9 + 1, 1e9]}, "data.target", "There is nothing to learn."),
    ],
)
def test_a_target_that_contradicts_the_loss_is_refused_with_the_loss_that_fits(
    loss: LossSpec, targets: dict[str, Any], name: str, text: str
) -> None:
    if not text:  # true and false are numbers enough for a regression
        assert fitted(loss, **targets)[0].target == NumberTarget(("y",))
        return
    found, said = refusal(loss, **targets)
    assert found == name
    assert text in said


def test_many_whole_numbers_are_classes_where_each_has_many_rows() -> None:
    encoder, _ = fitted(MANY, y=[i % 150 for i in range(3000)])
    assert len(encoder.target.classes) == 150  # type: ignore[union-attr]
