"""fit(): epochs of steps, validation after each, and the rules that keep the best and end training.

A generator: it yields `Progress` at most ten times a second and `EpochResult` after each epoch. Its state is
consistent at every yield, so whoever consumes it may save there, or stop for good.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from nettool.config.optimization import EarlyStopping
from nettool.data.dataset import Batch, Batching, Dataset
from nettool.errors import DivergedError
from nettool.training.evaluation import Evaluator
from nettool.training.state import TrainingState
from nettool.training.step import Step
from nettool.training.stopping import improved, mode_of

PROGRESS_SECONDS = 0.1
DIVERGED = "diverged. Try a learning rate ten times smaller, `clip_norm: 1` in the optimizer, or `scale: standard`."


@dataclass(frozen=True)
class Job:
    """What does not change while a network is trained."""

    train: Dataset
    validation: Dataset | None
    batching: Batching
    accumulate: int
    epochs: int
    early_stopping: EarlyStopping | None
    step: Step
    evaluate: Evaluator

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
    """A sign of life within an epoch. epoch counts from 1; fraction is the share of the epoch that is done."""

    epoch: int
    fraction: float
    train_loss: float


@dataclass(frozen=True)
class EpochResult:
    """A finished epoch: one row of the journal. Losses in the loss's own units, metrics in the target's."""

    epoch: int
    step: int
    train_loss: float
    validation_loss: float | None
    metrics: dict[str, float]
    lr: float
    seconds: float
    examples_per_second: float
    is_best: bool
    stopped: str


def fit(job: Job, state: TrainingState) -> Iterator[Progress | EpochResult]:
    """Train until the last epoch, or until early stopping says so. Raises DivergedError."""
    if job.epochs == 0:
        yield _untrained(job, state)
    while state.epoch < job.epochs and not state.stopped:
        started = time.perf_counter()
        yield from _epoch(job, state)
        trained = time.perf_counter()
        yield _finish_epoch(job, state, started, trained)


def _epoch(job: Job, state: TrainingState) -> Iterator[Progress]:
    """The steps of one epoch, from where the state stands."""
    job.step.network.train()
    batches = job.batching.batches(job.train, state.epoch, first=state.update * job.accumulate)
    next_progress = time.perf_counter() + PROGRESS_SECONDS
    while group := _take(batches, job.accumulate):
        mean, weight = job.step(group, state.schedule.rate(state.step))
        state.loss_sum += mean.to(state.loss_sum.dtype) * weight
        state.weight_sum += weight
        state.step += 1
        state.update += 1
        if time.perf_counter() >= next_progress:
            loss = _epoch_loss(state)
            yield Progress(state.epoch + 1, state.update / job.steps_per_epoch, loss)
            next_progress = time.perf_counter() + PROGRESS_SECONDS


def _take(batches: Iterator[Batch], count: int) -> list[Batch]:
    return list(itertools.islice(batches, count))


def _epoch_loss(state: TrainingState) -> float:
    """The training loss over the epoch so far; a loss that left the finite numbers ends training."""
    weight = float(state.weight_sum)
    loss = float(state.loss_sum) / weight if weight else 0.0
    if not math.isfinite(loss):
        raise DivergedError(
            f"the training loss is {loss} in epoch {state.epoch + 1}, at or before step {state.step}: training "
            f"{DIVERGED}"
        )
    return loss


def _finish_epoch(job: Job, state: TrainingState, started: float, trained: float) -> EpochResult:
    """Measure, judge, and step into the next epoch."""
    train_loss = _epoch_loss(state)
    _check_weights(state)
    lr = state.schedule.rate(max(state.step - 1, 0))
    num_examples = min(job.batching.num_batches * job.batching.batch_size, len(job.train))
    state.epoch += 1
    state.update = 0
    state.loss_sum.zero_()
    state.weight_sum.zero_()
    validation_loss, metrics = _validate(job, state)
    is_best = _judge(job, state, train_loss, validation_loss, metrics)
    state.schedule.epoch_ended(train_loss if validation_loss is None else validation_loss)
    return EpochResult(
        epoch=state.epoch,
        step=state.step,
        train_loss=train_loss,
        validation_loss=validation_loss,
        metrics=metrics,
        lr=lr,
        seconds=time.perf_counter() - started,
        examples_per_second=num_examples / max(trained - started, 1e-9),
        is_best=is_best,
        stopped=state.stopped,
    )


def _check_weights(state: TrainingState) -> None:
    """The loss of an epoch is measured before its last update, which may have ruined the weights all the same."""
    tensors = [tensor for tensor in state.network.state_dict().values() if tensor.is_floating_point()]
    if not torch.stack(torch._foreach_norm(tensors)).isfinite().all():
        raise DivergedError(f"the weights left the finite numbers in epoch {state.epoch + 1}: training {DIVERGED}")


def _validate(job: Job, state: TrainingState) -> tuple[float | None, dict[str, float]]:
    if job.validation is None:
        return None, {}
    return job.evaluate(state.network, job.validation)


def _judge(
    job: Job, state: TrainingState, train_loss: float, validation_loss: float | None, metrics: dict[str, float]
) -> bool:
    """Keep the weights if they are the best so far, and ask early stopping. Returns whether they are."""
    measured = {"train_loss": train_loss, "validation_loss": validation_loss, "": 0.0, **metrics}
    value = measured[job.monitor]
    assert value is not None
    best = state.best.value if state.best and math.isfinite(state.best.value) else None
    # The first epoch is kept whatever its value, so that a monitor that is never a number loses no weights.
    is_best = not job.monitor or state.best is None or improved(value, best, mode_of(job.monitor))
    if is_best:
        state.keep_best(value, validation_loss, metrics)
    if state.stopper is not None and job.early_stopping is not None:
        watched = measured[job.early_stopping.monitor]
        assert watched is not None
        if state.stopper.update(watched) and state.epoch < job.epochs:
            patience = job.early_stopping.patience
            state.stopped = f"{job.early_stopping.monitor} has not improved for {patience} epochs"
    return is_best


def _untrained(job: Job, state: TrainingState) -> EpochResult:
    """`epochs: 0`: the network as it was drawn, or as its weights were given."""
    train_loss, _ = job.evaluate(state.network, job.train)
    validation_loss, metrics = _validate(job, state)
    state.keep_best(train_loss, validation_loss, metrics)
    rate = state.schedule.rate(0)
    return EpochResult(0, 0, train_loss, validation_loss, metrics, rate, 0.0, 0.0, is_best=True, stopped="")
