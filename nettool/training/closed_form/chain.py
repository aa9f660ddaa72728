"""From a network to the chain of units that trains it, on batches of one size."""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from nettool.config.losses import LossSpec
from nettool.data.dataset import Batch
from nettool.model import blocks, spatial, stack
from nettool.model.compile import Network
from nettool.training.closed_form import inputs, norms, units
from nettool.training.closed_form.activations import Activation, DroppedRelu, Rule, rule_of
from nettool.training.closed_form.flat import FlatParameters
from nettool.training.closed_form.losses import build_loss_gradient


class Chain:
    """A batch forward to the loss, and back to the gradients of all weights.

    network: the first of those whose weights are in `flat`. example: a batch as they will all come. own: whether every
    member has a batch of its own: [M, B, ...] instead of [B, ...]. class_weights: [C], where the config asks for some.
    """

    def __init__(
        self,
        network: Network,
        flat: FlatParameters,
        loss: LossSpec,
        class_weights: Tensor | None,
        example: Batch,
        own: bool = False,
    ) -> None:
        builder = _Builder(flat, example.features, own)
        builder.enter(network.inputs)
        builder.add_layers([each for each in _modules(network.layers, "") if _changes_anything(each[0])])
        self._forward = [unit.forward for unit in builder.units]
        self._backward = [unit.backward for unit in reversed(builder.units[builder.first_learning :])]
        self._loss = build_loss_gradient(loss, builder.output, class_weights, own)
        self._last_scale, self._scale = 1.0, builder.output.new_ones(())

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor | float]:
        """The sum of the weighted losses of its examples, [M], and of their weights: [M] of each member's own."""
        x = batch.features
        for forward in self._forward:
            x = forward(x)
        return self._loss(x, batch.target, batch.weights)

    def backward(self, scale: Tensor | float) -> None:
        """Leave the gradients of that sum times `scale`, [M, 1, 1] or for all, in the flat vector."""
        if isinstance(scale, Tensor):
            self._last_scale, self._scale = math.nan, scale
        elif scale != self._last_scale:  # a number of Python's becomes a tensor each time
            self._last_scale, self._scale = scale, self._loss.gradient.new_tensor(scale)
        gradient = self._loss.gradient.mul_(self._scale)
        for backward in self._backward:
            gradient = backward(gradient)


Named = tuple[nn.Module, str]
"""A module of torch, and the layer that it is of, as the user calls it."""


def _modules(layers: stack.Stack, name: str) -> Iterator[Named]:
    """What the layers do, one after another."""
    for module in layers:
        here = str(getattr(module, "layer_name", name))
        if isinstance(module, stack.Stack):
            yield from _modules(module, here)
        else:
            yield module, here


def _changes_anything(module: nn.Module) -> bool:
    if isinstance(module, blocks.Dropout):
        return module.num_dropped > 0
    return not isinstance(module, nn.Identity | spatial.Flatten)


class _Builder:
    """Lines the units up.

    output: where the last unit leaves its numbers. first_learning: the number of the first unit that has weights, where
    the way back ends. layer_name: of the layer at work, for whoever asks where memory ran out.
    """

    layer_name = ""

    def __init__(self, flat: FlatParameters, example: Tensor, own: bool) -> None:
        self._flat, self._example, self._own = flat, example, own
        self._size = example.shape[int(own)]
        self.units: list[units.Unit] = []
        self.first_learning: int | None = None
        self.output: Tensor = flat.values
        self._is_free = False  # whether the next unit may write over the output
        self._scale = 1.0  # what a dropout has left to the next product

    def enter(self, module: nn.Module) -> None:
        """What happens to the examples before the first layer."""
        members, own = len(self._flat.values), self._own
        width = self._example.flatten(0, int(own))[0].numel()
        if isinstance(module, blocks.TableInput):
            width = module.numbers + sum(weight.shape[1] for weight in module.parameters())
        self.output = self._flat.values.new_empty(members, self._size, width)
        match module:
            case blocks.TableInput():
                self._add(inputs.Lookup(module, self._flat, own, self.output), learns=True)
            case spatial.ImageInput():
                self._add(inputs.Pixels(module, members, own, self._example.shape))
            case nn.Identity():
                self._add(inputs.Rows(members, own))
            case _:
                raise AssertionError(module)

    def add_layers(self, modules: Sequence[Named]) -> None:
        """All of them, each in view of those behind it."""
        rest = deque(modules)
        while rest:
            module, self.layer_name = rest.popleft()
            rule = rule_of(module)
            match module:
                case nn.Linear():
                    self._product(module, is_last=not rest)
                case nn.BatchNorm1d():
                    self._norm(norms.BatchNorm(module, self._flat, self.output))
                case nn.LayerNorm():
                    self._norm(norms.LayerNorm(module, self._flat, self.output))
                case blocks.Dropout():
                    self._dropout(module, is_before_product=isinstance(rest[0][0], nn.Linear))
                case nn.ReLU() if self._is_free and (mask := self._mask_before_product(rest)) is not None:
                    self._dropped_relu(mask)
                    rest.popleft()
                case _ if rule is not None:
                    self._activation(rule)
                case _:
                    raise AssertionError(module)

    def _add(self, unit: units.Unit, learns: bool = False) -> None:
        if learns and self.first_learning is None:
            self.first_learning = len(self.units)
        self.units.append(unit)

    def _product(self, linear: nn.Linear, is_last: bool) -> None:
        is_first = self.first_learning is None
        product = units.Product(linear, self._flat, self._size, is_first=is_first, is_last=is_last, scale=self._scale)
        self._add(product, learns=True)
        self.output, self._is_free, self._scale = product.z, True, 1.0

    def _norm(self, norm: norms.Norm) -> None:
        self._add(norm, learns=True)
        self.output, self._is_free = norm.output, True

    def _mask(self, dropout: blocks.Dropout) -> units.Mask:
        dropouts = [twin for twin in self._flat.twins(dropout) if isinstance(twin, blocks.Dropout)]
        return units.Mask(dropouts, self.output)

    def _dropout(self, dropout: blocks.Dropout, is_before_product: bool) -> None:
        mask = self._mask(dropout)
        scale = mask.scale
        if is_before_product:
            self._scale, scale = scale, 1.0
        room = self._room()
        self._add(units.Dropout(mask, room, scale))
        self._is_free = True

    def _dropped_relu(self, mask: units.Mask) -> None:
        self._add(DroppedRelu(mask))
        self._scale, self._is_free = mask.scale, False

    def _mask_before_product(self, rest: Sequence[Named]) -> units.Mask | None:
        """Of the dropout that comes next, if a product comes after it, which its scale can be left to."""
        match [module for module, _ in itertools.islice(rest, 2)]:
            case [blocks.Dropout() as dropout, nn.Linear()]:
                mask = self._mask(dropout)
                return None if mask.holds_scale else mask
            case _:
                return None

    def _activation(self, rule: Rule) -> None:
        room = self._room(in_place=rule.sees_output)
        self._add(Activation(rule, room))
        self._is_free = not rule.sees_output

    def _room(self, in_place: bool = True) -> Tensor | None:
        """Where a unit's output goes: None for where its input lies, if that is allowed."""
        if in_place and self._is_free:
            return None
        self.output = torch.empty_like(self.output)
        return self.output
