"""From examples as they lie in memory to what the first layer takes: [M, B, F]."""

from __future__ import annotations

import torch
from torch import Tensor

from nettool.model import blocks, spatial
from nettool.training.closed_form.flat import FlatParameters
from nettool.training.closed_form.units import Unit


class Rows(Unit):
    """The numbers of each example side by side. own: whether every member has examples of its own."""

    def __init__(self, members: int, own: bool) -> None:
        self._members, self._own = members, own
        self._x = self._rows = torch.empty(0)  # until the first batch comes

    def forward(self, x: Tensor) -> Tensor:
        """[B, ...], or [M, B, ...] of each member's own, to [M, B, F]."""
        if x is not self._x:  # one batch lies where the one before it did
            self._x = x
            self._rows = x.flatten(2) if self._own else x.flatten(1).expand(self._members, -1, -1)
        return self._rows

    def backward(self, gradient: Tensor) -> Tensor:
        """Nobody asks for it."""
        return gradient


class Pixels(Rows):
    """Images of bytes [B, C, H, W], or [M, B, C, H, W], to standardised numbers side by side."""

    def __init__(self, inputs: spatial.ImageInput, members: int, own: bool, shape: torch.Size) -> None:
        super().__init__(members, own)
        self._means, self._scales = inputs.means, inputs.scales
        self._pixels = inputs.means.new_empty(shape)

    def forward(self, x: Tensor) -> Tensor:
        """(pixel - mean) / deviation of its channel."""
        return super().forward(self._pixels.copy_(x).sub_(self._means).mul_(self._scales))


class Lookup(Unit):
    """Rows of a table [B, numbers + categories], or [M, B, ...], to their numbers, and behind them the embeddings of
    their codes.

    The row of code 0, a level that training never saw, has no gradient.
    """

    def __init__(self, inputs: blocks.TableInput, flat: FlatParameters, own: bool, output: Tensor) -> None:
        self._numbers = inputs.numbers
        weights = list(inputs.parameters())
        self._tables = [flat.value(weight) for weight in weights]
        self._gradients = [flat.gradient(weight) for weight in weights]
        self._output = output
        members, size = output.shape[:2]
        self._codes = torch.empty(len(weights), members if own else 1, size, dtype=torch.int64)
        self._codes_of_members = [codes.expand(members, size).unbind() for codes in self._codes]
        self._rows = [output.new_empty(size, weight.shape[1]) for weight in weights]

    def forward(self, x: Tensor) -> Tensor:
        """[M, B, F]: every member has embeddings of its own."""
        self._codes.copy_(x[..., self._numbers :].movedim(-1, 0).view_as(self._codes))
        self._output[..., : self._numbers] = x[..., : self._numbers]
        start = self._numbers
        for codes, table, rows in zip(self._codes_of_members, self._tables, self._rows, strict=True):
            end = start + table.shape[2]
            for output, code, weight in zip(self._output, codes, table, strict=True):
                output[:, start:end] = torch.index_select(weight, 0, code, out=rows)
            start = end
        return self._output

    def backward(self, gradient: Tensor) -> Tensor:
        """Each row's is the sum of those of the examples with its code."""
        start = self._numbers
        for codes, found in zip(self._codes_of_members, self._gradients, strict=True):
            end = start + found.shape[2]
            found.zero_()
            for member, code, share in zip(found, codes, gradient[..., start:end], strict=True):
                member.index_add_(0, code, share)
            found[:, 0] = 0
            start = end
        return gradient
