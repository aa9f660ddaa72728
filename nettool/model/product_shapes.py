"""Plans of fully connected layers, and of layers added from Python, by arithmetic."""

from __future__ import annotations

from collections.abc import Iterator

from nettool.config.layer_types import Init
from nettool.config.layers import CUSTOM_LAYERS, CustomLayer, Dense, Output
from nettool.config.signature import Flat, Sequence, Shape
from nettool.errors import ConfigPath, Mistake
from nettool.model.plans import LayerPlan
from nettool.model.spatial_shapes import Hidden, num_parts


def plan_dense(path: ConfigPath, spec: Dense, shape: Flat | Sequence, hidden: Hidden) -> LayerPlan:
    """A product with every number of a vector, or of each step of a sequence."""
    output = _with_features(shape, spec.units)
    return LayerPlan(
        path,
        spec,
        shape,
        output,
        num_parameters=_num_weights(shape.features, spec.units, spec) + 2 * spec.units * bool(spec.norm),
        flops=2 * shape.size * spec.units,
        num_stored=num_parts(spec, hidden) * output.size,
        activation=hidden.activation,
        dropout=hidden.dropout,
        init=hidden.init,
    )


def plan_output(path: ConfigPath, spec: Output, shape: Flat | Sequence, units: int, init: Init) -> LayerPlan:
    """The last product: a number for each output, of the example or of each step."""
    output = _with_features(shape, units)
    return LayerPlan(
        path,
        spec,
        shape,
        output,
        num_parameters=_num_weights(shape.features, units, spec),
        flops=2 * shape.size * units,
        num_stored=output.size,
        init=init,
    )


def plan_custom(path: ConfigPath, spec: CustomLayer, shape: Shape) -> LayerPlan:
    """A layer added from Python: what its settings say of its width. Images and tokens keep their shape."""
    settings = CUSTOM_LAYERS[spec.layer].model_validate(spec.settings)
    output = shape
    if isinstance(shape, Flat | Sequence):
        output = _with_features(shape, settings.output_features(shape.features))
    return LayerPlan(path, spec, shape, output, settings.num_parameters(shape.features), num_stored=output.size)


def has_bias(spec: Dense | Output) -> bool:
    """Whether the layer adds a bias: `bias: 0` does (it starts at 0), `bias: false` does not."""
    return spec.bias is not False


def given_numbers(spec: Dense | Output, path: ConfigPath, inputs: int, units: int) -> Iterator[Mistake]:
    """`weights` and `bias` given as numbers must have the layer's shape."""
    if spec.weights is not None:
        widths = {len(row) for row in spec.weights if isinstance(row, tuple)} or {len(spec.weights)}
        num_rows = len(spec.weights) if isinstance(spec.weights[0], tuple) else 1
        if num_rows != units or widths != {inputs}:
            found = f"{num_rows} x {'/'.join(str(width) for width in sorted(widths))}"
            text = f"is {found} numbers, but {units} units with {inputs} inputs need {units} x {inputs}."
            yield Mistake((*path, "weights"), text)
    if isinstance(spec.bias, tuple) and len(spec.bias) != units:
        text = f"has {len(spec.bias)} numbers, but there are {units} units. Give one for each, or one for all."
        yield Mistake((*path, "bias"), text)


def _num_weights(inputs: int, units: int, spec: Dense | Output) -> int:
    return inputs * units + units * has_bias(spec)


def _with_features(shape: Flat | Sequence, features: int) -> Flat | Sequence:
    return Flat(features) if isinstance(shape, Flat) else Sequence(shape.time, features)
