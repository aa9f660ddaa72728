"""One optimisation step: forward, backward, update."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nettool.data.dataset import Batch
from nettool.model.losses import Loss
from nettool.training.optimizers import Optimizer


class NonFiniteLoss(Exception):
    """The mean loss of the step's examples is not finite; the weights were not moved."""

    def __init__(self, value: float) -> None:
        super().__init__(value)
        self.value = value


class Step:
    """Moves the network's weights once for each call."""

    def __init__(self, network: nn.Module, loss: Loss, optimizer: Optimizer) -> None:
        self.network = network
        self.loss = loss
        self.optimizer = optimizer
        self.parameters = list(network.parameters())
        # Elsewhere a look at a number waits for the device; there the loop looks at the sum, now and then.
        self._looks = all(parameter.device.type == "cpu" for parameter in self.parameters)

    def __call__(self, batches: Sequence[Batch], lr: float) -> tuple[Tensor, Tensor | float]:
        """One update from one batch, or from several whose examples count together.

        Returns the mean loss over their examples before the update, and the sum of the examples' weights. Raises
        NonFiniteLoss, on the cpu, instead of making an update that would ruin the weights.
        """
        together = self._one if len(batches) == 1 else self._several
        mean, weight, gradients = together(batches)
        self.optimizer.step(gradients, lr)
        return mean, weight

    def _one(self, batches: Sequence[Batch]) -> tuple[Tensor, Tensor | float, list[Tensor]]:
        (batch,) = batches
        logits = self.network(batch.features)
        mean = self.loss.mean(logits, batch.target, batch.weights)
        self._look_at(mean)
        gradients = torch.autograd.grad(mean, self.parameters, materialize_grads=True)
        is_weighted = batch.weights is not None or self.loss.weighs_classes
        weight = (
            self.loss.weight_of(batch.target, batch.weights) if is_weighted else float(self.loss.count(batch.target))
        )
        return mean.detach(), weight, list(gradients)

    def _several(self, batches: Sequence[Batch]) -> tuple[Tensor, Tensor | float, list[Tensor]]:
        """Sums the gradients of the summed losses and divides once, so that k batches equal one of their size."""
        total = weight = torch.zeros((), device=batches[0].features.device)
        gradients: list[Tensor] = []
        for batch in batches:
            logits = self.network(batch.features)
            loss_sum, weight_sum = self.loss.sum_and_weight(logits, batch.target, batch.weights)
            found = torch.autograd.grad(loss_sum, self.parameters, materialize_grads=True)
            total, weight = total + loss_sum.detach(), weight + weight_sum
            if gradients:
                torch._foreach_add_(gradients, found)
            else:
                gradients = list(found)
        self._look_at(total)
        divisor = weight.clamp(min=torch.finfo(weight.dtype).tiny)
        torch._foreach_div_(gradients, divisor)
        return total / divisor, weight, gradients

    def _look_at(self, loss: Tensor) -> None:
        if self._looks and not math.isfinite(value := loss.item()):
            raise NonFiniteLoss(value)
