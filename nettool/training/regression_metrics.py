"""Metrics of numbers, as scikit-learn defines them. For several numbers: the mean of each one's metric."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Errors:
    """Predicted minus true numbers. error and target: float64 [n, K]. weights: float64 [n], all above 0."""

    error: Array
    target: Array
    weights: Array | None

    @cached_property
    def squared(self) -> Array:
        """The mean squared error of each number, [K]."""
        return self.mean(np.square(self.error))

    def mean(self, values: Array) -> Array:
        """The weighted mean over examples, [K]."""
        if self.weights is None:
            mean: Array = values.sum(axis=0) / len(values)
        else:
            mean = (values * self.weights[:, None]).sum(axis=0) / self.weights.sum()
        return mean


def compute(names: Sequence[str], predictions: Array, target: Array, weights: Array | None) -> dict[str, float]:
    """The named metrics of numbers in their own units. Both arrays: [n, K], n of 1 or more."""
    target = target.astype(np.float64)
    errors = Errors(predictions.astype(np.float64) - target, target, weights)
    return {name: float(_METRICS[name](errors).mean()) for name in names}


def _mse(errors: Errors) -> Array:
    return errors.squared


def _rmse(errors: Errors) -> Array:
    return np.sqrt(errors.squared)


def _mae(errors: Errors) -> Array:
    return errors.mean(np.abs(errors.error))


def _r2(errors: Errors) -> Array:
    """The share of the variance that is explained. A target that never varies: 1 where it is met, else 0.

    NaN for a single example.
    """
    target = errors.target
    if len(target) < 2:
        return np.full_like(errors.squared, np.nan)
    varies = target.min(axis=0) < target.max(axis=0)
    variance = errors.mean(np.square(target - errors.mean(target)))
    return np.where(varies, 1 - errors.squared / variance, errors.squared == 0)


def _median_absolute_error(errors: Errors) -> Array:
    """The distance that half the weight lies within; in a tie the mean of the two in the middle."""
    distance = np.abs(errors.error)
    if errors.weights is None:
        median: Array = np.median(distance, axis=0)
        return median
    order = distance.argsort(axis=0)
    ordered = np.take_along_axis(distance, order, axis=0)
    reached = errors.weights[order].cumsum(axis=0)
    total = reached[-1:]
    lower = (reached < total / 2).sum(axis=0, keepdims=True)
    tie = np.abs(np.take_along_axis(reached, lower, axis=0) - total / 2) <= np.finfo(np.float64).eps * total
    upper = np.minimum(lower + tie, len(ordered) - 1)
    pair = np.take_along_axis(ordered, np.concatenate([lower, upper]), axis=0)
    middle: Array = pair.mean(axis=0)
    return middle


_METRICS: Mapping[str, Callable[[Errors], Array]] = {
    "mse": _mse,
    "rmse": _rmse,
    "mae": _mae,
    "r2": _r2,
    "median_absolute_error": _median_absolute_error,
}
