"""The optimisation step of many networks of the same shapes, side by side along the member axis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nettool.config.losses import LossSpec
from nettool.config.optimization import OptimizerSpec
from nettool.data.dataset import Batch
from nettool.model.compile import Network
from nettool.model.losses import Loss
from nettool.training.closed_form.chain import Chain
from nettool.training.closed_form.flat import FlatParameters
from nettool.training.member_optimizers import Column, OptimizerOfMember, build_member_optimizer
from nettool.training.products import by_onednn

Numbers = NDArray[np.float64]
"""One for each member: [M]."""


class MemberStep:
    """Moves the weights of all members once.

    own: whether each has batches of its own, [M, B, ...]; else all see the same, [B, ...]. Networks of one seed share a
    generator of dropout masks, whose bits are drawn once for all of them.
    """

    def __init__(
        self,
        networks: Sequence[Network],
        loss: Loss,
        spec: LossSpec,
        optimizers: Sequence[OptimizerSpec],
        own: bool,
        onednn: bool,
    ) -> None:
        self.networks, self.loss, self.own = list(networks), loss, own
        self._spec = spec
        self._products = by_onednn if onednn else nullcontext
        self._flat = FlatParameters(networks)
        self._rule = build_member_optimizer(self._flat.values, optimizers, self._flat.parts)
        self.optimizers = [OptimizerOfMember(self._rule, row) for row in range(len(networks))]
        self._chains: dict[int, Chain] = {}
        self._tiny = torch.finfo(self._flat.values.dtype).tiny

    def find_gradients(self, batches: Iterator[Batch], count: int) -> tuple[Numbers, Numbers | float]:
        """The mean loss of the next `count` batches, before the update, and the sum of the examples' weights."""
        with self._products():
            return self._one(next(batches)) if count == 1 else self._several(islice(batches, count))

    def update(self, lr: Column) -> None:
        """Move the weights by the gradients that were found. lr: of each member, [M, 1], or of all."""
        self._rule.step(self._flat.gradients, lr)

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with the members in these rows alone; the others' networks keep the weights that they have."""
        self.networks = [self.networks[row] for row in rows]
        self.optimizers = [self.optimizers[row] for row in rows]
        self._flat = FlatParameters(self.networks)
        self._rule.parts = self._flat.parts
        self._rule.keep(self._flat.values, rows)
        for row, optimizer in enumerate(self.optimizers):
            optimizer.row = row
        self._chains = {}

    def _one(self, batch: Batch) -> tuple[Numbers, Numbers | float]:
        chain = self._chain(batch)
        total, weight = chain.forward(batch)
        divisor = self._divisor(weight)
        mean = _numbers(total) / divisor
        chain.backward(self._scale(divisor))
        return mean, _numbers(weight) if isinstance(weight, Tensor) else weight

    def _several(self, batches: Iterator[Batch]) -> tuple[Numbers, Numbers | float]:
        total, weight = np.zeros(len(self.networks)), np.zeros(len(self.networks))
        gradients = torch.zeros_like(self._flat.gradients)
        for batch in batches:
            chain = self._chain(batch)
            batch_total, batch_weight = chain.forward(batch)
            total += _numbers(batch_total)
            weight += _numbers(batch_weight) if isinstance(batch_weight, Tensor) else batch_weight
            chain.backward(1.0)
            gradients += self._flat.gradients
        divisor = np.maximum(weight, self._tiny)
        self._flat.gradients.copy_(gradients.div_(gradients.new_tensor(divisor).unsqueeze(1)))
        return total / divisor, weight

    def _divisor(self, weight: Tensor | float) -> Numbers | float:
        return np.maximum(_numbers(weight), self._tiny) if isinstance(weight, Tensor) else max(weight, self._tiny)

    def _scale(self, divisor: Numbers | float) -> Tensor | float:
        if isinstance(divisor, float):
            return 1 / divisor
        scale: Tensor = self._flat.values.new_tensor(1 / divisor).view(-1, 1, 1)
        return scale

    def _chain(self, batch: Batch) -> Chain:
        """The units for batches of this size."""
        size = batch.features.shape[int(self.own)]
        if size not in self._chains:
            weights = self.loss.class_weights
            self._chains[size] = Chain(self.networks[0], self._flat, self._spec, weights, batch, self.own)
        return self._chains[size]


def _numbers(of_members: Tensor) -> Numbers:
    numbers: Numbers = of_members.double().numpy()
    return numbers
