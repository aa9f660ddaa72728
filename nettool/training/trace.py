"""The weights of past epochs, as far as a little memory goes: the path that training took, for pictures of it.

First of every epoch; when there is no more room, of every second, then of every fourth. Which epochs are kept follows
from their numbers alone, so that a run that was cut has the same ones.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from nettool.model.compile import Network

MOST_BYTES = 10_000_000
MOST_EPOCHS, FEWEST_EPOCHS = 256, 8
"""Kept at most; and a network so large that not even the fewest have room has no trace."""
_EPOCHS = "epochs"
_WEIGHTS = "weights."


class Trace:
    """Weights and running statistics by epoch, ascending; epoch 0 is before the first step."""

    def __init__(self, network: Network, most_bytes: float = MOST_BYTES) -> None:
        self._network = network
        size = sum(tensor.numel() * tensor.element_size() for tensor in self._live().values())
        capacity = min(MOST_EPOCHS, int(most_bytes // max(size, 1)))
        self._capacity = capacity if capacity >= FEWEST_EPOCHS else 0
        self._kept: dict[int, dict[str, Tensor]] = {}
        self._every = 1

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def newest(self) -> int:
        """The last epoch that is kept; -1 without any."""
        return max(self._kept, default=-1)

    def _live(self) -> dict[str, Tensor]:
        """The network's own tensors, as they are now: where several are trained together they may move."""
        tensors = self._network.state_dict()
        return {name: tensor for name, tensor in tensors.items() if tensor.is_floating_point()}

    def see(self, epoch: int) -> None:
        """Keep the present weights as those at the end of this epoch, if it is one of those to be kept."""
        if not self._capacity or epoch % self._every or epoch in self._kept:
            return
        self._kept[epoch] = {name: tensor.clone() for name, tensor in self._live().items()}
        while len(self._kept) > self._capacity:
            self._every *= 2
            self._kept = {number: kept for number, kept in self._kept.items() if number % self._every == 0}

    def to_tensors(self) -> dict[str, Tensor]:
        """`epochs`: int64 [k], and `weights.<name>`: [k, ...] of each. On the cpu."""
        if not self._kept:
            return {}
        stacked = {
            f"{_WEIGHTS}{name}": torch.stack([kept[name] for kept in self._kept.values()]).cpu()
            for name in self._live()
        }
        return {_EPOCHS: torch.tensor(list(self._kept)), **stacked}

    def restore(self, tensors: Mapping[str, Tensor], last: int) -> None:
        """Take over what `to_tensors` gave, up to epoch `last`. Raises ValueError where it was another network's."""
        epochs, weights = path_of(tensors)
        live = self._live()
        if {name: tensor.shape[1:] for name, tensor in weights.items()} != {name: live[name].shape for name in live}:
            raise ValueError("its weights are those of another network")
        self._every = max(1, epochs[1] - epochs[0]) if len(epochs) > 1 else 1
        self._kept = {
            epoch: {name: weights[name][place].to(tensor.device, tensor.dtype) for name, tensor in live.items()}
            for place, epoch in enumerate(epochs)
            if epoch <= last
        }


def path_of(tensors: Mapping[str, Tensor]) -> tuple[list[int], dict[str, Tensor]]:
    """The epochs of a stored trace, ascending, and each tensor of the network at all of them, [k, ...].

    Raises ValueError for what is no trace.
    """
    weights = {name.removeprefix(_WEIGHTS): tensor for name, tensor in tensors.items() if name.startswith(_WEIGHTS)}
    found = tensors.get(_EPOCHS)
    if found is None or found.dtype != torch.int64 or found.ndim != 1 or not weights:
        raise ValueError("it is no trace of weights")
    epochs = found.tolist()
    if epochs != sorted(set(epochs)) or (epochs and epochs[0] < 0):
        raise ValueError("its epochs do not ascend")
    if any(not tensor.ndim or len(tensor) != len(epochs) for tensor in weights.values()):
        raise ValueError("it has not the weights of each epoch")
    return epochs, weights
