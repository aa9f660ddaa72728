"""Batches for networks that are trained side by side: the same for all of them, or each one's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nettool.data.dataset import Batch, Batching, Dataset


@dataclass(frozen=True)
class MemberBatching:
    """How each member's epoch is cut into batches. They differ in their seeds alone."""

    of_members: tuple[Batching, ...]

    @property
    def own(self) -> bool:
        """Whether each member has batches of its own: a seed of its own, and something that depends on it."""
        first = self.of_members[0]
        is_drawn = first.batch_size < first.num_examples or first.augment is not None
        return is_drawn and any(batching.seed != first.seed for batching in self.of_members)

    def keep(self, rows: Sequence[int]) -> MemberBatching:
        """Those of the members in these rows."""
        return MemberBatching(tuple(self.of_members[row] for row in rows))

    def batches(self, dataset: Dataset, epoch: int, own: bool, first: int = 0) -> Iterator[Batch]:
        """The epoch's batches from number `first` on, each good until the next is taken: [B, ...].

        own: [M, B, ...], of each member what `Batching.batches` gives; else what it gives of the first.
        """
        if own:
            return self._of_each(dataset, epoch, first)
        return self.of_members[0].batches(dataset, epoch, first)

    def _of_each(self, dataset: Dataset, epoch: int, first: int) -> Iterator[Batch]:
        members, batching = len(self.of_members), self.of_members[0]
        orders = torch.stack([each.positions(epoch, dataset.device) for each in self.of_members])
        parts = torch.split(orders, batching.batch_size, dim=1)
        room, views = dataset.room(members * parts[first].shape[1]), _Views(members)
        for number in range(first, batching.num_batches):
            if parts[number].shape[1] < batching.batch_size:  # the last one
                room = dataset.room(members * parts[number].shape[1])
            gathered = dataset.gather(parts[number].flatten(), room)
            weights = None if gathered.weights is None else views.of("weights", gathered.weights)
            batch = Batch(views.of("features", gathered.features), views.of("target", gathered.target), weights)
            yield self._changed(batch, epoch, number)

    def _changed(self, batch: Batch, epoch: int, number: int) -> Batch:
        if self.of_members[0].augment is None:
            return batch
        for each, features in zip(self.of_members, batch.features, strict=True):
            features.copy_(each.changed(batch._replace(features=features), epoch, number).features)
        return batch


class _Views:
    """Each part of a batch, [M x B, ...], as [M, B, ...]: the same view as long as it lies where it did."""

    def __init__(self, members: int) -> None:
        self._members = members
        self._last: dict[str, tuple[Tensor, Tensor]] = {}

    def of(self, name: str, part: Tensor) -> Tensor:
        """Of the part that has this name."""
        if name not in self._last or self._last[name][0] is not part:
            self._last[name] = part, part.view(self._members, -1, *part.shape[1:])
        return self._last[name][1]
