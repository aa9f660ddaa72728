"""Learning rate schedules: functions of the position in training. Only `plateau` remembers anything.

A position is the number of an update, counted from 0 over the whole run; its epoch is that number divided by
the updates an epoch has, rounded down. Conventions, all those of torch.optim.lr_scheduler:

- `step` and `exponential` count epochs from the start of training.
- `cosine` gives the first update `lr` and the last one `final` x lr (CosineAnnealingLR stepped every update,
  with T_max one less than their number). A lone update has `lr`.
- `one_cycle` is OneCycleLR with cosine annealing: the rise ends at update rise x updates - 1.
- `plateau` is ReduceLROnPlateau with a relative threshold.
- `warmup` is LinearLR from lr / w over the first w updates, so that the last of them has `lr`. What comes
  after is the schedule itself: a cosine covers only the updates that remain, `step` and `exponential` are
  then where they would be without warm-up. A warm-up longer than training rises until the end.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import assert_never

from nettool.config.optimization import (
    Constant,
    Cosine,
    Exponential,
    OneCycle,
    Plateau,
    ScheduleSpec,
    Step,
)

Fraction = Callable[[int], float]
"""From the number of an update to the fraction of the base rate that it has."""


class Schedule:
    """The learning rate of every update."""

    def __init__(
        self, base_lr: float, fraction: Fraction, warmup_steps: int = 0, changes_between_epochs: bool = False
    ) -> None:
        self._base_lr = base_lr
        self._fraction = fraction
        self._warmup_steps = warmup_steps
        self._changes_between_epochs = changes_between_epochs  # alone, once it is warm

    def is_level(self, step: int) -> bool:
        """Whether all updates from this one to the end of its epoch have the same rate."""
        return self._changes_between_epochs and step >= self._warmup_steps

    def rate(self, step: int) -> float:
        """The learning rate of update number `step`, counted from 0 over the whole run."""
        if step < self._warmup_steps:
            return self._base_lr * ((step + 1) / self._warmup_steps)
        return self._base_lr * self._fraction(step)

    def epoch_ended(self, loss: float) -> None:
        """Take the loss that the epoch ended with. Only `plateau` cares."""


class PlateauSchedule(Schedule):
    """The rate falls once the loss has not improved for more than `patience` epochs."""

    def __init__(self, base_lr: float, spec: Plateau, warmup_steps: int = 0) -> None:
        super().__init__(base_lr, lambda step: 1.0, warmup_steps, changes_between_epochs=True)
        self._spec = spec
        self._scale = 1.0
        self._best = math.inf
        self._bad_epochs = 0

    def rate(self, step: int) -> float:
        """The learning rate of update number `step`, as the losses so far have left it."""
        return super().rate(step) * self._scale

    def epoch_ended(self, loss: float) -> None:
        """Compare the epoch's loss with the best so far. NaN is never better."""
        if loss < self._best * (1.0 - self._spec.min_delta):
            self._best = loss
            self._bad_epochs = 0
        else:
            self._bad_epochs += 1
        if self._bad_epochs > self._spec.patience:
            self._scale = max(self._scale * self._spec.factor, self._spec.minimum)
            self._bad_epochs = 0


def build_schedule(spec: ScheduleSpec, base_lr: float, steps_per_epoch: int, epochs: int) -> Schedule:
    """The schedule of a run of `epochs` epochs with `steps_per_epoch` updates each."""
    num_steps = steps_per_epoch * epochs
    warmup_steps = 0 if isinstance(spec, OneCycle) else round(spec.warmup * steps_per_epoch)
    updates = max(steps_per_epoch, 1)
    match spec:
        case Constant():
            return Schedule(base_lr, lambda step: 1.0, warmup_steps, True)
        case Step():
            return Schedule(base_lr, lambda step: spec.factor ** (step // updates // spec.every), warmup_steps, True)
        case Exponential():
            return Schedule(base_lr, lambda step: spec.factor ** (step // updates), warmup_steps, True)
        case Cosine():
            return Schedule(base_lr, _cosine(spec.final, warmup_steps, num_steps - 1), warmup_steps)
        case OneCycle():
            return Schedule(base_lr, _one_cycle(spec, num_steps))
        case Plateau():
            return PlateauSchedule(base_lr, spec, warmup_steps)
        case _:
            assert_never(spec)


def _cosine(final: float, first: int, last: int) -> Fraction:
    """From 1 at update `first` to `final` at update `last`."""
    return lambda step: _anneal(1.0, final, _share(step, first, last))


def _one_cycle(spec: OneCycle, num_steps: int) -> Fraction:
    """From `start` up to 1 and down to `final`."""
    last = num_steps - 1
    # With fewer than 1 / rise updates there is none to rise on; torch would start below the peak without
    # reaching it.
    top = max(spec.rise * num_steps - 1, 0.0)

    def fraction(step: int) -> float:
        if step < top:
            return _anneal(spec.start, 1.0, step / top)
        return _anneal(1.0, spec.final, _share(step, top, last))

    return fraction


def _share(step: int, first: float, last: float) -> float:
    """How much of the way from `first` to `last` is done, 0 to 1. A way of no length has not begun."""
    return min((step - first) / (last - first), 1.0) if last > first else 0.0


def _anneal(start: float, end: float, share: float) -> float:
    """Half a cosine from `start` to `end`; exact at both ends."""
    if share >= 1.0:
        return end
    return end + (start - end) / 2.0 * (1.0 + math.cos(math.pi * share))
