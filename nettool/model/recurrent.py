"""Modules for sequences: embeddings, recurrence, attention. B batch, T time, F features."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from nettool.model.blocks import Dropout, Undrawn
from nettool.model.stack import Lengths, Timed, real_steps

Cell = nn.RNN | nn.GRU | nn.LSTM
State = Tensor | tuple[Tensor, Tensor]
"""Of a layer, between two steps: [B, units], for an LSTM together with what it remembers."""


class RNN(Undrawn, nn.RNN):
    """torch's RNN."""


class GRU(Undrawn, nn.GRU):
    """torch's GRU."""


class LSTM(Undrawn, nn.LSTM):
    """torch's LSTM."""


class Recurrent(Timed):
    """Recurrent layers on top of each other: [B, T, F] to the states of all steps, or to the last one.

    cells: one module of torch for each layer, batch first. With two directions the states lie side by side, and the
    last one of the way back is that of the first step.
    """

    def __init__(self, cells: Sequence[Cell], dropouts: Sequence[Dropout | None], sequence: bool) -> None:
        super().__init__()
        self.cells = nn.ModuleList(cells)
        self.dropouts = nn.ModuleList(dropout or nn.Identity() for dropout in dropouts)
        self.sequence = sequence
        self.bidirectional = cells[0].bidirectional

    @torch.no_grad()
    def draw_weights(self, generator: torch.Generator) -> None:
        """Inputs xavier, states orthogonal (Saxe et al. 2014), gate by gate; biases 0, but forget gates start open."""
        for cell in self.cells:
            assert isinstance(cell, Cell)
            for name, parameter in cell.named_parameters():
                if name.startswith("bias"):
                    parameter.zero_()
                    if isinstance(cell, nn.LSTM) and name.startswith("bias_ih"):
                        parameter[cell.hidden_size : 2 * cell.hidden_size] = 1  # Jozefowicz et al. 2015
                    continue
                for gate in torch.split(parameter, cell.hidden_size):
                    draw = nn.init.xavier_uniform_ if name.startswith("weight_ih") else nn.init.orthogonal_
                    draw(gate, generator=generator)

    def run(self, x: Tensor, lengths: Lengths) -> tuple[Tensor, Lengths]:
        """All steps at once."""
        *below, (top, last_dropout) = zip(self.cells, self.dropouts, strict=True)
        for cell, dropout in below:
            x = dropout(_states(cell, x, lengths)[0])
        states, last = _states(top, x, lengths)
        return (last_dropout(states), lengths) if self.sequence else (last_dropout(last), None)

    def advance(self, x: Tensor, states: list[State | None]) -> tuple[Tensor, list[State | None]]:
        """Some more steps, [B, T, F] to [B, T, units], after those that left these states (None before the first).

        Step by step by torch's cell functions: a whole layer's kernel packs its weights anew at each call, which takes
        fifty times as long as one step.
        """
        after: list[State | None] = []
        for cell, state in zip(self.cells, states, strict=True):
            outputs = []
            for step in x.unbind(dim=1):
                output, state = _advance_cell(cell, step, state)
                outputs.append(output)
            x = torch.stack(outputs, dim=1)
            after.append(state)
        return x, after


_WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
"""Of a cell of torch's, in the order of its step functions."""


def _advance_cell(cell: nn.Module, x: Tensor, state: State | None) -> tuple[Tensor, State]:
    """One step of one layer: [B, F] to [B, units], and the state that it leaves."""
    assert isinstance(cell, Cell)
    weights: list[Any] = [getattr(cell, f"{name}_l0", None) for name in _WEIGHTS]  # without `bias` there are two
    zeros = x.new_zeros(len(x), cell.hidden_size)
    if isinstance(cell, nn.LSTM):
        assert state is None or isinstance(state, tuple)
        hidden, memory = torch.lstm_cell(x, state or (zeros, zeros), *weights)
        return hidden, (hidden, memory)
    before = zeros if state is None else state
    assert isinstance(before, Tensor)
    if isinstance(cell, nn.GRU):
        hidden = torch.gru_cell(x, before, *weights)
    else:
        step = torch.rnn_tanh_cell if cell.nonlinearity == "tanh" else torch.rnn_relu_cell
        hidden = step(x, before, *weights)
    return hidden, hidden


def _states(cell: nn.Module, x: Tensor, lengths: Lengths) -> tuple[Tensor, Tensor]:
    """The states of all steps [B, T, units], and those after the last real one [B, units]."""
    assert isinstance(cell, Cell)
    if lengths is not None and cell.bidirectional:  # the way back must begin at the end of each text
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        out, state = cell(packed)
        out, _ = pad_packed_sequence(out, batch_first=True, total_length=x.shape[1])
    else:
        out, state = cell(x)
    hidden: Tensor = state[0] if isinstance(state, tuple) else state
    if cell.bidirectional:
        return out, torch.cat([hidden[0], hidden[1]], dim=1)
    if lengths is None:
        return out, hidden[0]
    return out, out[torch.arange(len(out), device=out.device), lengths - 1]


class TokenInput(nn.Module):
    """Codes as they lie in memory to int64 [B, T], cut to the longest text where that makes no difference."""

    def __init__(self, padded: bool, cut: bool) -> None:
        super().__init__()
        self.padded = padded
        self.cut = cut

    def forward(self, x: Tensor) -> tuple[Tensor, Lengths]:
        """The codes, and how many of each example are real. An empty text is one step of padding."""
        codes = x.long()
        if not self.padded:
            return codes, None
        lengths = (codes != 0).sum(dim=1).clamp(min=1)
        return (codes[:, : int(lengths.max())] if self.cut and len(codes) else codes), lengths


class Positional(nn.Module):
    """Adds a vector to each step: learned ones, or sines and cosines (Vaswani et al. 2017, section 3.5)."""

    table: Tensor

    def __init__(self, time: int, features: int, learned: bool) -> None:
        super().__init__()
        if learned:
            self.table = nn.Parameter(torch.empty(time, features))
        else:
            self.register_buffer("table", sinusoids(time, features), persistent=False)

    @torch.no_grad()
    def draw_weights(self, generator: torch.Generator) -> None:
        """Normal, deviation 0.02, as in GPT-2."""
        if isinstance(self.table, nn.Parameter):
            nn.init.normal_(self.table, std=0.02, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, F]; T may be shorter than the table."""
        return x + self.table[: x.shape[1]]


def sinusoids(time: int, features: int) -> Tensor:
    """Sin and cos of the step's number at wavelengths from 2 pi to 20,000 pi, alternating: float [time, features]."""
    steps, waves = torch.arange(time, dtype=torch.float64), torch.arange(0, features, 2, dtype=torch.float64)
    angles = steps[:, None] * torch.exp(waves * (-math.log(10_000) / features))  # in float32 late steps would blur
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)[:, :features].float()


class Attention(Timed):
    """Scaled dot-product self-attention with several heads (Vaswani et al. 2017): [B, T, F] to the same shape."""

    def __init__(self, features: int, heads: int, causal: bool, qkv: nn.Linear, out: nn.Linear) -> None:
        super().__init__()
        self.heads = heads
        self.width = features // heads
        self.causal = causal
        self.qkv = qkv
        self.out = out

    def run(self, x: Tensor, lengths: Lengths) -> tuple[Tensor, Lengths]:
        """Every step looks at every real step, or (causal) at those up to itself."""
        batch, time, features = x.shape
        query, key, value = self.qkv(x).view(batch, time, 3, self.heads, self.width).permute(2, 0, 3, 1, 4)
        # Padding is behind the end, where no real step looks that only looks back.
        mask = None if lengths is None or self.causal else real_steps(lengths, time)[:, None, None]
        mixed = F.scaled_dot_product_attention(query, key, value, mask, is_causal=self.causal)
        return self.out(mixed.transpose(1, 2).reshape(batch, time, features)), lengths


class Transformer(Timed):
    """x + attention(norm(x)), then x + feedforward(norm(x)); or with the norms after the sums."""

    def __init__(
        self, features: int, attention: Attention, feedforward: nn.Sequential, dropout: nn.Module, pre_norm: bool
    ) -> None:
        super().__init__()
        self.pre_norm = pre_norm
        self.attention_norm = nn.LayerNorm(features)
        self.attention = attention
        self.feedforward_norm = nn.LayerNorm(features)
        self.feedforward = feedforward
        self.dropout = dropout

    def run(self, x: Tensor, lengths: Lengths) -> tuple[Tensor, Lengths]:
        """One block."""
        if self.pre_norm:
            x = x + self.dropout(self.attention.run(self.attention_norm(x), lengths)[0])
            return x + self.dropout(self.feedforward(self.feedforward_norm(x))), lengths
        x = self.attention_norm(x + self.dropout(self.attention.run(x, lengths)[0]))
        return self.feedforward_norm(x + self.dropout(self.feedforward(x))), lengths
