"""A small job to train, built without files: noisy points that one curve separates."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from nettool.config.experiment import Experiment
from nettool.config.load import load_mapping
from nettool.config.signature import ClassTarget, Signature, TableExample
from nettool.data.dataset import Batching, Dataset
from nettool.model.compile import compile_network
from nettool.model.losses import build_loss
from nettool.model.shapes import plan_network
from nettool.training.evaluation import Evaluator
from nettool.training.history import History
from nettool.training.loop import Job
from nettool.training.optimizers import build_optimizer
from nettool.training.schedules import build_schedule
from nettool.training.state import TrainingState
from nettool.training.step import AutogradStep
from nettool.training.stopping import EarlyStopper

SIGNATURE = Signature(TableExample(4), ClassTarget(("a", "b", "c"), binary=False))

Built = tuple[Job, TrainingState]
Build = Callable[..., Built]


def make_dataset(num_examples: int, seed: int, weighted: bool = False) -> Dataset:
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(num_examples, 4, generator=generator, dtype=torch.float64)
    noise = 0.3 * torch.randn(num_examples, generator=generator, dtype=torch.float64)
    target = (features[:, 0] * features[:, 1] + noise > 0).long() + (features[:, 2] > 1).long()
    weights = torch.rand(num_examples, generator=generator, dtype=torch.float64) if weighted else None
    return Dataset(features, target, weights)


def make_experiment(**changes: Any) -> Experiment:
    config = {
        "data": {"path": "unused.csv", "target": "y"},
        "layers": [{"dense": 16}, {"dense": 8}, "output"],
        "loss": "cross_entropy",
        "batch_size": 16,
        "epochs": 5,
    }
    return load_mapping({**config, **changes}).experiment


@pytest.fixture
def build() -> Build:
    def build(num_examples: int = 100, with_validation: bool = True, weighted: bool = False, **changes: Any) -> Built:
        experiment = make_experiment(**changes)
        plan = plan_network(experiment, SIGNATURE)
        network = compile_network(plan, experiment.seed).double()
        loss = build_loss(experiment.loss, SIGNATURE.target, None)
        optimizer = build_optimizer(experiment.optimizer, list(network.parameters()))
        batch_size = num_examples if experiment.batch_size == "full" else experiment.batch_size
        has_batch_norm = any(isinstance(module, torch.nn.BatchNorm1d) for module in network.modules())
        job = Job(
            train=make_dataset(num_examples, 0, weighted),
            validation=make_dataset(60, 1, weighted) if with_validation else None,
            batching=Batching(num_examples, batch_size, experiment.seed, skip_single=has_batch_norm),
            accumulate=experiment.accumulate,
            epochs=experiment.epochs,
            early_stopping=experiment.early_stopping,
            step=AutogradStep(network, loss, optimizer),
            evaluate=Evaluator(loss, SIGNATURE.target, experiment.metric_names, lambda values: values, chunk=4096),
        )
        schedule = build_schedule(experiment.schedule, experiment.optimizer.lr, job.steps_per_epoch, experiment.epochs)
        stopping = experiment.early_stopping
        stopper = None
        if stopping is not None:
            stopper = EarlyStopper(stopping.patience, stopping.min_delta, stopping.monitor)
        history = History(experiment.metric_names, with_validation)
        return job, TrainingState(network, optimizer, schedule, stopper, history)

    return build
