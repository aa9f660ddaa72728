"""How long the output of a convolution or a pooling is, along one axis."""

from __future__ import annotations

from typing import Literal


def both(value: int | tuple[int, int]) -> tuple[int, int]:
    """One number for two axes, or one for each, as one for each."""
    return (value, value) if isinstance(value, int) else value


def pads(padding: Literal["same", "causal"] | int, size: int, dilation: int = 1) -> tuple[int, int]:
    """Zeros before and behind. `same` puts the odd one behind, as torch does; `causal` puts all before."""
    reach = dilation * (size - 1)
    if padding == "same":
        return reach // 2, reach - reach // 2
    if padding == "causal":
        return reach, 0
    return padding, padding


def pads2d(padding: Literal["same"] | int | tuple[int, int], axis: int, size: int, dilation: int) -> tuple[int, int]:
    """Zeros before and behind, along the height (0) or the width (1)."""
    return pads("same" if padding == "same" else both(padding)[axis], size, dilation)


def output_extent(extent: int, size: int, stride: int, before: int, behind: int, dilation: int = 1) -> int:
    """Positions of the kernel; 0 or less where it does not fit once."""
    return (extent + before + behind - dilation * (size - 1) - 1) // stride + 1
