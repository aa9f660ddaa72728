"""Examples as resident tensors; epochs as orders of them; batches as gathered rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nettool.data.augment import Augmenter
from nettool.data.examples import Split, Windows


class Batch(NamedTuple):
    """Some examples. features: [batch, ...], as the signature has them. target: [batch], [batch, outputs] or, for the
    next token of every step, [batch, time]. weights: [batch] or None.
    """

    features: Tensor
    target: Tensor
    weights: Tensor | None


class Room(NamedTuple):
    """Memory that batches of one size are gathered into: finding new memory for each would take longer."""

    features: Tensor | None
    target: Tensor | None
    weights: Tensor | None


@dataclass(frozen=True)
class Stretches:
    """Examples that are stretches of one tensor. source: [rows, ...]. starts: int64 [n]. See `Windows`."""

    source: Tensor
    starts: Tensor
    length: int
    slack: int = 0

    def __len__(self) -> int:
        return self.starts.shape[0]

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.source.device

    def index_select(self, dim: int, indices: Tensor) -> Tensor:
        """The stretches at these positions: [n, length, ...]."""
        return self._gather(self.starts.index_select(dim, indices))

    def __getitem__(self, chosen: slice) -> Tensor:
        return self._gather(self.starts[chosen])

    def _gather(self, starts: Tensor) -> Tensor:
        rows = starts[:, None] + torch.arange(self.length, device=starts.device)
        return self.source.index_select(0, rows.reshape(-1)).view(*rows.shape, *self.source.shape[1:])

    def moved(self, rows: int) -> Stretches:
        """The same, each beginning so many rows later."""
        return replace(self, starts=self.starts + rows)


@dataclass(frozen=True)
class Dataset:
    """All examples of a split, on one device. Features and target are tensors, or stretches of one."""

    features: Tensor | Stretches
    target: Tensor | Stretches
    weights: Tensor | None = None
    naive: Tensor | None = None

    @classmethod
    def from_split(cls, split: Split, device: torch.device) -> Dataset:
        """The split's arrays as tensors; on the cpu they share the arrays' memory."""
        assert split.target is not None
        weights = None if split.weights is None else torch.from_numpy(split.weights).to(device)
        naive = None if split.naive is None else torch.from_numpy(split.naive)
        return cls(to_tensor(split.features, device), to_tensor(split.target, device), weights, naive)

    def __len__(self) -> int:
        return len(self.features)

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.features.device

    def gather(self, indices: Tensor, room: Room) -> Batch:
        """The examples at these positions, in this order. Those that were in the room before are overwritten."""
        weights = None if self.weights is None else _gathered(self.weights, indices, room.weights)
        target = _target(_gathered(self.target, indices, room.target))
        return Batch(_gathered(self.features, indices, room.features), target, weights)

    def room(self, size: int) -> Room:
        """Memory for batches of so many examples; stretches find their own."""
        return Room(*(_room(part, size) for part in (self.features, self.target, self.weights)))

    def chunks(self, size: int) -> Iterator[Batch]:
        """All examples in order; those of tensors without copying them."""
        for start in range(0, len(self), size):
            stop = start + size
            weights = None if self.weights is None else self.weights[start:stop]
            yield Batch(self.features[start:stop], _target(self.target[start:stop]), weights)

    def shifted(self, seed: int, epoch: int) -> Dataset:
        """Stretches cut at other places in every epoch, a function of (seed, epoch); other examples as they are."""
        if not isinstance(self.features, Stretches) or not self.features.slack:
            return self
        assert isinstance(self.target, Stretches)
        rows = int(np.random.default_rng([seed, epoch, _SHIFT]).integers(self.features.slack + 1))
        return replace(self, features=self.features.moved(rows), target=self.target.moved(rows))


_SHIFT, _AUGMENT = 1, 2
"""Which random numbers: each use has a stream of its own."""


def to_tensor(array: NDArray[Any] | Windows, device: torch.device) -> Tensor | Stretches:
    """An encoded array, or windows of one, as tensors."""
    if isinstance(array, Windows):
        source, starts = torch.from_numpy(array.source).to(device), torch.from_numpy(array.starts).to(device)
        return Stretches(source, starts, array.length, array.slack)
    return torch.from_numpy(array).to(device)


def _room(part: Tensor | Stretches | None, size: int) -> Tensor | None:
    return part.new_empty(size, *part.shape[1:]) if isinstance(part, Tensor) else None


def _gathered(part: Tensor | Stretches, indices: Tensor, room: Tensor | None) -> Tensor:
    if room is None or isinstance(part, Stretches):
        return part.index_select(0, indices)
    return torch.index_select(part, 0, indices, out=room)


def _target(target: Tensor) -> Tensor:
    """Codes of tokens lie in memory as small as they can be; losses want int64."""
    return target if target.is_floating_point() else target.long()


@dataclass(frozen=True)
class Batching:
    """How an epoch is cut into batches.

    The order of the examples, where a text is cut and how images are changed are functions of (seed, epoch) alone, the
    same on every device. With `skip_single` a last batch of one example is left out of the epoch (batch norm can't take
    it); which example it is changes every epoch.
    """

    num_examples: int
    batch_size: int
    seed: int
    skip_single: bool = False
    augment: Augmenter | None = None

    @property
    def num_batches(self) -> int:
        """Batches of an epoch."""
        whole, rest = divmod(self.num_examples, self.batch_size)
        return whole + (rest > self.skip_single if whole else 1)

    def order(self, epoch: int, device: torch.device) -> Tensor:
        """The positions of all examples in the order of this epoch: int64 [num_examples]."""
        return torch.randperm(self.num_examples, generator=_generator(self.seed, epoch)).to(device)

    def positions(self, epoch: int, device: torch.device) -> Tensor:
        """The same, where a batch of everything keeps the order of the data."""
        if self.batch_size >= self.num_examples:
            return torch.arange(self.num_examples, device=device)
        return self.order(epoch, device)

    def batches(self, dataset: Dataset, epoch: int, first: int = 0) -> Iterator[Batch]:
        """The epoch's batches from number `first` on, each good until the next is taken.

        A batch of everything keeps the order of the data.
        """
        dataset = dataset.shifted(self.seed, epoch)
        if self.batch_size >= self.num_examples:
            if first == 0:
                (batch,) = dataset.chunks(self.num_examples)
                yield self.changed(batch, epoch, 0)
            return
        parts = torch.split(self.order(epoch, dataset.device), self.batch_size)
        room = dataset.room(self.batch_size)
        for number in range(first, self.num_batches):
            if len(parts[number]) < self.batch_size:  # the last one
                room = dataset.room(len(parts[number]))
            yield self.changed(dataset.gather(parts[number], room), epoch, number)

    def changed(self, batch: Batch, epoch: int, number: int) -> Batch:
        """The epoch's batch of this number with its augmentation."""
        if self.augment is None:
            return batch
        generator = _generator(self.seed, epoch, _AUGMENT, number)
        return batch._replace(features=self.augment(batch.features, generator))


def _generator(*numbers: int) -> torch.Generator:
    (mixed,) = np.random.SeedSequence(numbers).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(mixed))
