"""Which library computes the float32 products of the cpu.

On AMD's processors with AVX-512, MKL, torch's default, reaches half of what oneDNN does with large matrices. torch
hands float32 products to oneDNN when it is allowed to round them to bfloat16; where the processor has no instructions
for that, nothing is rounded. So a probe, with known numbers, decides, and never a timing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from nettool.model.plans import NetworkPlan

LARGE_FLOPS = 20_000_000
"""From so many floating point operations on a product is large."""


def prefer_onednn(plan: NetworkPlan, batch_size: int) -> bool:
    """Whether oneDNN is the faster one for this network on this processor, and as exact."""
    largest = max((layer.flops for layer in plan.leaves()), default=0) * batch_size
    return largest >= LARGE_FLOPS and mkl_is_slow() and stays_float32()


def mkl_is_slow() -> bool:
    """Whether this is a processor of AMD's with AVX-512."""
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()  # torch 2.10 may not have it
    return "AMD" in str(capabilities.get("cpu_name")) and bool(capabilities.get("avx512_f"))


def stays_float32() -> bool:
    """Whether oneDNN's product of 512 numbers is as near to the exact one as float32 allows.

    bfloat16 would be off by a few thousandths of its length, a thousand times as much.
    """
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.randn(128, 512, generator=generator) for _ in range(2))
    exact = left.double() @ right.double().T
    with by_onednn():
        error = (left @ right.T - exact).abs().max() / exact.abs().max()
    return bool(error < 1e-5)


@contextmanager
def by_onednn() -> Iterator[None]:
    """Inside, oneDNN computes the products of float32 matrices on the cpu."""
    settings = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
    before = settings.fp32_precision
    settings.fp32_precision = "bf16"
    try:
        yield
    finally:
        settings.fp32_precision = before
