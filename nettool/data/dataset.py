"""Examples as resident tensors; epochs as orders of them; batches as gathered rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from nettool.data.bundle import Split


class Batch(NamedTuple):
    """Some examples. features: float [batch, width]. target: [batch] or [batch, outputs]. weights: [batch] or None."""

    features: Tensor
    target: Tensor
    weights: Tensor | None


@dataclass(frozen=True)
class Dataset:
    """All examples of a split, on one device."""

    features: Tensor
    target: Tensor
    weights: Tensor | None = None

    @classmethod
    def from_split(cls, split: Split, device: torch.device) -> Dataset:
        """The split's arrays as tensors; on the cpu they share the arrays' memory."""
        assert split.target is not None
        weights = None if split.weights is None else torch.from_numpy(split.weights).to(device)
        return cls(torch.from_numpy(split.features).to(device), torch.from_numpy(split.target).to(device), weights)

    def __len__(self) -> int:
        return self.features.shape[0]

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.features.device

    def gather(self, indices: Tensor) -> Batch:
        """The examples at these positions, in this order."""
        weights = None if self.weights is None else self.weights.index_select(0, indices)
        return Batch(self.features.index_select(0, indices), self.target.index_select(0, indices), weights)

    def chunks(self, size: int) -> Iterator[Batch]:
        """All examples in order, without copying them."""
        for start in range(0, len(self), size):
            stop = start + size
            weights = None if self.weights is None else self.weights[start:stop]
            yield Batch(self.features[start:stop], self.target[start:stop], weights)


@dataclass(frozen=True)
class Batching:
    """How an epoch is cut into batches.

    The order of the examples is a function of (seed, epoch) alone, the same on every device. With `skip_single` a last
    batch of one example is left out of the epoch (batch norm can't take it); which example it is changes every epoch.
    """

    num_examples: int
    batch_size: int
    seed: int
    skip_single: bool = False

    @property
    def num_batches(self) -> int:
        """Batches of an epoch."""
        whole, rest = divmod(self.num_examples, self.batch_size)
        return whole + (rest > self.skip_single if whole else 1)

    def order(self, epoch: int, device: torch.device) -> Tensor:
        """The positions of all examples in the order of this epoch: int64 [num_examples]."""
        (mixed,) = np.random.SeedSequence([self.seed, epoch]).generate_state(1, np.uint64)
        generator = torch.Generator().manual_seed(int(mixed))
        return torch.randperm(self.num_examples, generator=generator).to(device)

    def batches(self, dataset: Dataset, epoch: int, first: int = 0) -> Iterator[Batch]:
        """The epoch's batches from number `first` on. A batch of everything keeps the order of the data."""
        if self.batch_size >= self.num_examples:
            if first == 0:
                yield Batch(dataset.features, dataset.target, dataset.weights)
            return
        order = self.order(epoch, dataset.device)
        for number in range(first, self.num_batches):
            yield dataset.gather(order[number * self.batch_size : (number + 1) * self.batch_size])
