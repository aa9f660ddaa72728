"""Which engine finds the gradients: chosen by rule from the config and the machine, and built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from nettool.config.experiment import Experiment
from nettool.config.runtime import Runtime
from nettool.errors import ConfigError, Mistake
from nettool.model.compile import Network
from nettool.model.losses import Loss
from nettool.model.plans import NetworkPlan
from nettool.training.closed_form.chain import missing_from
from nettool.training.closed_form.step import ClosedFormStep
from nettool.training.optimizers import build_optimizer
from nettool.training.products import prefer_onednn
from nettool.training.step import AutogradStep, Step


@dataclass(frozen=True)
class Engine:
    """How gradients are found. precision: of the network's arithmetic. onednn: whether it computes the products."""

    kind: Literal["closed_form", "autograd", "compiled"]
    precision: str = "float32"
    onednn: bool = False

    def __str__(self) -> str:
        """As run.json has it."""
        narrow = "" if self.precision == "float32" else f" in {self.precision}"
        return f"{self.kind}{narrow}{', products by oneDNN' if self.onednn else ''}"


def choose_engine(runtime: Runtime, plan: NetworkPlan, batch_size: int, device: torch.device) -> Engine:
    """The closed form where the network has one and trains on the cpu, else autograd, compiled where asked for.

    Raises ConfigError where the config asks for what the machine or the network has not.
    """
    if runtime.precision == "bfloat16" and device.type == "cuda":
        _check_bfloat16(device)
    onednn = device.type == "cpu" and runtime.precision == "float32" and prefer_onednn(plan, batch_size)
    if _has_closed_form(runtime, plan, device):
        return Engine("closed_form", onednn=onednn)
    return Engine("compiled" if runtime.compile else "autograd", runtime.precision, onednn)


def _check_bfloat16(device: torch.device) -> None:
    if not torch.cuda.is_bf16_supported(including_emulation=False):
        text = f"{torch.cuda.get_device_name(device)} has no bfloat16. Use float32."
        raise ConfigError([Mistake(("runtime", "precision"), text)])


def _has_closed_form(runtime: Runtime, plan: NetworkPlan, device: torch.device) -> bool:
    missing = missing_from(plan)
    if runtime.engine == "closed_form" and device.type != "cpu":
        text = f"closed_form trains on the cpu, and this run on {device.type}. Use autograd, or device: cpu."
        raise ConfigError([Mistake(("runtime", "engine"), text)])
    if runtime.engine == "closed_form" and missing:
        text = f"closed_form cannot train {missing}. Use autograd, or auto, which takes what can."
        raise ConfigError([Mistake(("runtime", "engine"), text)])
    is_wanted = runtime.engine != "autograd" and not runtime.compile and runtime.precision == "float32"
    return is_wanted and device.type == "cpu" and not missing


def build_step(engine: Engine, network: Network, loss: Loss, experiment: Experiment) -> Step:
    """The step of this engine. It moves the network's weights where they lie, so build it once for a network."""
    if engine.kind == "closed_form":
        return ClosedFormStep(network, loss, experiment.loss, experiment.optimizer, engine.onednn)
    optimizer = build_optimizer(experiment.optimizer, list(network.parameters()))
    precision, compiled = getattr(torch, engine.precision), engine.kind == "compiled"
    return AutogradStep(network, loss, optimizer, precision, compiled, engine.onednn)
