"""Layers one after another, along which the lengths of padded sequences travel.

B batch, T time, F features. lengths: int64 [B], how many steps of each example are real; None where all are. What
stands at the other steps may be anything, so a layer that lets steps meet has to look at the lengths.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

Lengths = Tensor | None


class Timed(nn.Module):
    """A module that looks at the lengths, or changes them."""

    def run(self, x: Tensor, lengths: Lengths) -> tuple[Tensor, Lengths]:
        """The output, and the lengths that hold for it."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """The output where every step is real."""
        return self.run(x, None)[0]


class Stack(nn.Sequential, Timed):
    """torch's Sequential, which hands the lengths on to whoever looks at them."""

    def run(self, x: Tensor, lengths: Lengths) -> tuple[Tensor, Lengths]:
        """One layer after another."""
        if lengths is None:
            return self(x), None
        for module in self:
            if isinstance(module, Timed):
                x, lengths = module.run(x, lengths)
            else:
                x = module(x)
        return x, lengths


class Residual(Timed):
    """input + layers(input), or projection(input) + layers(input) (He et al. 2016)."""

    def __init__(self, layers: Stack, projection: nn.Module | None) -> None:
        super().__init__()
        self.layers = layers
        self.projection = projection

    def run(self, x: Tensor, lengths: Lengths) -> tuple[Tensor, Lengths]:
        """Both ways, added."""
        out, after = self.layers.run(x, lengths)
        return out + (x if self.projection is None else self.projection(x)), after


def real_steps(lengths: Tensor, time: int) -> Tensor:
    """Which steps are real: bool [B, T]."""
    return torch.arange(time, device=lengths.device) < lengths[:, None]


def silenced(x: Tensor, lengths: Lengths, value: float = 0.0) -> Tensor:
    """[B, T, F] with `value` at every step that is not real."""
    if lengths is None:
        return x
    return x.masked_fill(~real_steps(lengths, x.shape[1])[:, :, None], value)
