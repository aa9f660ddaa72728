"""What a probability is worth as a threshold rises: ROC, precision and recall, gains, calibration. numpy alone.

probability: float64 [n], of being positive. actual: int64 [n], 0 or 1. weights: float64 [n]. Equal probabilities are
one threshold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nettool.analysis.outcomes import Array, Classified
from nettool.training.curves import NUM_BINS, bins_of, by_threshold, calibration_error


@dataclass(frozen=True)
class Sweep:
    """What is found at each threshold, from the highest down. k thresholds; an example at a threshold counts as found.

    threshold: [k]. hits, alarms: weight of the positive and of the negative examples that are found, [k]. positives,
    negatives: of all.
    """

    threshold: Array
    hits: Array
    alarms: Array
    positives: float
    negatives: float

    @property
    def recall(self) -> Array:
        """Of the positive ones the share that is found: [k]. The true positive rate."""
        share: Array = self.hits / self.positives
        return share

    @property
    def false_alarms(self) -> Array:
        """Of the negative ones the share that is found: [k]. The false positive rate."""
        share: Array = self.alarms / self.negatives
        return share

    @property
    def precision(self) -> Array:
        """Of those found the share that is positive: [k]."""
        share: Array = self.hits / (self.hits + self.alarms)
        return share

    @property
    def found(self) -> Array:
        """Of all the share that is found: [k]."""
        share: Array = (self.hits + self.alarms) / (self.positives + self.negatives)
        return share

    @property
    def f1(self) -> Array:
        """The harmonic mean of precision and recall: [k]."""
        mean: Array = 2 * self.hits / (self.hits + self.alarms + self.positives)
        return mean

    @property
    def area(self) -> float:
        """Under the curve of recall against false alarms, straight between its corners: ties count half. (AUROC)."""
        recall, widths = np.append(0.0, self.recall), np.diff(self.false_alarms, prepend=0.0)
        return float((widths * (recall[1:] + recall[:-1]) / 2).sum())

    @property
    def average_precision(self) -> float:
        """Precision at each threshold, averaged by the recall gained there."""
        return float((np.diff(self.recall, prepend=0.0) * self.precision).sum())

    def at(self, threshold: float) -> int:
        """The place of the last threshold that is above this one: what is found there has more than it; -1 for none."""
        return int((self.threshold > threshold).sum()) - 1


def sweep_thresholds(probability: Array, actual: Array, weights: Array) -> Sweep:
    """From the highest probability down to the lowest."""
    threshold, positives, negatives = (values[::-1] for values in by_threshold(probability, actual, weights))
    hits, alarms = np.cumsum(positives), np.cumsum(negatives)
    return Sweep(threshold, hits, alarms, float(hits[-1]), float(alarms[-1]))


@dataclass(frozen=True)
class Reliability:
    """How often the chosen class was right, by how sure the network was, in bins of equal width. Empty bins are left
    out. confidence, accuracy, weight: [bins]; count: examples that would be as much alike, where their weights differ
    (Kish 1965), [bins]. error: the metric `calibration_error`, which of two classes too is that of the chosen one.
    """

    confidence: Array
    accuracy: Array
    weight: Array
    count: Array
    error: float

    @property
    def range(self) -> tuple[Array, Array]:
        """Where the accuracy of a bin lies with 95 % (Wilson 1927): [bins], [bins]."""
        z = 1.96
        half = z * np.sqrt(self.accuracy * (1 - self.accuracy) / self.count + z**2 / (4 * self.count**2))
        middle = self.accuracy + z**2 / (2 * self.count)
        scale = 1 + z**2 / self.count
        return (middle - half) / scale, (middle + half) / scale


def reliability(outcome: Classified) -> Reliability:
    """Guo et al. 2017. Of two classes the second one's probability is looked at, else that of the chosen one."""
    if len(outcome.classes) == 2:
        confidence, right = outcome.probabilities[:, 1], outcome.actual == 1
    else:
        confidence, right = outcome.probabilities.max(axis=1), outcome.is_right
    bins = bins_of(confidence.clip(0, 1))
    factors = (np.ones(len(bins)), outcome.weights, confidence, right)
    sums = np.array([np.bincount(bins, outcome.weights * values, minlength=NUM_BINS) for values in factors])
    weight, squares, sure, good = sums[:, sums[0] > 0]
    error = calibration_error(outcome.probabilities, outcome.actual, outcome.weights)
    return Reliability(sure / weight, good / weight, weight, weight**2 / squares, error)


def confusion(outcome: Classified) -> Array:
    """Weight of the examples of each class, by row, that were taken for each class, by column: float64 [C, C]."""
    num = len(outcome.classes)
    pairs = outcome.actual * num + outcome.predicted
    return np.bincount(pairs, outcome.weights, minlength=num * num).reshape(num, num)
