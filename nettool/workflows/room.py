"""Whether a network and its batches fit into memory, by arithmetic, before anything is built. Never torch."""

from __future__ import annotations

from pathlib import Path

from nettool.config.experiment import Experiment
from nettool.errors import ConfigError, Mistake
from nettool.memory import free_bytes, gigabytes
from nettool.model.memory import bytes_of_example, bytes_of_weights
from nettool.model.plans import NetworkPlan

NVIDIA = Path("/dev/nvidiactl")
"""There where the machine has a CUDA device, whose memory only torch can ask for."""


def check_room(experiment: Experiment, plan: NetworkPlan, batch_size: int) -> None:
    """Raise ConfigError, at the layer or the batch size that is too large, for what cannot fit.

    Where a CUDA device may do the work, only the weights are held against this memory: they are drawn here.
    """
    free = free_bytes()
    weights = bytes_of_weights(plan, experiment.optimizer)
    if _may_use_cuda(experiment):
        if 4 * plan.num_parameters > free:
            raise ConfigError([_too_many_weights(plan, 4 * plan.num_parameters, free)])
        return
    if weights > free:
        raise ConfigError([_too_many_weights(plan, weights, free)])
    if weights + batch_size * bytes_of_example(plan) > free:
        raise ConfigError([_too_large_batch(plan, batch_size, free - weights, free)])


def fitting_batch(plan: NetworkPlan, batch_size: int, free: int) -> int:
    """The largest power of 2 below `batch_size` so that a batch takes no more than `free` bytes, or 0."""
    fitting = min(free // max(bytes_of_example(plan), 1), batch_size - 1)
    return 1 << (fitting.bit_length() - 1) if fitting > 0 else 0


def _may_use_cuda(experiment: Experiment) -> bool:
    device = experiment.runtime.device
    return device == "cuda" or (device == "auto" and NVIDIA.exists())


def _too_many_weights(plan: NetworkPlan, needed: int, free: int) -> Mistake:
    largest = max(plan.layers, key=lambda layer: layer.num_parameters)
    return Mistake(
        largest.path,
        f"{largest.num_parameters:,} of the network's {plan.num_parameters:,} parameters are here. Weights, gradients "
        f"and what the optimizer keeps take {gigabytes(needed)}, but {gigabytes(free)} of memory are free. Make it "
        "smaller.",
    )


def _too_large_batch(plan: NetworkPlan, batch_size: int, room: int, free: int) -> Mistake:
    needed = batch_size * bytes_of_example(plan)
    text = f"a batch of {batch_size:,} examples takes {gigabytes(needed)}, but {gigabytes(free)} of memory are free."
    fitting = fitting_batch(plan, batch_size, room)
    if fitting:
        return Mistake(("batch_size",), f"{text} {fitting:,} would fit.")
    largest = max(plan.layers, key=lambda layer: layer.num_stored)
    return Mistake(largest.path, f"{text} Not even one would fit: this layer is too large.")
