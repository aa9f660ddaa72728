"""Which engine finds the gradients: chosen by rule from the config and the machine, and built."""

from __future__ import annotations

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
from nettool.training.step import AutogradStep, Step

CLOSED_FORM = "closed_form"


def choose_engine(runtime: Runtime, plan: NetworkPlan, device: torch.device) -> str:
    """The closed form where the network has one and trains on the cpu, else autograd, compiled where asked for.

    Returns what run.json says of it. Raises ConfigError where the config asks for what the machine or the network has
    not.
    """
    missing = missing_from(plan)
    narrow = "" if runtime.precision == "float32" else f" in {runtime.precision}"
    if narrow and device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        text = f"{torch.cuda.get_device_name(device)} has no bfloat16. Use float32."
        raise ConfigError([Mistake(("runtime", "precision"), text)])
    if runtime.engine == CLOSED_FORM and device.type != "cpu":
        text = f"closed_form trains on the cpu, and this run on {device.type}. Use autograd, or device: cpu."
        raise ConfigError([Mistake(("runtime", "engine"), text)])
    if runtime.engine == CLOSED_FORM and missing:
        text = f"closed_form cannot train {missing}. Use autograd, or auto, which takes what can."
        raise ConfigError([Mistake(("runtime", "engine"), text)])
    if runtime.compile or narrow or runtime.engine == "autograd" or device.type != "cpu" or missing:
        return f"{'compiled' if runtime.compile else 'autograd'}{narrow}"
    return CLOSED_FORM


def build_step(engine: str, network: Network, loss: Loss, experiment: Experiment) -> Step:
    """The step of this engine. It moves the network's weights where they lie, so build it once for a network."""
    if engine == CLOSED_FORM:
        return ClosedFormStep(network, loss, experiment.loss, experiment.optimizer)
    optimizer = build_optimizer(experiment.optimizer, list(network.parameters()))
    runtime = experiment.runtime
    return AutogradStep(network, loss, optimizer, getattr(torch, runtime.precision), runtime.compile)
