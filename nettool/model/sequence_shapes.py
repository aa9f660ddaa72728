"""Plans of embeddings, recurrent layers and attention, by arithmetic."""

from __future__ import annotations

from nettool.config.layer_types import Init
from nettool.config.sequences import GRU, LSTM, RNN, Attention, Embedding, Positional, Transformer
from nettool.config.signature import Flat, Sequence, Tokens
from nettool.errors import ConfigPath
from nettool.model.misfits import Misfit
from nettool.model.plans import LayerPlan
from nettool.model.spatial_shapes import divisors


def plan_embedding(path: ConfigPath, spec: Embedding, tokens: Tokens, init: Init | None) -> LayerPlan:
    """A vector for each code. init: None for normal with deviation 1."""
    output = Sequence(tokens.time, spec.width)
    return LayerPlan(
        path,
        spec,
        tokens,
        output,
        num_parameters=tokens.vocabulary * spec.width,
        num_stored=output.size * (1 + (spec.dropout > 0)),
        dropout=spec.dropout,
        init=init,
    )


def plan_positional(path: ConfigPath, spec: Positional, shape: Sequence) -> LayerPlan:
    """A vector for each step, learned or not."""
    return LayerPlan(
        path,
        spec,
        shape,
        shape,
        num_parameters=shape.size if spec.kind == "learned" else 0,
        num_stored=shape.size * (1 + (spec.dropout > 0)),
        dropout=spec.dropout,
    )


def num_gates(spec: RNN | GRU | LSTM) -> int:
    """Products that a step of a recurrent layer makes for each unit."""
    match spec:
        case RNN():
            return 1
        case GRU():
            return 3
        case LSTM():
            return 4


def plan_recurrent(
    path: ConfigPath, spec: RNN | GRU | LSTM, shape: Sequence, dropout: float, every_step: bool
) -> LayerPlan:
    """Layers of recurrence. every_step: whether the states of all steps are wanted where the spec does not say.

    With biases there are two for each gate, as in torch and cuDNN.
    """
    gates, directions = num_gates(spec), 1 + spec.bidirectional
    inputs, num_parameters, flops, num_stored = shape.features, 0, 0, 0
    for _ in range(spec.layers):
        weights = gates * spec.units * (inputs + spec.units)
        num_parameters += directions * (weights + 2 * gates * spec.units * spec.bias)
        flops += directions * 2 * weights * shape.time
        num_stored += directions * (gates + 2) * spec.units * shape.time
        inputs = directions * spec.units
    sequence = spec.returns == "sequence" or (spec.returns is None and every_step)
    output = Sequence(shape.time, inputs) if sequence else Flat(inputs)
    if dropout:
        num_stored += output.size + (spec.layers - 1) * inputs * shape.time
    return LayerPlan(path, spec, shape, output, num_parameters, flops, num_stored, dropout=dropout)


def plan_attention(path: ConfigPath, spec: Attention, shape: Sequence, dropout: float, init: Init) -> LayerPlan:
    """Attention of every step to every step. Raises Misfit where the heads do not divide the features."""
    _check_heads(spec.heads, shape.features)
    width = shape.features
    return LayerPlan(
        path,
        spec,
        shape,
        shape,
        num_parameters=4 * width * (width + spec.bias),
        flops=_attention_flops(shape),
        num_stored=_attention_stored(shape) + shape.size * (dropout > 0),
        dropout=dropout,
        init=init,
    )


def plan_transformer(path: ConfigPath, spec: Transformer, shape: Sequence, dropout: float, init: Init) -> LayerPlan:
    """Attention and two dense layers, a norm for each. Raises Misfit where the heads do not divide the features."""
    _check_heads(spec.heads, shape.features)
    width, inner = shape.features, feedforward_units(spec, shape.features)
    parameters = 4 * width * (width + 1) + width * inner + inner + inner * width + width + 4 * width
    return LayerPlan(
        path,
        spec,
        shape,
        shape,
        num_parameters=parameters,
        flops=_attention_flops(shape) + 4 * width * inner * shape.time,
        num_stored=_attention_stored(shape) + shape.time * (2 * inner + 5 * width) + 2 * shape.size * (dropout > 0),
        activation=spec.activation,
        dropout=dropout,
        init=init,
    )


def feedforward_units(spec: Transformer, width: int) -> int:
    """Units between a transformer block's two dense layers."""
    return spec.feedforward or 4 * width


def _attention_flops(shape: Sequence) -> int:
    """Four products of the features, then queries with keys and weights with values."""
    return 2 * shape.time * 4 * shape.features**2 + 2 * 2 * shape.time**2 * shape.features


def _attention_stored(shape: Sequence) -> int:
    """Queries, keys, values, mixed values and output; the fused kernel keeps no weights of pairs of steps."""
    return 5 * shape.size


def _check_heads(heads: int, width: int) -> None:
    if width % heads:
        fitting = ", ".join(str(n) for n in divisors(width) if n <= 64)
        nearest = heads * max(round(width / heads), 1)
        raise Misfit(
            f"{heads} heads do not divide the {width:,} features evenly. Take {fitting} heads, or {nearest} features.",
            "heads",
        )
