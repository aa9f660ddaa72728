"""The examples that a network is most wrong about."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from nettool.analysis.outcomes import Classified, Numbers, Outcome


@dataclass(frozen=True)
class Mistake:
    """An example: its place in the split, what is true, what was predicted, and how sure or how far off, in words."""

    place: int
    actual: str
    predicted: str
    how: str


def worst(outcome: Outcome, most: int) -> list[Mistake]:
    """The worst first: of classes those that are wrong, the surest of them first; of numbers the farthest off."""
    if isinstance(outcome, Numbers):
        order = np.argsort(-np.abs(outcome.residuals), kind="stable")[:most]
        return [_of_number(outcome, place) for place in order.tolist()]
    return [_of_class(outcome, place) for place in _surest_wrong(outcome, most)]


def _surest_wrong(outcome: Classified, most: int) -> list[int]:
    wrong = np.flatnonzero(~outcome.is_right)
    sure = outcome.probabilities[wrong, outcome.predicted[wrong]]
    chosen: list[int] = wrong[np.argsort(-sure, kind="stable")[:most]].tolist()
    return chosen


def _of_class(outcome: Classified, place: int) -> Mistake:
    predicted = int(outcome.predicted[place])
    return Mistake(
        int(outcome.places[place]), outcome.classes[int(outcome.actual[place])], outcome.classes[predicted],
        f"{outcome.probabilities[place, predicted]:.1%} sure",
    )  # fmt: skip


def _of_number(outcome: Numbers, place: int) -> Mistake:
    spread = float(outcome.actual.std()) or 1.0
    digits = 6 - math.floor(math.log10(spread))  # float32 keeps no more of what lies near 0
    actual, predicted = (round(float(values[place]), digits) + 0.0 for values in (outcome.actual, outcome.predicted))
    return Mistake(int(outcome.places[place]), f"{actual:.7g}", f"{predicted:.5g}", f"{predicted - actual:+.4g}")
