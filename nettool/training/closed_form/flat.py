"""The weights of networks as one vector each, side by side, and their gradients as another."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

ALIGNMENT = 64
"""Bytes: every weight begins where a cache line does, as torch's own memory would."""


class FlatParameters:
    """All parameters of networks of the same shapes. values, gradients: [M, numbers].

    The networks' parameters become views of `values`, and their buffers of tensors with a member axis, so that whoever
    looks at a network sees what is trained. Between the parameters lie zeros that nothing moves. The first network
    stands for all: its modules and parameters are the names under which those of every member are found.
    """

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        self._twins = {modules[0]: modules for modules in zip(*(each.modules() for each in networks), strict=True)}
        parameters = list(zip(*(each.parameters() for each in networks), strict=True))
        first = parameters[0][0]
        step = ALIGNMENT // first.element_size()
        self._spans: dict[Tensor, tuple[int, int]] = {}
        end = 0
        for parameter, *_ in parameters:
            self._spans[parameter] = end, end + parameter.numel()
            end += math.ceil(parameter.numel() / step) * step
        self.values = first.new_zeros(len(networks), end)
        self.gradients = torch.zeros_like(self.values)
        for twins in parameters:
            for parameter, value in zip(twins, self.value(twins[0]), strict=True):
                value.copy_(parameter.detach())
                parameter.data = value
        self._buffers: dict[Tensor, Tensor] = {}
        for buffers in zip(*(each.buffers() for each in networks), strict=True):
            self._buffers[buffers[0]] = stacked = torch.stack(buffers)
            for buffer, value in zip(buffers, stacked, strict=True):
                buffer.data = value

    def value(self, parameter: Tensor) -> Tensor:
        """The parameter of every member: [M, *shape]."""
        return self._part(self.values, parameter)

    def gradient(self, parameter: Tensor) -> Tensor:
        """Its gradient: [M, *shape]."""
        return self._part(self.gradients, parameter)

    def buffer(self, buffer: Tensor) -> Tensor:
        """A buffer, a running mean say, of every member: [M, *shape]."""
        return self._buffers[buffer]

    def twins(self, module: nn.Module) -> Sequence[nn.Module]:
        """Of every member the module that stands where this one of the first stands."""
        return self._twins[module]

    def parts(self, flat: Tensor) -> list[Tensor]:
        """Of one member's numbers, [1, numbers], those of each parameter, in the parameters' order and shapes."""
        return [self._part(flat, parameter)[0] for parameter in self._spans]

    def _part(self, flat: Tensor, parameter: Tensor) -> Tensor:
        start, end = self._spans[parameter]
        return flat[:, start:end].view(-1, *parameter.shape)
