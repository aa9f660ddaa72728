"""What convolutions look for: their kernels, and what they answer to an example."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

from nettool.analysis.layers import leaf_modules, outputs_of
from nettool.analysis.outcomes import Array
from nettool.config.convolutions import Flatten, Reshape
from nettool.config.layers import BatchNorm, Dropout, LayerNorm
from nettool.model.compile import Network
from nettool.model.plans import NetworkPlan
from nettool.model.spatial import Conv1d
from nettool.training.evaluation import evaluating

CANCELLED, ONE_SIGNED = 0.25, 0.75
"""Of |sum| / sum of |weights|: below the first a kernel sees contrast alone, above the second mostly brightness."""


@dataclass(frozen=True)
class Filters:
    """A convolution and what it answers. kernels: float64 [filters, inputs, height, width], in time [filters, inputs,
    size]. answers: what its layer puts out for one example, float64 [filters, height, width] or [filters, steps].
    """

    name: str
    kernels: Array
    answers: Array

    @property
    def in_time(self) -> bool:
        """Whether it goes over time, not over an image."""
        return self.kernels.ndim == 3

    def strongest(self, most: int) -> list[int]:
        """The filters that answer most to the example (mean size of the answer), in the order of their numbers."""
        strength = np.abs(self.answers).reshape(len(self.answers), -1).mean(axis=1)
        return sorted(np.argsort(-strength, kind="stable")[:most].tolist())


def convolutions(network: Network, plan: NetworkPlan, features: Tensor, most: int = 2) -> list[Filters]:
    """The first convolutions from the input on, at most so many. features: [1, ...], one encoded example."""
    found: list[tuple[str, nn.Module, nn.Conv2d | Conv1d]] = []
    for name, _, module in leaf_modules(network, plan):
        product = getattr(module, "product", None)
        if isinstance(product, nn.Conv2d | Conv1d):
            found.append((name, module, product))
    found = found[:most]
    with evaluating(network):
        outputs = outputs_of(network, [module for _, module, _ in found], features)
    return [
        Filters(name, _double(product.weight), _by_filter(output, in_time=isinstance(product, Conv1d)))
        for (name, _, product), output in zip(found, outputs, strict=True)
    ]


def _double(tensor: Tensor) -> Array:
    numbers: Array = tensor.detach().cpu().double().numpy()
    return numbers


def _by_filter(output: Tensor, in_time: bool) -> Array:
    return _double(output.reshape(-1, output.shape[-1]).T if in_time else output[0])


def first_dense(network: Network, plan: NetworkPlan) -> tuple[str, Array] | None:
    """The first dense (or output) layer that sees the input number by number: its name, and its weights, float64
    [units, inputs]; None where something else comes before it.
    """
    for layer, (name, _, module) in zip(plan.leaves(), leaf_modules(network, plan), strict=True):
        product = getattr(module, "product", None)
        if isinstance(product, nn.Linear):
            return name, _double(product.weight)
        if not isinstance(layer.spec, Flatten | Reshape | Dropout | BatchNorm | LayerNorm):
            return None
    return None


def one_sidedness(kernels: Array) -> Array:
    """|sum of the weights| / sum of |weights| of each filter, 0 to 1: float64 [filters].

    0 answers to contrast alone (edges, lines), as a plain surface gives nothing; 1 answers to brightness.
    """
    flat = kernels.reshape(len(kernels), -1)
    sizes = np.abs(flat).sum(axis=1)
    share: Array = np.abs(flat.sum(axis=1)) / np.where(sizes > 0, sizes, 1.0)
    return share
