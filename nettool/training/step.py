"""One optimisation step: forward, backward, update. How the gradients are found is an engine's own affair."""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from nettool.data.dataset import Batch
from nettool.model.losses import Loss
from nettool.training.optimizers import Optimizer
from nettool.training.products import by_onednn

Number = Tensor | float
"""A plain number where looking at it is free, on the cpu; elsewhere a look would wait for the device."""
Found = tuple[Number, Number, list[Tensor]]
"""The mean loss of some examples, the sum of their weights, and the gradients of that mean."""


class NonFiniteLoss(Exception):
    """The mean loss of the step's examples is not finite; the weights were not moved."""

    def __init__(self, value: float) -> None:
        super().__init__(value)
        self.value = value


def check_finite(mean: float) -> float:
    """The mean loss of a step's examples. Raises NonFiniteLoss."""
    if not math.isfinite(mean):
        raise NonFiniteLoss(mean)
    return mean


class Step(ABC):
    """Moves the network's weights once for each call. onednn: whether it computes the products."""

    def __init__(self, network: nn.Module, loss: Loss, optimizer: Optimizer, onednn: bool = False) -> None:
        self.network = network
        self.loss = loss
        self.optimizer = optimizer
        self._products = by_onednn if onednn else nullcontext

    def __call__(self, batches: Iterator[Batch], count: int, lr: float) -> tuple[Number, Number]:
        """One update from the next `count` batches, whose examples count together.

        batches: each is used up before the next one is taken. Returns the mean loss over their examples before the
        update, and the sum of the examples' weights. Raises NonFiniteLoss, on the cpu, instead of making an update that
        would ruin the weights.
        """
        mean, weight, gradients = self.find_gradients(batches, count)
        self.optimizer.step(gradients, lr)
        return mean, weight

    def find_gradients(self, batches: Iterator[Batch], count: int) -> Found:
        """The mean loss, the sum of the weights, and the gradient of that mean as the optimizer takes it."""
        with self._products():
            return self._one(next(batches)) if count == 1 else self._several(itertools.islice(batches, count))

    @abstractmethod
    def _one(self, batch: Batch) -> Found:
        """From one batch."""

    @abstractmethod
    def _several(self, batches: Iterator[Batch]) -> Found:
        """From batches that count together: sums are divided once, so that k batches equal one of their size."""


class AutogradStep(Step):
    """Any network: torch's autograd goes back through what its forward pass has recorded.

    precision: of the network's own arithmetic; weights, loss and update are float32 in any case. compiled:
    torch.compile makes kernels of forward and backward pass when it first meets a batch of some size.
    """

    def __init__(
        self,
        network: nn.Module,
        loss: Loss,
        optimizer: Optimizer,
        precision: torch.dtype = torch.float32,
        compiled: bool = False,
        onednn: bool = False,
    ) -> None:
        super().__init__(network, loss, optimizer, onednn)
        self.parameters = list(network.parameters())
        device = self.parameters[0].device.type
        # Elsewhere a look at a number waits for the device; there the loop looks at the sum, now and then.
        self._looks = device == "cpu"
        is_narrow = precision != torch.float32
        self._autocast = torch.autocast(device, precision) if is_narrow else nullcontext()
        self._mean = torch.compile(self._to_mean, dynamic=False) if compiled else self._to_mean
        self._sums = torch.compile(self._to_sums, dynamic=False) if compiled else self._to_sums

    def _one(self, batch: Batch) -> Found:
        mean = self._mean(batch)
        value = self._look_at(mean.detach())
        gradients = torch.autograd.grad(mean, self.parameters, materialize_grads=True)
        is_weighted = batch.weights is not None or self.loss.class_weights is not None
        weight = (
            self._number(self.loss.weight_of(batch.target, batch.weights))
            if is_weighted
            else float(self.loss.count(batch.target))
        )
        return value, weight, list(gradients)

    def _several(self, batches: Iterator[Batch]) -> Found:
        total = weight = torch.zeros((), device=self.parameters[0].device)
        gradients: list[Tensor] = []
        for batch in batches:
            loss_sum, weight_sum = self._sums(batch)
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

    def _logits(self, features: Tensor) -> Tensor:
        with self._autocast:
            logits: Tensor = self.network(features)
        return logits.float() if logits.dtype == torch.bfloat16 else logits

    def _to_mean(self, batch: Batch) -> Tensor:
        return self.loss.mean(self._logits(batch.features), batch.target, batch.weights)

    def _to_sums(self, batch: Batch) -> tuple[Tensor, Tensor]:
        return self.loss.sum_and_weight(self._logits(batch.features), batch.target, batch.weights)

    def _look_at(self, loss: Tensor) -> Number:
        value = self._number(loss)
        return check_finite(value) if isinstance(value, float) else value

    def _number(self, value: Tensor) -> Number:
        return value.item() if self._looks else value
