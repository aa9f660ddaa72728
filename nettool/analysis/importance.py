"""Permutation importance (Breiman 2001): how much worse a network gets when it can no longer trust a column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nettool.analysis.columns import EncodedColumn
from nettool.analysis.outcomes import Array

REPEATS = 10


@dataclass(frozen=True)
class Importance:
    """A column, and what the metric lost each time it was shuffled: float64 [repeats]; below 0 it got better."""

    name: str
    losses: Array

    @property
    def mean(self) -> float:
        """Over the repeats."""
        return float(self.losses.mean())


def permutation_importance(
    columns: Sequence[EncodedColumn],
    features: Array,
    cost: Callable[[Array], float],
    repeats: int = REPEATS,
    seed: int = 0,
) -> list[Importance]:
    """Each column's, the most important first.

    features: [n, ..., width], encoded. cost: of such features, the smaller the better. A column is shuffled over the
    examples as a whole: what is encoded of it stays together, and so does its past in a series.
    """
    base, generator = cost(features), np.random.default_rng(seed)
    orders = [generator.permutation(len(features)) for _ in range(repeats)]  # the same for each column
    found = []
    for column in columns:
        kept = features[..., column.place].copy()
        losses = []
        for order in orders:
            features[..., column.place] = kept[order]
            losses.append(cost(features) - base)
        features[..., column.place] = kept
        found.append(Importance(column.name, np.array(losses)))
    return sorted(found, key=lambda one: -one.mean)
