"""Examples: as a source holds them, and as they are encoded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def spread(num: int, most: int) -> NDArray[np.int64]:
    """Positions of all of `num` examples, or of so many that are spread over them: int64, ascending."""
    return np.arange(num) if num <= most else np.linspace(0, num - 1, most).astype(np.int64)


def spread_early(num: int, most: int) -> NDArray[np.int64]:
    """The same of moments of a training: closer together at the beginning, where most happens."""
    return np.unique((np.linspace(0, 1, most) ** 2 * (num - 1)).round().astype(np.int64))


@dataclass(frozen=True)
class Examples:
    """What a source holds: a table with a row for each example.

    pixels: uint8 [n, channels, height, width], of images; the table's column of images then holds a hash of each.
    paths: where they were, if each had a file of its own. num_left_out: images that were not decoded, where a look at
    some was enough.
    """

    table: pa.Table
    pixels: NDArray[np.uint8] | None = None
    paths: tuple[Path, ...] | None = None
    num_left_out: int = 0


@dataclass(frozen=True)
class Windows:
    """Examples that are stretches of one source, which lies in memory once.

    source: [rows, ...]. starts: int64 [n], where each example begins. length: rows of an example. slack: how many rows
    further all of them may begin, so that an epoch cuts the source at other places than the last one.
    """

    source: NDArray[Any]
    starts: NDArray[np.int64]
    length: int
    slack: int = 0

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, members: NDArray[np.int64]) -> Windows:
        return replace(self, starts=self.starts[members], slack=0)


@dataclass(frozen=True)
class Split:
    """Encoded examples, in the order of the source.

    features: float32 [n, width] of a table, uint8 [n, channels, height, width] of images, codes [n, length] of texts,
    or windows. target: int64 [n] (classes), float32 [n, k], or windows of codes (the next ones); None where it was not
    asked for. weights: float32 [n], or None without a weights column. rows: int64 [n], the example's row in its
    source, from 0; of a window its last one. naive: float32 [n, k], of a series of numbers what they were last, which
    is the forecast of who knows nothing else.
    """

    features: NDArray[Any] | Windows
    target: NDArray[Any] | Windows | None
    weights: NDArray[np.float32] | None
    rows: NDArray[np.int64]
    naive: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.features)

    def take(self, members: NDArray[np.int64]) -> Split:
        """These examples alone."""
        target = None if self.target is None else self.target[members]
        weights = None if self.weights is None else self.weights[members]
        naive = None if self.naive is None else self.naive[members]
        return Split(self.features[members], target, weights, self.rows[members], naive)
