"""From a config to all that training needs: data, plan, loss, device, threads, and from these the job."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from nettool.config.experiment import Experiment
from nettool.config.load import Loaded
from nettool.config.runtime import parse_interval
from nettool.data.augment import Augmenter
from nettool.data.bundle import TrainingData
from nettool.data.dataset import Batching, Dataset, Stretches
from nettool.data.prepare import prepare
from nettool.model.compile import Network, compile_network
from nettool.model.losses import Loss
from nettool.model.plans import NetworkPlan
from nettool.training.engines import Engine, build_step, choose_engine, departure_note
from nettool.training.epochs import Training
from nettool.training.history import History
from nettool.training.loop import Job
from nettool.training.metrics import baseline_predictions
from nettool.training.optimizers import Remembering
from nettool.training.rate_test import RateTest, raise_rate
from nettool.training.schedules import build_schedule
from nettool.training.state import TrainingState
from nettool.training.stopping import build_stopper
from nettool.training.token_metrics import token_shares
from nettool.workflows import machine
from nettool.workflows.check import Read, check_config
from nettool.workflows.trained import baseline_metrics, decoder, make_evaluator, make_loss

BATCH_NORMS = (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d)


@dataclass(frozen=True)
class Prepared:
    """All that training needs, checked, before anything is written.

    baseline: what the naive model predicts for every example (see `Trained`). notes: what the user should know. asked:
    the experiment as the config has it, before a learning rate was found.
    """

    loaded: Loaded
    data: TrainingData
    plan: NetworkPlan
    loss: Loss
    baseline: tuple[float, ...]
    device: torch.device
    batch_size: int
    threads: int
    engine: Engine
    notes: tuple[str, ...]
    asked: Experiment

    def baseline_metrics(self) -> dict[str, float]:
        """The naive model's metrics on the validation split, to show beside the network's."""
        split = self.data.splits.get("validation")
        if split is None:
            return {}
        validation = Dataset.from_split(split, torch.device("cpu"))
        names = self.loaded.experiment.metric_names
        return baseline_metrics(self.baseline, self.data.encoders, validation, names)


def prepare_training(loaded: Loaded, read: Read = prepare, threads: int | None = None) -> Prepared:
    """Read the data, fit the encoders, plan the network, choose device and threads. Writes nothing.

    read: how the data are had, where several configs share them. threads: where the config leaves their number open;
    None for the rule.

    Raises ConfigError or DataError for whatever keeps the training from making sense.
    """
    checked = check_config(loaded, all_rows=True, read=read)
    experiment, data, batch_size = loaded.experiment, checked.data, checked.batch_size
    with loaded.located():
        device = machine.choose_device(experiment.runtime)
        engine = choose_engine(experiment.runtime, checked.plan, batch_size, device)
        with machine.threads(1):  # the same bits whatever the shell's number of threads
            baseline = _baseline(data)
        loss = make_loss(experiment, data.encoders, baseline, device)
    if threads is None or experiment.runtime.threads is not None:
        threads = machine.choose_threads(experiment.runtime, checked.plan, batch_size)
    notes = (
        *checked.notes,
        *departure_note(experiment.runtime, checked.plan, device),
        *machine.threads_note(experiment.runtime),
    )
    prepared = Prepared(
        loaded, data, checked.plan, loss, baseline, device, batch_size, threads, engine, notes, experiment
    )
    return prepared if experiment.optimizer.lr != "auto" else _with_found_rate(prepared)


def _with_found_rate(prepared: Prepared) -> Prepared:
    """`lr: auto`: find one, and go on as if the config had it. Raises RunError where there is none to be found."""
    found = find_rate(prepared)
    loaded = prepared.loaded.with_rate(found.rate())
    note = f"optimizer.lr is auto: {found.rate():.3g}, a fifth of the rate at which the loss was lowest."
    return replace(prepared, loaded=loaded, notes=(*prepared.notes, note))


def find_rate(prepared: Prepared) -> RateTest:
    """Raise the learning rate step by step, and see where the loss falls and where it rises (Smith 2017)."""
    experiment = prepared.loaded.experiment
    computing = machine.computing(experiment.runtime, prepared.device, prepared.threads)
    with computing, machine.random_numbers(experiment.seed, prepared.device):
        job, _ = build_job(replace(prepared, loaded=prepared.loaded.with_rate(1.0)))
        return raise_rate(job)


def _baseline(data: TrainingData) -> tuple[float, ...]:
    """What the naive model predicts, from the training split."""
    train_split = Dataset.from_split(data.splits["train"], torch.device("cpu"))
    if isinstance(train_split.target, Stretches):
        return tuple(token_shares(train_split.target.source, data.signature.target.num_outputs))
    target = decoder(data.encoders)(train_split.target)
    row = baseline_predictions(target, data.signature.target, 1, train_split.weights)
    return tuple(row[0].tolist())


def build_job(prepared: Prepared) -> tuple[Job, TrainingState]:
    """The network, its optimizer, its schedule, and the data on the device."""
    experiment = prepared.loaded.experiment
    network = compile_network(prepared.plan, experiment.seed, prepared.device)
    step = build_step(prepared.engine, network, prepared.loss, experiment)
    job = Job(step=step, **vars(build_training(prepared, network)))
    return job, build_state(prepared, job, network, step.optimizer)


def build_training(prepared: Prepared, network: Network) -> Training:
    """All that does not change, with the data on the device."""
    experiment, device = prepared.loaded.experiment, prepared.device
    train_split = Dataset.from_split(prepared.data.splits["train"], device)
    validation = prepared.data.splits.get("validation")
    augment = experiment.data.augment
    interval, unit = parse_interval(experiment.checkpoint.every)
    return Training(
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
        evaluate=make_evaluator(prepared.loss, prepared.data.encoders, experiment.metric_names, prepared.plan),
        yield_every=int(interval) if unit == "steps" else 0,
    )


def build_state(prepared: Prepared, training: Training, network: Network, optimizer: Remembering) -> TrainingState:
    """Where training begins."""
    experiment = prepared.loaded.experiment
    steps, epochs = training.steps_per_epoch, experiment.epochs
    schedule = build_schedule(experiment.schedule, experiment.optimizer.rate, steps, epochs)
    history = History(experiment.metric_names, with_validation=training.validation is not None)
    return TrainingState(network, optimizer, schedule, build_stopper(experiment.early_stopping), history)
