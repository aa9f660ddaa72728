"""What every epoch measured: the journal's rows as they are needed to go on."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

NUM_COLUMNS = 7
"""Numbers of an epoch beside what is measured on the validation split."""


@dataclass(frozen=True)
class EpochResult:
    """A finished epoch: one row of the journal. Losses in the loss's own units, metrics in the target's.

    validation_loss and metrics are None and empty without a validation split.
    """

    epoch: int
    step: int
    train_loss: float
    validation_loss: float | None
    metrics: dict[str, float]
    lr: float
    seconds: float
    examples_per_second: float
    is_best: bool
    stopped: str = ""

    @property
    def judged_loss(self) -> float:
        """The validation loss, or the training loss where there is no validation split."""
        return self.train_loss if self.validation_loss is None else self.validation_loss

    def measured(self, monitor: str) -> float:
        """The number of this name."""
        losses = {"train_loss": self.train_loss, "validation_loss": self.validation_loss}
        value = losses[monitor] if monitor in losses else self.metrics[monitor]
        assert value is not None
        return value


class History:
    """Every finished epoch, as flat numbers: a million epochs of a tiny network take no more than the numbers do."""

    def __init__(self, metric_names: Sequence[str], with_validation: bool) -> None:
        self.metric_names = tuple(metric_names) if with_validation else ()
        self.with_validation = with_validation
        self._numbers = array("d")

    @classmethod
    def from_tensor(cls, metric_names: Sequence[str], numbers: Tensor) -> History:
        """What a checkpoint remembers. Raises ValueError where that are other columns."""
        history = cls(metric_names, with_validation=numbers.ndim == 2 and numbers.shape[1] > NUM_COLUMNS)
        history.load_tensor(numbers)
        return history

    def __len__(self) -> int:
        return len(self._numbers) // self._width

    @property
    def _width(self) -> int:
        return NUM_COLUMNS + self.with_validation + len(self.metric_names)

    def append(self, result: EpochResult) -> None:
        """Add an epoch."""
        validation = () if result.validation_loss is None else (result.validation_loss,)
        times = (result.lr, result.seconds, result.examples_per_second, result.is_best)
        metrics = (result.metrics[name] for name in self.metric_names)
        self._numbers.extend((result.epoch, result.step, result.train_loss, *times, *validation, *metrics))

    def __iter__(self) -> Iterator[EpochResult]:
        for start in range(0, len(self._numbers), self._width):
            yield self._row(self._numbers[start : start + self._width])

    def _row(self, numbers: Sequence[float]) -> EpochResult:
        epoch, step, train_loss, lr, seconds, speed, is_best, *measured = numbers
        validation_loss = measured.pop(0) if self.with_validation else None
        metrics = dict(zip(self.metric_names, measured, strict=True))
        return EpochResult(
            int(epoch), int(step), train_loss, validation_loss, metrics, lr, seconds, speed, bool(is_best)
        )

    def to_tensor(self) -> Tensor:
        """A copy: float64 [epochs, numbers of an epoch]."""
        return torch.from_numpy(np.array(self._numbers)).reshape(-1, self._width)

    def load_tensor(self, numbers: Tensor) -> None:
        """Take over what `to_tensor` gave. Raises ValueError where it has other columns."""
        if numbers.ndim != 2 or numbers.shape[1] != self._width or numbers.dtype != torch.float64:
            raise ValueError(f"the saved history is {numbers.dtype} {list(numbers.shape)}, not [epochs, {self._width}]")
        self._numbers = array("d", numbers.reshape(-1).tolist())
