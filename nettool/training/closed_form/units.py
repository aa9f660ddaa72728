"""What a network is made of, each part with its forward and its backward pass: products and dropout.

A unit is made for batches of one size, and keeps what it computes in memory of its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nettool.model import blocks
from nettool.training.closed_form.flat import FlatParameters


class Unit(ABC):
    """A function of its input, and the chain rule for it."""

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """The output."""

    @abstractmethod
    def backward(self, gradient: Tensor) -> Tensor:
        """From d loss / d output to d loss / d input, and d loss / d weights on the way. Writes over its argument."""


class Product(Unit):
    """z = x W^T + b, of [M, B, F]: [M, B, U], or for the last product of a network [M, U, B].

    With the examples along the last axis, which is the fastest, a softmax over a few classes takes a fifth of the time.
    scale: the input is meant times this, which a dropout before it has left to the product, where it costs nothing. The
    first product of a network has no use for the gradient of its input, and hands back what it was given.

        dW = dz^T x        db = sum of dz over the examples        dx = dz W
    """

    def __init__(
        self, linear: nn.Linear, flat: FlatParameters, size: int, *, is_first: bool, is_last: bool, scale: float
    ) -> None:
        self._weight, self._weight_gradient = flat.value(linear.weight), flat.gradient(linear.weight)
        self._weight_t = self._weight.mT
        members, units, features = self._weight.shape
        self._is_last, self._scale = is_last, scale
        self._examples = 2 if is_last else 1
        self.z = self._weight.new_empty((members, units, size) if is_last else (members, size, units))
        self._dx = None if is_first else self._weight.new_empty(members, size, features)
        self._bias: Tensor | None = None
        if linear.bias is not None:
            self._bias = flat.value(linear.bias).unsqueeze(self._examples)
            self._bias_gradient = flat.gradient(linear.bias).unsqueeze(self._examples)
        self._x = self._x_t = self._dz = self._dz_t = self.z  # until the first batch comes

    def forward(self, x: Tensor) -> Tensor:
        """The product and the bias."""
        if x is not self._x:  # one unit's output lies where it always did
            self._x, self._x_t = x, x.mT
        left, right = (self._weight, self._x_t) if self._is_last else (x, self._weight_t)
        if self._bias is None:
            return self._multiply(left, right, self.z)
        return torch.baddbmm(self._bias, left, right, alpha=self._scale, out=self.z)

    def backward(self, gradient: Tensor) -> Tensor:
        """The three gradients above."""
        if gradient is not self._dz:
            self._dz, self._dz_t = gradient, gradient.mT
        by_unit, by_example = (gradient, self._dz_t) if self._is_last else (self._dz_t, gradient)
        self._multiply(by_unit, self._x, self._weight_gradient)
        if self._bias is not None:
            torch.sum(gradient, self._examples, keepdim=True, out=self._bias_gradient)
        if self._dx is None:
            return gradient
        return self._multiply(by_example, self._weight, self._dx)

    def _multiply(self, left: Tensor, right: Tensor, room: Tensor) -> Tensor:
        if self._scale == 1:
            return torch.bmm(left, right, out=room)
        return torch.baddbmm(room, left, right, beta=0, alpha=self._scale, out=room)


class Mask:
    """Which numbers of a batch a dropout keeps, drawn anew for each: 1 or 0.

    dropouts: of each member, which differ in their generators and rates. like: what is dropped, [M, B, F]. Members with
    one generator see the same random bits: one mask, [1, B, F], is enough where all have the same rate as well; else it
    is [M, B, F]. holds_scale: what is kept is not 1, but its member's scale; `scale` is 1 then.
    """

    def __init__(self, dropouts: Sequence[blocks.Dropout], like: Tensor) -> None:
        generators = list(dict.fromkeys(dropout.generator for dropout in dropouts))
        self._drawers = [next(one for one in dropouts if one.generator is generator) for generator in generators]
        rates = {dropout.num_dropped for dropout in dropouts}
        self.holds_scale = len(rates) > 1
        self.scale = 1.0 if self.holds_scale else dropouts[0].scale
        self._scales = like.new_tensor([dropout.scale for dropout in dropouts]).view(-1, 1, 1)
        self._thresholds = torch.stack([dropout.threshold for dropout in dropouts]).view(-1, 1, 1)
        count = like[0].numel()
        self._words = torch.empty(len(generators), (count + 3) // 4, dtype=torch.int64)
        self._bits = self._words.view(torch.int16)[:, :count].view(-1, *like.shape[1:])
        self._streams = torch.tensor([generators.index(dropout.generator) for dropout in dropouts])
        self._is_simple = len(generators) == 1 and not self.holds_scale
        self._mask = torch.empty_like(like[:1] if self._is_simple else like)
        self._kept = torch.empty(self._mask.shape, dtype=torch.bool)

    def draw(self) -> Tensor:
        """The next mask, where the last one lay."""
        if self._is_simple:
            self._drawers[0].draw(self._words)
            return self._mask.copy_(self._bits)
        for dropout, words in zip(self._drawers, self._words, strict=True):
            dropout.draw_bits(words)
        bits = self._bits
        if 1 < len(bits) < len(self._mask):
            bits = bits.index_select(0, self._streams)
        self._mask.copy_(torch.ge(bits, self._thresholds, out=self._kept))
        return self._mask.mul_(self._scales) if self.holds_scale else self._mask


class Dropout(Unit):
    """What the mask keeps, times `scale`. room: where the output goes, None for where the input lies."""

    def __init__(self, mask: Mask, room: Tensor | None, scale: float) -> None:
        self._masks = mask
        self._room, self._scale = room, scale

    def forward(self, x: Tensor) -> Tensor:
        """Input x mask x scale."""
        self._mask = self._masks.draw()
        if self._scale != 1:
            self._mask.mul_(self._scale)
        return torch.mul(x, self._mask, out=x if self._room is None else self._room)

    def backward(self, gradient: Tensor) -> Tensor:
        """Gradient x mask x scale."""
        return gradient.mul_(self._mask)
