"""One optimisation step: forward, backward, update."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nettool.data.dataset import Batch
from nettool.model.losses import Loss
from nettool.training.optimizers import Optimizer


class Step:
    """Moves the network's weights once for each call."""

    def __init__(self, network: nn.Module, loss: Loss, optimizer: Optimizer) -> None:
        self.network = network
        self.loss = loss
        self.optimizer = optimizer
        self.parameters = list(network.parameters())

    def __call__(self, batches: Sequence[Batch], lr: float) -> tuple[Tensor, Tensor | float]:
        """One update from one batch, or from several whose examples count together.

        Returns the mean loss over their examples before the update, and the sum of the examples' weights.
        """
        if len(batches) == 1:
            mean, weight = self._backward_mean(batches[0])
        else:
            mean, weight = self._backward_together(batches)
        self.optimizer.step(self._gradients, lr)
        return mean, weight

    def _backward_mean(self, batch: Batch) -> tuple[Tensor, Tensor | float]:
        logits = self.network(batch.features)
        mean = self.loss.mean(logits, batch.target, batch.weights)
        self._gradients = list(torch.autograd.grad(mean, self.parameters, materialize_grads=True))
        if batch.weights is None and not self.loss.weighs_classes:
            return mean.detach(), float(len(batch.features))
        return mean.detach(), self.loss.weight_of(batch.target, batch.weights)

    def _backward_together(self, batches: Sequence[Batch]) -> tuple[Tensor, Tensor]:
        """Sums the gradients of the summed losses and divides once, so that k batches equal one of their size."""
        total, weight = None, None
        for batch in batches:
            logits = self.network(batch.features)
            loss_sum, weight_sum = self.loss.sum_and_weight(logits, batch.target, batch.weights)
            gradients = torch.autograd.grad(loss_sum, self.parameters, materialize_grads=True)
            if total is None or weight is None:
                total, weight = loss_sum.detach(), weight_sum
                self._gradients = list(gradients)
            else:
                total, weight = total + loss_sum.detach(), weight + weight_sum
                torch._foreach_add_(self._gradients, gradients)
        assert total is not None
        assert weight is not None
        divisor = weight.clamp(min=torch.finfo(weight.dtype).tiny)
        torch._foreach_div_(self._gradients, divisor)
        return total / divisor, weight
