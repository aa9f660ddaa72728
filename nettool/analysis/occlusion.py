"""What a network looks at in an image: how its answer changes when a patch hides a part (Zeiler and Fergus 2014)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nettool.analysis.outcomes import Array

Answer = Callable[[Array], Array]
"""Images, uint8 [n, channels, height, width], to the number that is watched: float64 [n]."""

MOST_PLACES, FEWEST_PLACES = 15, 5
"""Of the patch along a side."""


@dataclass(frozen=True)
class Patch:
    """What is moved over the image. height, width: of the patch in pixels. tops, lefts: where it is laid."""

    height: int
    width: int
    tops: tuple[int, ...]
    lefts: tuple[int, ...]

    @property
    def num_places(self) -> int:
        """How often it is laid on an image."""
        return len(self.tops) * len(self.lefts)


def patch_for(height: int, width: int, most: int = MOST_PLACES) -> Patch:
    """A patch of about a seventh of each side, at no more than `most` places along it; the last at the edge."""
    (tall, tops), (wide, lefts) = _along(height, most), _along(width, most)
    return Patch(tall, wide, tops, lefts)


def _along(side: int, most: int) -> tuple[int, tuple[int, ...]]:
    size = min(side, max(-(-side // 7), -(-2 * side // (most + 1))))
    num = min(most, side - size + 1)
    places = np.unique(np.linspace(0, side - size, num).round().astype(int))
    return size, tuple(places.tolist())


def occlusion(image: Array, answer: Answer, patch: Patch, fill: Array) -> Array:
    """How much less the answer is when each pixel is hidden, the mean over the patches that hide it: float64 [height,
    width]; below 0 it is more.

    image: uint8 [channels, height, width]. fill: uint8 [channels], the colour of the patch.
    """
    places = [(top, left) for top in patch.tops for left in patch.lefts]
    hidden = np.repeat(image[None], len(places) + 1, axis=0)  # the last one stays whole
    for each, (top, left) in zip(hidden, places, strict=False):
        each[:, top : top + patch.height, left : left + patch.width] = fill[:, None, None]
    answers = answer(hidden)
    lost, covered = np.zeros(image.shape[1:]), np.zeros(image.shape[1:])
    for (top, left), drop in zip(places, (answers[-1] - answers[:-1]).tolist(), strict=True):
        lost[top : top + patch.height, left : left + patch.width] += drop
        covered[top : top + patch.height, left : left + patch.width] += 1
    return lost / np.maximum(covered, 1)
