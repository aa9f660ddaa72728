"""A run and what pictures of it are made of, each part loaded when a picture needs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from torch import Tensor

from nettool.analysis.outcomes import Array, Outcome, outcomes_of
from nettool.analysis.pixels import PixelGrid
from nettool.config.data import DataSpec, SplitName
from nettool.config.experiment import Experiment
from nettool.config.load import load
from nettool.config.signature import NextTarget, output_names
from nettool.data.dataset import Batch, Dataset
from nettool.data.encoders import TableEncoder
from nettool.data.examples import Split, spread
from nettool.errors import DataError, UsageError
from nettool.runs.directory import RunDirectory
from nettool.runs.journal import read_metrics, read_record
from nettool.training.evaluation import Measured
from nettool.workflows import machine
from nettool.workflows.examples import found_data, has_split, load_examples
from nettool.workflows.pictures.pixels import pixels_of
from nettool.workflows.trained import Trained, load_trained

MOST_EXAMPLES, MOST_NUMBERS = 2000, 2**26
"""Of the training split that pictures of layers and losses are made of, and the activations that they may have: more
take longer and hardly change them.
"""


class Unsuitable(UsageError):
    """This picture cannot be drawn of this run; the message says why, and which can."""


@dataclass(frozen=True)
class Wishes:
    """What the user asked for. split: None for the validation split, or the test where there is none. features: the two
    of a boundary; none leaves the choice to the network. directions: of a landscape; auto is the path, if known.
    weights: two single ones that it is drawn over instead. others: runs whose ways are drawn too; of a line, its other
    end. beside: runs whose landscapes are drawn beside it.
    """

    split: SplitName | None = None
    features: tuple[str, ...] = ()
    directions: Literal["auto", "path", "random"] = "auto"
    weights: tuple[str, ...] = ()
    others: tuple[RunDirectory, ...] = ()
    beside: tuple[RunDirectory, ...] = ()


class Subject:
    """A run. overrides: where its data is now, `data.path=...`."""

    def __init__(self, run: RunDirectory, wishes: Wishes, overrides: Sequence[str] = ()) -> None:
        self.run, self.wishes, self.overrides = run, wishes, overrides
        self._failure: DataError | None = None

    def of(self, run: RunDirectory) -> Subject:
        """Another run, whose data are where those of this one are."""
        return Subject(run, self.wishes, self.overrides)

    @cached_property
    def record(self) -> dict[str, Any]:
        """run.json."""
        return read_record(self.run)

    @cached_property
    def rows(self) -> list[dict[str, float | None]]:
        """metrics.csv. Raises Unsuitable where no epoch has ended."""
        rows = read_metrics(self.run)
        if not rows:
            raise Unsuitable(f"{self.run.path}: no epoch has ended yet, so there is nothing to draw.")
        return rows

    @cached_property
    def experiment(self) -> Experiment:
        """The resolved config."""
        return load(self.run.config).experiment

    @property
    def metric_names(self) -> tuple[str, ...]:
        """What was measured after each epoch."""
        return self.experiment.metric_names

    @cached_property
    def trained(self) -> Trained:
        """The best weights."""
        return load_trained(self.run.path, self.overrides)

    @cached_property
    def _spec(self) -> DataSpec:
        return found_data(self.trained.experiment.data)

    @cached_property
    def split(self) -> SplitName:
        """The one that pictures are of. Raises UsageError for one that the data have not."""
        asked = self.wishes.split
        if asked is not None and not has_split(self._spec, asked):
            raise UsageError(f"--split {asked}: the data of this run have no such split.")
        order: tuple[SplitName, ...] = ("validation", "test", "train")
        return asked if asked is not None else next(name for name in order if has_split(self._spec, name))

    @cached_property
    def _examples(self) -> tuple[Split, pa.Table | None]:
        return self._load(self.split)

    def _load(self, name: SplitName) -> tuple[Split, pa.Table | None]:
        """What `load_examples` gives; data that are gone or changed are looked at once, whatever else asks for them."""
        if self._failure is None:
            try:
                return load_examples(self.trained, self._spec, name)
            except DataError as error:
                self._failure = error
        raise self._failure

    @property
    def examples(self) -> Split:
        """The split, encoded."""
        return self._examples[0]

    @cached_property
    def pixels(self) -> PixelGrid | None:
        """The image that the columns of the table are; None where they are none."""
        return pixels_of(self)

    @property
    def table(self) -> pa.Table | None:
        """All columns of the table that the rows of the split are of; None of a text."""
        return self._examples[1]

    @cached_property
    def train(self) -> Split:
        """The training split, encoded."""
        return self.examples if self.split == "train" else self._load("train")[0]

    @cached_property
    def validation(self) -> Split | None:
        """The validation split, encoded; None where there is none."""
        if self.split == "validation":
            return self.examples
        has_one = has_split(self._spec, "validation")
        return load_examples(self.trained, self._spec, "validation")[0] if has_one else None

    def trained_with(self, weights: Mapping[str, Tensor]) -> Trained:
        """The network with other weights of its own; what is not among them is as in the best ones."""
        trained = self.trained
        network = trained.first_network()
        network.load_state_dict({**trained.network.state_dict(), **weights})
        return replace(trained, network=network.eval())

    def with_weights(self, weights: Mapping[str, Tensor]) -> Subject:
        """The same run, its network with other weights, see `trained_with`."""
        other = Subject(self.run, self.wishes, self.overrides)
        shared = {"_spec": self._spec, "split": self.split, "_examples": self._examples}
        other.__dict__.update(shared, trained=self.trained_with(weights))
        return other

    def computing(self) -> AbstractContextManager[None]:
        """Kernels and threads as in training."""
        return machine.computing(self.trained.experiment.runtime, self.trained.device, self.trained.threads)

    @cached_property
    def measured(self) -> Measured:
        """Loss and predictions on the split."""
        with self.computing():
            dataset = Dataset.from_split(self.examples, self.trained.device)
            return self.trained.evaluator(()).measure(self.trained.network, dataset)

    @cached_property
    def outcomes(self) -> dict[str, Outcome]:
        """Of each target what was predicted of the split, beside what is true; {} of a text."""
        target = self.trained.target
        if isinstance(target, NextTarget):
            return {}
        measured = self.measured
        assert measured.predictions is not None
        assert measured.target is not None
        weights = self.examples.weights
        return dict(outcomes_of(target, measured.predictions.numpy(), measured.target.cpu().numpy(), weights))

    @property
    def num_activations(self) -> int:
        """Of one example, in all layers."""
        plan = self.trained.plan
        return plan.input.size + sum(layer.num_stored for layer in plan.leaves())

    @property
    def most_examples(self) -> int:
        """As many as memory holds the activations of, and as show what is typical."""
        return max(1, min(MOST_EXAMPLES, MOST_NUMBERS // self.num_activations))

    @cached_property
    def batch(self) -> Batch:
        """So many examples of the training split."""
        return self.some(self.most_examples)

    def some(self, most: int) -> Batch:
        """So many examples of the training split, spread over it."""
        split = self.train.take(spread(len(self.train), most))
        dataset = Dataset.from_split(split, self.trained.device)
        return next(iter(dataset.chunks(len(split))))

    def predict(self, features: Array) -> Array:
        """What the network says of encoded features: float64 [n, outputs], in the target's own units."""
        with self.computing():
            split = Split(features, None, None, np.arange(len(features)))
            predictions: Array = self.trained.predictions(split).double().numpy()
            return predictions

    @property
    def input_names(self) -> tuple[str, ...]:
        """Of the encoded columns of a table; () of anything else."""
        features = self.trained.encoders.features
        return features.feature_names if isinstance(features, TableEncoder) else ()

    @property
    def output_names(self) -> tuple[str, ...]:
        """Of each output of the network; of a single one for two classes, the second."""
        return output_names(self.trained.target)

    @cached_property
    def metric(self) -> str:
        """The one that the run is judged by, the first of its config."""
        return self.trained.experiment.metric_names[0]

    def metric_of(self, examples: Split) -> float:
        """What the network reaches on these."""
        with self.computing():
            dataset = Dataset.from_split(examples, self.trained.device)
            return self.trained.evaluator((self.metric,))(self.trained.network, dataset)[1][self.metric]

    @property
    def where(self) -> str:
        """The split and how large it is, for a caption."""
        return f"{self.split}, {len(self.examples):,} examples"
