"""Plans of convolutions, pooling and changes of shape, by arithmetic."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from nettool.config.convolutions import AvgPool, Conv1d, Conv2d, MaxPool, Reshape
from nettool.config.layer_types import Activation, Init, Product
from nettool.config.signature import Flat, Image, Sequence, Shape
from nettool.errors import ConfigPath
from nettool.model.extents import both, output_extent, pads, pads2d
from nettool.model.misfits import Misfit
from nettool.model.plans import LayerPlan


@dataclass(frozen=True)
class Hidden:
    """What comes with a product: the layer's own settings, or the network's."""

    activation: Activation
    dropout: float
    init: Init


def num_parts(spec: Product, hidden: Hidden) -> int:
    """Tensors as large as its output that a product leaves behind: itself, norm, activation, dropout."""
    return 1 + (spec.norm is not None) + (hidden.activation != "linear") + (hidden.dropout > 0)


def plan_conv2d(path: ConfigPath, spec: Conv2d, image: Image, hidden: Hidden) -> LayerPlan:
    """A convolution over an image. Raises Misfit where kernel or groups do not fit."""
    _check_groups(spec, image.channels)
    extents = []
    sizes, strides, dilations = both(spec.size), both(spec.stride), both(spec.dilation)
    for axis, extent in enumerate((image.height, image.width)):
        before, behind = pads2d(spec.padding, axis, sizes[axis], dilations[axis])
        extents.append(output_extent(extent, sizes[axis], strides[axis], before, behind, dilations[axis]))
    if min(extents) < 1:
        raise _too_large(sizes, dilations, f"{image.height} x {image.width}")
    return _plan_convolution(path, spec, image, Image(spec.filters, *extents), math.prod(sizes), hidden)


def plan_conv1d(path: ConfigPath, spec: Conv1d, sequence: Sequence, hidden: Hidden) -> LayerPlan:
    """A convolution over time. Raises Misfit where kernel or groups do not fit."""
    _check_groups(spec, sequence.features)
    before, behind = pads(spec.padding, spec.size, spec.dilation)
    time = output_extent(sequence.time, spec.size, spec.stride, before, behind, spec.dilation)
    if time < 1:
        raise _too_large((spec.size,), (spec.dilation,), f"{sequence.time} steps")
    return _plan_convolution(path, spec, sequence, Sequence(time, spec.filters), spec.size, hidden)


def _plan_convolution(
    path: ConfigPath, spec: Conv1d | Conv2d, shape: Shape, output: Shape, kernel: int, hidden: Hidden
) -> LayerPlan:
    weights = spec.filters * (shape.features // spec.groups) * kernel
    positions = output.size // spec.filters
    return LayerPlan(
        path,
        spec,
        shape,
        output,
        num_parameters=weights + spec.filters * spec.bias + 2 * spec.filters * bool(spec.norm),
        flops=2 * weights * positions,
        num_stored=num_parts(spec, hidden) * output.size,
        activation=hidden.activation,
        dropout=hidden.dropout,
        init=hidden.init,
    )


def _check_groups(spec: Conv1d | Conv2d, inputs: int) -> None:
    for number, what in ((inputs, "channels of the input"), (spec.filters, "filters")):
        if number % spec.groups:
            cure = ", ".join(str(n) for n in divisors(math.gcd(inputs, spec.filters))[:8])
            raise Misfit(
                f"{spec.groups} groups do not divide the {number:,} {what} evenly. What divides both: {cure}.", "groups"
            )


def divisors(number: int) -> list[int]:
    """All divisors, from 1 upward."""
    return [n for n in range(1, min(number, 10_000) + 1) if number % n == 0]


def _too_large(sizes: tuple[int, ...], dilations: tuple[int, ...], extent: str) -> Misfit:
    kernel = " x ".join(str(dilation * (size - 1) + 1) for size, dilation in zip(sizes, dilations, strict=True))
    dilated = ", dilation counted," if max(dilations) > 1 else ""
    return Misfit(
        f"the kernel of {kernel}{dilated} is larger than its input of {extent}, padding included. "
        "Take a smaller size, `padding: same`, or less pooling before it.",
        "size",
    )


def plan_pool(path: ConfigPath, spec: MaxPool | AvgPool, shape: Image | Sequence) -> LayerPlan:
    """Pooling over an image, or over the time of a sequence. Raises Misfit where the window does not fit."""
    extents = (shape.height, shape.width) if isinstance(shape, Image) else (shape.time,)
    windows = [pool_window(spec, axis, len(extents)) for axis in range(len(extents))]
    if any(2 * padding > size for size, _, padding in windows):
        raise Misfit("is more than half of the window, so that some windows would hold padding alone.", "padding")
    outputs = [
        output_extent(extent, size, stride, padding, padding)
        for extent, (size, stride, padding) in zip(extents, windows, strict=True)
    ]
    if min(outputs) < 1:
        window, given = (" x ".join(str(n) for n in ns) for ns in ([size for size, _, _ in windows], extents))
        raise Misfit(
            f"the window of {window} is larger than its input of {given}. Take a smaller size, or less pooling.", "size"
        )
    output: Shape = (
        Image(shape.channels, *outputs) if isinstance(shape, Image) else Sequence(outputs[0], shape.features)
    )
    return LayerPlan(path, spec, shape, output, num_stored=2 * output.size)


def pool_window(spec: MaxPool | AvgPool, axis: int, num_axes: int) -> tuple[int, int, int]:
    """Size, stride and padding along an axis. Raises Misfit for a pair where there is one axis."""
    stride = spec.size if spec.stride is None else spec.stride
    for key, value in (("size", spec.size), ("stride", stride), ("padding", spec.padding)):
        if num_axes == 1 and not isinstance(value, int):
            raise Misfit("has two numbers, but a sequence has time alone. Give one.", key)
    return both(spec.size)[axis], both(stride)[axis], both(spec.padding)[axis]


def plan_reshape(path: ConfigPath, spec: Reshape, shape: Flat, *, of_table: bool) -> LayerPlan:
    """A vector as an image or a sequence. Raises Misfit where the numbers do not come out even.

    of_table: whether the vector is the data's, whose columns may have been left out.
    """
    size = math.prod(spec.shape)
    if size != shape.features:
        wanted = " x ".join(str(extent) for extent in spec.shape)
        cure = ""
        if of_table and shape.features < size:
            cure = (
                " Columns that are the same in every row are left out; to keep one, set "
                "`data.columns: {NAME: number}`. `nettool check CONFIG --data` names them."
            )
        raise Misfit(f"{wanted} are {size:,} numbers, but there are {shape.features:,}.{cure}", "shape")
    output = Image(*spec.shape) if len(spec.shape) == 3 else Sequence(*spec.shape)
    return LayerPlan(path, spec, shape, output)


def shortcut_stride(inputs: Shape, output: Shape, inner: Iterable[LayerPlan]) -> tuple[int, ...] | None:
    """The stride of the projection that brings the input to the output's size; None where there is none.

    That of the layers inside, all together, so that both ways look at the same places; where it does not fit, because
    a pooling rounds otherwise, any that does.
    """
    before, after = _positions(inputs), _positions(output)
    if type(inputs) is not type(output) or len(before) != len(after):
        return None
    for strides in (_strides(inner, len(before)), tuple(map(_least_stride, before, after))):
        reached = (output_extent(extent, 1, stride, 0, 0) for extent, stride in zip(before, strides, strict=True))
        if tuple(reached) == after:
            return strides
    return None


def _least_stride(extent: int, end: int) -> int:
    return math.ceil(extent / end)


def _strides(layers: Iterable[LayerPlan], num_axes: int) -> tuple[int, ...]:
    """The strides of these layers along each axis, multiplied."""
    product = [1] * num_axes
    for layer in layers:
        own: tuple[int, ...] = (1,) * num_axes
        match layer.spec:
            case Conv1d() | Conv2d():
                own = both(layer.spec.stride)[:num_axes]
            case MaxPool() | AvgPool():
                own = tuple(pool_window(layer.spec, axis, num_axes)[1] for axis in range(num_axes))
            case _ if layer.inner:
                own = _strides(layer.inner, num_axes)
        product = [before * stride for before, stride in zip(product, own, strict=True)]
    return tuple(product)


def _positions(shape: Shape) -> tuple[int, ...]:
    match shape:
        case Image():
            return shape.height, shape.width
        case Sequence():
            return (shape.time,)
        case _:
            return ()
