"""What an epoch is made of, whether a network is trained alone or with others: its task, how it goes, and its end."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace

from nettool.config.optimization import EarlyStopping, chooser
from nettool.data.dataset import Batch, Batching, Dataset
from nettool.training.divergence import diverged_loss
from nettool.training.evaluation import Evaluator, Measured
from nettool.training.history import EpochResult
from nettool.training.state import TrainingState
from nettool.training.stopping import improved, mode_of

PROGRESS_SECONDS = 0.1


@dataclass(frozen=True, kw_only=True)
class Training:
    """What does not change while a network is trained, apart from the step that moves its weights.

    yield_every: after so many updates there is a sign of life in any case; 0 leaves it to the clock.
    """

    train: Dataset
    validation: Dataset | None
    batching: Batching
    accumulate: int
    epochs: int
    early_stopping: EarlyStopping | None
    evaluate: Evaluator
    yield_every: int = 0

    @property
    def steps_per_epoch(self) -> int:
        """Updates of the weights in an epoch."""
        return math.ceil(self.batching.num_batches / self.accumulate)

    def num_batches(self, update: int) -> int:
        """Of this update of an epoch: as many as are accumulated, or what is left."""
        return min(self.accumulate, self.batching.num_batches - update * self.accumulate)

    def examples_from(self, update: int) -> float:
        """Examples that an epoch has from this update on, about."""
        share = (self.steps_per_epoch - update) / self.steps_per_epoch
        return share * min(self.batching.num_batches * self.batching.batch_size, len(self.train))

    @property
    def monitor(self) -> str:
        """What chooses the best weights; "" without a validation split, where the last are the best."""
        if self.validation is None:
            return ""
        return chooser(self.early_stopping)


@dataclass(frozen=True)
class Progress:
    """A sign of life within an epoch. epoch counts from 1; fraction is the share of its updates that is made."""

    epoch: int
    fraction: float
    train_loss: float


class Clock:
    """Says when a sign of life is due, and how long the epoch has taken, before a cut too."""

    def __init__(self, state: TrainingState) -> None:
        self.state = state
        now = time.perf_counter()
        self._began = now - state.epoch_seconds
        self._next = now + PROGRESS_SECONDS

    def is_due(self) -> bool:
        """Whether a tenth of a second has passed since the last time."""
        now = time.perf_counter()
        if now < self._next:
            return False
        self._next = now + PROGRESS_SECONDS
        return True

    def stamp(self) -> None:
        """Tell the state."""
        self.state.epoch_seconds = time.perf_counter() - self._began


def batches_left(job: Training, state: TrainingState, count: int | None = None) -> Iterator[Batch]:
    """What is left of the epoch, or the next so many batches of it."""
    rest = job.batching.batches(job.train, state.epoch, first=state.update * job.accumulate)
    return itertools.islice(rest, count)


def progress_of(job: Training, state: TrainingState) -> Progress:
    """How far the epoch has come."""
    return Progress(state.epoch + 1, state.update / job.steps_per_epoch, epoch_loss(state))


def epoch_loss(state: TrainingState) -> float:
    """The training loss over the epoch so far; one that left the finite numbers ends training."""
    weight = float(state.weight_sum)
    loss = float(state.loss_sum) / weight if weight else 0.0
    if not math.isfinite(loss):
        raise diverged_loss(state, loss)
    return loss


def validate(job: Training, state: TrainingState, clock: Clock) -> Generator[Progress, None, Measured | None]:
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
            yield progress_of(job, state)


def end_epoch(
    job: Training, state: TrainingState, train_loss: float, measured: Measured | None, examples_per_second: float
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
    forget_a_late_stop(job, state)
    return replace(result, stopped=state.stopped)


def forget_a_late_stop(job: Training, state: TrainingState) -> None:
    """In the last epoch there is nothing left to stop."""
    if state.epoch >= job.epochs:
        state.stopped = ""


def _keep_best(job: Training, state: TrainingState, loss: float | None, metrics: dict[str, float]) -> bool:
    """Keep the weights if they are the best so far. Returns whether they are."""
    value = {"validation_loss": loss, "": 0.0, **metrics}[job.monitor]
    assert value is not None
    best = state.best.value if state.best and math.isfinite(state.best.value) else None
    # The first epoch is kept whatever its value, so that a monitor that is never a number loses no weights.
    is_best = not job.monitor or state.best is None or improved(value, best, mode_of(job.monitor))
    if is_best:
        state.keep_best(value, loss, metrics)
    return is_best


def untrained(job: Training, state: TrainingState) -> EpochResult:
    """`epochs: 0`: the network as it was drawn, or as its weights were given."""
    train_loss, _ = job.evaluate(state.network, job.train)
    loss, metrics = (None, {}) if job.validation is None else job.evaluate(state.network, job.validation)
    state.keep_best(train_loss, loss, metrics)
    result = EpochResult(0, 0, train_loss, loss, metrics, state.schedule.rate(0), 0.0, 0.0, is_best=True)
    state.history.append(result)
    return result
