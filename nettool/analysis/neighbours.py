"""The nearest neighbours' word: what can be said of an example by looking up the training examples most like it.

It learns nothing, so that a network that knows less than it has missed something that is there to be learned.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from nettool.analysis.outcomes import Array

NEIGHBOURS = 15
_AT_ONCE = 512


def nearest(train: Array, examples: Array, most: int = NEIGHBOURS) -> Array:
    """The places of the nearest training examples, nearest first: int64 [examples, k].

    train, examples: encoded features, [n, ...]; nearest by Euclid. k: `most`, or as many as there are.
    """
    known = torch.from_numpy(train.reshape(len(train), -1)).float()
    asked = torch.from_numpy(examples.reshape(len(examples), -1)).float()
    k = min(most, len(known))
    found: list[Tensor] = []
    for start in range(0, len(asked), _AT_ONCE):
        part = asked[start : start + _AT_ONCE]
        distances = torch.cdist(part, known, compute_mode="donot_use_mm_for_euclid_dist")
        found.append(distances.topk(k, largest=False).indices)
    return torch.cat(found).numpy() if found else np.empty((0, k), dtype=np.int64)


def votes(places: Array, target: Array, num_classes: int) -> Array:
    """The class that most of the neighbours have, of several the first: int64 [examples]. target: int64 [train]."""
    counts = np.apply_along_axis(np.bincount, 1, target[places], minlength=num_classes)
    chosen: Array = counts.argmax(axis=1)
    return chosen


def means(places: Array, target: Array) -> Array:
    """The mean of the neighbours' numbers: float64 [examples, outputs]. target: [train, outputs]."""
    mean: Array = target.astype(np.float64)[places].mean(axis=1)
    return mean
