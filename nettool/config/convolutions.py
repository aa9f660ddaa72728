"""Layers for images, and convolutions and pooling over time."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from nettool.config.layer_types import Extent, Extents, Offset, Offsets, Product, Units
from nettool.config.spec import Spec


class Conv2d(Product):
    """A convolution over height and width: image to image."""

    main: ClassVar[str | None] = "filters"

    layer: Literal["conv2d"] = "conv2d"
    filters: Units
    """Channels of the output."""
    size: Extents = 3
    """Height and width of the kernel: 3, or [3, 5]."""
    stride: Extents = 1
    """Pixels from one position of the kernel to the next."""
    padding: Literal["same"] | Offsets = "same"
    """`same` (zeros around, so that stride 1 keeps the size), or how many zeros on each side."""
    dilation: Extents = 1
    """Distance of the pixels that the kernel looks at; 1 are neighbours."""
    groups: Units = 1
    """Channels are split into so many groups, each with filters of its own."""
    bias: bool = True
    """Whether each filter adds a number of its own."""


class Conv1d(Product):
    """A convolution over time: sequence to sequence."""

    main: ClassVar[str | None] = "filters"

    layer: Literal["conv1d"] = "conv1d"
    filters: Units
    """Features of the output."""
    size: Extent = 3
    """Steps that the kernel covers."""
    stride: Extent = 1
    """Steps from one position of the kernel to the next."""
    padding: Literal["same", "causal"] | Offset = "same"
    """`same` (zeros at both ends), `causal` (zeros before the beginning: no step sees a later one), or how many zeros
    at each end."""
    dilation: Extent = 1
    """Distance of the steps that the kernel looks at; 1 are neighbours."""
    groups: Units = 1
    """Features are split into so many groups, each with filters of its own."""
    bias: bool = True
    """Whether each filter adds a number of its own."""


class Pool(Spec):
    """What the pooling layers can set."""

    main: ClassVar[str | None] = "size"

    size: Extents = 2
    """Height and width of the window, or its steps in time."""
    stride: Extents | None = None
    """From one window to the next. Default: the window's size."""
    padding: Offsets = 0
    """Positions added on each side, which never win and do not count; at most half of the window."""


class MaxPool(Pool):
    """The largest value of each window of an image or a sequence."""

    layer: Literal["max_pool"] = "max_pool"


class AvgPool(Pool):
    """The mean of each window of an image or a sequence."""

    layer: Literal["avg_pool"] = "avg_pool"


class GlobalAvgPool(Spec):
    """The mean of each channel over an image, or of each feature over time: a flat vector."""

    layer: Literal["global_avg_pool"] = "global_avg_pool"


class Flatten(Spec):
    """All numbers of an image or a sequence, one after another: a flat vector."""

    layer: Literal["flatten"] = "flatten"


class Reshape(Spec):
    """A flat vector as an image [channels, height, width] or as a sequence [time, features], row by row."""

    main: ClassVar[str | None] = "shape"

    layer: Literal["reshape"] = "reshape"
    shape: Annotated[tuple[Extent, ...], Field(min_length=2, max_length=3)]
    """[channels, height, width] or [time, features]."""
