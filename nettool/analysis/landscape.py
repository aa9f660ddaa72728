"""The loss around trained weights, over a plane through them: in random directions, along a path, or of two weights.

Li et al. 2018, "Visualizing the loss landscape of neural nets": a random direction means little until each filter of it
is as long as the filter of the weights that it is added to. Of a path, which such a plane would miss, they take the
principal components.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from nettool.analysis.gradients import Mean
from nettool.analysis.outcomes import Array
from nettool.data.dataset import Batch
from nettool.model.recurrent import Attention, Recurrent

Weights = dict[str, Tensor]
"""Every parameter by its name."""

POINTS, FEW_POINTS = 41, 15
"""Along an axis; few where a network takes long."""
FLOPS = 1e11
"""Of all points together, about."""
FEW_EXAMPLES = 64
MARGIN = 0.25
"""Of the extent of a path, beyond it on either side."""
NUMBERS_AT_ONCE = 2**24
"""Activations and weights of all points that are computed together, at most."""
ONE_BY_ONE = (Recurrent, Attention)
"""Modules whose kernels torch cannot batch over weights."""


_STREAM = 0x243F6A88
"""Seeds of directions are not those of networks: else the numbers that the first weights were drawn from come again,
and a direction is these weights.
"""


@dataclass(frozen=True)
class Plane:
    """center + x * first + y * second. explained: of a path, how much of its way lies in the plane; else None."""

    center: Weights
    first: Weights
    second: Weights
    labels: tuple[str, str]
    explained: float | None = None

    def coordinates(self, weights: Weights) -> tuple[float, float]:
        """Of the point in the plane that is nearest to these weights."""
        axes = torch.stack([_flat(self.first), _flat(self.second)], dim=1)
        offset = _flat(weights) - _flat(self.center)
        x, y = torch.linalg.lstsq(axes, offset[:, None]).solution[:, 0].tolist()
        return x, y


@dataclass(frozen=True)
class Landscape:
    """loss: float64 [len(y), len(x)], infinite or NaN where there is none. x, y: coordinates in the plane."""

    plane: Plane
    x: Array
    y: Array
    loss: Array


def _flat(weights: Weights) -> Tensor:
    """As one vector, on the cpu, in float64."""
    return torch.cat([tensor.reshape(-1).cpu().double() for tensor in weights.values()])


def _unflat(values: Tensor, like: Weights) -> Weights:
    parts = torch.split(values, [tensor.numel() for tensor in like.values()])
    return {name: part.view_as(tensor).to(tensor) for (name, tensor), part in zip(like.items(), parts, strict=True)}


def random_plane(center: Weights, seed: int = 0) -> Plane:
    """Two random directions, each filter as long as that of the weights; biases and norms stay as they are."""
    generator = torch.Generator().manual_seed(seed ^ _STREAM)
    first, second = ({name: _direction(tensor, generator) for name, tensor in center.items()} for _ in range(2))
    return Plane(center, first, second, ("random direction", "another random direction"))


def _direction(weights: Tensor, generator: torch.Generator) -> Tensor:
    if weights.ndim < 2:
        return torch.zeros_like(weights)
    drawn = torch.randn(weights.shape, generator=generator).to(weights)
    lengths, wanted = (tensor.flatten(1).norm(dim=1) for tensor in (drawn, weights))
    scaled: Tensor = drawn * (wanted / lengths.clamp_min(1e-12)).view(-1, *[1] * (weights.ndim - 1))
    return scaled


def plane_of_path(center: Weights, paths: Sequence[Sequence[Weights]]) -> Plane:
    """The plane through `center` in which most of the paths lies: their first two principal components.

    Raises ValueError where they do not span a plane.
    """
    offsets = torch.stack([_flat(weights) - _flat(center) for path in paths for weights in path])
    _, sizes, directions = torch.linalg.svd(offsets, full_matrices=False)
    if len(sizes) < 2 or sizes[1] <= 1e-5 * sizes[0]:
        raise ValueError("the path is a line, or a point")
    share = float((sizes[:2] ** 2).sum() / (sizes**2).sum())
    first, second = (_unflat(direction, center) for direction in directions[:2])
    return Plane(center, first, second, ("first component of the path", "second component of the path"), share)


def plane_of_weights(center: Weights, chosen: Sequence[tuple[str, tuple[int, ...]]]) -> Plane:
    """Over two single weights, each named by its tensor and its place there; coordinates are their values."""
    origin = {name: tensor.clone() for name, tensor in center.items()}
    directions = []
    for name, place in chosen:
        origin[name][place] = 0.0
        direction = {other: torch.zeros_like(tensor) for other, tensor in center.items()}
        direction[name][place] = 1.0
        directions.append(direction)
    first, second = directions
    labels = [f"{name}[{', '.join(map(str, place))}]" for name, place in chosen]
    return Plane(origin, first, second, (labels[0], labels[1]))


def extent(points: Sequence[tuple[float, float]], least: float, num: int = POINTS) -> tuple[Array, Array]:
    """Of a grid that holds these points with room around them, and is nowhere narrower than `least`: [num], [num]."""
    axes = []
    for values in zip(*points, strict=True):
        middle, half = (max(values) + min(values)) / 2, (max(values) - min(values)) / 2
        half = max(half * (1 + 2 * MARGIN), least / 2)
        axes.append(np.linspace(middle - half, middle + half, num))
    return axes[0], axes[1]


def grid_size(flops: int, most: int) -> tuple[int, int]:
    """Points along an axis, and examples that the loss is the mean of, by what one example costs."""
    for num in (POINTS, FEW_POINTS):
        examples = int(FLOPS / (num**2 * max(flops, 1)))
        if examples >= FEW_EXAMPLES:
            break
    return num, max(1, min(most, examples))


def landscape(
    network: nn.Module, plane: Plane, x: Array, y: Array, batch: Batch, loss: Mean, numbers: int
) -> Landscape:
    """The mean loss of the batch at every point of the grid, many points at once.

    network: in evaluation mode; its buffers stay as they are. numbers: activations of one example.
    """
    columns, rows = np.meshgrid(x, y)
    points = torch.from_numpy(np.stack([columns.ravel(), rows.ravel()], axis=1))
    of_a_point = len(batch.target) * numbers + sum(tensor.numel() for tensor in plane.center.values())
    parts = torch.split(points, max(1, NUMBERS_AT_ONCE // of_a_point))
    losses = [value for part in parts for value in _losses(network, plane, part, batch, loss)]
    return Landscape(plane, x, y, np.array(losses).reshape(len(y), len(x)))


def _losses(network: nn.Module, plane: Plane, points: Tensor, batch: Batch, loss: Mean) -> list[float]:
    """At each of the points, [k, 2]."""
    buffers = dict(network.named_buffers())

    def at(point: Tensor) -> Tensor:
        weights = {
            name: center + point[0].to(center) * plane.first[name] + point[1].to(center) * plane.second[name]
            for name, center in plane.center.items()
        }
        logits = functional_call(network, {**buffers, **weights}, (batch.features,))
        return loss(logits, batch.target, batch.weights)

    with torch.no_grad():
        if any(isinstance(module, ONE_BY_ONE) for module in network.modules()):
            return [float(at(point)) for point in points]
        found: list[float] = vmap(at)(points).cpu().double().tolist()
        return found
