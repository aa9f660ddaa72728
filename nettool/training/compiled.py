"""torch.compile: what it has to be told of nettool's modules, and compiling before the first update."""

from __future__ import annotations

import contextlib
import itertools
import time
import weakref
from functools import partial

import torch
from torch import Tensor

from nettool.errors import UsageError
from nettool.model.blocks import Dropout
from nettool.model.compile import Network
from nettool.training.loop import Job
from nettool.training.step import NonFiniteLoss

_dropouts: weakref.WeakValueDictionary[int, Dropout] = weakref.WeakValueDictionary()
"""By what a compiled kernel calls them: no kernel can be handed a generator of random numbers."""
_keys = itertools.count()
"""The same in every process, so that what was compiled in one is found again in the next."""


@torch.library.custom_op("nettool::kept", mutates_args=(), tags=(torch.Tag.nondeterministic_seeded,))
def _kept(x: Tensor, key: int) -> Tensor:
    """What `Dropout.kept` draws. The tag keeps torch from drawing once for two uses, or anew on the way back."""
    return Dropout.kept(_dropouts[key], x)


@_kept.register_fake
def _(x: Tensor, key: int) -> Tensor:
    return torch.empty_like(x, dtype=torch.int16)


def compile_ahead(job: Job, network: Network) -> float:
    """Compile for every size of batch that an epoch has, and leave everything as it was. Returns the seconds it took.

    Raises UsageError where torch cannot compile here.
    """
    began = time.perf_counter()
    for module in network.modules():
        if isinstance(module, Dropout):
            key = next(_keys)
            _dropouts[key] = module
            module.kept = partial(_kept, key=key)  # type: ignore[method-assign]
    buffers = [(buffer, buffer.clone()) for buffer in network.buffers()]
    masks = network.dropout_generator.get_state()
    network.train()
    try:
        with torch.random.fork_rng([job.train.device] if job.train.device.type == "cuda" else []):
            for update in {0, job.steps_per_epoch - 1}:
                first = update * job.accumulate
                batches = job.batching.batches(job.train, 0, first)
                with contextlib.suppress(NonFiniteLoss):  # training meets it again, and says where it comes from
                    job.step.find_gradients(batches, min(job.accumulate, job.batching.num_batches - first))
    except Exception as failure:
        if not type(failure).__module__.startswith(("torch._dynamo", "torch._inductor")):
            raise
        reason = str(failure).strip().partition("\n")[0].rstrip(".")
        raise UsageError(
            f"torch.compile cannot compile this network here: {reason}. On the cpu it needs a C++ compiler, g++ or "
            "clang++. Without compiling: runtime.compile=false"
        ) from failure
    finally:
        for buffer, value in buffers:
            buffer.copy_(value)
        network.dropout_generator.set_state(masks)
    return time.perf_counter() - began
