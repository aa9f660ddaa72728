"""All that is needed to go on: weights, optimizer, generators, position, best, and what every epoch measured.

Early stopping and the schedule remember nothing that the history does not tell: they are brought back by showing them
its epochs again, so that a run with more patience goes on as if it had always had it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from nettool.model.compile import Network
from nettool.training.history import EpochResult, History
from nettool.training.optimizers import Remembering
from nettool.training.schedules import Schedule
from nettool.training.step import Number
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

    epoch: epochs completed. step: updates made. update: updates made in the epoch under way; loss_sum, weight_sum and
    epoch_seconds are the epoch's so far. stopped: why training ended before its last epoch.
    """

    network: Network
    optimizer: Remembering
    schedule: Schedule
    stopper: EarlyStopper | None
    history: History
    epoch: int = 0
    step: int = 0
    update: int = 0
    epoch_seconds: float = 0.0
    best: Best | None = None
    stopped: str = ""
    loss_sum: Number = field(init=False)
    weight_sum: Number = field(init=False)

    def __post_init__(self) -> None:
        """The epoch's sums live beside the weights, so that adding to them waits for nothing."""
        self.device = next(self.network.parameters()).device
        self._sum_dtype = torch.float32 if self.device.type == "mps" else torch.float64  # mps has no float64
        self.forget_losses()

    def forget_losses(self) -> None:
        """Begin the epoch's sums anew."""
        self.loss_sum = self.weight_sum = 0.0
        if self.device.type != "cpu":
            zeros = torch.zeros(2, dtype=self._sum_dtype, device=self.device)
            self.loss_sum, self.weight_sum = zeros.unbind()

    def add_loss(self, mean: Number, weight: Number) -> None:
        """Count in the mean loss of a step's examples. In float64 where the device has it."""
        if isinstance(self.loss_sum, Tensor) and isinstance(mean, Tensor):
            mean = mean.to(self.loss_sum.dtype)
        self.loss_sum += mean * weight
        self.weight_sum += weight

    def _sum(self, saved: Tensor) -> Number:
        return saved.item() if self.device.type == "cpu" else saved.to(self.device, self._sum_dtype)

    def weights(self) -> dict[str, Tensor]:
        """A copy of the network's parameters and buffers."""
        return {name: tensor.detach().clone() for name, tensor in self.network.state_dict().items()}

    def keep_best(self, value: float, loss: float | None, metrics: dict[str, float]) -> None:
        """Make the present weights the best ones."""
        self.best = Best(self.epoch, value, self.weights(), loss, metrics)

    def to_tensors(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Everything as named tensors and JSON values: copies on the cpu, which training does not change any more."""
        tensors = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        tensors |= {f"optimizer.{name}": tensor for name, tensor in self.optimizer.state().items()}
        sums = {"loss_sum": self.loss_sum, "weight_sum": self.weight_sum}
        tensors |= {name: torch.as_tensor(number, dtype=self._sum_dtype) for name, number in sums.items()}
        copies = {name: tensor.detach().to("cpu", copy=True) for name, tensor in tensors.items()}
        copies |= {
            "history": self.history.to_tensor(),
            "dropout_generator": self.network.dropout_generator.get_state(),
            "global_generator": torch.get_rng_state(),  # layers added from Python may draw from it
        }
        if self.device.type != "cpu":
            copies["device_generator"] = torch.get_device_module(self.device).get_rng_state()
        position = {"epoch": self.epoch, "step": self.step, "update": self.update, "epoch_seconds": self.epoch_seconds}
        facts: dict[str, Any] = {"position": position, "best": None}
        if self.best is not None:
            copies |= {f"best.{name}": tensor.cpu() for name, tensor in self.best.weights.items()}  # never changed
            facts["best"] = {
                "epoch": self.best.epoch,
                "value": self.best.value,
                "loss": self.best.loss,
                "metrics": self.best.metrics,
            }
        return copies, facts

    def restore(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        """Take over what `to_tensors` gave, so that training goes on as if it had never stopped.

        Raises KeyError, TypeError, ValueError or RuntimeError where it was another network's, or another optimizer's.
        """

        def part(prefix: str) -> dict[str, Tensor]:
            return {name.removeprefix(prefix): tensors[name] for name in tensors if name.startswith(prefix)}

        self.network.load_state_dict(part("network."))
        self.optimizer.load_state(part("optimizer."))
        self._restore_generators(tensors, int(facts["position"]["step"]))
        self.loss_sum, self.weight_sum = (self._sum(tensors[name]) for name in ("loss_sum", "weight_sum"))
        self.history.load_tensor(tensors["history"])
        position = facts["position"]
        self.epoch, self.step, self.update = (int(position[name]) for name in ("epoch", "step", "update"))
        self.epoch_seconds = float(position["epoch_seconds"])
        steps_before = max((result.step for result in self.history), default=0)
        if len(self.history) != self.epoch or self.step != steps_before + self.update:
            raise ValueError(f"the saved position, {position}, is not where the saved history ends")
        if facts["best"] is not None:
            weights = {name: tensor.to(self.device) for name, tensor in part("best.").items()}
            self.best = Best(weights=weights, **facts["best"])
        for result in self.history:
            self.stopped = self.judge(result)

    def _restore_generators(self, tensors: dict[str, Tensor], step: int) -> None:
        """Those of another kind of device cannot be taken over: they begin anew, other for each step."""
        torch.set_rng_state(tensors["global_generator"])
        if ("device_generator" in tensors) != (self.device.type != "cpu"):
            self.network.dropout_generator.manual_seed(step)
            return
        self.network.dropout_generator.set_state(tensors["dropout_generator"])
        if self.device.type != "cpu":
            torch.get_device_module(self.device).set_rng_state(tensors["device_generator"])

    def judge(self, result: EpochResult) -> str:
        """Show an epoch to schedule and early stopping. Returns why training is to stop, or nothing."""
        self.schedule.epoch_ended(result.judged_loss)
        if self.stopper is None or not self.stopper.update(result.measured(self.stopper.monitor)):
            return ""
        return f"{self.stopper.monitor} has not improved for {self.stopper.patience} epochs"
