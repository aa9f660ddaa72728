"""What gradients are worth: how far they reach back through the layers, and how much of a batch's is chance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nettool.analysis.layers import leaf_modules
from nettool.analysis.passes import watching
from nettool.data.dataset import Batch
from nettool.model.compile import Network
from nettool.model.plans import NetworkPlan

Mean = Callable[[Tensor, Tensor, Tensor | None], Tensor]
"""The mean loss, a scalar, of the logits, target and weights of a batch."""


@dataclass(frozen=True)
class Signal:
    """size: how strongly the loss depends on what the layer puts out: the norm of the gradient by its output, of the
    whole batch.
    """

    layer: str
    size: float


def signals(network: Network, plan: NetworkPlan, batch: Batch, loss: Mean) -> list[Signal]:
    """Of each layer without inner ones, from the first with weights to the output, in the network's present mode."""
    layers = list(leaf_modules(network, plan))
    # Of a recurrent layer in evaluation mode cuDNN knows no gradient.
    with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
        with watching([module for _, _, module in layers]) as seen:
            found = loss(network(batch.features), batch.target, batch.weights)
        outputs = [(name, seen[module].output) for name, _, module in layers]
        reached = [(name, output) for name, output in outputs if output.requires_grad]
        by_output = torch.autograd.grad(found, [output for _, output in reached], materialize_grads=True)
    return [
        Signal(name, float(gradient.double().norm())) for (name, _), gradient in zip(reached, by_output, strict=True)
    ]


@dataclass(frozen=True)
class GradientNoise:
    """signal: the squared length of the true gradient. noise: the trace of the covariance of a single example's
    gradient, which a batch of B examples makes B times smaller.

    McCandlish et al. 2018, "An empirical model of large-batch training", section 2.2 and appendix A.
    """

    signal: float
    noise: float

    def share(self, batch_size: int) -> float:
        """Of the squared length of a batch's gradient, how much is chance: 0 to 1."""
        of_batch = self.noise / batch_size
        return of_batch / (of_batch + max(self.signal, 0.0)) if of_batch > 0 else 0.0

    @property
    def scale(self) -> float:
        """The batch size of which half is chance, "the simple noise scale"; infinite where no signal is seen."""
        return self.noise / self.signal if self.signal > 0 else float("inf")


def gradient_noise(network: nn.Module, batch: Batch, loss: Mean, groups: int = 64) -> GradientNoise:
    """From the gradients of groups of the examples, in evaluation mode. Raises ValueError for fewer than four examples.

    signal is unbiased, so it may come out below 0 where there is hardly any.
    """
    num = len(batch.features)
    if num < 4:
        raise ValueError("a variance needs more examples")
    groups = min(groups, num // 2)
    size = num // groups
    was_training = network.training
    network.eval()
    parameters = [one for one in network.parameters() if one.requires_grad]
    total, squares = [torch.zeros_like(one, dtype=torch.float64) for one in parameters], 0.0
    with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
        for start in range(0, groups * size, size):
            chosen = slice(start, start + size)
            weights = None if batch.weights is None else batch.weights[chosen]
            found = loss(network(batch.features[chosen]), batch.target[chosen], weights)
            for place, gradient in enumerate(torch.autograd.grad(found, parameters, materialize_grads=True)):
                total[place] += gradient.double()
                squares += float(gradient.double().square().sum())
    network.train(was_training)
    of_mean = sum(float((one / groups).square().sum()) for one in total)
    between = (squares / groups - of_mean) * groups / (groups - 1)
    return GradientNoise(of_mean - between / groups, between * size)
