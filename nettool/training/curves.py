"""Metrics that need all predictions in order: areas under curves, and calibration. numpy alone, exact, with weights.

n examples, C classes. A library would compute the same, but importing one (with all that it brings) takes longer than
a whole evaluation, and torchmetrics' functions know no example weights; see docs/design.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

NUM_BINS = 15
"""Of equal width between 0 and 1, for the calibration error."""


def auroc(probability: Array, actual: Array, weights: Array | None = None) -> float:
    """Area under the ROC curve: the chance that a positive example is ranked above a negative one, ties counting half.

    probability: float [n], of being positive. actual: int64 [n], 0 or 1. NaN unless both occur. (Hanley, McNeil 1982)
    """
    _, positives, negatives = by_threshold(probability, actual, weights)
    below = np.cumsum(negatives) - negatives
    pairs = positives.sum() * negatives.sum()
    return float((positives * (below + negatives / 2)).sum() / pairs) if pairs > 0 else float("nan")


def average_precision(probability: Array, actual: Array, weights: Array | None = None) -> float:
    """Precision at each threshold, averaged by the recall gained there. Takes what `auroc` takes.

    NaN without a positive example.
    """
    positives, negatives = (counts[::-1] for counts in by_threshold(probability, actual, weights)[1:])
    if positives.sum() == 0:
        return float("nan")
    precision = np.cumsum(positives) / np.cumsum(positives + negatives)
    return float((positives * precision).sum() / positives.sum())


def by_threshold(probability: Array, actual: Array, weights: Array | None) -> tuple[Array, Array, Array]:
    """Each distinct probability, lowest first, and the weight of the positive and of the negative examples at it."""
    counts = np.ones(len(actual)) if weights is None else weights
    order = np.argsort(probability, kind="stable")
    ranked, counts, truth = probability[order], counts[order], actual[order]
    starts = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))
    return ranked[starts], np.add.reduceat(counts * truth, starts), np.add.reduceat(counts * (1 - truth), starts)


def bins_of(confidence: Array) -> Array:
    """The bin that each confidence, 0 to 1, lies in: int64 [n]."""
    bins: Array = np.ceil(confidence * NUM_BINS).astype(np.int64).clip(1, NUM_BINS) - 1
    return bins


def calibration_error(probabilities: Array, actual: Array, weights: Array | None = None) -> float:
    """Expected calibration error of the chosen class (Guo et al. 2017, equation 3).

    The mean distance between confidence and accuracy over bins of confidence. probabilities: float [n, C], C of 2 or
    more. actual: int64 [n].
    """
    counts = np.ones(len(actual)) if weights is None else weights
    confidence = probabilities.max(axis=1).astype(np.float64).clip(0, 1)
    right = probabilities.argmax(axis=1) == actual
    bins = bins_of(confidence)
    distance = np.bincount(bins, counts * (confidence - right), minlength=NUM_BINS)
    return float(np.abs(distance).sum() / counts.sum())
