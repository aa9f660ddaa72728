"""fit(): epochs of steps, validation after each, and the rules that keep the best and end training.

A generator: it yields `Progress` at most ten times a second, or when a save may be due, and `EpochResult` after each
epoch. Its state is consistent at every yield, so whoever consumes it may save there, or stop for good.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from nettool.training.divergence import check_weights, diverged_step
from nettool.training.epochs import (
    Clock,
    Progress,
    Training,
    batches_left,
    end_epoch,
    epoch_loss,
    forget_a_late_stop,
    progress_of,
    untrained,
    validate,
)
from nettool.training.history import EpochResult
from nettool.training.state import TrainingState
from nettool.training.step import NonFiniteLoss, Step


@dataclass(frozen=True, kw_only=True)
class Job(Training):
    """What does not change while one network is trained."""

    step: Step


def fit(job: Job, state: TrainingState) -> Iterator[Progress | EpochResult]:
    """Train until the last epoch, or until early stopping says so. Raises DivergedError."""
    if job.epochs == 0 and not len(state.history):
        yield untrained(job, state)
    forget_a_late_stop(job, state)
    while state.epoch < job.epochs and not state.stopped:
        clock, first, began = Clock(state), state.update, time.perf_counter()
        yield from _train(job, state, clock)
        trained = time.perf_counter() - began
        train_loss = epoch_loss(state)
        check_weights(state)
        measured = yield from validate(job, state, clock)
        clock.stamp()
        speed = job.examples_from(first) / max(trained, 1e-9)  # fewer where the epoch was cut
        yield end_epoch(job, state, train_loss, measured, speed)


def _train(job: Job, state: TrainingState, clock: Clock) -> Iterator[Progress]:
    """The steps of one epoch, from where the state stands."""
    job.step.network.train()
    batches = batches_left(job, state)
    while state.update < job.steps_per_epoch:
        count = job.num_batches(state.update)
        try:
            mean, weight = job.step(batches, count, state.schedule.rate(state.step))
        except NonFiniteLoss as failure:
            taken = partial(batches_left, job, state, count)
            raise diverged_step(state, taken, failure.value) from None
        state.add_loss(mean, weight)
        state.step += 1
        state.update += 1
        if clock.is_due() or (job.yield_every and state.step % job.yield_every == 0):
            clock.stamp()
            yield progress_of(job, state)
