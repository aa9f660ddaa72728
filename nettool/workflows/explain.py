"""nettool explain: one training example through the network, with all numbers, for who wants to follow them by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from nettool.analysis.encoding import (
    EncodedColumn,
    EncodedTarget,
    Row,
    encoded_row,
    encoded_targets,
    table_encoder,
    token_texts,
)
from nettool.analysis.outcomes import Array
from nettool.analysis.steps import Walk
from nettool.analysis.walkthrough import walk
from nettool.config.experiment import Experiment
from nettool.config.load import load
from nettool.config.signature import NextTarget, output_names
from nettool.data.bundle import Encoders
from nettool.data.dataset import Batch, Dataset
from nettool.data.encode import load_rows
from nettool.data.examples import Split
from nettool.data.image_encoder import ImageEncoder
from nettool.data.series import SeriesEncoder
from nettool.data.targets import NumberEncoder
from nettool.data.text_encoder import StreamEncoder, TextEncoder
from nettool.errors import UsageError
from nettool.model.compile import Network, compile_network
from nettool.model.losses import Loss
from nettool.model.plans import NetworkPlan
from nettool.training.schedules import build_schedule
from nettool.workflows import machine
from nettool.workflows.build import BATCH_NORMS, build_training
from nettool.workflows.examples import found_data, load_examples
from nettool.workflows.prepare import prepare_training
from nettool.workflows.trained import load_trained, make_loss

CPU = torch.device("cpu")
CONFIG_ENDINGS = (".yaml", ".yml")


@dataclass(frozen=True)
class Shown:
    """The example as the data has it. number: in the training split, from 1. row: in the table, from 1; None of a text.

    columns: of a row, or of the last row of a series. earlier: float64 [steps, features], all rows of a series. pixels:
    uint8 [channels, height, width], of an image. tokens, codes: of a text; next_tokens: what is to be predicted.
    """

    number: int
    num_examples: int
    file: str
    row: int | None
    columns: tuple[EncodedColumn, ...]
    targets: tuple[EncodedTarget, ...]
    series: Array | None
    pixels: Array | None
    tokens: tuple[str, ...]
    codes: tuple[int, ...]
    next_tokens: tuple[str, ...]


@dataclass(frozen=True)
class Explanation:
    """An example on its way through a network.

    source: the config, or the weights. output_names: of each output; of a single one for two classes, the second.
    notes: what is otherwise in training.
    """

    source: str
    is_trained: bool
    shown: Shown
    plan: NetworkPlan
    output_names: tuple[str, ...]
    walk: Walk
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Subject:
    """A network and what it learns from. table: the rows that `split` is of; None of a text."""

    source: str
    is_trained: bool
    experiment: Experiment
    encoders: Encoders
    plan: NetworkPlan
    network: Network
    loss: Loss
    lr: float
    split: Split
    table: pa.Table | None


def explain(target: Path | None, overrides: Sequence[str] = (), example: int = 1) -> Explanation:
    """Take one training example through the network of a config, with its first weights, or of a run.

    target: a config; a run directory, its name or its best.safetensors; None for the newest run. overrides: of the
    config, or where a run's data is now. example: its number in the training split, from 1.

    Raises UsageError for a number that there is not, and what `prepare_training` and `load_trained` raise.
    """
    subject = _of_config(target, overrides) if target is not None and is_config(target) else _of_run(target, overrides)
    count = len(subject.split)
    if not 1 <= example <= count:
        raise UsageError(f"--example {example}: the training split has {count:,} examples, numbered from 1 to {count}.")
    runtime = subject.experiment.runtime
    with machine.computing(runtime, CPU, 1), machine.random_numbers(subject.experiment.seed, CPU):
        batch = _batch(subject.split, example - 1)
        if not float(subject.loss.weight_of(batch.target, batch.weights)):
            raise UsageError(f"--example {example}: its weight is 0, so its loss moves nothing. Take another one.")
        network, plan, names = subject.network, subject.plan, _names(subject)
        walked = walk(network, plan, subject.loss, batch, subject.experiment, subject.lr, names, _units(subject))
    shown = _shown(subject, batch, example - 1)
    return Explanation(subject.source, subject.is_trained, shown, plan, names, walked, tuple(_notes(subject)))


def is_config(target: Path) -> bool:
    """Whether a config is meant, not a run."""
    return target.suffix in CONFIG_ENDINGS or (target.is_file() and target.suffix != ".safetensors")


def _of_config(config: Path, overrides: Sequence[str]) -> _Subject:
    """The network that training would begin with, and the rate of its first update."""
    prepared = replace(prepare_training(load(config, overrides)), device=CPU)
    experiment, encoders = prepared.loaded.experiment, prepared.data.encoders
    network = compile_network(prepared.plan, experiment.seed)
    with prepared.loaded.located():
        split, table = load_rows(experiment.data, encoders, "train")
    steps = build_training(prepared, network).steps_per_epoch
    lr = build_schedule(experiment.schedule, experiment.optimizer.rate, steps, experiment.epochs).rate(0)
    loss = make_loss(experiment, encoders, prepared.baseline)
    return _Subject(str(config), False, experiment, encoders, prepared.plan, network, loss, lr, split, table)


def _of_run(run: Path | None, overrides: Sequence[str]) -> _Subject:
    trained = load_trained(run, overrides)
    experiment, encoders = trained.experiment, trained.encoders
    split, table = load_examples(trained, found_data(experiment.data), "train")
    loss = make_loss(experiment, encoders, trained.baseline)
    network, lr = trained.network.to(CPU), experiment.optimizer.rate
    return _Subject(str(trained.source), True, experiment, encoders, trained.plan, network, loss, lr, split, table)


def _batch(split: Split, place: int) -> Batch:
    """This one example."""
    return next(iter(Dataset.from_split(split.take(np.array([place])), CPU).chunks(1)))


def _names(subject: _Subject) -> tuple[str, ...]:
    target = subject.encoders.signature.target
    if isinstance(target, NextTarget):
        return token_texts(subject.encoders.features, range(target.vocabulary))
    return output_names(target)


def _units(subject: _Subject) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Means and deviations of the predicted numbers; nothing for classes."""
    target = subject.encoders.target
    if not isinstance(target, NumberEncoder):
        return (), ()
    return target.means * target.horizon, target.deviations * target.horizon


def _shown(subject: _Subject, batch: Batch, place: int) -> Shown:
    encoders, split, table = subject.encoders, subject.split, subject.table
    features, encoder = batch.features[0].numpy(), encoders.features
    row = int(split.rows[place])
    by_row = table_encoder(encoder)
    cells = {} if table is None else _row(table, row)
    ahead = [cells]
    if isinstance(encoder, SeriesEncoder) and table is not None:
        ahead = [_row(table, row + step) for step in range(1, encoder.horizon + 1)]
    codes: tuple[int, ...] = ()
    if isinstance(encoder, TextEncoder | StreamEncoder):
        codes = tuple(int(code) for code in features)
    target = batch.target[0].numpy()
    is_stream = isinstance(encoder, StreamEncoder)
    last = features[-1] if isinstance(encoder, SeriesEncoder) else features
    return Shown(
        number=place + 1,
        num_examples=len(split),
        file=str(next(iter(subject.experiment.data.files.values()))),
        row=None if is_stream else row + 1,
        columns=() if by_row is None else encoded_row(by_row, cells, last),
        targets=encoded_targets(encoders.target, ahead, target),
        series=features.astype(np.float64) if isinstance(encoder, SeriesEncoder) else None,
        pixels=features if isinstance(encoder, ImageEncoder) else None,
        tokens=token_texts(encoder, codes) if codes else (),
        codes=codes,
        next_tokens=token_texts(encoder, target.tolist()) if is_stream else (),
    )


def _row(table: pa.Table, row: int) -> Row:
    """The cells of a row, by their columns."""
    found: Row = table.slice(row, 1).to_pylist()[0]
    return found


def _notes(subject: _Subject) -> list[str]:
    """What is otherwise here than in training."""
    experiment = subject.experiment
    notes = []
    if experiment.batch_size != 1:
        size = "all examples" if experiment.batch_size == "full" else f"{experiment.batch_size:,} examples"
        notes.append(f"One example alone. In training the gradient is the mean over a batch of {size}.")
    if subject.split.weights is not None or subject.loss.class_weights is not None:
        whose = "examples" if subject.split.weights is not None else "classes"
        notes.append(f"The weights of {whose} say how much one counts beside others; of one alone they change nothing.")
    if any(layer.dropout for layer in subject.plan.leaves()):
        notes.append("Dropout is off: which numbers it drops is drawn anew in each step of training.")
    if any(isinstance(module, BATCH_NORMS) for module in subject.network.modules()):
        notes.append(
            "Batch norms take their running mean and variance (0 and 1 at first): a batch's own need other examples."
        )
    if experiment.data.augment is not None:
        notes.append("The image is shown as it is; training changes it a little each time (data.augment).")
    if experiment.runtime.precision != "float32":
        notes.append(f"Computed in float32, where training takes {experiment.runtime.precision}.")
    if subject.is_trained:
        notes.append(
            "The update is a first step at the config's rate: the best weights come without the optimizer's memory."
        )
    elif experiment.schedule.name != "constant" or subject.lr != experiment.optimizer.rate:
        notes.append(f"The rate is that of the first update under the schedule {experiment.schedule.name}.")
    return notes
