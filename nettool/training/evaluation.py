"""A network's loss, predictions and metrics on a split, always from the nn.Module in evaluation mode."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nettool.config.signature import NumberTarget, Target
from nettool.data.dataset import Dataset
from nettool.model.losses import Loss
from nettool.training.metrics import compute_metrics

CHUNK = 4096
"""Examples a forward pass. Fixed, so that the same split always gives the same bits."""


@dataclass(frozen=True)
class Evaluator:
    """What turns a network and a dataset into numbers.

    decode: standardised numbers to the target's own units, float [n, outputs]; the identity for classes.
    """

    loss: Loss
    target: Target
    metric_names: Sequence[str]
    decode: Callable[[Tensor], Tensor]

    def __call__(self, network: nn.Module, dataset: Dataset) -> tuple[float, dict[str, float]]:
        """The mean loss and the metrics of the whole dataset."""
        loss_sum, weight_sum = 0.0, 0.0
        logits = forward(network, dataset.features)
        for chunk, part in zip(dataset.chunks(CHUNK), torch.split(logits, CHUNK), strict=True):
            summed, weight = self.loss.sum_and_weight(part, chunk.target, chunk.weights)
            loss_sum += float(summed)
            weight_sum += float(weight)
        loss = loss_sum / weight_sum if weight_sum else float("nan")
        return loss, self.metrics(logits, dataset)

    def metrics(self, logits: Tensor, dataset: Dataset) -> dict[str, float]:
        """The metrics of these logits, in the target's own units."""
        # In float64, so that a small probability is not rounded to 0 before its logarithm is taken.
        predictions, target = self.loss.predictions(logits.cpu().double()), dataset.target
        if isinstance(self.target, NumberTarget):
            predictions, target = self.decode(predictions), self.decode(target)
        return compute_metrics(self.metric_names, predictions, target, self.target, dataset.weights)


@torch.no_grad()
def forward(network: nn.Module, features: Tensor) -> Tensor:
    """Logits of every example, in order, without dropout: float [n, outputs]."""
    was_training = network.training
    network.eval()
    try:
        parts = [network(chunk) for chunk in torch.split(features, CHUNK)]
    finally:
        network.train(was_training)
    return torch.cat(parts)
