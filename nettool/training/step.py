"""One optimisation step: forward, backward, update. How the gradients are found is an engine's own affair."""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from nettool.data.dataset import Batch
from nettool.model.losses import Loss
from nettool.training.optimizers import Optimizer

Number = Tensor | float
"""A plain number where looking at it is free, on the cpu; elsewhere a look would wait for the device."""


class NonFiniteLoss(Exception):
    """The mean loss of the step's examples is not finite; the weights were not moved."""

    def __init__(self, value: float) -> None:
        super().__init__(value)
        self.value = value


class Step(ABC):
    """Moves the network's weights once for each call."""

    def __init__(self, network: nn.Module, loss: Loss, optimizer: Optimizer) -> None:
        self.network = network
        self.loss = loss
        self.optimizer = optimizer

    def __call__(self, batches: Iterator[Batch], count: int, lr: float) -> tuple[Number, Number]:
        """One update from the next `count` batches, whose examples count together.

        batches: each is used up before the next one is taken. Returns the mean loss over their examples before the
        update, and the sum of the examples' weights. Raises NonFiniteLoss, on the cpu, instead of making an update that
        would ruin the weights.
        """
        mean, weight, gradients = self._gradients(batches, count)
        self.optimizer.step(gradients, lr)
        return mean, weight

    @abstractmethod
    def _gradients(self, batches: Iterator[Batch], count: int) -> tuple[Number, Number, list[Tensor]]:
        """The mean loss, the weight, and the gradient of that mean as the optimizer takes it."""


class AutogradStep(Step):
    """Any network: torch's autograd goes back through what its forward pass has recorded."""

    def __init__(self, network: nn.Module, loss: Loss, optimizer: Optimizer) -> None:
        super().__init__(network, loss, optimizer)
        self.parameters = list(network.parameters())
        # Elsewhere a look at a number waits for the device; there the loop looks at the sum, now and then.
        self._looks = all(parameter.device.type == "cpu" for parameter in self.parameters)

    def _gradients(self, batches: Iterator[Batch], count: int) -> tuple[Number, Number, list[Tensor]]:
        return self._one(next(batches)) if count == 1 else self._several(itertools.islice(batches, count))

    def _one(self, batch: Batch) -> tuple[Number, Number, list[Tensor]]:
        logits = self.network(batch.features)
        mean = self.loss.mean(logits, batch.target, batch.weights)
        value = self._look_at(mean.detach())
        gradients = torch.autograd.grad(mean, self.parameters, materialize_grads=True)
        is_weighted = batch.weights is not None or self.loss.weighs_classes
        weight = (
            self._number(self.loss.weight_of(batch.target, batch.weights))
            if is_weighted
            else float(self.loss.count(batch.target))
        )
        return value, weight, list(gradients)

    def _several(self, batches: Iterator[Batch]) -> tuple[Number, Number, list[Tensor]]:
        """Sums the gradients of the summed losses and divides once, so that k batches equal one of their size."""
        total = weight = torch.zeros((), device=self.parameters[0].device)
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
        divisor = weight.clamp(min=torch.finfo(weight.dtype).tiny)
        mean = self._look_at(total / divisor)
        torch._foreach_div_(gradients, divisor)
        return mean, self._number(weight), gradients

    def _look_at(self, loss: Tensor) -> Number:
        value = self._number(loss)
        if isinstance(value, float) and not math.isfinite(value):
            raise NonFiniteLoss(value)
        return value

    def _number(self, value: Tensor) -> Number:
        return value.item() if self._looks else value
