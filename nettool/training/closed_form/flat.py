"""The weights of a network as one vector, and their gradients as another."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

ALIGNMENT = 64
"""Bytes: every weight begins where a cache line does, as torch's own memory would."""


class FlatParameters:
    """All parameters of a network side by side. values, gradients: [M, numbers].

    The network's parameters become views of `values`, so that whoever looks at the network sees what is trained.
    Between them lie zeros that nothing moves.
    """

    def __init__(self, network: nn.Module) -> None:
        parameters = list(network.parameters())
        step = ALIGNMENT // parameters[0].element_size()
        self._spans: dict[Tensor, tuple[int, int]] = {}
        end = 0
        for parameter in parameters:
            self._spans[parameter] = end, end + parameter.numel()
            end += math.ceil(parameter.numel() / step) * step
        self.values = parameters[0].new_zeros(1, end)
        self.gradients = torch.zeros_like(self.values)
        for parameter in parameters:
            value = self.value(parameter)[0]
            value.copy_(parameter.detach())
            parameter.data = value

    def value(self, parameter: Tensor) -> Tensor:
        """The parameter of every member: [M, *shape]."""
        return self._part(self.values, parameter)

    def gradient(self, parameter: Tensor) -> Tensor:
        """Its gradient: [M, *shape]."""
        return self._part(self.gradients, parameter)

    def parts(self, flat: Tensor) -> list[Tensor]:
        """Of a vector like `values`, what belongs to each parameter of the network, in their order and shapes."""
        return [self._part(flat, parameter)[0] for parameter in self._spans]

    def _part(self, flat: Tensor, parameter: Tensor) -> Tensor:
        start, end = self._spans[parameter]
        return flat[:, start:end].view(-1, *parameter.shape)
