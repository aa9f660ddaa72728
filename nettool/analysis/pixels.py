"""Whether the columns of a table are the pixels of an image.

They are where the network's first layer makes an image of them, or where all of this holds:

- their names differ in a number alone, or in a row and a column, and count a whole image up, row by row, from 0 or 1;
- they are at least 64, all of them numbers without a gap;
- they have one range: the largest value of at least a third of them is more than half of the largest of all;
- neighbours are alike: those beside and those above each other correlate more than those half a row apart do. This
  tells images from numbered features, which may well be a square number, and from long series cut into lines.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nettool.analysis.outcomes import Array

FEWEST = 64
FEWEST_IN_RANGE = 1 / 3
ALIKE, MORE_ALIKE = 0.2, 0.1
"""The correlation of neighbours, and by how much it is above that of pixels half a row apart."""
_ROW_AND_COLUMN = (re.compile(r"(.*?)(\d+)\D+(\d+)\D*"), re.compile(r"(\D*)(\d)(\d)"))
_NUMBER = re.compile(r"(.*?)(\d+)")


@dataclass(frozen=True)
class PixelGrid:
    """Columns as an image. names: of the columns, channel by channel and row by row."""

    names: tuple[str, ...]
    channels: int
    height: int
    width: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        return self.channels, self.height, self.width


def grid_of_names(names: Sequence[str]) -> PixelGrid | None:
    """The image that columns of these names count up, in their order; None where they do not."""
    if len(names) < FEWEST:
        return None
    for pattern in _ROW_AND_COLUMN:
        found = [pattern.fullmatch(name) for name in names]
        matches = [match for match in found if match is not None]
        if len(matches) == len(names) and len({match[1] for match in matches}) == 1:
            places = [(int(match[2]), int(match[3])) for match in matches]
            height, width = (len({place[axis] for place in places}) for axis in (0, 1))
            first = places[0]
            counted = [(first[0] + row, first[1] + column) for row in range(height) for column in range(width)]
            if set(first) <= {0, 1} and places == counted and min(height, width) >= 4:
                return PixelGrid(tuple(names), 1, height, width)
    numbered = [match for match in map(_NUMBER.fullmatch, names) if match is not None]
    side = math.isqrt(len(names))
    if len(numbered) < len(names) or side * side != len(names) or len({match[1] for match in numbered}) != 1:
        return None
    numbers = [int(match[2]) for match in numbered]
    if numbers[0] not in (0, 1) or numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        return None
    return PixelGrid(tuple(names), 1, side, side)


def looks_like_images(values: Array) -> bool:
    """Whether examples have one range and neighbours that are alike. values: float [n, height, width]."""
    if not np.isfinite(values).all() or len(values) < 2:
        return False
    tops = np.abs(values).max(axis=0)
    if tops.max() == 0 or (tops > tops.max() / 2).mean() < FEWEST_IN_RANGE:
        return False
    away = max(2, values.shape[2] // 2)
    beside, above = _correlation(values, 0, 1), _correlation(values, 1, 0)
    return min(beside, above) >= max(ALIKE, _correlation(values, 0, away) + MORE_ALIKE)


def _correlation(values: Array, down: int, across: int) -> float:
    """The mean correlation, over the examples, of pixels so far apart; those that never change are left out."""
    height, width = values.shape[1:]
    first = values[:, : height - down, : width - across].astype(np.float64)
    second = values[:, down:, across:].astype(np.float64)
    first, second = first - first.mean(axis=0), second - second.mean(axis=0)
    sizes = np.sqrt((first**2).sum(axis=0) * (second**2).sum(axis=0))
    changing = sizes > 0
    if not changing.any():
        return 0.0
    return float(((first * second).sum(axis=0)[changing] / sizes[changing]).mean())
