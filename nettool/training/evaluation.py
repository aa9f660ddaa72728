"""A network's loss, predictions and metrics on a split, always from the nn.Module in evaluation mode."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nettool.config.signature import NextTarget, NumberTarget, Target
from nettool.data.dataset import Dataset, Stretches
from nettool.model.losses import Loss
from nettool.training.metrics import compute_metrics
from nettool.training.token_metrics import TokenCounts


@dataclass(frozen=True)
class Measured:
    """What was measured of a dataset. predictions: probabilities or numbers in the target's own units, float64
    [n, outputs]; target: the truth in the same units. None of the next tokens of a text, which are too many to keep.
    """

    loss: float
    metrics: dict[str, float]
    predictions: Tensor | None
    target: Tensor | None


@dataclass(frozen=True)
class Evaluator:
    """What turns a network and a dataset into numbers.

    decode: standardised numbers to the target's own units, float [n, outputs]; the identity for classes. chunk:
    examples of a forward pass; fixed, so that the same split always gives the same bits.
    """

    loss: Loss
    target: Target
    metric_names: Sequence[str]
    decode: Callable[[Tensor], Tensor]
    chunk: int

    def __call__(self, network: nn.Module, dataset: Dataset) -> tuple[float, dict[str, float]]:
        """The mean loss and the metrics of the whole dataset."""
        measured = self.measure(network, dataset)
        return measured.loss, measured.metrics

    def measure(self, network: nn.Module, dataset: Dataset) -> Measured:
        """The same, with the predictions that the metrics were made of."""
        steps = self.measure_in_steps(network, dataset)
        while True:
            try:
                next(steps)
            except StopIteration as done:
                measured: Measured = done.value
                return measured

    def measure_in_steps(self, network: nn.Module, dataset: Dataset) -> Generator[None, None, Measured]:
        """Yields after each chunk of examples, for whoever wants to leave; returns what `measure` does."""
        loss_sum, weight_sum, counts = 0.0, 0.0, TokenCounts()
        kept: list[Tensor] = []
        for batch in dataset.chunks(self.chunk):
            with evaluating(network):  # ends before the yield: who leaves there finds everything as it was
                logits = network(batch.features)
                summed, weight = self.loss.sum_and_weight(logits, batch.target, batch.weights)
                if isinstance(self.target, NextTarget):
                    counts.add(logits, batch.target)
                else:
                    kept.append(logits)
            loss_sum += float(summed)
            weight_sum += float(weight)
            yield
        loss = loss_sum / weight_sum if weight_sum else float("nan")
        if isinstance(self.target, NextTarget):
            return Measured(loss, counts.metrics(self.metric_names), None, None)
        # In float64, so that a small probability is not rounded to 0 before its logarithm is taken.
        predictions, target = self.loss.predictions(torch.cat(kept).cpu().double()), dataset.target
        assert isinstance(target, Tensor)
        if isinstance(self.target, NumberTarget):
            predictions, target = self.decode(predictions), self.decode(target)
        metrics = compute_metrics(self.metric_names, predictions, target, self.target, dataset.weights)
        return Measured(loss, metrics, predictions, target)


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Inside, the network drops nothing and keeps no gradients; afterwards it is as before."""
    was_training = network.training
    network.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        network.train(was_training)


def forward(network: nn.Module, features: Tensor | Stretches, chunk: int) -> Tensor:
    """Logits of every example, in order, without dropout: float [n, outputs]."""
    with evaluating(network):
        return torch.cat([network(features[start : start + chunk]) for start in range(0, len(features), chunk)])
