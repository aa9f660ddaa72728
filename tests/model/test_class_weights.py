"""Class weights: scikit-learn's `balanced`, or a map that must name every class of the data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight  # type: ignore[import-untyped]

from nettool.config.losses import BinaryCrossEntropy, ClassWeights, CrossEntropy, LossSpec, MeanSquaredError
from nettool.errors import ConfigError
from nettool.model.class_weights import class_weights_from


def mistakes_of(weights: ClassWeights, classes: list[str]) -> list[tuple[str, str]]:
    with pytest.raises(ConfigError) as error:
        class_weights_from(CrossEntropy(class_weights=weights), classes, [1] * len(classes))
    return [(mistake.name, mistake.text) for mistake in error.value.mistakes]


@given(st.lists(st.integers(1, 50), min_size=2, max_size=6))
def test_balanced_weights_are_those_of_scikit_learn(counts: list[int]) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    theirs = compute_class_weight("balanced", classes=np.arange(len(counts)), y=labels)
    names = [str(index) for index in range(len(counts))]
    ours = class_weights_from(CrossEntropy(class_weights="balanced"), names, counts)
    assert ours == pytest.approx(theirs.tolist(), rel=1e-12)


def test_balanced_classes_weigh_the_same_in_all() -> None:
    weights = class_weights_from(BinaryCrossEntropy(class_weights="balanced"), ["no", "yes"], [30, 10])
    assert weights is not None
    assert weights[0] * 30 == pytest.approx(weights[1] * 10)


def test_a_class_that_training_lacks_does_not_disturb_the_others() -> None:
    weights = class_weights_from(CrossEntropy(class_weights="balanced"), ["a", "b", "c"], [30, 0, 10])
    assert weights == pytest.approx([40 / 60, 1.0, 40 / 20])


def test_a_map_is_put_in_the_order_of_the_classes() -> None:
    spec = CrossEntropy(class_weights={"b": 2.0, "a": 0.5})
    assert class_weights_from(spec, ["a", "b"], [1, 1]) == [0.5, 2.0]


@pytest.mark.parametrize("spec", [CrossEntropy(), BinaryCrossEntropy(), MeanSquaredError()])
def test_without_class_weights_there_are_none(spec: LossSpec) -> None:
    assert class_weights_from(spec, ["a", "b"], [1, 1]) is None


def test_unknown_and_missing_classes_are_all_named_at_once_with_the_nearest() -> None:
    assert mistakes_of({"spam": 1.0, "hamm": 2.0}, ["ham", "spam"]) == [
        (
            "loss.class_weights.hamm",
            'the target has no class "hamm". Did you mean "ham"? Its classes are ham, spam.',
        ),
        (
            "loss.class_weights.ham",
            'class "ham" has no weight. Give it one; 1 is usual, 0 leaves the class out of the loss.',
        ),
    ]


def test_weights_that_leave_nothing_to_learn_from_are_a_mistake() -> None:
    assert mistakes_of({"a": 0.0, "b": 0.0}, ["a", "b"]) == [
        ("loss.class_weights", "every class has weight 0, so there is nothing to learn from.")
    ]
