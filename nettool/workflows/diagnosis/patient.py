"""A run that is examined, and what several checks measure of it, each number once."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nettool.analysis.layers import Health, activation_distributions
from nettool.analysis.learning import Learning
from nettool.analysis.outcomes import Array
from nettool.config.experiment import Experiment
from nettool.config.load import load
from nettool.config.signature import ClassTarget, LabelTarget, NextTarget, NumberTarget
from nettool.data.dataset import Batch, Dataset, to_tensor
from nettool.data.examples import Split, spread
from nettool.errors import RunError
from nettool.model.compile import Network
from nettool.model.memory import evaluation_chunk
from nettool.model.plans import NetworkPlan
from nettool.training.classification_metrics import decide
from nettool.training.evaluation import evaluating, forward
from nettool.workflows.check import check_config
from nettool.workflows.pictures.path import past_weights
from nettool.workflows.pictures.subject import Subject, Unsuitable
from nettool.workflows.trained import Trained
from nettool.workflows.words import as_typed, listed

MOST_EXAMPLES, MOST_FLOPS = 5000, 5e10
"""Of each split that losses are measured on, and about as much arithmetic: enough for a mean."""
FLOPS_OF_GRADIENTS = 1e10
"""Of the examples that gradients are taken of, forward."""
FEWEST_EXAMPLES = 32
MOST_LOOKED_AT = 2000
"""Training examples that layers and gradients are looked at with."""
CAUSES = (
    "linear by mistake", "vanishing gradients", "exploding gradients",
    "learning rate too low", "learning rate too high", "stopped while it was still learning",
)  # fmt: skip
"""Of not learning what there is to learn."""
LEAST = 1e-12
"""A probability that the baseline gives at least, so that its loss is a number."""


@dataclass(frozen=True)
class Losses:
    """Of each example, without dropout, in the loss's own units, and how much it counts: float64 [n]."""

    each: Array
    weights: Array

    @property
    def mean(self) -> float:
        """The loss, as training has it."""
        return float((self.each * self.weights).sum() / self.weights.sum())

    @property
    def error(self) -> float:
        """The standard error of the mean, by how much another such split would differ; infinite for one example."""
        num = len(self.each)
        if num < 2:
            return math.inf
        with np.errstate(invalid="ignore"):  # infinite losses have no deviation
            squares = np.square(self.weights * (self.each - self.mean)).sum()
        return float(np.sqrt(squares * num / (num - 1)) / self.weights.sum())

    def less(self, other: Losses) -> Losses:
        """How much worse than another model, example by example."""
        return Losses(self.each - other.each, self.weights)


class Patient:
    """A run, what it left, and its best weights."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.found: list[str] = []
        """Verdicts so far: what comes later may follow from them."""

    @property
    def experiment(self) -> Experiment:
        """The resolved config."""
        return self.subject.experiment

    @property
    def record(self) -> dict[str, Any]:
        """run.json."""
        return self.subject.record

    @property
    def trained(self) -> Trained:
        """The best weights."""
        return self.subject.trained

    @cached_property
    def plan(self) -> NetworkPlan:
        """The layers, which config and data tell where no weights were saved."""
        try:
            return self.trained.plan
        except RunError:
            return check_config(load(self.subject.run.config, self.subject.overrides), all_rows=False).plan

    @cached_property
    def train(self) -> Split:
        """Examples of the training split, as many as it takes."""
        return self._some(self.subject.train)

    @cached_property
    def validation(self) -> Split:
        """The same of the validation split; never of the test. Raises Unsuitable where there is none."""
        if self.subject.validation is None:
            raise Unsuitable("there is no validation split")
        return self._some(self.subject.validation)

    def _some(self, split: Split) -> Split:
        most = min(MOST_EXAMPLES, max(FEWEST_EXAMPLES, int(MOST_FLOPS / max(self.trained.plan.flops, 1))))
        return split if len(split) <= most else split.take(spread(len(split), most))

    @cached_property
    def train_losses(self) -> Losses:
        """With the best weights, on the training split."""
        return self._on_train[0]

    @cached_property
    def validation_losses(self) -> Losses:
        """With the best weights, on the validation split."""
        return self._on_validation[0]

    @cached_property
    def naive_losses(self) -> Losses:
        """Of the baseline, on the validation split."""
        return self._on_validation[1]

    @cached_property
    def _on_train(self) -> tuple[Losses, Losses]:
        return self._losses(self.train)

    @cached_property
    def _on_validation(self) -> tuple[Losses, Losses]:
        return self._losses(self.validation)

    @cached_property
    def naive_loss(self) -> float:
        """Of the baseline: on the validation split, or on that of training where there is none."""
        try:
            return self.naive_losses.mean
        except Unsuitable:
            return self._on_train[1].mean

    @cached_property
    def learning(self) -> Learning:
        """What the losses of the epochs say. Raises Unsuitable where none of them is a number."""
        found = Learning.from_rows(self.subject.rows, self.naive_loss)
        if not len(found.epochs):
            raise Unsuitable("the losses of all epochs are infinite, or no numbers")
        return found

    def _losses(self, split: Split) -> tuple[Losses, Losses]:
        """Of the network, and of the baseline."""
        trained = self.trained
        unweighted = copy.copy(trained.loss)
        unweighted.class_weights = None
        dataset = Dataset.from_split(split, trained.device)
        own, naive, weights, at = [], [], [], 0
        with self.subject.computing():
            for batch in dataset.chunks(evaluation_chunk(trained.plan)):
                with evaluating(trained.network):
                    logits = trained.network(batch.features)
                said = self._baseline_logits(dataset, at, len(logits)).to(logits).expand_as(logits)
                at += len(logits)
                own.append(unweighted.each(logits, batch.target))
                naive.append(unweighted.each(said, batch.target))
                weights.append(self._weights_of(batch))
        each, others, counts = (torch.cat(parts).cpu().double().numpy() for parts in (own, naive, weights))
        counted = counts > 0
        if not counted.any():
            raise Unsuitable("no example of the split counts")
        return Losses(each[counted], counts[counted]), Losses(others[counted], counts[counted])

    def _weights_of(self, batch: Batch) -> Tensor:
        """How much each example counts: by its own weight, and by that of its class."""
        weights = torch.ones(len(batch.features)) if batch.weights is None else batch.weights.cpu()
        by_class = self.trained.loss.class_weights
        return weights if by_class is None else weights * by_class.cpu()[batch.target.cpu().reshape(-1).long()]

    def _baseline_logits(self, dataset: Dataset, start: int, num: int) -> Tensor:
        """What the baseline would have to put out for these examples."""
        if dataset.naive is not None:
            return dataset.naive[start : start + num]
        said = torch.tensor(self.trained.baseline, dtype=torch.float64)
        weights = self.trained.loss.class_weights
        match self.trained.target:
            case NumberTarget():
                return torch.zeros(1, len(said))  # their mean, in standardised units
            case ClassTarget(binary=True) if weights is not None:
                no, yes = weights.cpu().double()
                return torch.log((said * yes).clamp_min(LEAST) / ((1 - said) * no).clamp_min(LEAST))[None]
            case ClassTarget(binary=True) | LabelTarget():
                return torch.logit(said, eps=LEAST)[None]
            case ClassTarget() | NextTarget():
                said = said if weights is None else said * weights.cpu().double()
                return (said / said.sum()).clamp_min(LEAST).log()[None]

    def network_when(self, share: float) -> tuple[Network, int]:
        """The network as it was when this share of what the training loss fell by had been gained, of the epochs whose
        weights are known; at the latest, the best. And the epoch.
        """
        epochs, past = past_weights(self.subject.run)
        learning = self.learning
        wanted = learning.train[0] - share * (learning.train[0] - learning.train.min())
        reached = learning.epochs[np.argmax(learning.train <= wanted)]
        for epoch, weights in zip(epochs, past, strict=True):
            if epoch >= reached:
                return self.subject.with_weights(weights).trained.network, epoch
        return self.trained.network, self.trained.epoch

    def said(self, split: Split) -> Array:
        """What the best weights say: the class, int64 [n], or numbers in standardised units, float64 [n, outputs]."""
        trained = self.trained
        with self.subject.computing():
            features = to_tensor(split.features, trained.device)
            logits = forward(trained.network, features, evaluation_chunk(trained.plan))
            said = trained.loss.predictions(logits).cpu().double().numpy()
        return said if isinstance(trained.target, NumberTarget) else decide(said)

    def first_the_causes(self) -> str:
        """What to mend before anything else; nothing where nothing was found that the rest may follow from."""
        causes = [name for name in self.found if name in CAUSES]
        return f"# First what is said above: {listed(causes)}." if causes else ""

    @property
    def has_weights(self) -> bool:
        """Whether some examples or classes count more than others."""
        return self.trained.loss.class_weights is not None or self.validation.weights is not None

    @property
    def rate(self) -> float:
        """The learning rate, that of the first step where a schedule changes it."""
        return self.experiment.optimizer.rate

    def optimizer(self, **changes: float) -> str:
        """The line of the config, with these settings in place of its own."""
        spec = self.experiment.optimizer
        given = spec.model_dump(exclude_defaults=True)
        return section("optimizer", {"name": spec.name, "lr": self.rate, **given, **changes})

    def activation(self, name: str, layers: Sequence[str], why: str) -> str:
        """The line of the config that gives these layers another activation; in words where each has one of its own."""
        leaves = [layer for layer in self.plan.leaves() if layer.name in layers]
        own = [layer.name for layer in leaves if getattr(layer.spec, "activation", None) is not None]
        return f"# in {listed(own)}: activation: {name} ({why})" if own else f"activation: {name}   # {why}"

    @cached_property
    def units(self) -> list[tuple[str, Health]]:
        """The activation of each layer, and how its units do on training examples."""
        trained = self.trained
        with self.subject.computing(), evaluating(trained.network):
            health = activation_distributions(trained.network, trained.plan, self.batch(MOST_LOOKED_AT))[1]
        return [(layer.activation, one) for layer, one in zip(trained.plan.leaves(), health, strict=True)]

    def batch(self, most: int) -> Batch:
        """So many training examples, or as many as it takes."""
        fitting = max(FEWEST_EXAMPLES, int(FLOPS_OF_GRADIENTS / max(self.trained.plan.flops, 1)))
        return self.subject.some(min(most, fitting, self.subject.most_examples))


def section(key: str, settings: Mapping[str, Any]) -> str:
    """A section of the config in a line, without what is not set."""
    inside = ", ".join(f"{name}: {as_typed(value)}" for name, value in settings.items() if value is not None)
    return f"{key}: {{{inside}}}"


def sized(value: float) -> str:
    """To two digits, without an exponent where none is needed."""
    return f"{value:,.0f}" if 100 <= abs(value) < 1e6 else f"{value:.2g}"
