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
from nettool.model.verdicts import without_closed_form
from nettool.training.closed_form.step import ClosedFormStep
from nettool.training.optimizers import build_optimizer
from nettool.training.products import prefer_onednn
from nettool.training.step import AutogradStep, Step


@dataclass(frozen=True)
class Engine:
    """How gradients are found. precision: of the network's arithmetic. onednn: whether it computes the products.
    members: networks that are trained side by side.
    """

    kind: Literal["closed_form", "autograd", "compiled"]
    precision: str = "float32"
    onednn: bool = False
    members: int = 1

    def __str__(self) -> str:
        """As run.json has it."""
        narrow = "" if self.precision == "float32" else f" in {self.precision}"
        beside = f", {self.members} members" if self.members > 1 else ""
        return f"{self.kind}{narrow}{beside}{', products by oneDNN' if self.onednn else ''}"


def choose_engine(runtime: Runtime, plan: NetworkPlan, batch_size: int, device: torch.device) -> Engine:
    """The closed form where the network has one and trains on the cpu, else autograd, compiled where asked for.

    Raises ConfigError where the config asks for what the device has not.
    """
    if runtime.precision == "bfloat16" and device.type == "cuda":
        _check_bfloat16(device)
    if runtime.engine == "closed_form" and device.type != "cpu":
        text = f"closed_form trains on the cpu, and this run on {device.type}. Leave it out, or set device: cpu."
        raise ConfigError([Mistake(("runtime", "engine"), text)])
    onednn = device.type == "cpu" and runtime.precision == "float32" and prefer_onednn(plan, batch_size)
    if runtime.allows_closed_form and device.type == "cpu" and not without_closed_form(plan):
        return Engine("closed_form", onednn=onednn)
    return Engine("compiled" if runtime.compile else "autograd", runtime.precision, onednn)


def _check_bfloat16(device: torch.device) -> None:
    if not torch.cuda.is_bf16_supported(including_emulation=False):
        text = f"{torch.cuda.get_device_name(device)} has no bfloat16. Use float32."
        raise ConfigError([Mistake(("runtime", "precision"), text)])


def departure_note(runtime: Runtime, plan: NetworkPlan, device: torch.device) -> tuple[str, ...]:
    """Where a setting takes a network off the closed form, which is faster as a rule."""
    if device.type != "cpu" or without_closed_form(plan) or not (runtime.compile or runtime.precision == "bfloat16"):
        return ()
    setting = "compile: true" if runtime.compile else "precision: bfloat16"
    return (f"runtime.{setting} takes these layers off the closed form, which is the faster one on most processors.",)


def build_step(engine: Engine, network: Network, loss: Loss, experiment: Experiment) -> Step:
    """The step of this engine. It moves the network's weights where they lie, so build it once for a network."""
    if engine.kind == "closed_form":
        return ClosedFormStep(network, loss, experiment.loss, experiment.optimizer, engine.onednn)
    optimizer = build_optimizer(experiment.optimizer, list(network.parameters()))
    precision, compiled = getattr(torch, engine.precision), engine.kind == "compiled"
    return AutogradStep(network, loss, optimizer, precision, compiled, engine.onednn)
