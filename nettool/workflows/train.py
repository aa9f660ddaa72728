"""nettool train: config to data to network to run directory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from nettool.config.load import Loaded
from nettool.config.optimization import EarlyStopping
from nettool.data.augment import Augmenter
from nettool.data.bundle import TrainingData
from nettool.data.dataset import Batching, Dataset, Stretches
from nettool.errors import DivergedError, InterruptedRun, NettoolError, ResourceError
from nettool.model.compile import compile_network
from nettool.model.losses import Loss
from nettool.model.plans import NetworkPlan
from nettool.runs import directory
from nettool.runs.directory import RunDirectory
from nettool.training.loop import Job, fit
from nettool.training.metrics import baseline_predictions
from nettool.training.optimizers import build_optimizer
from nettool.training.schedules import build_schedule
from nettool.training.state import TrainingState
from nettool.training.step import Step
from nettool.training.stopping import EarlyStopper, mode_of
from nettool.training.token_metrics import token_shares
from nettool.workflows import machine
from nettool.workflows.check import check_config
from nettool.workflows.recorder import Recorder
from nettool.workflows.signals import StopSignals
from nettool.workflows.trained import baseline_metrics, decoder, make_evaluator, make_loss
from nettool.workflows.watch import Watcher

BATCH_NORMS = (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d)


@dataclass(frozen=True)
class Prepared:
    """All that training needs, checked, before anything is written.

    baseline: what the naive model predicts for every example (see `Trained`). notes: what the user should know.
    """

    loaded: Loaded
    data: TrainingData
    plan: NetworkPlan
    loss: Loss
    baseline: tuple[float, ...]
    device: torch.device
    batch_size: int
    threads: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """A run that ended, in whatever way. error: what its command should end with, if anything."""

    run: RunDirectory
    record: dict[str, Any]
    error: NettoolError | None


def prepare_training(loaded: Loaded) -> Prepared:
    """Read the data, fit the encoders, plan the network, choose device and threads. Writes nothing.

    Raises ConfigError or DataError for whatever keeps the training from making sense.
    """
    checked = check_config(loaded, all_rows=True)
    experiment, data, batch_size = loaded.experiment, checked.data, checked.batch_size
    with loaded.located():
        device = machine.choose_device(experiment.runtime)
        with machine.threads(1):  # the same bits whatever the shell's number of threads
            baseline = _baseline(data)
        loss = make_loss(experiment, data.encoders, baseline, device)
    threads = machine.choose_threads(experiment.runtime, checked.plan, batch_size)
    return Prepared(loaded, data, checked.plan, loss, baseline, device, batch_size, threads, checked.notes)


def train(prepared: Prepared, watcher: Watcher, run_dir: Path | None = None) -> Outcome:
    """Train in a new run directory, `run_dir` or the next free one under `runs/`.

    Divergence, signals and exhausted memory end the run in good order and are told by the outcome's error.
    """
    with machine.threads(prepared.threads), StopSignals() as signals:
        name = prepared.loaded.experiment.name
        run = directory.claim_exactly(run_dir) if run_dir else directory.claim(name)
        recorder = Recorder(run, prepared)
        watcher.started(run, prepared)
        for note in prepared.notes:
            watcher.note(note)
            recorder.log(f"note: {note}")
        ending = _run(prepared, recorder, watcher, signals)
        record = recorder.end(ending.status, ending.why, ending.state, _baseline_metrics(prepared))
    outcome = Outcome(run, record, ending.error)
    watcher.finished(outcome)
    return outcome


@dataclass(frozen=True)
class _Ending:
    status: str
    state: TrainingState | None
    error: NettoolError | None = None

    @property
    def why(self) -> str:
        return str(self.error) if self.error else self.state.stopped if self.state else ""


def _run(prepared: Prepared, recorder: Recorder, watcher: Watcher, signals: StopSignals) -> _Ending:
    """Train, save, and say how it ended. What nobody foresaw is written down and raised on."""
    state = None
    try:
        with _random_numbers(prepared.loaded.experiment.seed):
            job, state = build_job(prepared)
            try:
                _follow(job, state, recorder, watcher, signals)
                ending = _Ending("stopped early" if state.stopped else "finished", state)
            except InterruptedRun as interrupted:
                ending = _Ending("interrupted", state, interrupted)
            recorder.save(state)
            return ending
    except Exception as failure:
        error = failure if isinstance(failure, DivergedError) else _out_of_memory(failure, prepared)
        if error is None:
            recorder.end_badly(failure, state)
            raise
        if state is not None:
            recorder.save_best(state)  # the last state is no use any more
        return _Ending("diverged" if isinstance(error, DivergedError) else "failed", state, error)


@contextmanager
def _random_numbers(seed: int) -> Iterator[None]:
    """Make torch's global generator a function of the seed inside: layers added from Python may draw from it."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


def _out_of_memory(failure: Exception, prepared: Prepared) -> ResourceError | None:
    """What to say if memory ran out: torch has an error of its own for it on cuda, and on the cpu only a text."""
    if not isinstance(failure, MemoryError | torch.OutOfMemoryError) and "can't allocate memory" not in str(failure):
        return None
    return ResourceError(
        f"out of memory: {prepared.plan.num_parameters:,} parameters and batches of {prepared.batch_size:,}. "
        "Try a smaller batch_size, or fewer units."
    )


def _follow(job: Job, state: TrainingState, recorder: Recorder, watcher: Watcher, signals: StopSignals) -> None:
    """Record what `fit` yields, show it, and leave when a signal asks."""
    for event in fit(job, state):
        recorder.event(event, state)
        watcher.event(event)
        if state.epoch < job.epochs and not state.stopped:
            signals.check(f"epoch {state.epoch + 1}")


def build_job(prepared: Prepared) -> tuple[Job, TrainingState]:
    """The network, its optimizer, its schedule, and the data on the device."""
    experiment, device = prepared.loaded.experiment, prepared.device
    train_split = Dataset.from_split(prepared.data.splits["train"], device)
    validation = prepared.data.splits.get("validation")
    network = compile_network(prepared.plan, experiment.seed, device)
    optimizer = build_optimizer(experiment.optimizer, list(network.parameters()))
    augment = experiment.data.augment
    job = Job(
        train=train_split,
        validation=None if validation is None else Dataset.from_split(validation, device),
        batching=Batching(
            len(train_split),
            prepared.batch_size,
            experiment.seed,
            skip_single=any(isinstance(module, BATCH_NORMS) for module in network.modules()),
            augment=None if augment is None else Augmenter(augment),
        ),
        accumulate=experiment.accumulate,
        epochs=experiment.epochs,
        early_stopping=experiment.early_stopping,
        step=Step(network, prepared.loss, optimizer),
        evaluate=make_evaluator(prepared.loss, prepared.data.encoders, experiment.metric_names, prepared.plan),
    )
    schedule = build_schedule(experiment.schedule, experiment.optimizer.lr, job.steps_per_epoch, experiment.epochs)
    return job, TrainingState(network, optimizer, schedule, _stopper(experiment.early_stopping))


def _stopper(spec: EarlyStopping | None) -> EarlyStopper | None:
    return None if spec is None else EarlyStopper(spec.patience, spec.min_delta, mode_of(spec.monitor))


def _baseline(data: TrainingData) -> tuple[float, ...]:
    """What the naive model predicts, from the training split."""
    train_split = Dataset.from_split(data.splits["train"], torch.device("cpu"))
    if isinstance(train_split.target, Stretches):
        return tuple(token_shares(train_split.target.source, data.signature.target.num_outputs))
    target = decoder(data.encoders)(train_split.target)
    row = baseline_predictions(target, data.signature.target, 1, train_split.weights)
    return tuple(row[0].tolist())


def _baseline_metrics(prepared: Prepared) -> dict[str, float]:
    """The naive model's metrics on the validation split, to show beside the network's."""
    split = prepared.data.splits.get("validation")
    if split is None:
        return {}
    validation = Dataset.from_split(split, torch.device("cpu"))
    names = prepared.loaded.experiment.metric_names
    return baseline_metrics(prepared.baseline, prepared.data.encoders, validation, names)
