"""What to say when memory ran out: what was asked for, by which layer, and which batch size would fit.

torch is loaded where it has failed; nobody loads it to be told so.
"""

from __future__ import annotations

import re
import sys
import traceback
from typing import TYPE_CHECKING

from nettool.errors import ResourceError
from nettool.memory import free_bytes, gigabytes, is_out_of_memory
from nettool.workflows.room import fitting_batch

if TYPE_CHECKING:
    from nettool.workflows.prepare import Prepared

_UNITS = {"bytes": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_ASKED = re.compile(r"(?:tried|unable) to allocate ([\d.]+) (bytes|[KMGT]iB)", re.IGNORECASE)


def out_of_memory(failure: Exception) -> ResourceError | None:
    """The error for the user if memory ran out in whatever command."""
    if not is_out_of_memory(failure):
        return None
    layer = _layer_at_work(failure)
    where = f" in {layer}" if layer else ""
    return ResourceError(f"out of memory{where}{_amount(failure)}. Close what else takes memory, or ask for less data.")


def out_of_memory_in_training(failure: Exception, prepared: Prepared, has_begun: bool) -> ResourceError | None:
    """The same where a network was trained, or built for it and has not begun."""
    if not is_out_of_memory(failure):
        return None
    if has_begun:
        where = f"in {_layer_at_work(failure) or 'a backward pass or an update'}"
    else:
        where = "as the network was built and the data brought to it"
    size = f"{prepared.plan.num_parameters:,} parameters and batches of {prepared.batch_size:,} examples"
    asked = _amount(failure)
    _let_go(failure)
    cure = _cure(prepared) if has_begun else "Try fewer units, or less data at once (data.limit)."
    return ResourceError(f"out of memory {where}{asked}: {size}. {cure}")


def _amount(failure: Exception) -> str:
    asked = _ASKED.search(str(failure))
    return f", {gigabytes(int(float(asked[1]) * _UNITS[asked[2]]))} more" if asked else ""


def _layer_at_work(failure: Exception) -> str:
    """The layer whose module was at work, the innermost of those that the user knows by name; "" for none."""
    layer = ""
    for frame, _ in traceback.walk_tb(failure.__traceback__):
        layer = getattr(frame.f_locals.get("self"), "layer_name", layer)
    return layer


def _let_go(failure: Exception) -> None:
    """Free what the failed batch has left behind: it lives on in the frames that the failure came through."""
    traceback.clear_frames(failure.__traceback__)
    for frame, _ in traceback.walk_tb(failure.__traceback__):
        len(frame.f_locals)  # Python below 3.13 keeps a copy since the last look, and brings it up to date now


def _cure(prepared: Prepared) -> str:
    """A batch of which all that its examples leave behind for the backward pass fits into what is free now."""
    torch = sys.modules["torch"]
    if prepared.device.type == "cuda":
        torch.cuda.empty_cache()
        free, _ = torch.cuda.mem_get_info(prepared.device)
    else:
        free = free_bytes()
    fitting = fitting_batch(prepared.plan, prepared.batch_size, free)
    if not fitting:
        return "Not even a batch of one example fits beside them: try fewer units."
    return f"Try `batch_size: {fitting}`, which fits by arithmetic, or fewer units."
