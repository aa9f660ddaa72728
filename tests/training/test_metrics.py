"""Metrics: scikit-learn's numbers, and NaN, never a warning, where there is none."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any, get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk  # type: ignore[import-untyped]
from torch import Tensor

from nettool.config.experiment import ClassificationMetric, RegressionMetric
from nettool.config.signature import ClassTarget, LabelTarget, NumberTarget, Target
from nettool.training.metrics import (
    METRICS,
    all_metrics,
    baseline_predictions,
    compute_metrics,
)

TWO = ClassTarget(("no", "yes"), binary=True)
PAIR = ClassTarget(("no", "yes"), binary=False)
FOUR = ClassTarget(("a", "b", "c", "d"), binary=False)
LABELS = LabelTarget(("x", "y", "z"))
NUMBERS = NumberTarget(("p", "q"))
EVERY_TARGET = pytest.mark.parametrize("target", [TWO, PAIR, FOUR, LABELS, NUMBERS], ids=str)
CURVES = ("auroc", "average_precision", "calibration_error")
SUMS = tuple(name for name in get_args(ClassificationMetric) if name not in (*CURVES, "top_5_accuracy"))


@pytest.fixture(autouse=True)
def _no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


class Drawn:
    """Predictions and truth of n examples, with weights; coarse, so that there are ties."""

    def __init__(self, target: Target, n: int, seed: int, num_present: int = 4) -> None:
        rng = np.random.default_rng(seed)
        self.predictions: Any
        self.truth: Any
        self.weights: Any = rng.integers(1, 9, n) / 2
        match target:
            case NumberTarget():
                self.truth = rng.normal(size=(n, 2))
                self.predictions = self.truth + rng.normal(size=(n, 2)).round(1)
            case LabelTarget():
                self.truth = rng.integers(0, 2, (n, 3)).astype(float)
                self.predictions = rng.integers(0, 21, (n, 3)) / 20
            case ClassTarget(binary=True):
                self.truth = rng.integers(0, min(2, num_present), (n, 1)).astype(float)
                self.predictions = rng.integers(0, 21, (n, 1)) / 20
            case ClassTarget():
                num_classes = len(target.classes)
                raw = rng.integers(1, 6, (n, num_classes)).astype(float)
                self.predictions = raw / raw.sum(axis=1, keepdims=True)
                self.truth = rng.integers(0, min(num_classes, num_present), n)

    def compute(self, target: Target, *names: str, weighted: bool = False) -> list[float]:
        found = compute_metrics(
            names,
            torch.from_numpy(self.predictions),
            torch.from_numpy(self.truth),
            target,
            torch.from_numpy(self.weights) if weighted else None,
        )
        assert list(found) == list(names)
        return list(found.values())


def quietly(reference: Callable[..., Any], *args: Any, **kwargs: Any) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(reference(*args, **kwargs))


def near(expected: float | list[float], tolerance: float = 1e-9) -> Any:
    return pytest.approx(expected, rel=tolerance, abs=tolerance, nan_ok=True)


def binary_by_sklearn(truth: Any, p: Any, weights: Any) -> list[float]:
    """SUMS of two classes, by scikit-learn; NaN for precision, recall and F1 without a positive example."""
    chosen = (p > 0.5).astype(int)
    truth = truth.astype(int)
    kwargs = {"sample_weight": weights}
    scores = [
        quietly(score, truth, chosen, zero_division=0, **kwargs) if truth.any() else math.nan
        for score in (sk.precision_score, sk.recall_score, sk.f1_score)
    ]
    return [
        quietly(sk.accuracy_score, truth, chosen, **kwargs),
        quietly(sk.balanced_accuracy_score, truth, chosen, **kwargs),
        *scores,
        quietly(sk.log_loss, truth, p, labels=[0, 1], **kwargs),
        quietly(sk.brier_score_loss, truth, p, pos_label=1, labels=[0, 1], **kwargs),
    ]


def multiclass_by_sklearn(truth: Any, p: Any, weights: Any) -> list[float]:
    """SUMS of several classes, by scikit-learn."""
    chosen, labels = p.argmax(axis=1), list(range(p.shape[1]))
    kwargs = {"sample_weight": weights}
    return [
        quietly(sk.accuracy_score, truth, chosen, **kwargs),
        quietly(sk.balanced_accuracy_score, truth, chosen, **kwargs),
        *(
            quietly(score, truth, chosen, average="macro", zero_division=0, **kwargs)
            for score in (sk.precision_score, sk.recall_score, sk.f1_score)
        ),
        quietly(sk.log_loss, truth, p, labels=labels, **kwargs),
        quietly(sk.brier_score_loss, truth, p, labels=labels, **kwargs),
    ]


many = given(n=st.integers(1, 40), seed=st.integers(0, 10**6), num_present=st.integers(1, 4))
quick = settings(max_examples=12, deadline=None)
unweighted_and_weighted = pytest.mark.parametrize("weighted", [False, True], ids=["unweighted", "weighted"])


@unweighted_and_weighted
@many
@quick
def test_sums_of_two_classes_are_those_of_scikit_learn(weighted: bool, n: int, seed: int, num_present: int) -> None:
    drawn = Drawn(TWO, n, seed, num_present)
    theirs = binary_by_sklearn(drawn.truth[:, 0], drawn.predictions[:, 0], drawn.weights if weighted else None)
    assert drawn.compute(TWO, *SUMS, weighted=weighted) == near(theirs)


@unweighted_and_weighted
@many
@quick
def test_two_outputs_for_two_classes_are_measured_as_one(weighted: bool, n: int, seed: int, num_present: int) -> None:
    drawn = Drawn(PAIR, n, seed, num_present)
    theirs = binary_by_sklearn(drawn.truth, drawn.predictions[:, 1], drawn.weights if weighted else None)
    assert drawn.compute(PAIR, *SUMS, weighted=weighted) == near(theirs)


@unweighted_and_weighted
@many
@quick
def test_sums_of_several_classes_are_those_of_scikit_learn_even_where_classes_are_absent(
    weighted: bool, n: int, seed: int, num_present: int
) -> None:
    drawn = Drawn(FOUR, n, seed, num_present)
    theirs = multiclass_by_sklearn(drawn.truth, drawn.predictions, drawn.weights if weighted else None)
    assert drawn.compute(FOUR, *SUMS, weighted=weighted) == near(theirs)


@unweighted_and_weighted
@given(n=st.integers(1, 40), seed=st.integers(0, 10**6))
@quick
def test_labels_have_the_mean_over_those_for_which_a_metric_is_defined(weighted: bool, n: int, seed: int) -> None:
    drawn = Drawn(LABELS, n, seed)
    weights = drawn.weights if weighted else None
    each = np.array([binary_by_sklearn(drawn.truth[:, k], drawn.predictions[:, k], weights) for k in range(3)])
    defined = ~np.isnan(each)
    theirs = [column[kept].mean() if kept.any() else math.nan for column, kept in zip(each.T, defined.T)]  # noqa: B905
    assert drawn.compute(LABELS, *SUMS, weighted=weighted) == near(theirs)


def test_labels_that_all_occur_have_the_macro_scores_of_scikit_learn() -> None:
    drawn = Drawn(LABELS, 50, 1)
    chosen = (drawn.predictions > 0.5).astype(int)
    macro = [
        score(drawn.truth, chosen, average="macro") for score in (sk.precision_score, sk.recall_score, sk.f1_score)
    ]
    assert drawn.compute(LABELS, "precision", "recall", "f1") == near(macro)
    assert drawn.compute(LABELS, "accuracy") == near([(drawn.truth == chosen).mean()])


@unweighted_and_weighted
@given(n=st.integers(1, 40), seed=st.integers(0, 10**6))
@quick
def test_metrics_of_numbers_are_those_of_scikit_learn(weighted: bool, n: int, seed: int) -> None:
    drawn = Drawn(NUMBERS, n, seed)
    kwargs = {"sample_weight": drawn.weights if weighted else None}
    theirs = [
        quietly(score, drawn.truth, drawn.predictions, **kwargs)
        for score in (
            sk.mean_squared_error,
            sk.root_mean_squared_error,
            sk.mean_absolute_error,
            sk.r2_score,
            sk.median_absolute_error,
        )
    ]
    assert drawn.compute(NUMBERS, *get_args(RegressionMetric), weighted=weighted) == near(theirs)


def test_r2_of_a_target_that_never_varies_is_one_where_it_is_met_and_else_zero() -> None:
    one = NumberTarget(("p",))
    truth = torch.full((3, 1), 0.1, dtype=torch.float64)  # their mean is not 0.1
    assert compute_metrics(("r2",), truth, truth, one) == {"r2": 1.0}
    assert compute_metrics(("r2",), truth + 0.5, truth, one) == {"r2": 0.0}


@given(n=st.integers(2, 60), seed=st.integers(0, 10**6))
@settings(max_examples=15, deadline=None)
def test_curves_of_two_classes_are_those_of_scikit_learn(n: int, seed: int) -> None:
    drawn = Drawn(TWO, n, seed)
    drawn.truth[:2, 0] = [0, 1]
    for weights in (None, drawn.weights):
        theirs = [
            score(drawn.truth[:, 0], drawn.predictions[:, 0], sample_weight=weights)
            for score in (sk.roc_auc_score, sk.average_precision_score)
        ]
        ours = drawn.compute(TWO, "auroc", "average_precision", weighted=weights is not None)
        assert ours == near(theirs, 1e-12)


def test_curves_of_several_classes_are_macro_averages_of_each_against_the_rest() -> None:
    drawn = Drawn(FOUR, 60, 3)
    one_hot = np.eye(4)[drawn.truth]
    theirs = [
        sk.roc_auc_score(drawn.truth, drawn.predictions, multi_class="ovr", average="macro"),
        sk.average_precision_score(one_hot, drawn.predictions, average="macro"),
    ]
    assert drawn.compute(FOUR, "auroc", "average_precision") == near(theirs, 1e-6)


def test_curves_leave_out_classes_that_do_not_occur() -> None:
    drawn = Drawn(FOUR, 60, 3, num_present=3)
    one_hot = np.eye(4)[drawn.truth][:, :3]
    theirs = [
        np.mean([score(one_hot[:, k], drawn.predictions[:, k]) for k in range(3)])
        for score in (sk.roc_auc_score, sk.average_precision_score)
    ]
    assert drawn.compute(FOUR, "auroc", "average_precision") == near(theirs, 1e-6)


def test_curves_of_labels_are_macro_averages() -> None:
    drawn = Drawn(LABELS, 60, 3)
    theirs = [
        score(drawn.truth, drawn.predictions, average="macro")
        for score in (sk.roc_auc_score, sk.average_precision_score)
    ]
    assert drawn.compute(LABELS, "auroc", "average_precision") == near(theirs, 1e-6)


def expected_calibration_error(confidence: Any, right: Any) -> float:
    """Guo et al. 2017, equation 3, a bin at a time."""
    error = 0.0
    for index in range(15):
        inside = (confidence >= index / 15) & (confidence < (index + 1) / 15 if index < 14 else True)
        if inside.any():
            error += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return error


@pytest.mark.parametrize("target", [TWO, PAIR, FOUR, LABELS], ids=str)
def test_calibration_error_compares_the_chosen_class_with_how_often_it_is_right(target: Target) -> None:
    theirs: Any
    rng = np.random.default_rng(5)
    drawn = Drawn(target, 200, 5)
    if drawn.predictions.shape[1] > 1 and target is not LABELS:
        drawn.predictions = rng.dirichlet(np.ones(drawn.predictions.shape[1]), 200)
        confidence = drawn.predictions.max(axis=1)
        theirs = expected_calibration_error(confidence, drawn.predictions.argmax(axis=1) == drawn.truth)
    else:
        drawn.predictions = rng.random(drawn.predictions.shape)
        confidence = np.maximum(drawn.predictions, 1 - drawn.predictions)
        right = (drawn.predictions > 0.5) == drawn.truth
        theirs = np.mean([expected_calibration_error(confidence[:, k], right[:, k]) for k in range(right.shape[1])])
    assert drawn.compute(target, "calibration_error") == near([theirs], 1e-5)


def test_a_split_with_one_class_has_no_curve_and_without_positives_no_precision() -> None:
    p = torch.tensor([[0.2], [0.7]], dtype=torch.float64)
    names = ("auroc", "average_precision", "precision", "recall", "f1")
    none = compute_metrics(names, p, torch.zeros(2, 1), TWO)
    assert all(math.isnan(value) for value in none.values())
    every = compute_metrics(names, p, torch.ones(2, 1), TWO)
    assert math.isnan(every.pop("auroc"))
    assert every == near({"average_precision": 1.0, "precision": 1.0, "recall": 0.5, "f1": 2 / 3})  # type: ignore[arg-type]


def test_precision_is_zero_where_nothing_is_predicted_positive() -> None:
    p, truth = torch.tensor([[0.2], [0.3]]), torch.tensor([[0.0], [1.0]])
    assert compute_metrics(("precision", "f1"), p, truth, TWO) == {"precision": 0.0, "f1": 0.0}


@EVERY_TARGET
def test_without_examples_every_metric_is_nan(target: Target) -> None:
    drawn = Drawn(target, 0, 0)
    assert all(math.isnan(value) for value in drawn.compute(target, *all_metrics(target)))


@EVERY_TARGET
def test_a_prediction_that_is_not_a_number_makes_every_metric_nan(target: Target) -> None:
    drawn = Drawn(target, 5, 0)
    drawn.predictions[2, 0] = math.nan
    assert all(math.isnan(value) for value in drawn.compute(target, *all_metrics(target)))


@EVERY_TARGET
def test_an_example_of_weight_zero_counts_as_absent(target: Target) -> None:
    drawn = Drawn(target, 30, 2)
    drawn.weights = np.repeat([1.0, 0.0], 15)
    ours = drawn.compute(target, *all_metrics(target), weighted=True)
    drawn.predictions, drawn.truth = drawn.predictions[:15], drawn.truth[:15]
    assert ours == near(drawn.compute(target, *all_metrics(target)))
    drawn.weights = np.zeros(15)
    assert all(math.isnan(value) for value in drawn.compute(target, *all_metrics(target), weighted=True))


@EVERY_TARGET
def test_the_order_of_the_examples_does_not_matter(target: Target) -> None:
    drawn = Drawn(target, 40, 2)
    ours = drawn.compute(target, *all_metrics(target), weighted=True)
    order = np.random.default_rng(0).permutation(40)
    drawn.predictions, drawn.truth = drawn.predictions[order], drawn.truth[order]
    drawn.weights = drawn.weights[order]
    assert drawn.compute(target, *all_metrics(target), weighted=True) == near(ours, 1e-6)


@EVERY_TARGET
def test_a_metric_asked_for_alone_has_the_number_that_it_has_among_all(target: Target) -> None:
    drawn = Drawn(target, 40, 2)
    names = all_metrics(target)
    assert [drawn.compute(target, name)[0] for name in names] == drawn.compute(target, *names)


def test_sums_of_float32_predictions_are_taken_in_float64() -> None:
    truth = torch.tensor([[1e8]] + [[0.0]] * 999, dtype=torch.float32)
    errors = torch.ones(1000, 1)
    errors[0] = 0
    assert compute_metrics(("mse",), truth + errors, truth, NumberTarget(("p",))) == {"mse": 0.999}


def test_half_precision_predictions_are_measured_too() -> None:
    p = torch.tensor([[0.25], [0.75]], dtype=torch.bfloat16)
    found = compute_metrics(("accuracy", "brier"), p, torch.tensor([[0.0], [1.0]]), TWO)
    assert found == {"accuracy": 1.0, "brier": 0.0625}


def test_log_loss_of_a_certain_mistake_is_finite_and_that_of_scikit_learn() -> None:
    for dtype in (torch.float32, torch.float64):
        p, truth = torch.tensor([[0.0], [1.0]], dtype=dtype), torch.tensor([[1.0], [1.0]])
        theirs = sk.log_loss(truth[:, 0].numpy(), p[:, 0].numpy(), labels=[0, 1])
        assert compute_metrics(("log_loss",), p, truth, TWO)["log_loss"] == near(theirs, 1e-6)


def test_a_probability_rounded_past_one_does_not_change_a_curve() -> None:
    p = torch.tensor([[0.1], [0.4], [0.35], [1.0000001]])
    truth = torch.tensor([[0.0], [0.0], [1.0], [1.0]])
    names = ("auroc", "calibration_error")
    assert compute_metrics(names, p, truth, TWO) == compute_metrics(names, p.clamp(max=1), truth, TWO)


def test_every_metric_of_the_config_is_in_the_registry_under_its_task() -> None:
    classification = [name for name, metric in METRICS.items() if metric.task == "classification"]
    regression = [name for name, metric in METRICS.items() if metric.task == "regression"]
    assert tuple(classification) == get_args(ClassificationMetric)
    assert tuple(regression) == get_args(RegressionMetric)
    assert [name for name, metric in METRICS.items() if metric.mode == "max"] == [
        "accuracy", "balanced_accuracy", "precision", "recall", "f1", "auroc", "average_precision",
        "top_5_accuracy", "r2",
    ]  # fmt: skip


@EVERY_TARGET
def test_a_perfect_prediction_is_nowhere_worse_than_the_baseline_as_modes_say(target: Target) -> None:
    drawn = Drawn(target, 40, 2)
    truth = torch.from_numpy(drawn.truth)
    perfect = torch.nn.functional.one_hot(truth).double() if truth.dim() == 1 else truth
    baseline = compute_metrics(all_metrics(target), baseline_predictions(truth, target, 40), truth, target)
    for name, value in compute_metrics(all_metrics(target), perfect, truth, target).items():
        assert value >= baseline[name] if METRICS[name].mode == "max" else value <= baseline[name]


def test_metrics_of_the_other_task_are_refused() -> None:
    with pytest.raises(ValueError, match="accuracy: not measured in regression"):
        compute_metrics(("accuracy",), torch.zeros(1, 2), torch.zeros(1, 2), NUMBERS)


@pytest.mark.parametrize(
    ("target", "train", "weights", "row"),
    [
        (FOUR, torch.tensor([0, 2, 2, 3]), None, [0.25, 0.0, 0.5, 0.25]),
        (FOUR, torch.tensor([0, 2, 2, 3]), torch.tensor([6.0, 1, 1, 0]), [0.75, 0.0, 0.25, 0.0]),
        (TWO, torch.tensor([[1.0], [0], [0], [0]]), None, [0.25]),
        (LABELS, torch.tensor([[1.0, 0, 0], [1, 1, 0]]), None, [1.0, 0.5, 0.0]),
        (NUMBERS, torch.tensor([[1.0, 10], [3, 20]]), None, [2.0, 15.0]),
        (NUMBERS, torch.tensor([[1.0, 10], [3, 20]]), torch.tensor([1.0, 3]), [2.5, 17.5]),
    ],
)
def test_the_baseline_is_the_training_targets_shares_or_mean_for_every_example(
    target: Target, train: Tensor, weights: Tensor | None, row: list[float]
) -> None:
    predictions = baseline_predictions(train, target, 3, weights)
    assert predictions.tolist() == [row] * 3


def test_the_baseline_of_classes_chooses_the_majority_and_that_of_numbers_explains_nothing() -> None:
    classes = torch.tensor([0, 1, 1, 3])
    found = compute_metrics(("accuracy",), baseline_predictions(classes, FOUR, 4), classes, FOUR)
    assert found == {"accuracy": 0.5}
    numbers = torch.tensor([[1.0, 2.0], [2.0, 5.0], [4.0, 5.0]])
    found = compute_metrics(("r2",), baseline_predictions(numbers, NUMBERS, 3), numbers, NUMBERS)
    assert found["r2"] == near(0.0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@EVERY_TARGET
def test_predictions_on_cuda_have_the_bits_of_those_on_the_cpu(target: Target) -> None:
    drawn = Drawn(target, 40, 2)
    there = compute_metrics(
        all_metrics(target), torch.from_numpy(drawn.predictions).cuda(), torch.from_numpy(drawn.truth).cuda(),
        target, torch.from_numpy(drawn.weights).cuda(),
    )  # fmt: skip
    assert list(there.values()) == drawn.compute(target, *all_metrics(target), weighted=True)
