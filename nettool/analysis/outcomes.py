"""What a network said about examples of which the truth is known: what most pictures of its quality are made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nettool.config.signature import ClassTarget, LabelTarget, NumberTarget
from nettool.training.classification_metrics import decide

Array = NDArray[Any]


@dataclass(frozen=True)
class Classified:
    """Classes that were predicted. n examples, C classes.

    probabilities: float64 [n, C], also of two classes. actual: int64 [n]. weights: float64 [n], above 0. places: int64
    [n], where they stand among all examples.
    """

    classes: tuple[str, ...]
    probabilities: Array
    actual: Array
    weights: Array
    places: Array

    @cached_property
    def predicted(self) -> Array:
        """The class decided on: int64 [n]. Of two, the second one where it has more than a half."""
        return decide(self.probabilities[:, 1:] if len(self.classes) == 2 else self.probabilities)

    @cached_property
    def is_right(self) -> Array:
        """Whether that is the actual one: bool [n]."""
        right: Array = self.predicted == self.actual
        return right

    @property
    def accuracy(self) -> float:
        """The share of the weight that is right."""
        return float((self.is_right * self.weights).sum() / self.weights.sum())

    def one_against_rest(self, number: int) -> tuple[Array, Array]:
        """Of a class its probability, float64 [n], and whether it is the actual one, int64 [n]."""
        return self.probabilities[:, number], (self.actual == number).astype(np.int64)


@dataclass(frozen=True)
class Numbers:
    """Numbers that were predicted of one target, in its own units. predicted, actual, weights: float64 [n]. places: as
    of classes.
    """

    name: str
    predicted: Array
    actual: Array
    weights: Array
    places: Array

    @property
    def residuals(self) -> Array:
        """What was predicted too much: float64 [n]."""
        difference: Array = self.predicted - self.actual
        return difference


Outcome = Classified | Numbers


def outcomes_of(
    target: ClassTarget | LabelTarget | NumberTarget, predictions: Array, actual: Array, weights: Array | None
) -> Iterator[tuple[str, Outcome]]:
    """Each target that was predicted, with its name: classes are one, labels and numbers one each.

    predictions, actual: as the metrics take them. Examples of weight 0 count as absent.
    """
    counts = np.ones(len(predictions)) if weights is None else weights.astype(np.float64)
    counted = np.flatnonzero(counts > 0)
    predictions, actual, counts = predictions[counted].astype(np.float64), actual[counted], counts[counted]
    match target:
        case ClassTarget(classes, binary):
            both = np.concatenate([1 - predictions, predictions], axis=1) if binary else predictions
            yield "", Classified(classes, both, actual.reshape(-1).astype(np.int64), counts, counted)
        case LabelTarget(labels):
            for place, label in enumerate(labels):
                column = predictions[:, place : place + 1]
                both = np.concatenate([1 - column, column], axis=1)
                yield label, Classified(("no", "yes"), both, actual[:, place].astype(np.int64), counts, counted)
        case NumberTarget(names):
            for place, name in enumerate(names):
                yield name, Numbers(name, predictions[:, place], actual[:, place].astype(np.float64), counts, counted)
