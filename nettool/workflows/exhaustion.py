"""What to say when memory ran out: what was asked for, by which layer, and which batch size would fit."""

from __future__ import annotations

import re
import traceback

import torch
from torch import nn

from nettool.data.memory import free_bytes, gigabytes
from nettool.errors import ResourceError
from nettool.workflows.prepare import Prepared
from nettool.workflows.room import fitting_batch

_UNITS = {"bytes": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_ASKED = re.compile(r"tried to allocate ([\d.]+) (bytes|[KMGT]iB)", re.IGNORECASE)


def out_of_memory(failure: Exception, prepared: Prepared) -> ResourceError | None:
    """The error for the user if memory ran out: torch has a class of its own for it on cuda, on the cpu only a text."""
    if not isinstance(failure, MemoryError | torch.OutOfMemoryError) and "can't allocate memory" not in str(failure):
        return None
    asked = _ASKED.search(str(failure))
    amount = f", {gigabytes(int(float(asked[1]) * _UNITS[asked[2]]))} more" if asked else ""
    return ResourceError(
        f"out of memory in {_where(failure)}{amount}: {prepared.plan.num_parameters:,} parameters and batches of "
        f"{prepared.batch_size:,} examples. {_cure(prepared)}"
    )


def _where(failure: Exception) -> str:
    """The layer whose module was at work, the innermost of those that the user knows by name."""
    layer = ""
    for frame, _ in traceback.walk_tb(failure.__traceback__):
        module = frame.f_locals.get("self")
        if isinstance(module, nn.Module):
            layer = getattr(module, "layer_name", layer)
    return layer or "a backward pass or an update"


def _cure(prepared: Prepared) -> str:
    """A batch of which all that its examples leave behind for the backward pass fits into what is free now."""
    if prepared.device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(prepared.device)
    else:
        free = free_bytes()
    fitting = fitting_batch(prepared.plan, prepared.batch_size, free)
    if not fitting:
        return "Not even a batch of one example fits beside them: try fewer units."
    return f"Try `batch_size: {fitting}`, which fits by arithmetic, or fewer units."
