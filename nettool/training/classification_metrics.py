"""Metrics of classes and labels: sums and counts. Those that need all predictions in order are in curves.

Definitions are scikit-learn's:

- Two classes: precision, recall, F1, AUROC, average precision and the Brier score are the second class's,
  however many outputs the network has. The first three are NaN where no example has the second class, and
  precision and F1 are 0 where none is predicted to have it.
- Three classes or more: macro averages. Precision, recall and F1 run over the classes that occur in the
  target or in the predictions, the undefined ones counting 0; balanced accuracy over those in the target;
  AUROC and average precision, one class against the rest, over those for which they are defined. The Brier
  score is summed over classes.
- Several labels: each metric is the mean of that of the labels, taken as two classes, over the labels for
  which it is defined. Accuracy is therefore the share of labels that are right, not of examples with all
  labels right.
- A single output above 0.5 is the second class; among several outputs the largest wins, the first among
  equals.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nettool.training.curves import auroc, average_precision, calibration_error

Array = NDArray[Any]
NAN = float("nan")


def decide(probabilities: Array) -> Array:
    """The class that each row of probabilities, [n, C] or [n, 1], speaks for: int64 [n]."""
    single = probabilities.shape[1] == 1
    chosen: Array = probabilities[:, 0] > 0.5 if single else probabilities.argmax(axis=1)
    return chosen.astype(np.int64)


@dataclass(frozen=True)
class Counts:
    """For each class the weight of the examples that have it, are predicted to have it, and are both: [C]."""

    actual: Array
    predicted: Array
    hits: Array


@dataclass(frozen=True)
class Outcome:
    """What was predicted of one target with classes, beside what was true. n is 1 or more.

    probabilities: float [n, C], or [n, 1] for two classes. actual: int64 [n]. weights: float64 [n], all above
    0.
    """

    probabilities: Array
    actual: Array
    num_classes: int
    weights: Array | None

    @cached_property
    def predicted(self) -> Array:
        """The class decided on, int64 [n]."""
        return decide(self.probabilities)

    @cached_property
    def counts(self) -> Counts:
        """Examples by class, float64."""
        hit = self.predicted == self.actual
        return Counts(
            self._count(self.actual, self.weights),
            self._count(self.predicted, self.weights),
            self._count(self.actual[hit], None if self.weights is None else self.weights[hit]),
        )

    @cached_property
    def positive(self) -> Array:
        """The probability of the second of two classes, float64 [n]."""
        return self.probabilities[:, -1].astype(np.float64)

    def mean(self, values: Array) -> float:
        """The weighted mean of one number an example."""
        if self.weights is None:
            return float(values.sum(dtype=np.float64) / len(values))
        return float((values * self.weights).sum() / self.weights.sum())

    def _count(self, classes: Array, weights: Array | None) -> Array:
        return np.bincount(classes, weights, minlength=self.num_classes).astype(np.float64)


def compute(
    names: Sequence[str], probabilities: Array, target: Array, num_classes: int, weights: Array | None
) -> dict[str, float]:
    """Metrics of one target with classes. probabilities: [n, C] or [n, 1]. target: [n], or [n, 1]."""
    outcome = Outcome(probabilities, target.reshape(-1).astype(np.int64), num_classes, weights)
    return {name: _METRICS[name](outcome) for name in names}


def compute_labels(
    names: Sequence[str], probabilities: Array, target: Array, weights: Array | None
) -> dict[str, float]:
    """The named metrics of several yes/no labels, averaged over the labels. Both tensors: [n, K]."""
    labels = [
        compute(names, probabilities[:, label : label + 1], target[:, label], 2, weights)
        for label in range(target.shape[1])
    ]
    return {name: _mean_of_defined([values[name] for values in labels]) for name in names}


def by_class(
    probabilities: Array, target: Array, num_classes: int, weights: Array | None
) -> list[tuple[int, dict[str, float]]]:
    """Of each class how many examples have it, and its precision, recall and F1 (NaN where there are none to find)."""
    outcome = Outcome(probabilities, target.reshape(-1).astype(np.int64), num_classes, weights)
    counts, sizes = outcome.counts, np.bincount(outcome.actual, minlength=num_classes)
    return [
        (
            int(size),
            {
                "precision": hits / predicted if predicted else 0.0,
                "recall": hits / actual if actual else NAN,
                "f1": 2 * hits / (actual + predicted) if actual + predicted else NAN,
            },
        )
        for size, hits, actual, predicted in zip(
            sizes, counts.hits.tolist(), counts.actual.tolist(), counts.predicted.tolist(), strict=True
        )
    ]


def _accuracy(outcome: Outcome) -> float:
    return outcome.mean(outcome.predicted == outcome.actual)


def _balanced_accuracy(outcome: Outcome) -> float:
    occurs = outcome.counts.actual > 0
    return float((outcome.counts.hits[occurs] / outcome.counts.actual[occurs]).mean())


def _precision(outcome: Outcome) -> float:
    return _by_class(outcome, outcome.counts.hits, outcome.counts.predicted)


def _recall(outcome: Outcome) -> float:
    return _by_class(outcome, outcome.counts.hits, outcome.counts.actual)


def _f1(outcome: Outcome) -> float:
    return _by_class(outcome, 2 * outcome.counts.hits, outcome.counts.actual + outcome.counts.predicted)


def _by_class(outcome: Outcome, numerator: Array, denominator: Array) -> float:
    """Their quotient, 0 for 0 / 0: the second of two classes', or the mean over those that are met at all."""
    quotient = numerator / np.where(denominator > 0, denominator, 1.0)
    if outcome.num_classes == 2:
        return float(quotient[1]) if outcome.counts.actual[1] > 0 else NAN
    return float(quotient[(outcome.counts.actual > 0) | (outcome.counts.predicted > 0)].mean())


def _log_loss(outcome: Outcome) -> float:
    """Mean -log of the true class's probability, in nats, kept off 0 and 1 by the precision it came in."""
    epsilon = np.finfo(outcome.probabilities.dtype).eps
    if outcome.probabilities.shape[1] == 1:
        true = np.where(outcome.actual == 1, outcome.positive, 1 - outcome.positive)
    else:
        true = outcome.probabilities[np.arange(len(outcome.actual)), outcome.actual].astype(np.float64)
    return -outcome.mean(np.log(true.clip(epsilon, 1 - epsilon)))


def _brier(outcome: Outcome) -> float:
    """Mean squared distance between probabilities and truth (Brier 1950); two classes count one of them."""
    if outcome.num_classes == 2:
        return outcome.mean(np.square(outcome.positive - outcome.actual))
    distance = outcome.probabilities.astype(np.float64)
    distance[np.arange(len(distance)), outcome.actual] -= 1
    return outcome.mean(np.square(distance).sum(axis=1))


def _auroc(outcome: Outcome) -> float:
    return _one_against_rest(outcome, auroc)


def _average_precision(outcome: Outcome) -> float:
    return _one_against_rest(outcome, average_precision)


def _top_5_accuracy(outcome: Outcome) -> float:
    """Share of the examples with fewer than five classes more probable than the true one."""
    if outcome.num_classes <= 5:
        return 1.0
    rows = np.arange(len(outcome.actual))
    true = outcome.probabilities[rows, outcome.actual][:, None]
    return outcome.mean((outcome.probabilities > true).sum(axis=1) < 5)


def _one_against_rest(outcome: Outcome, metric: Callable[[Array, Array, Array | None], float]) -> float:
    if outcome.num_classes == 2:
        return metric(outcome.positive, outcome.actual, outcome.weights)
    return _mean_of_defined(
        [
            metric(outcome.probabilities[:, index], (outcome.actual == index).astype(np.int64), outcome.weights)
            for index in range(outcome.num_classes)
        ]
    )


def _calibration_error(outcome: Outcome) -> float:
    probabilities = outcome.probabilities
    if probabilities.shape[1] == 1:
        probabilities = np.stack([1 - outcome.positive, outcome.positive], axis=1)
    return calibration_error(probabilities, outcome.actual, outcome.weights)


def _mean_of_defined(values: Sequence[float]) -> float:
    """The mean of those that are not NaN; NaN where all are."""
    defined = [value for value in values if not math.isnan(value)]
    return math.fsum(defined) / len(defined) if defined else NAN


_METRICS: Mapping[str, Callable[[Outcome], float]] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "precision": _precision,
    "recall": _recall,
    "f1": _f1,
    "log_loss": _log_loss,
    "brier": _brier,
    "auroc": _auroc,
    "average_precision": _average_precision,
    "calibration_error": _calibration_error,
    "top_5_accuracy": _top_5_accuracy,
}
