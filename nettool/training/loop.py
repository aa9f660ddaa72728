"""fit(): epochs of steps, validation after each, and the rules that keep the best and end training.

A generator: it yields `Progress` at most ten times a second, or when a save may be due, and `EpochResult` after each
epoch. Its state is consistent at every yield, so whoever consumes it may save there, or stop for good.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from functools import partial

from nettool.config.optimization import EarlyStopping
from nettool.data.dataset import Batch, Batching, Dataset
from nettool.training.divergence import check_weights, diverged_loss, diverged_step
from nettool.training.evaluation import Evaluator, Measured
from nettool.training.history import EpochResult
from nettool.training.state import TrainingState
from nettool.training.step import NonFiniteLoss, Step
from nettool.training.stopping import improved, mode_of

PROGRESS_SECONDS = 0.1


@dataclass(frozen=True)
class Job:
    """What does not change while a network is trained.

    yield_every: after so many updates `fit` yields in any case; 0 leaves it to the clock.
    """

    train: Dataset
    validation: Dataset | None
    batching: Batching
    accumulate: int
    epochs: int
    early_stopping: EarlyStopping | None
    step: Step
    evaluate: Evaluator
    yield_every: int = 0

    @property
    def steps_per_epoch(self) -> int:
        """Updates of the weights in an epoch."""
        return math.ceil(self.batching.num_batches / self.accumulate)

    @property
    def monitor(self) -> str:
        """What chooses the best weights; "" without a validation split, where the last are the best."""
        if self.validation is None:
            return ""
        monitor = self.early_stopping.monitor if self.early_stopping else "validation_loss"
        return "validation_loss" if monitor == "train_loss" else monitor


@dataclass(frozen=True)
class Progress:
    """A sign of life within an epoch. epoch counts from 1; fraction is the share of its updates that is made."""

    epoch: int
    fraction: float
    train_loss: float


class _Clock:
    """Says when a sign of life is due, and how long the epoch has taken, before a cut too."""

    def __init__(self, state: TrainingState) -> None:
        self.state = state
        now = time.perf_counter()
        self._began = now - state.epoch_seconds
        self._next = now + PROGRESS_SECONDS

    def is_due(self) -> bool:
        now = time.perf_counter()
        if now < self._next:
            return False
        self._next = now + PROGRESS_SECONDS
        return True

    def stamp(self) -> None:
        self.state.epoch_seconds = time.perf_counter() - self._began


def fit(job: Job, state: TrainingState) -> Iterator[Progress | EpochResult]:
    """Train until the last epoch, or until early stopping says so. Raises DivergedError."""
    if job.epochs == 0 and not len(state.history):
        yield _untrained(job, state)
    _forget_a_late_stop(job, state)
    while state.epoch < job.epochs and not state.stopped:
        clock, first, began = _Clock(state), state.update, time.perf_counter()
        yield from _train(job, state, clock)
        trained = time.perf_counter() - began
        train_loss = _epoch_loss(state)
        check_weights(state)
        measured = yield from _validate(job, state, clock)
        share = (job.steps_per_epoch - first) / job.steps_per_epoch  # less where the epoch was cut
        num_examples = share * min(job.batching.num_batches * job.batching.batch_size, len(job.train))
        clock.stamp()
        yield _end_epoch(job, state, train_loss, measured, num_examples / max(trained, 1e-9))


def _train(job: Job, state: TrainingState, clock: _Clock) -> Iterator[Progress]:
    """The steps of one epoch, from where the state stands."""
    job.step.network.train()
    batches = _batches(job, state)
    while state.update < job.steps_per_epoch:
        count = min(job.accumulate, job.batching.num_batches - state.update * job.accumulate)
        try:
            mean, weight = job.step(batches, count, state.schedule.rate(state.step))
        except NonFiniteLoss as failure:
            taken = partial(_batches, job, state, count)
            raise diverged_step(state, taken, failure.value) from None
        state.add_loss(mean, weight)
        state.step += 1
        state.update += 1
        if clock.is_due() or (job.yield_every and state.step % job.yield_every == 0):
            clock.stamp()
            yield _progress(job, state)


def _batches(job: Job, state: TrainingState, count: int | None = None) -> Iterator[Batch]:
    """What is left of the epoch, or the next so many batches of it."""
    rest = job.batching.batches(job.train, state.epoch, first=state.update * job.accumulate)
    return itertools.islice(rest, count)


def _progress(job: Job, state: TrainingState) -> Progress:
    return Progress(state.epoch + 1, state.update / job.steps_per_epoch, _epoch_loss(state))


def _epoch_loss(state: TrainingState) -> float:
    """The training loss over the epoch so far; one that left the finite numbers ends training."""
    weight = float(state.weight_sum)
    loss = float(state.loss_sum) / weight if weight else 0.0
    if not math.isfinite(loss):
        raise diverged_loss(state, loss)
    return loss


def _validate(job: Job, state: TrainingState, clock: _Clock) -> Generator[Progress, None, Measured | None]:
    """Measure the validation split; the state stays at the end of the epoch's updates until that is done."""
    if job.validation is None:
        return None
    steps = job.evaluate.measure_in_steps(state.network, job.validation)
    while True:
        try:
            next(steps)
        except StopIteration as done:
            measured: Measured = done.value
            return measured
        if clock.is_due():
            clock.stamp()
            yield _progress(job, state)


def _end_epoch(
    job: Job, state: TrainingState, train_loss: float, measured: Measured | None, examples_per_second: float
) -> EpochResult:
    """Judge what was measured, and step into the next epoch."""
    seconds = state.epoch_seconds
    state.epoch += 1
    state.update, state.epoch_seconds = 0, 0.0
    state.forget_losses()
    loss, metrics = (None, {}) if measured is None else (measured.loss, measured.metrics)
    is_best = _keep_best(job, state, loss, metrics)
    lr = state.schedule.rate(max(state.step - 1, 0))
    result = EpochResult(state.epoch, state.step, train_loss, loss, metrics, lr, seconds, examples_per_second, is_best)
    state.history.append(result)
    state.stopped = state.judge(result)
    _forget_a_late_stop(job, state)
    return replace(result, stopped=state.stopped)


def _forget_a_late_stop(job: Job, state: TrainingState) -> None:
    """In the last epoch there is nothing left to stop."""
    if state.epoch >= job.epochs:
        state.stopped = ""


def _keep_best(job: Job, state: TrainingState, loss: float | None, metrics: dict[str, float]) -> bool:
    """Keep the weights if they are the best so far. Returns whether they are."""
    value = {"validation_loss": loss, "": 0.0, **metrics}[job.monitor]
    assert value is not None
    best = state.best.value if state.best and math.isfinite(state.best.value) else None
    # The first epoch is kept whatever its value, so that a monitor that is never a number loses no weights.
    is_best = not job.monitor or state.best is None or improved(value, best, mode_of(job.monitor))
    if is_best:
        state.keep_best(value, loss, metrics)
    return is_best


def _untrained(job: Job, state: TrainingState) -> EpochResult:
    """`epochs: 0`: the network as it was drawn, or as its weights were given."""
    train_loss, _ = job.evaluate(state.network, job.train)
    loss, metrics = (None, {}) if job.validation is None else job.evaluate(state.network, job.validation)
    state.keep_best(train_loss, loss, metrics)
    result = EpochResult(0, 0, train_loss, loss, metrics, state.schedule.rate(0), 0.0, 0.0, is_best=True)
    state.history.append(result)
    return result
