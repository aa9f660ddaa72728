"""Gradients beside finite differences, layer by layer, in float64."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nettool.analysis.gradients import Mean
from nettool.data.dataset import Batch
from nettool.data.examples import spread
from nettool.model.compile import Network
from nettool.training.divergence import layer_of

STEP = 1e-6
"""Either way, times the size of the weight where that is above 1."""
ROUNDING = 1e-9
"""What rounding alone makes of a slope, for losses up to about 10: no error."""
MOST_OF_A_TENSOR = 12
TOLERANCE = 1e-4
"""Largest error, of the largest gradient of the tensor, that rounding and curvature explain."""


@dataclass(frozen=True)
class Checked:
    """A weight tensor. num: numbers of it that were looked at. kinks: those left out, since the loss has a corner there
    (of relu, of a maximum), where there is no gradient. error: the largest difference, divided by the largest gradient
    that was looked at. of_closed_form: the same of gradients written out; None where there are none.
    """

    layer: str
    tensor: str
    num: int
    kinks: int
    error: float
    of_closed_form: float | None

    @property
    def fine(self) -> bool:
        """Whether all say the same."""
        return max(self.error, self.of_closed_form or 0.0) <= TOLERANCE


def check_gradients(
    network: Network, batch: Batch, loss: Mean, closed_form: Mapping[str, Tensor] | None = None
) -> list[Checked]:
    """Compare the gradient by each weight tensor with central differences, in evaluation mode.

    network, batch, loss: in float64. closed_form: gradients by the name of the weight tensor, found another way. Of
    each tensor the largest gradients are looked at, and some spread over it.
    """
    parameters = dict(network.named_parameters())

    def value() -> float:
        with torch.no_grad():
            return float(loss(network(batch.features), batch.target, batch.weights))

    network.eval()
    with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
        found = loss(network(batch.features), batch.target, batch.weights)
        gradients = torch.autograd.grad(found, list(parameters.values()), materialize_grads=True)
    checked = []
    for (name, tensor), told in zip(parameters.items(), gradients, strict=True):
        places = _places(told)
        pairs = [_differences(tensor.data.view(-1), place, value) for place in places]
        smooth = [
            (place, (forward + backward) / 2)
            for place, (forward, backward) in zip(places, pairs, strict=True)
            if not _is_kink(forward, backward)
        ]
        other = None if closed_form is None else _error(closed_form[name], smooth)
        kinks = len(places) - len(smooth)
        checked.append(Checked(layer_of(network, name), name, len(places), kinks, _error(told, smooth), other))
    return checked


def _error(gradient: Tensor, slopes: Sequence[tuple[int, float]]) -> float:
    flat = gradient.reshape(-1)
    size = max([abs(slope) for _, slope in slopes] + [ROUNDING])
    errors = [max(abs(float(flat[place]) - slope) - ROUNDING, 0.0) / size for place, slope in slopes]
    return math.inf if not all(map(math.isfinite, [*errors, *flat.tolist()])) else max(errors, default=0.0)


def _places(gradient: Tensor) -> list[int]:
    flat = gradient.reshape(-1)
    largest = flat.abs().topk(min(MOST_OF_A_TENSOR // 2, len(flat))).indices.tolist()
    return sorted({*largest, *spread(len(flat), MOST_OF_A_TENSOR // 2).tolist()})


def _differences(flat: Tensor, place: int, value: Callable[[], float]) -> tuple[float, float]:
    """The slope of the loss just above and just below a weight."""
    was = float(flat[place])
    step = STEP * max(1.0, abs(was))
    here = value()
    flat[place] = was + step
    above = value()
    flat[place] = was - step
    below = value()
    flat[place] = was
    return (above - here) / step, (here - below) / step


def _is_kink(forward: float, backward: float) -> bool:
    """Whether the slopes on both sides are two: of a smooth loss they differ by the step times the curvature."""
    return abs(forward - backward) > 1e-3 * max(abs(forward), abs(backward), 1e-6)
