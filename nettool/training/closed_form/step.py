"""The optimisation step of the closed form."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from nettool.config.losses import LossSpec
from nettool.config.optimization import OptimizerSpec
from nettool.data.dataset import Batch
from nettool.model.compile import Network
from nettool.model.losses import Loss
from nettool.training.closed_form.chain import Chain
from nettool.training.closed_form.flat import FlatParameters
from nettool.training.optimizers import build_optimizer
from nettool.training.step import Found, Step, check_finite


class ClosedFormStep(Step):
    """For a network of which no layer is `without_closed_form`, on the cpu."""

    def __init__(
        self, network: Network, loss: Loss, spec: LossSpec, optimizer: OptimizerSpec, onednn: bool = False
    ) -> None:
        self._flat = FlatParameters([network])
        super().__init__(network, loss, build_optimizer(optimizer, [self._flat.values], self._flat.parts), onednn)
        self._network, self._spec = network, spec
        self._chains: dict[int, Chain] = {}
        self._tiny = torch.finfo(self._flat.values.dtype).tiny

    def _one(self, batch: Batch) -> Found:
        chain = self._chain(batch)
        total, weight = chain.forward(batch)
        assert isinstance(weight, float)
        divisor = max(weight, self._tiny)
        mean = check_finite(total.item() / divisor)
        chain.backward(1 / divisor)
        return mean, weight, [self._flat.gradients]

    def _several(self, batches: Iterator[Batch]) -> Found:
        total = weight = 0.0
        gradients = torch.zeros_like(self._flat.gradients)
        for batch in batches:
            chain = self._chain(batch)
            batch_total, batch_weight = chain.forward(batch)
            total += batch_total.item()
            weight += float(batch_weight)
            chain.backward(1.0)
            gradients += self._flat.gradients
        divisor = max(weight, self._tiny)
        return check_finite(total / divisor), weight, [gradients.div_(divisor)]

    def _chain(self, batch: Batch) -> Chain:
        """The units for batches of this size: an epoch has one, and one for its last batch."""
        size = len(batch.features)
        if size not in self._chains:
            self._chains[size] = Chain(self._network, self._flat, self._spec, self.loss.class_weights, batch)
        return self._chains[size]
