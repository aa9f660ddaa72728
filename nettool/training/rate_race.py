"""A race of learning rates: short trainings around what the range test found, and the best of them wins.

The range test tells the order of magnitude. Which of its neighbours is best is a matter of the data and of how long
training lasts, and only training tells.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from nettool.errors import RunError
from nettool.training.epochs import Training, epoch_loss
from nettool.training.rate_test import HIGHEST, LOWEST, RateTest
from nettool.training.state import TrainingState

APART = 2.5
"""Times the next lower rate: what a sweep of 16 over six powers of ten has, too."""
LEAST, MOST = 1e-7, 1e3

MOST_STEPS, FEWEST_STEPS = 2000, 100
"""Updates of each training; the fewest for networks whose steps are large."""
MOST_EPOCHS = 300
FLOPS = 1e12
"""Of the matrix products of each training, about."""


Measured = Literal["validation loss", "training loss"]


@dataclass(frozen=True)
class Lap:
    """Short trainings with a rate, one with each seed.

    losses: the lowest that each reached on the validation split (or, where there is none, the training loss); infinite
    where it diverged.
    """

    rate: float
    losses: tuple[float, ...]

    @property
    def loss(self) -> float:
        """The mean over the seeds."""
        return sum(self.losses) / len(self.losses)

    @property
    def deviation(self) -> float | None:
        """The standard deviation over the seeds; None with one alone, or where one diverged."""
        return statistics.stdev(self.losses) if len(self.losses) > 1 and math.isfinite(self.loss) else None


@dataclass(frozen=True)
class FoundRate:
    """What test and race saw. laps: by rate, ascending; none where the test found nothing to race for. num_steps: of
    each lap, at most. num_seeds: with which each rate was tried. measured: which loss the laps were judged by.
    """

    test: RateTest
    laps: tuple[Lap, ...]
    num_steps: int
    num_seeds: int
    measured: Measured

    @property
    def rate(self) -> float:
        """The rate of the lowest loss. Raises RunError where there is none."""
        if not any(math.isfinite(lap.loss) for lap in self.laps):
            raise RunError(
                f"the loss did not fall at any learning rate from {LOWEST:g} to {HIGHEST:g}, so none can be suggested. "
                "Is there anything to learn, and did the weights not begin where they are best already?"
            )
        return min(self.laps, key=lambda lap: lap.loss).rate


def steps_of(flops_per_step: float) -> int:
    """How many updates each training has, by the size of one."""
    return max(FEWEST_STEPS, min(MOST_STEPS, int(FLOPS / max(flops_per_step, 1.0))))


def race(first: float, train: Callable[[Sequence[float]], Sequence[tuple[float, ...]]], around: int) -> tuple[Lap, ...]:
    """Train with `first` and the rates around it, further as long as the outermost is the best, and then half as far
    from the best on either side. By rate, ascending.

    train: with these rates, to the losses that each reaches, one for each seed. around: rates on either side of the
    first, at least.
    """
    laps: dict[float, Lap] = {}

    def run(places: Iterable[float]) -> None:
        rates = {place: rounded(first * APART**place) for place in places if place not in laps}
        rates = {place: rate for place, rate in rates.items() if LEAST <= rate <= MOST}
        losses = train(list(rates.values())) if rates else []
        laps.update({place: Lap(rates[place], reached) for place, reached in zip(rates, losses, strict=True)})

    def best() -> float:
        return min(sorted(laps), key=lambda place: laps[place].loss)

    run(range(-around, around + 1))
    known = 0
    while len(laps) > known:
        known = len(laps)
        run((best() - 1, best() + 1))
    run((best() - 0.5, best() + 0.5))
    return tuple(laps[place] for place in sorted(laps))


def rounded(rate: float) -> float:
    """To two digits, as people write rates."""
    return float(f"{rate:.2g}")


def lowest_loss(training: Training, state: TrainingState) -> float:
    """Of a training that has come so far; in its first epoch, the loss now. Infinite where none is a number.

    Without a validation split it is the training loss, as it was on the way.
    """
    losses = [result.judged_loss for result in state.history]
    if not losses and training.validation is None:
        losses = [epoch_loss(state)]
    elif not losses and training.validation is not None:
        losses = [training.evaluate(state.network, training.validation)[0]]
    return min(filter(math.isfinite, losses), default=math.inf)
