"""Features that know the answer: a column that alone predicts the target almost perfectly is seldom a feature.

It may be the target in other words, or something that is known only afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nettool.config.signature import NumberTarget
from nettool.data.bundle import Encoders
from nettool.data.encoders import TableEncoder
from nettool.data.examples import Split
from nettool.data.features import UNSEEN, CategoryColumn, FeatureColumn, Matrix
from nettool.data.targets import ClassEncoder, NextEncoder, TargetEncoder
from nettool.data.values import show

BINS = 50
LEAST_VARIANCE = 0.98
"""Share of a number's variance that a suspect's bins explain."""
LEAST_ACCURACY = 0.99
"""Share of the examples whose class a suspect's bins tell."""
LEAST_GAIN = 0.5
"""Share of the mistakes of "always the commonest class" that a suspect sets right, or a rare class would make all
columns suspects."""


@dataclass(frozen=True)
class Suspect:
    """A feature that tells the target nearly alone. score: share of variance explained, or accuracy."""

    feature: str
    target: str
    score: float
    sentence: str


def find_suspects(split: Split, encoders: Encoders) -> tuple[Suspect, ...]:
    """Look, in a training split, for features that predict a target almost perfectly on their own.

    Numbers are cut into 50 bins of equal counts; categories are taken level by level. A bin says the mean, or the
    commonest class, of its other examples.
    """
    encoder = encoders.features
    if not isinstance(encoder, TableEncoder):
        return ()
    assert isinstance(split.features, np.ndarray)
    found = []
    end = 0
    for column in encoder.columns:
        end += len(column.names)
        bins = _bins(column, split.features[:, end - len(column.names) : end])
        for name, answers in _answers(encoders.target, split.target):
            if isinstance(encoders.target.target, NumberTarget):
                suspect = _explained(column.name, name, bins, answers)
            else:
                suspect = _told(column.name, name, bins, answers)
            if suspect is not None:
                found.append(suspect)
    return tuple(found)


def _answers(encoder: TargetEncoder, target: Any) -> list[tuple[str, NDArray[Any]]]:
    assert target is not None  # `prepare` always reads it
    assert not isinstance(encoder, NextEncoder)
    if isinstance(encoder, ClassEncoder):
        return [(encoder.name, target.reshape(len(target)).astype(np.int64))]
    kind = np.float64 if isinstance(encoder.target, NumberTarget) else np.int64
    return [(name, target[:, index].astype(kind)) for index, name in enumerate(encoder.names)]


def _bins(column: FeatureColumn, encoded: Matrix) -> NDArray[np.int64]:
    """A small number for each example: its level, or the bin of its value; missing ones together."""
    if isinstance(column, CategoryColumn):
        if column.embedded:
            return encoded[:, 0].astype(np.int64)
        return np.where(encoded.any(axis=1), encoded.argmax(axis=1) + 1, UNSEEN)
    values = encoded[:, 4] if column.kind == "date" else encoded[:, 0]
    edges = np.unique(np.quantile(values, np.linspace(0, 1, BINS + 1)[1:-1]))
    bins = np.searchsorted(edges, values, side="right")
    return np.where(encoded[:, -1] > 0.5, BINS, bins) if column.missing else bins


def _explained(feature: str, target: str, bins: NDArray[np.int64], answers: NDArray[np.float64]) -> Suspect | None:
    counts = np.bincount(bins)
    used, count = int((counts > 0).sum()), len(bins)
    means = np.bincount(bins, answers) / np.maximum(counts, 1)
    spread = float(np.square(answers - answers.mean()).sum())
    rest = float(np.square(answers - means[bins]).sum())
    if spread == 0 or count <= used:
        return None
    # Adjusted for the number of bins: as many bins as examples would explain anything.
    score = 1 - (rest / (count - used)) / (spread / (count - 1))
    if score <= LEAST_VARIANCE:
        return None
    text = f"{show(feature)} alone explains {score:.1%} of the variance of {show(target)}. {_ASK}"
    return Suspect(feature, target, score, text)


def _told(feature: str, target: str, bins: NDArray[np.int64], answers: NDArray[np.int64]) -> Suspect | None:
    classes = max(int(answers.max()) + 1, 2)
    counts = np.bincount(bins * classes + answers, minlength=(int(bins.max()) + 1) * classes).reshape(-1, classes)
    own = counts[bins, answers]
    second, first = np.partition(counts, -2, axis=1)[:, -2:].T
    others = np.where(counts.argmax(axis=1)[bins] == answers, second[bins], first[bins])
    # An example's own vote does not count: the level of a single example tells nothing.
    score = float((own - 1 > others).mean())
    majority = float(np.bincount(answers).max() / len(answers))
    if score <= LEAST_ACCURACY or 1 - score > LEAST_GAIN * (1 - majority):
        return None
    text = f"{show(feature)} alone tells {show(target)} in {score:.1%} of the examples. {_ASK}"
    return Suspect(feature, target, score, text)


_ASK = "Is it known before the answer is? If not, set its kind to `ignore` in data.columns."
