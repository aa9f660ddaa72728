"""A trained network as a source of text: what may come next, given all that came before."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nettool.model import blocks, recurrent, spatial, stack
from nettool.model.compile import Network

_STEPWISE = (
    nn.Linear, nn.Embedding, nn.LayerNorm, nn.Identity, nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Tanh,
    nn.Sigmoid, nn.Softplus, blocks.Dropout, spatial.TimeBatchNorm,
)  # fmt: skip
"""Modules that see one step at a time."""


class NextToken:
    """Says which token may come next. Feed it what comes; it remembers.

    A network of recurrent layers is fed each token once and keeps its state. Any other sees the last `length` tokens
    again at every step.
    """

    def __init__(self, network: Network, length: int) -> None:
        self._network = network
        self._length = length
        self._context: list[int] = []
        self._states: dict[nn.Module, list[recurrent.State | None]] = {}
        self._keeps_state = _sees_steps(network.layers)

    @torch.no_grad()
    def feed(self, codes: Sequence[int]) -> Tensor:
        """The logits of the token after these and all before: float [vocabulary]. codes: one or more."""
        device = next(self._network.parameters()).device
        if self._keeps_state:
            x = torch.tensor([list(codes)], device=device)
            return self._advance(self._network.layers, x)[0, -1]
        self._context = [*self._context, *codes][-self._length :]
        logits: Tensor = self._network(torch.tensor([self._context], device=device))
        return logits[0, -1]

    def _advance(self, module: nn.Module, x: Tensor) -> Tensor:
        """The module's output for some more steps."""
        if isinstance(module, stack.Stack):
            for inner in module:
                x = self._advance(inner, x)
            return x
        if isinstance(module, stack.Residual):
            shortcut = x if module.projection is None else module.projection(x)
            return self._advance(module.layers, x) + shortcut
        if isinstance(module, recurrent.Recurrent):
            x, self._states[module] = module.advance(x, self._states.get(module, [None] * len(module.cells)))
            return x
        out: Tensor = module(x)
        return out


def _sees_steps(module: nn.Module) -> bool:
    """Whether every layer sees one step at a time, or keeps a state."""
    if isinstance(module, stack.Stack):
        return all(_sees_steps(inner) for inner in module)
    if isinstance(module, stack.Residual):
        return _sees_steps(module.layers) and (module.projection is None or _sees_steps(module.projection))
    if isinstance(module, recurrent.Recurrent):
        return not module.bidirectional
    return isinstance(module, _STEPWISE)
