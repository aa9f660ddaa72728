"""From what is prepared to what is trained: the network, its optimizer, its schedule, the data on the device."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from nettool.config.runtime import parse_interval
from nettool.data.augment import Augmenter
from nettool.data.dataset import Batching, Dataset
from nettool.model.compile import Network, compile_network
from nettool.training.engines import build_step
from nettool.training.epochs import Training
from nettool.training.history import History
from nettool.training.loop import Job
from nettool.training.optimizers import Remembering
from nettool.training.schedules import build_schedule
from nettool.training.state import TrainingState
from nettool.training.stopping import build_stopper
from nettool.workflows.trained import make_evaluator

if TYPE_CHECKING:
    from nettool.workflows.prepare import Prepared

BATCH_NORMS = (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d)


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
