"""Modules for images, and convolutions and pooling over time.

B batch, C channels, H height, W width, T time, F features.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nettool.model.blocks import Undrawn
from nettool.model.stack import Lengths, Timed, real_steps, silenced

Pads = tuple[int, int]
"""Zeros before and behind, along one axis."""


class ImageInput(nn.Module):
    """Pixels to standardised channels: uint8 (or float in 0..255) [B, C, H, W] to float32 of the same shape.

    channels_last: how the result lies in memory, where the cpu's convolutions are fastest.
    """

    means: Tensor
    scales: Tensor

    def __init__(self, means: Sequence[float], deviations: Sequence[float], channels_last: bool) -> None:
        super().__init__()
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.register_buffer("means", torch.tensor(means)[:, None, None], persistent=False)
        self.register_buffer("scales", 1 / torch.tensor(deviations)[:, None, None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(pixel - mean) / deviation of its channel."""
        pixels = x.to(self.means.dtype, memory_format=self.memory_format)
        return (pixels - self.means) * self.scales


class Conv2d(Undrawn, nn.Conv2d):
    """torch's Conv2d, with zeros added on each side as asked."""

    def __init__(self, inputs: int, filters: int, size: Pads, pads: tuple[Pads, Pads], **settings: object) -> None:
        (top, bottom), (left, right) = pads
        self.extra = (left, right, top, bottom) if (top, left) != (bottom, right) else None
        padding = 0 if self.extra else (top, left)
        super().__init__(inputs, filters, size, padding=padding, **settings)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] to [B, filters, H', W']."""
        return super().forward(F.pad(x, self.extra) if self.extra else x)


class Conv1d(Timed):
    """torch's Conv1d over the time of [B, T, F]. What lies behind the end counts as zeros."""

    def __init__(self, inputs: int, filters: int, size: int, pads: Pads, **settings: object) -> None:
        super().__init__()
        self.pads = pads
        self.extra = pads if pads[0] != pads[1] else None
        padding = 0 if self.extra else pads[0]
        self.conv = _Conv1d(inputs, filters, size, padding=padding, **settings)  # type: ignore[arg-type]

    @property
    def weight(self) -> Tensor:
        """[filters, F / groups, size]."""
        return self.conv.weight

    @property
    def bias(self) -> Tensor | None:
        """[filters]."""
        return self.conv.bias

    def run(self, x: Tensor, lengths: Lengths) -> tuple[Tensor, Lengths]:
        """[B, T, F] to [B, T', filters]."""
        channels = silenced(x, lengths).transpose(1, 2)
        if self.extra:
            channels = F.pad(channels, self.extra)
        (size,), (stride,), (dilation,) = self.conv.kernel_size, self.conv.stride, self.conv.dilation
        return self.conv(channels).transpose(1, 2), _shortened(lengths, size, stride, self.pads, dilation)


class _Conv1d(Undrawn, nn.Conv1d):
    pass


def _shortened(lengths: Lengths, size: int, stride: int, pads: Pads, dilation: int = 1) -> Lengths:
    """Lengths after a kernel went over them; at least one step is left."""
    if lengths is None:
        return None
    reach = lengths + sum(pads) - dilation * (size - 1) - 1
    return (torch.div(reach, stride, rounding_mode="floor") + 1).clamp(min=1)


class TimePool(Timed):
    """The largest value, or the mean, of each window in time: [B, T, F] to [B, T', F]. Padding never wins or counts."""

    def __init__(self, size: int, stride: int, padding: int, largest: bool) -> None:
        super().__init__()
        self.size, self.stride, self.padding, self.largest = size, stride, padding, largest

    def run(self, x: Tensor, lengths: Lengths) -> tuple[Tensor, Lengths]:
        """Pool over the real steps."""
        pads = (self.padding, self.padding)
        after = _shortened(lengths, self.size, self.stride, pads)
        if self.largest:
            channels = silenced(x, lengths, float("-inf")).transpose(1, 2)
            largest = F.max_pool1d(channels, self.size, self.stride, self.padding).transpose(1, 2)
            return silenced(largest, after), after  # no infinity may reach a product, whose gradient would be NaN
        if lengths is None:
            channels = x.transpose(1, 2)
            pooled = F.avg_pool1d(channels, self.size, self.stride, self.padding, count_include_pad=False)
            return pooled.transpose(1, 2), after
        counts = real_steps(lengths, x.shape[1]).to(x.dtype)[:, None]
        sums, shares = (
            F.avg_pool1d(part, self.size, self.stride, self.padding) for part in (_channels(x, lengths), counts)
        )
        return (sums / shares.clamp(min=torch.finfo(x.dtype).tiny)).transpose(1, 2), after

    def extra_repr(self) -> str:
        """Shown by print(network)."""
        return f"size={self.size}, stride={self.stride}, {'largest' if self.largest else 'mean'}"


def _channels(x: Tensor, lengths: Lengths) -> Tensor:
    return silenced(x, lengths).transpose(1, 2)


class GlobalAvgPool(Timed):
    """The mean over all pixels of [B, C, H, W], or over the real steps of [B, T, F]: a vector for each example."""

    def run(self, x: Tensor, lengths: Lengths) -> tuple[Tensor, Lengths]:
        """[B, C] or [B, F]."""
        if x.dim() == 4:
            return x.mean(dim=(2, 3)), None
        if lengths is None:
            return x.mean(dim=1), None
        return silenced(x, lengths).sum(dim=1) / lengths[:, None], None


class Flatten(Timed):
    """All numbers of an example in one vector, zeros where a sequence has ended; images channel by channel."""

    def run(self, x: Tensor, lengths: Lengths) -> tuple[Tensor, Lengths]:
        """[B, ...] to [B, numbers]."""
        return (silenced(x, lengths) if x.dim() == 3 else x).flatten(1), None


class TimeBatchNorm(Timed):
    """Batch normalisation of each feature of [B, T, F] over the real steps of all examples."""

    def __init__(self, norm: nn.BatchNorm1d) -> None:
        super().__init__()
        self.norm = norm

    def run(self, x: Tensor, lengths: Lengths) -> tuple[Tensor, Lengths]:
        """Normalise all steps by what the real ones show."""
        if lengths is None and x.numel() > x.shape[2]:
            return self.norm(x.transpose(1, 2)).transpose(1, 2), lengths
        if lengths is None or not self.training:
            return self._normalised(x.flatten(0, 1)).view_as(x), lengths
        real = real_steps(lengths, x.shape[1])
        out = torch.zeros_like(x)
        out[real] = self._normalised(x[real])
        return out, lengths

    def _normalised(self, steps: Tensor) -> Tensor:
        """[N, F]. A single step has no deviation; it is seen as evaluation would see it."""
        norm = self.norm
        if len(steps) > 1 or not self.training:
            out: Tensor = norm(steps)
            return out
        return F.batch_norm(steps, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)
