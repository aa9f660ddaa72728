"""What lives in the layers of a network: their weights, what they put out, and the gradients that reach them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from nettool.analysis.outcomes import Array
from nettool.analysis.passes import Passed, watching
from nettool.data.dataset import Batch
from nettool.model.compile import Network
from nettool.model.plans import NetworkPlan
from nettool.model.stack import real_steps

SATURATED = {"sigmoid": (0.02, 0.98), "tanh": (-0.96, 0.96)}
"""Outside of these, an activation hardly moves any more."""
ALWAYS = 0.95
"""Of the examples: a unit that is saturated for so many of them is called so."""


@dataclass(frozen=True)
class Distribution:
    """Numbers of one layer. values: float64 [k]. note: what is wrong with some of its units, in words."""

    name: str
    values: Array
    note: str = ""


@dataclass(frozen=True)
class Health:
    """Units of a layer with an activation. dead: of relu, that put out 0 for every example; saturated: of sigmoid and
    tanh, that are at an end for nearly every one.
    """

    name: str
    num_units: int
    dead: int
    saturated: int

    @property
    def note(self) -> str:
        """In words; nothing where all is well."""
        if self.dead:
            return f"{self.dead} of {self.num_units} units are dead: 0 for every example"
        return f"{self.saturated} of {self.num_units} units are saturated" if self.saturated else ""


def leaf_modules(network: Network, plan: NetworkPlan) -> Iterator[tuple[str, str, nn.Module]]:
    """Each layer that holds no other layers, in order: its name, its activation and its module."""
    named = [module for module in network.modules() if hasattr(module, "layer_name")]
    leaves = [
        module
        for module in named
        if not any(hasattr(one, "layer_name") for one in module.modules() if one is not module)
    ]
    for layer, module in zip(plan.leaves(), leaves, strict=True):
        yield layer.name, layer.activation, module


def weight_distributions(network: Network, plan: NetworkPlan) -> list[Distribution]:
    """The weights of each layer that has some, without biases."""
    found = []
    for name, _, module in leaf_modules(network, plan):
        weights = [tensor.detach().cpu().flatten() for tensor in module.parameters() if tensor.ndim > 1]
        if weights:
            found.append(Distribution(name, torch.cat(weights).double().numpy()))
    return found


def activation_distributions(
    network: Network, plan: NetworkPlan, batch: Batch
) -> tuple[list[Distribution], list[Health]]:
    """What each layer puts out for a batch, in evaluation mode, and how its units do."""
    layers = list(leaf_modules(network, plan))
    outputs = _outputs(network, [module for _, _, module in layers], batch.features)
    found, health = [], []
    for (name, activation, _), output in zip(layers, outputs, strict=True):
        units = _by_unit(output)
        health.append(_health(name, activation, units))
        found.append(Distribution(name, output.cpu().double().flatten().numpy(), health[-1].note))
    return found, health


def _outputs(network: Network, modules: Sequence[nn.Module], features: Tensor) -> list[Tensor]:
    """Of each module, without the steps that only fill a text up."""
    with watching(modules) as seen, torch.no_grad():
        network(features)
    return [_real(seen[module]) for module in modules]


def _real(passed: Passed) -> Tensor:
    output, lengths = passed.output, passed.after
    if lengths is None or output.ndim != 3:
        return output
    return output[real_steps(lengths, output.shape[1])]


def _by_unit(output: Tensor) -> Tensor:
    """[examples and places, units]: of images channels are units, of sequences features."""
    if output.ndim == 4:
        output = output.movedim(1, -1)
    return output.reshape(-1, output.shape[-1])


def _health(name: str, activation: str, units: Tensor) -> Health:
    num = units.shape[1]
    if activation == "relu":
        return Health(name, num, int((units <= 0).all(dim=0).sum()), 0)
    if activation in SATURATED:
        low, high = SATURATED[activation]
        share = ((units < low) | (units > high)).double().mean(dim=0)
        return Health(name, num, 0, int((share >= ALWAYS).sum()))
    return Health(name, num, 0, 0)


def gradient_distributions(
    network: Network, plan: NetworkPlan, batch: Batch, loss: Callable[[Tensor, Tensor, Tensor | None], Tensor]
) -> list[Distribution]:
    """The size of the gradient of each weight of each layer, on a batch: decimal logarithms, without zeros."""
    was_training = network.training
    network.eval()
    network.zero_grad()
    # Of a recurrent layer in evaluation mode cuDNN knows no gradient.
    with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
        loss(network(batch.features), batch.target, batch.weights).backward()  # type: ignore[no-untyped-call]
    found = []
    for name, _, module in leaf_modules(network, plan):
        parts = [one.grad.cpu().flatten() for one in module.parameters() if one.ndim > 1 and one.grad is not None]
        if parts:
            sizes = torch.cat(parts).abs().double().numpy()
            zeros = int((sizes == 0).sum())
            note = f"{zeros / len(sizes):.0%} of them are 0" if zeros else ""
            found.append(Distribution(name, np.log10(sizes[sizes > 0]), note))
    network.zero_grad()
    network.train(was_training)
    return found
