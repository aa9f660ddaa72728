"""Where training left the finite numbers: the epoch, the update, and the layer that it came from."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from nettool.data.dataset import Batch
from nettool.errors import DivergedError
from nettool.training.state import TrainingState

CURE = "Training diverged: try a learning rate ten times smaller, `clip_norm: 1` in the optimizer, `scale: standard`."
INPUT = "the input"
RUNNING = ("running_mean", "running_var")
"""What torch's norms call the statistics that they keep."""


Batches = Callable[[], Iterable[Batch]]
"""Gives the batches of an update, as often as asked."""


def diverged_step(state: TrainingState, batches: Batches, loss: float) -> DivergedError:
    """The loss of the next update is not finite. The network still has the weights that the loss was computed with."""
    where = f"the loss is {loss} in epoch {state.epoch + 1}, at step {state.step + 1}"
    ruined = _ruined_layers(state.network)
    if ruined:
        return DivergedError(
            f"{where}: step {state.step} had taken the weights of {ruined} out of the finite numbers. {CURE}"
        )
    return DivergedError(f"{where}: {_first_infinite(state.network, batches)}. {CURE}")


def diverged_loss(state: TrainingState, loss: float) -> DivergedError:
    """The epoch's mean loss is not finite: found in the sum, where looking at each step would be slow."""
    ruined = _ruined_layers(state.network)
    which = f": the weights of {ruined} left the finite numbers" if ruined else ""
    return DivergedError(
        f"the training loss is {loss} in epoch {state.epoch + 1}, at or before step {state.step}{which}. {CURE}"
    )


def check_weights(state: TrainingState) -> None:
    """Raise DivergedError for weights that are not finite: the last update may have ruined them after its loss."""
    tensors = list(_learned(state.network).values())
    if torch.stack(torch._foreach_norm(tensors)).isfinite().all():  # twenty times as fast as a look at each number
        return
    ruined = _ruined_layers(state.network)
    if ruined:  # else only the sum of the squares was too large
        where = f"step {state.step} in epoch {state.epoch + 1}"
        raise DivergedError(f"{where} took the weights of {ruined} out of the finite numbers. {CURE}")


def _learned(network: nn.Module) -> dict[str, Tensor]:
    """What training changes: weights and running means. A constant of a layer added from Python may be infinite."""
    running = {path: buffer for path, buffer in network.named_buffers() if path.rpartition(".")[2] in RUNNING}
    return {**dict(network.named_parameters()), **running}


def _ruined_layers(network: nn.Module) -> str:
    """The layers whose weights are not finite. A gradient that is not finite ruins all layers before its origin."""
    names: dict[str, bool] = {}
    for path, tensor in _learned(network).items():
        name = layer_of(network, path)
        names[name] = names.get(name, False) or not bool(tensor.isfinite().all())
    ruined = [name for name, is_ruined in names.items() if is_ruined]
    if not ruined:
        return ""
    if len(ruined) == len(names):
        return "every layer"
    return ruined[-1] if len(ruined) == 1 else f"{ruined[-1]} and before"


def _first_infinite(network: nn.Module, batches: Batches) -> str:
    """Which layer's output is the first that is not finite: where nothing is dropped, else as training has it.

    With gradients, though nobody takes them: without them torch has other kernels, for an LSTM say, that may get over
    what those of training do not.
    """
    found: list[str] = []

    def look(path: str, output: object) -> None:
        first = output[0] if isinstance(output, tuple) else output
        if not found and isinstance(first, Tensor) and first.is_floating_point() and not first.isfinite().all():
            found.append(layer_of(network, path))

    hooks = [
        module.register_forward_hook(lambda module, inputs, output, path=path: look(path, output))
        for path, module in network.named_modules()
        if path
    ]
    with torch.enable_grad():
        for is_training in (False, True):
            network.train(is_training)
            for batch in batches() if not found else ():
                network(batch.features)
    for hook in hooks:
        hook.remove()
    if not found:
        return "every output is finite, but the loss that is made of them is not"
    return f"{found[0]} is not finite" if found[0] == INPUT else f"the output of {found[0]} is not finite"


def layer_of(network: nn.Module, path: str) -> str:
    """The layer of the config, `layers.2 (dense)`, that a module or a weight of this path belongs to."""
    parts = path.split(".")
    for length in range(len(parts), 0, -1):
        try:
            module = network.get_submodule(".".join(parts[:length]))
        except AttributeError:  # a weight
            continue
        if hasattr(module, "layer_name"):
            return str(module.layer_name)
    return INPUT
