"""What the losses of the epochs say of a training: where it was best, what it lost again, whether it still gained."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nettool.analysis.outcomes import Array

LAST = 0.1
"""Of the epochs: what is said of the end is a mean over so many."""


@dataclass(frozen=True)
class Learning:
    """Losses by epoch, E of them. train, validation: float64 [E]; validation empty without such a split. epochs: int64
    [E]. naive: the loss of the baseline, always saying the same, which what was gained is held against.
    """

    epochs: Array
    train: Array
    validation: Array
    naive: float

    @classmethod
    def from_rows(cls, rows: Sequence[Mapping[str, float | None]], naive: float) -> Learning:
        """rows: those of metrics.csv. Epochs whose losses are not finite are left out; there may be no others."""
        kept = [row for row in rows if all(map(math.isfinite, _losses(row)))]
        validation = [row["validation_loss"] for row in kept if row.get("validation_loss") is not None]
        columns = ([row[name] for row in kept] for name in ("epoch", "train_loss"))
        epochs, train = (np.array(column, dtype=np.float64) for column in columns)
        return cls(epochs.astype(np.int64), train, np.array(validation, dtype=np.float64), naive)

    @property
    def judged(self) -> Array:
        """The validation losses, or those of training where there are none."""
        return self.validation if len(self.validation) else self.train

    @cached_property
    def best(self) -> int:
        """The place of the lowest of them."""
        return int(self.judged.argmin())

    @property
    def gain(self) -> float:
        """How far the lowest of them lies below the naive model's loss; not below 0."""
        return max(self.naive - float(self.judged[self.best]), 0.0)

    @property
    def _last(self) -> int:
        return max(1, round(LAST * len(self.train)))

    @property
    def lost_again(self) -> float:
        """Which share of the gain is gone at the end; 0 for less than three times what it moves by from epoch to epoch.

        Infinite where nothing was gained in the first place and the loss rose all the same.
        """
        end = self.judged[-self._last :]
        rise = float(end.mean() - self.judged[self.best])
        noise = jumps(self.judged[len(self.judged) // 2 :]) / math.sqrt(len(end))
        if self.best == len(self.judged) - 1 or rise <= max(3 * noise, 0.0):
            return 0.0
        return rise / self.gain if self.gain else math.inf

    @property
    def train_fell_since(self) -> bool:
        """Whether the training loss fell on after the best epoch, and is below that of validation at the end."""
        end = self.train[-self._last :].mean()
        return bool(end < min(self.train[self.best], self.judged[-self._last :].mean()))

    @property
    def still_gaining(self) -> float:
        """What the last fifth of the epochs brought, as a share of all that was gained since the first epoch; 0 where
        the best epoch lies before it, or where it is no more than what the loss moves by from epoch to epoch.
        """
        since = len(self.judged) - max(2, len(self.judged) // 5)
        if since < 2 or self.best < since:
            return 0.0
        before, after = self.judged[:since], self.judged[since:]
        half = max(1, len(after) // 2)
        brought = float(before[-half:].mean() - after[-half:].mean())
        whole = float(self.judged[0] - after[-half:].mean())
        return brought / whole if whole > 0 and brought > 3 * jumps(after) / math.sqrt(half) else 0.0

    @property
    def jumpiness(self) -> float:
        """By how much the training loss moves up and down from epoch to epoch in the second half, as a share of the
        naive model's loss.
        """
        return jumps(self.train[len(self.train) // 2 :]) / self.naive if self.naive > 0 else 0.0


def jumps(losses: Array) -> float:
    """The typical size of what is no trend: the median of |second differences|, scaled to that of single losses.

    Of independent noise of deviation s, second differences have a deviation of sqrt(6) s.
    """
    if len(losses) < 4:
        return 0.0
    return float(np.median(np.abs(np.diff(losses, 2)))) / (0.6745 * math.sqrt(6))


def _losses(row: Mapping[str, float | None]) -> list[float]:
    return [value for name in ("train_loss", "validation_loss") if (value := row.get(name)) is not None]
