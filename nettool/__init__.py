"""nettool: train neural networks from a YAML file, from the command line or from Python.

    import nettool

    run = nettool.train("configs/digits.yaml", {"optimizer.lr": 0.01})
    run.metrics            # pandas.DataFrame, a row an epoch
    run.network            # torch.nn.Module with the best weights
    run.predict(frame)     # pandas in, pandas out

Names only; each is loaded at its first use, so that importing nettool imports no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nettool.api import Run as Run
    from nettool.api import Sweep as Sweep
    from nettool.api import load as load
    from nettool.api import register_layer as register_layer
    from nettool.api import resume as resume
    from nettool.api import sweep as sweep
    from nettool.api import train as train
    from nettool.config.layers import LayerSettings as LayerSettings
    from nettool.errors import NettoolError as NettoolError
    from nettool.workflows.watch import Watcher as Watcher

_HOMES = {
    "LayerSettings": "nettool.config.layers",
    "NettoolError": "nettool.errors",
    "Run": "nettool.api",
    "Sweep": "nettool.api",
    "Watcher": "nettool.workflows.watch",
    "load": "nettool.api",
    "register_layer": "nettool.api",
    "resume": "nettool.api",
    "sweep": "nettool.api",
    "train": "nettool.api",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"nettool has no {name}; its names are {', '.join(__all__)}")


def __dir__() -> list[str]:
    return list(__all__)
