"""The norm that suits a shape."""

from __future__ import annotations

from torch import nn

from nettool.config.signature import Image, Sequence, Shape
from nettool.model import spatial


def batch_norm(shape: Shape, eps: float = 1e-5, momentum: float = 0.1) -> nn.Module:
    """Of each channel of an image, of each feature of a vector or of all steps together."""
    match shape:
        case Image():
            return nn.BatchNorm2d(shape.channels, eps, momentum)
        case Sequence():
            return spatial.TimeBatchNorm(nn.BatchNorm1d(shape.features, eps, momentum))
        case _:
            return nn.BatchNorm1d(shape.features, eps, momentum)


def layer_norm(shape: Shape, eps: float = 1e-5) -> nn.Module:
    """Of an image over all of it, with a gain and a shift for each channel; of a sequence step by step."""
    if isinstance(shape, Image):
        return nn.GroupNorm(1, shape.channels, eps=eps)
    return nn.LayerNorm(shape.features, eps=eps)
