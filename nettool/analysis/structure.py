"""A network as the lecture draws it: neurons in layers, and the weights between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import nn

from nettool.analysis.layers import leaf_modules
from nettool.analysis.outcomes import Array
from nettool.config.signature import Flat, describe_shape
from nettool.model.compile import Network
from nettool.model.plans import NetworkPlan

MOST_NEURONS = 24
"""In a layer: more of them cannot be told apart."""
MOST_LAYERS = 6


@dataclass(frozen=True)
class Neurons:
    """A layer of them. weights: float [units, inputs]. bias: float [units], or None."""

    name: str
    activation: str
    weights: Array
    bias: Array | None


@dataclass(frozen=True)
class Box:
    """A layer of any kind. shape: of what it puts out, in words."""

    name: str
    shape: str
    num_parameters: int


def neurons_of(network: Network, plan: NetworkPlan) -> list[Neurons]:
    """Every layer from input to output; [] for a network that is not made of few neurons in layers alone."""
    if plan.embeddings or not isinstance(plan.input, Flat) or any(layer.inner for layer in plan.layers):
        return []
    found: list[Neurons] = []
    for name, activation, module in leaf_modules(network, plan):
        product = getattr(module, "product", None)
        if isinstance(product, nn.Linear) and not hasattr(module, "norm"):
            numbers = {key: tensor.detach().cpu().numpy() for key, tensor in product.named_parameters()}
            found.append(Neurons(name, activation, numbers["weight"], numbers.get("bias")))
        elif list(module.parameters()):
            return []
        elif found and activation != "linear":  # a layer of its own, behind the product
            found[-1] = replace(found[-1], activation=activation)
    return found if _few(found) else []


def _few(layers: Sequence[Neurons]) -> bool:
    sizes = [layer.weights.shape[1] for layer in layers[:1]] + [layer.weights.shape[0] for layer in layers]
    return 0 < len(layers) <= MOST_LAYERS and max(sizes) <= MOST_NEURONS


def boxes_of(plan: NetworkPlan) -> list[Box]:
    """Every layer of the config with what it puts out; the layers inside of a repeat or a residual are one with it."""
    return [Box(layer.name, describe_shape(layer.output), layer.num_parameters) for layer in plan.layers]
