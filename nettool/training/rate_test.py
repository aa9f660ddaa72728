"""The learning rate range test (Smith 2017): the rate rises from step to step, and the loss says which rates will do.

At first the rate is too small for anything to happen; then the loss falls, the faster the larger the rate; then the
steps become too large, and it rises again. Rates to train with lie below the one at which it was lowest.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nettool.training.loop import Job
from nettool.training.step import NonFiniteLoss

LOWEST, HIGHEST = 1e-6, 100.0
STEPS = 300
BELOW_LOWEST_LOSS = 0.2
"""Times the rate at which the loss was lowest: in the middle of where the best rates of the examples lay."""
GIVES_UP_AT = 4.0
"""Times the first losses: from there on, nothing is to be learned from larger rates."""
AVERAGED = 31
"""Steps that a smoothed loss is the mean of, around each."""
LEAST_FALL = 0.01
"""Of the first losses: below it, nothing was learned."""


@dataclass(frozen=True)
class RateTest:
    """What was seen: of each step its rate and its loss, before the update, and the same smoothed."""

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smooth: tuple[float, ...]

    @property
    def lowest(self) -> float:
        """The rate at which the loss was lowest."""
        return self.rates[int(np.argmin(self.smooth))]

    @property
    def promising(self) -> float | None:
        """Where rates to train with lie; None where the loss did not fall at any."""
        if len(self.smooth) < AVERAGED or min(self.smooth) > (1 - LEAST_FALL) * self.smooth[0]:
            return None
        return BELOW_LOWEST_LOSS * self.lowest


def raise_rate(job: Job) -> RateTest:
    """Train with a rate that rises by the same factor from step to step, until the loss has risen far.

    Weights, order of the examples and dropout masks are those that training begins with. The network is used up.
    """
    job.step.network.train()
    rates = np.geomspace(LOWEST, HIGHEST, STEPS).tolist()
    losses: list[float] = []
    for loss in _losses(job, rates):
        losses.append(loss)
        first = float(np.median(losses[:AVERAGED]))
        if len(losses) > 2 * AVERAGED and np.mean(losses[-3:]) > GIVES_UP_AT * first:
            break
    return RateTest(tuple(rates[: len(losses)]), tuple(losses), tuple(_smoothed(losses)))


def _losses(job: Job, rates: list[float]) -> Iterator[float]:
    """Of each step, up to the first that is not finite; as many epochs as it takes."""
    for step, rate in enumerate(rates):
        epoch, update = divmod(step, job.steps_per_epoch)
        if update == 0:
            batches = job.batching.batches(job.train, epoch)
        try:
            mean = float(job.step(batches, job.num_batches(update), rate)[0])
        except NonFiniteLoss:
            return
        if not math.isfinite(mean):
            return
        yield mean


def _smoothed(losses: list[float]) -> list[float]:
    """The geometric mean of each and its neighbours: losses of all sizes count alike."""
    logs = np.log(np.maximum(losses, 1e-12))
    half = AVERAGED // 2
    return [float(np.exp(logs[max(0, place - half) : place + half + 1].mean())) for place in range(len(logs))]
