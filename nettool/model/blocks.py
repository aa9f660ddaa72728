"""Modules that torch lacks."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Undrawn:
    """A module of torch's without its first draw: `compile` gives it its weights, from the run's own generator."""

    def reset_parameters(self) -> None:
        """Leave the memory as it is."""


class Linear(Undrawn, nn.Linear):
    """torch's Linear."""


class Embedding(Undrawn, nn.Embedding):
    """torch's Embedding. Codes that training never sees are the zero vector."""


class TableInput(nn.Module):
    """An encoded example to one vector: its numbers, and behind them the embeddings of its category codes.

    input: float [..., numbers + categories], the last columns holding codes. Returns float [..., features].
    Code 0, a level that training never saw, is the zero vector and stays it.
    """

    def __init__(self, numbers: int, embeddings: Sequence[tuple[int, int]]) -> None:
        super().__init__()
        self.numbers = numbers
        self.embeddings = nn.ModuleList(Embedding(codes, width, padding_idx=0) for codes, width in embeddings)

    @torch.no_grad()
    def draw_weights(self, generator: torch.Generator) -> None:
        """Normal, variance 1 / width, so that an embedding is as long as one standardised number."""
        for embedding in self.embeddings:
            assert isinstance(embedding, Embedding)
            nn.init.normal_(embedding.weight, std=1 / math.sqrt(embedding.embedding_dim), generator=generator)
            embedding.weight[0] = 0

    def forward(self, x: Tensor) -> Tensor:
        """Look the codes up and lay everything side by side."""
        codes = x[..., self.numbers :].long()
        parts = [x[..., : self.numbers]]
        parts += [embedding(codes[..., index]) for index, embedding in enumerate(self.embeddings)]
        return torch.cat(parts, dim=-1)


class Dropout(nn.Module):
    """Inverted dropout (Srivastava et al. 2014) whose masks come from a generator of the network's own.

    Random bits are drawn 64 at a time and compared 16 at a time, which costs a tenth of `bernoulli_`; the rate is
    exact to 1/65536, and the scale is that of the rate in force.
    """

    def __init__(self, rate: float, generator: torch.Generator) -> None:
        super().__init__()
        self.rate = rate
        self.generator = generator
        self.num_dropped = min(round(rate * 65536), 65535)
        self.threshold = torch.tensor(self.num_dropped - 32768, dtype=torch.int16)

    def forward(self, x: Tensor) -> Tensor:
        """Drop in training, pass through in evaluation. Any shape."""
        if not self.training or self.num_dropped == 0:
            return x
        return x * self.kept(x).to(x.dtype) * self.scale

    def kept(self, x: Tensor) -> Tensor:
        """Which numbers of x are kept: 1 or 0 in its shape, drawn anew with each call."""
        if x.device.type == "mps":  # whose generator does not fill 64 bits
            return torch.rand(x.shape, device=x.device, generator=self.generator) >= self.num_dropped / 65536
        words = torch.empty((x.numel() + 3) // 4, dtype=torch.int64, device=x.device)
        return self.draw(words)[: x.numel()].view(x.shape)

    @property
    def scale(self) -> float:
        """What makes up for the numbers that are dropped."""
        return 65536 / (65536 - self.num_dropped)

    def draw(self, words: Tensor) -> Tensor:
        """Which numbers are kept: int16, 1 or 0, in the memory of `words`, int64, which hold four each."""
        return self.draw_bits(words).ge_(self.threshold)

    def draw_bits(self, words: Tensor) -> Tensor:
        """What decides that: 16 random bits of each number, kept where they are no less than the threshold."""
        # Without the explicit range torch never sets the top bit, and the rate would be wrong.
        return words.random_(-(2**63), None, generator=self.generator).view(torch.int16)

    def extra_repr(self) -> str:
        """Shown by print(network)."""
        return f"rate={self.rate}"
