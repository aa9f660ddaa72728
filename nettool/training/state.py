"""All that is needed to go on: weights, optimizer, schedule, generators, position, best, patience."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from nettool.model.compile import Network
from nettool.training.optimizers import Optimizer
from nettool.training.schedules import Schedule
from nettool.training.stopping import EarlyStopper


@dataclass
class Best:
    """The best epoch so far: its number, the value that was judged, its weights and what was measured."""

    epoch: int
    value: float
    weights: dict[str, Tensor]
    loss: float | None
    metrics: dict[str, float]


@dataclass
class TrainingState:
    """Changes as training goes on, and is consistent whenever `fit` yields.

    epoch: epochs completed. step: updates made. update: updates made in the epoch under way; loss_sum and weight_sum
    are the epoch's so far. stopped: why training ended before its last epoch.
    """

    network: Network
    optimizer: Optimizer
    schedule: Schedule
    stopper: EarlyStopper | None
    epoch: int = 0
    step: int = 0
    update: int = 0
    best: Best | None = None
    stopped: str = ""
    loss_sum: Tensor = field(init=False)
    weight_sum: Tensor = field(init=False)

    def __post_init__(self) -> None:
        """The epoch's sums live beside the weights, so that adding to them waits for nothing."""
        device = next(self.network.parameters()).device
        dtype = torch.float32 if device.type == "mps" else torch.float64  # mps has no float64
        self.loss_sum = torch.zeros((), dtype=dtype, device=device)
        self.weight_sum = torch.zeros((), dtype=dtype, device=device)

    def weights(self) -> dict[str, Tensor]:
        """A copy of the network's parameters and buffers."""
        return {name: tensor.detach().clone() for name, tensor in self.network.state_dict().items()}

    def keep_best(self, value: float, loss: float | None, metrics: dict[str, float]) -> None:
        """Make the present weights the best ones."""
        self.best = Best(self.epoch, value, self.weights(), loss, metrics)

    def to_tensors(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Everything as named tensors and JSON values, ready for a checkpoint."""
        tensors = {f"network.{name}": tensor for name, tensor in self.weights().items()}
        tensors |= {f"optimizer.{name}": tensor.clone() for name, tensor in self.optimizer.state().items()}
        tensors |= {
            "dropout_generator": self.network.dropout_generator.get_state(),
            "global_generator": torch.get_rng_state(),  # layers added from Python may draw from it
            "loss_sum": self.loss_sum.clone(),
            "weight_sum": self.weight_sum.clone(),
        }
        position = {"epoch": self.epoch, "step": self.step, "update": self.update, "stopped": self.stopped}
        facts: dict[str, Any] = {"position": position, "schedule": self.schedule.state(), "best": None}
        if self.stopper is not None:
            facts["stopper"] = self.stopper.state()
        if self.best is not None:
            tensors |= {f"best.{name}": tensor for name, tensor in self.best.weights.items()}
            facts["best"] = {
                "epoch": self.best.epoch,
                "value": self.best.value,
                "loss": self.best.loss,
                "metrics": self.best.metrics,
            }
        return tensors, facts

    def restore(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        """Take over what `to_tensors` gave, so that training goes on as if it had never stopped."""

        def part(prefix: str) -> dict[str, Tensor]:
            return {name.removeprefix(prefix): tensors[name] for name in tensors if name.startswith(prefix)}

        self.network.load_state_dict(part("network."))
        self.optimizer.load_state(part("optimizer."))
        self.network.dropout_generator.set_state(tensors["dropout_generator"])
        torch.set_rng_state(tensors["global_generator"])
        self.loss_sum.copy_(tensors["loss_sum"])
        self.weight_sum.copy_(tensors["weight_sum"])
        self.epoch, self.step = facts["position"]["epoch"], facts["position"]["step"]
        self.update, self.stopped = facts["position"]["update"], facts["position"]["stopped"]
        self.schedule.load_state(facts["schedule"])
        if self.stopper is not None:
            self.stopper.load_state(facts["stopper"])
        if facts["best"] is not None:
            self.best = Best(weights=part("best."), **facts["best"])
