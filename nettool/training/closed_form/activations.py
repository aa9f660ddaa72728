"""Activations: sigma(z) forward, gradient x sigma'(z) backward."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from nettool.training.closed_form.units import Mask, Unit

aten = torch.ops.aten


class Rule(NamedTuple):
    """An activation as torch's kernels have it.

    forward: (z, out=). backward: (gradient, seen, grad_input=), where what it has to see is z, or the output: only then
    the output may lie where z lay.
    """

    forward: Callable[..., Tensor]
    backward: Callable[..., Tensor]
    sees_output: bool


def rule_of(module: nn.Module) -> Rule | None:
    """The rule of a module of torch, None for any other."""
    match module:
        case nn.ReLU():
            return Rule(partial(torch.clamp_min, min=0), _threshold_backward, sees_output=True)
        case nn.LeakyReLU(negative_slope=slope):
            return Rule(partial(aten.leaky_relu.out, negative_slope=slope), partial(_leaky_relu_backward, slope), True)
        case nn.ELU(alpha=alpha):
            return Rule(partial(aten.elu.out, alpha=alpha), partial(_elu_backward, alpha), sees_output=True)
        case nn.GELU(approximate=form):
            forward, backward = aten.gelu.out, aten.gelu_backward.grad_input
            return Rule(partial(forward, approximate=form), partial(backward, approximate=form), sees_output=False)
        case nn.SiLU():
            return Rule(aten.silu.out, aten.silu_backward.grad_input, sees_output=False)
        case nn.Tanh():
            return Rule(torch.tanh, aten.tanh_backward.grad_input, sees_output=True)
        case nn.Sigmoid():
            return Rule(torch.sigmoid, aten.sigmoid_backward.grad_input, sees_output=True)
        case nn.Softplus(beta=beta, threshold=threshold):
            settings = {"beta": beta, "threshold": threshold}
            forward, backward = aten.softplus.out, aten.softplus_backward.grad_input
            return Rule(partial(forward, **settings), partial(backward, **settings), sees_output=False)
        case _:
            return None


def _threshold_backward(gradient: Tensor, output: Tensor, grad_input: Tensor) -> Tensor:
    found: Tensor = aten.threshold_backward.grad_input(gradient, output, 0, grad_input=grad_input)
    return found


def _leaky_relu_backward(slope: float, gradient: Tensor, output: Tensor, grad_input: Tensor) -> Tensor:
    found: Tensor = aten.leaky_relu_backward.grad_input(gradient, output, slope, True, grad_input=grad_input)
    return found


def _elu_backward(alpha: float, gradient: Tensor, output: Tensor, grad_input: Tensor) -> Tensor:
    found: Tensor = aten.elu_backward.grad_input(gradient, alpha, 1, 1, True, output, grad_input=grad_input)
    return found


class Activation(Unit):
    """h = sigma(z), number by number. room: where the output goes; None for where z lay."""

    def __init__(self, rule: Rule, room: Tensor | None) -> None:
        self._rule = rule
        self._room = room

    def forward(self, x: Tensor) -> Tensor:
        """sigma(z)."""
        output = self._rule.forward(x, out=x if self._room is None else self._room)
        self._seen = output if self._rule.sees_output else x
        return output

    def backward(self, gradient: Tensor) -> Tensor:
        """Gradient x sigma'(z)."""
        return self._rule.backward(gradient, self._seen, grad_input=gradient)


class DroppedRelu(Unit):
    """A relu whose output is dropped: one look at what is left tells both apart from what goes on.

    The scale of what is kept is left to the product behind it.
    """

    def __init__(self, mask: Mask) -> None:
        self._mask = mask

    def forward(self, x: Tensor) -> Tensor:
        """max(z, 0), where it is kept."""
        self._output = x.clamp_min_(0).mul_(self._mask.draw())
        return self._output

    def backward(self, gradient: Tensor) -> Tensor:
        """The gradient where z is positive and kept."""
        return _threshold_backward(gradient, self._output, gradient)
