"""nettool check: everything that can be known before training, by arithmetic and a look at the data. Never torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from nettool.config.data import DataSpec, SplitName
from nettool.config.load import Loaded
from nettool.config.losses import LossSpec
from nettool.config.runtime import Runtime
from nettool.data.bundle import TrainingData
from nettool.data.columns import Column
from nettool.data.prepare import prepare
from nettool.data.targets import ClassEncoder
from nettool.data.text_encoder import StreamEncoder, TextEncoder
from nettool.data.values import show
from nettool.errors import ConfigError, Mistake
from nettool.model.class_weights import class_weights_from
from nettool.model.memory import training_bytes
from nettool.model.plans import NetworkPlan
from nettool.model.shapes import plan_network
from nettool.model.verdicts import linear_warning, without_closed_form
from nettool.workflows.room import check_room

MOST_SHOWN = 60
"""Characters of a text that are shown."""
MOST_UNITS = 20
"""Characters or words of a vocabulary that are shown."""
FIRST_ROWS = 10_000
"""Rows that are read to know the widths, where the whole data is not asked for."""


class Read(Protocol):
    """See `nettool.data.prepare.prepare`."""

    def __call__(self, spec: DataSpec, loss: LossSpec, *, rows: int | None = None) -> TrainingData:
        """What training needs of the data."""


@dataclass(frozen=True)
class Checked:
    """A config that makes sense, with the data it was held against."""

    loaded: Loaded
    data: TrainingData
    plan: NetworkPlan
    batch_size: int
    notes: tuple[str, ...]

    @property
    def training_bytes(self) -> int:
        """Memory that training takes, about, beside Python and torch themselves."""
        num_examples = sum(len(split) for split in self.data.splits.values())
        worked_on = self.batch_size
        if self.loaded.experiment.runtime.allows_closed_form and not without_closed_form(self.plan):
            # It has other memory for the last batch of an epoch.
            worked_on += len(self.data.splits["train"]) % self.batch_size
        return training_bytes(self.plan, self.loaded.experiment.optimizer, worked_on, num_examples)


def summarise(column: Column) -> str:
    """What stands in a column: why it is ignored, or some of its values."""
    examples = ", ".join(column.examples[:4])
    if column.kind == "ignore":
        return column.reason
    if column.kind == "image":
        return "images"
    if column.kind == "text":
        return show(column.examples[0], MOST_SHOWN) if column.examples else ""
    return f"{column.num_distinct} levels: {examples}" if column.kind == "category" else examples


def describe_vocabulary(data: TrainingData) -> str:
    """What a text is made of, in a line; nothing for other data."""
    encoder = data.encoders.features
    if not isinstance(encoder, StreamEncoder | TextEncoder):
        return ""
    vocabulary = encoder.vocabulary
    if vocabulary.unit == "byte":
        return "vocabulary: all 256 bytes"
    listed = ", ".join(show(token) for token in vocabulary.units[:MOST_UNITS])
    rest = ", ..." if len(vocabulary.units) > MOST_UNITS else ""
    return f"vocabulary: {len(vocabulary.units):,} {vocabulary.unit}s: {listed}{rest}"


def class_shares(data: TrainingData) -> dict[str, dict[SplitName, float]]:
    """For each class its share of each split; empty where no single class is predicted."""
    encoder = data.target
    if not isinstance(encoder, ClassEncoder):
        return {}
    shares: dict[str, dict[SplitName, float]] = {name: {} for name in encoder.classes}
    for split_name, split in data.splits.items():
        assert isinstance(split.target, np.ndarray)
        counts = np.bincount(split.target.reshape(-1).astype(np.int64), minlength=len(encoder.classes))
        for name, count in zip(encoder.classes, counts, strict=True):
            shares[name][split_name] = count / len(split.target)
    return shares


def check_config(loaded: Loaded, all_rows: bool, read: Read = prepare) -> Checked:
    """Hold a config against its data. Raises ConfigError or DataError for whatever keeps it from training.

    read: how the data are had, where several configs share them.
    """
    experiment = loaded.experiment
    with loaded.located():
        data = read(experiment.data, experiment.loss, rows=None if all_rows else FIRST_ROWS)
        plan = plan_network(experiment, data.signature)
        _check_engine(experiment.runtime, plan)
        if isinstance(data.target, ClassEncoder):
            classes = data.target.classes
            class_weights_from(experiment.loss, classes, [1.0] * len(classes))
        num_examples = len(data.splits["train"])
        batch_size = num_examples if experiment.batch_size == "full" else min(experiment.batch_size, num_examples)
        check_room(experiment, plan, batch_size)
    warning = linear_warning(plan)
    notes = (*data.notes, *([warning] if warning else []))
    return Checked(loaded, data, plan, batch_size, notes)


def _check_engine(runtime: Runtime, plan: NetworkPlan) -> None:
    layer = without_closed_form(plan)
    if runtime.engine == "closed_form" and layer:
        text = f"there is a closed form of dense, activation, dropout and norm layers alone, and none of {layer}."
        raise ConfigError([Mistake(("runtime", "engine"), f"{text} Leave the choice to nettool: engine: auto.")])
