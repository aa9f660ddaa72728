"""The loss along the straight line between two networks of the same shapes.

Goodfellow et al. 2015, "Qualitatively characterizing neural network optimization problems". How far the loss rises
above the straight line between its ends is the barrier of Frankle et al. 2020, "Linear mode connectivity and the
lottery ticket hypothesis".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from nettool.analysis.outcomes import Array

BEYOND = 0.25
"""Of the way, on beyond either end."""
EACH = 20
"""Points between the ends."""
Tensors = Mapping[str, Tensor]
"""Weights and running statistics of a network, by their names."""


@dataclass(frozen=True)
class Line:
    """at: float64 [k], 0 at the one network, 1 at the other. values: what was measured there, each [k]."""

    at: Array
    values: Mapping[str, Array]

    def barrier(self, name: str) -> tuple[float, float]:
        """How far a loss rises above the straight line between its ends, and where; infinite where it is no number."""
        at, found = self._inside(name)
        above = np.nan_to_num(found - (found[0] + at * (found[-1] - found[0])), nan=np.inf)
        place = int(above.argmax())
        return float(above[place]), float(at[place])

    def climb(self, name: str) -> float:
        """How far at most it rises on the way from 0 to 1, above the lowest place before; infinite as above."""
        _, found = self._inside(name)
        return float(np.nan_to_num(found - np.minimum.accumulate(found), nan=np.inf).max())

    def _inside(self, name: str) -> tuple[Array, Array]:
        inside = (self.at >= 0) & (self.at <= 1)
        return self.at[inside], self.values[name][inside]


def places(each: int = EACH, beyond: float = BEYOND) -> Array:
    """From before the one end to after the other, with both ends among them: float64 [k]."""
    outside = round(each * beyond)
    places: Array = np.arange(-outside, each + outside + 1) / each
    return places


def between(first: Tensors, second: Tensors, at: float, parameters: frozenset[str]) -> dict[str, Tensor]:
    """The network at this place. At 0 and at 1 it has the bits of the ends.

    parameters: the names of those that are weights. Others, the running statistics of batch norm, are interpolated as
    well, but beyond an end they stay what they are there: a variance must not fall below 0.
    """
    found = {}
    for name, one in first.items():
        share = at if name in parameters else min(max(at, 0.0), 1.0)
        found[name] = torch.lerp(one, second[name], share) if one.is_floating_point() else second[name]
    return found


def along(
    network: nn.Module, first: Tensors, second: Tensors, at: Array, measure: Callable[[], Mapping[str, float]]
) -> Line:
    """What `measure` finds of the network at each place between the two, one of which may be the network as it is.
    Afterwards it is as before.
    """
    parameters = frozenset(name for name, _ in network.named_parameters())
    before, first, second = (
        {name: tensor.clone() for name, tensor in tensors.items()} for tensors in (network.state_dict(), first, second)
    )
    try:
        rows = []
        for place in at.tolist():
            network.load_state_dict({**before, **between(first, second, place, parameters)})
            rows.append(dict(measure()))
    finally:
        network.load_state_dict(before)
    return Line(at, {name: np.array([row[name] for row in rows], np.float64) for name in rows[0]})
