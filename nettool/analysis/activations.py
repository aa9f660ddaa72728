"""The functions between the layers: what each makes of a number, and how much of a gradient it lets through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import torch

from nettool.analysis.outcomes import Array
from nettool.config.layer_types import Activation
from nettool.model.compile import activation_module

REACH = 4.0
"""What goes in, from minus this to this."""
POINTS = 801


@dataclass(frozen=True)
class Response:
    """An activation. x: float64 [k], what goes in; y: what comes out; slope: its derivative, by autograd."""

    name: str
    x: Array
    y: Array
    slope: Array


def responses(reach: float = REACH, num: int = POINTS) -> list[Response]:
    """Of each activation that a config can name, in their order; of the modules that networks are built of."""
    found = []
    for name in get_args(Activation):
        x = torch.linspace(-reach, reach, num, dtype=torch.float64, requires_grad=True)
        y = activation_module(name)(x)
        (slope,) = torch.autograd.grad(y.sum(), x)
        found.append(Response(name, x.detach().numpy(), y.detach().numpy(), slope.numpy()))
    return found
