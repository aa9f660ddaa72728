"""What each threshold gives, against scikit-learn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics

from nettool.analysis.outcomes import Array, Classified, Numbers, outcomes_of
from nettool.analysis.thresholds import confusion, reliability, sweep_thresholds
from nettool.config.signature import ClassTarget, LabelTarget, NumberTarget
from nettool.training.curves import auroc, average_precision, calibration_error


def drawn(num: int = 400, classes: int = 2, seed: int = 0) -> tuple[Array, Array, Array]:
    """Probabilities [n, classes] in steps, so that there are ties; what is true; weights."""
    generator = np.random.default_rng(seed)
    actual = generator.integers(0, classes, num)
    scores = generator.random((num, classes)) + 0.5 * np.eye(classes)[actual]
    probabilities = np.round(scores / scores.sum(axis=1, keepdims=True), 2)
    return probabilities, actual, generator.uniform(0.1, 3, num)


def classified(classes: int = 2, seed: int = 0) -> Classified:
    probabilities, actual, weights = drawn(classes=classes, seed=seed)
    return Classified(tuple("abcdefgh"[:classes]), probabilities, actual, weights, np.arange(len(actual)))


def test_recall_and_false_alarms_are_those_of_the_roc_curve() -> None:
    probabilities, actual, weights = drawn()
    sweep = sweep_thresholds(probabilities[:, 1], actual, weights)
    false_alarms, recall, thresholds = metrics.roc_curve(
        actual, probabilities[:, 1], sample_weight=weights, drop_intermediate=False
    )
    assert sweep.threshold == pytest.approx(thresholds[1:])
    assert sweep.recall == pytest.approx(recall[1:])
    assert sweep.false_alarms == pytest.approx(false_alarms[1:])
    assert sweep.area == pytest.approx(auroc(probabilities[:, 1], actual, weights))


def test_precision_is_that_of_scikit_learn_and_f1_their_harmonic_mean() -> None:
    probabilities, actual, weights = drawn()
    sweep = sweep_thresholds(probabilities[:, 1], actual, weights)
    precision, recall, _ = metrics.precision_recall_curve(actual, probabilities[:, 1], sample_weight=weights)
    assert sweep.precision[::-1] == pytest.approx(precision[:-1])
    assert sweep.recall[::-1] == pytest.approx(recall[:-1])
    mean = 2 * sweep.precision * sweep.recall / (sweep.precision + sweep.recall)
    assert sweep.f1 == pytest.approx(mean)
    assert sweep.average_precision == pytest.approx(average_precision(probabilities[:, 1], actual, weights))


def test_what_is_found_above_a_threshold_has_more_than_it() -> None:
    sweep = sweep_thresholds(np.array([0.5, 0.9, 0.5, 0.2]), np.array([1, 1, 0, 0]), np.ones(4))
    assert sweep.threshold.tolist() == [0.9, 0.5, 0.2]
    assert [sweep.at(value) for value in (0.95, 0.9, 0.5, 0.2, 0.0)] == [-1, -1, 0, 1, 2]
    assert sweep.found.tolist() == [0.25, 0.75, 1.0]


@pytest.mark.parametrize("classes", [2, 5])
def test_the_confusion_matrix_is_that_of_scikit_learn(classes: int) -> None:
    outcome = classified(classes)
    expected = metrics.confusion_matrix(outcome.actual, outcome.predicted, sample_weight=outcome.weights)
    assert confusion(outcome) == pytest.approx(expected)
    assert outcome.accuracy == pytest.approx(np.trace(expected) / expected.sum())


def test_reliability_of_many_classes_has_the_error_of_the_metric_and_ranges_hold_the_truth() -> None:
    outcome = classified(4)
    found = reliability(outcome)
    assert found.error == pytest.approx(calibration_error(outcome.probabilities, outcome.actual, outcome.weights))
    assert found.weight.sum() == pytest.approx(outcome.weights.sum())
    low, high = found.range
    assert (low <= found.accuracy + 1e-12).all()
    assert (found.accuracy <= high + 1e-12).all()
    assert (high - low > 0).all()


def test_ranges_are_as_wide_as_the_examples_are_few_whatever_they_weigh() -> None:
    outcome = classified(4)
    heavy = replace(outcome, weights=1000 * outcome.weights)
    for one, other in zip(reliability(outcome).range, reliability(heavy).range, strict=True):
        assert one == pytest.approx(other)
    alike = replace(outcome, weights=np.ones(len(outcome.actual)))
    assert reliability(alike).count == pytest.approx(reliability(alike).weight)


def test_reliability_of_two_classes_is_of_the_second() -> None:
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8], [0.2, 0.8]])
    outcome = Classified(("no", "yes"), probabilities, np.array([0, 1, 1, 1]), np.ones(4), np.arange(4))
    found = reliability(outcome)
    assert found.confidence == pytest.approx([0.1, 0.8])
    assert found.accuracy == pytest.approx([0.5, 1.0])


def test_each_target_is_an_outcome_and_examples_without_weight_are_none() -> None:
    weights = np.array([1.0, 0.0, 2.0])
    binary = ClassTarget(("no", "yes"), binary=True)
    ((name, outcome),) = outcomes_of(binary, np.array([[0.2], [0.9], [0.7]]), np.array([[0], [1], [1]]), weights)
    assert isinstance(outcome, Classified)
    assert name == ""
    assert outcome.probabilities == pytest.approx(np.array([[0.8, 0.2], [0.3, 0.7]]))
    assert outcome.predicted.tolist() == outcome.actual.tolist() == [0, 1]
    assert outcome.places.tolist() == [0, 2]
    labels = dict(outcomes_of(LabelTarget(("a", "b")), np.array([[0.2, 0.9]]), np.array([[1, 1]]), None))
    assert [each.is_right.tolist() for each in labels.values() if isinstance(each, Classified)] == [[False], [True]]
    numbers = dict(outcomes_of(NumberTarget(("x", "y")), np.array([[1.0, 2.0]]), np.array([[3.0, 2.5]]), None))
    assert [each.residuals.tolist() for each in numbers.values() if isinstance(each, Numbers)] == [[-2.0], [-0.5]]
