"""What each layer does with an example, in a sentence or two, and what would be otherwise in training."""

from __future__ import annotations

import inspect
from typing import assert_never

from nettool.config.convolutions import AvgPool, Conv1d, Conv2d, Flatten, GlobalAvgPool, MaxPool, Reshape
from nettool.config.layers import (
    CUSTOM_LAYERS,
    ActivationLayer,
    BatchNorm,
    CustomLayer,
    Dense,
    Dropout,
    LayerNorm,
    LayerSettings,
    Output,
    Repeat,
    Residual,
)
from nettool.config.sequences import GRU, LSTM, RNN, Attention, Embedding, Positional, Transformer
from nettool.config.signature import Flat, Image, NumberTarget, Sequence, Target, Tokens
from nettool.model.extents import both
from nettool.model.plans import LayerPlan

NORMS = {
    "batch_norm": "less the running mean, divided by the running deviation (those of the batch itself, which training "
    "takes, need other examples), times a learned gain, plus a learned shift",
    "layer_norm": "less the mean of all, divided by their deviation, times a learned gain, plus a learned shift",
}


def sentence(layer: LayerPlan, target: Target) -> str:
    """What the layer does. target: of the network, which decides what the output gives."""
    return " ".join(part for part in (_what(layer, target), _dropout(layer)) if part)


def _dropout(layer: LayerPlan) -> str:
    return f"Its dropout of {layer.dropout:g} is off here." if _has_own_dropout(layer) else ""


def _has_own_dropout(layer: LayerPlan) -> bool:
    return layer.dropout > 0 and not isinstance(layer.spec, Dropout)


def _what(layer: LayerPlan, target: Target) -> str:
    spec = layer.spec
    match spec:
        case Dense() | Output():
            return _dense(layer, spec, target)
        case Conv1d() | Conv2d():
            return _convolution(layer, spec)
        case ActivationLayer(function=function):
            return f"Puts every number through {function}."
        case Dropout(rate=rate):
            dropped = f"In training it sets each number to 0 with probability {rate:g}, and multiplies the others"
            return f"{dropped} by 1 / (1 - {rate:g}) = {1 / (1 - rate):.4g}. Here it is off: all pass as they are."
        case BatchNorm():
            return f"Normalises each {_channel(layer)}: {NORMS['batch_norm']}."
        case LayerNorm():
            of = "each step" if isinstance(layer.input, Sequence) else "the example"
            return f"Normalises the numbers of {of}: {NORMS['layer_norm']}."
        case Residual():
            way = "a linear map of its input" if spec.projection else "its input"
            return f"Adds {way} to what the {len(spec.layers)} layers inside make of it: x + layers(x)."
        case Repeat():
            many = f"{len(spec.layers)} layers" if len(spec.layers) > 1 else "layer"
            return f"The {many} inside, {spec.times} times one after another, each time with weights of their own."
        case CustomLayer():
            return _custom(spec)
        case Embedding() | Positional() | RNN() | GRU() | LSTM() | Attention() | Transformer():
            return _over_time(layer, spec)
        case MaxPool() | AvgPool() | GlobalAvgPool() | Flatten() | Reshape():
            return _reshaping(layer, spec)
        case _:
            assert_never(spec)


def _dense(layer: LayerPlan, spec: Dense | Output, target: Target) -> str:
    units, inputs = layer.output.features, layer.input.features
    many = f"Each of its {units:,} units takes" if units > 1 else "Its one unit takes"
    bias = "no bias" if spec.bias is False else "a bias"
    text = f"{many} all {inputs:,} inputs" if inputs > 1 else f"{many} the one input"
    text += f", multiplies each by a weight, and adds all up with {bias}: z."
    if isinstance(layer.input, Sequence):
        text = f"At each of {layer.input.time:,} steps, with the same weights: {text[0].lower()}{text[1:]}"
    if isinstance(spec, Output):
        if isinstance(target, NumberTarget):
            return f"{text} No activation: z is the prediction, in standard deviations of the target."
        return f"{text} No activation: z is a logit, which the loss turns into a probability."
    if spec.norm:
        text += f" Then z is normalised ({spec.norm}): {NORMS[spec.norm]}."
    if layer.activation != "linear":
        text += f" The activation {layer.activation} makes a = g(z) of it."
    return text


def _convolution(layer: LayerPlan, spec: Conv1d | Conv2d) -> str:
    size = " x ".join(map(str, both(spec.size))) if isinstance(spec, Conv2d) else f"{spec.size} steps"
    channels = layer.input.features // spec.groups
    where = "image" if isinstance(spec, Conv2d) else "sequence"
    depth = f" over {channels:,} channels" if channels > 1 else ""
    text = (
        f"{spec.filters:,} filters of {size}{depth} slide over the {where}: at each place a dot product of what lies "
        f"under the filter with its weights{', plus a bias' if spec.bias else ''}."
    )
    if spec.norm:
        text += f" Then each result is normalised ({spec.norm}): {NORMS[spec.norm]}."
    return text + (f" Then {layer.activation}." if layer.activation != "linear" else "")


def _custom(spec: CustomLayer) -> str:
    doc = CUSTOM_LAYERS[spec.layer].__doc__
    said = "" if doc is None or doc == LayerSettings.__doc__ else inspect.cleandoc(doc).partition("\n\n")[0]
    return f"A layer added from Python. {' '.join(said.split())}".strip()


def _over_time(layer: LayerPlan, spec: Embedding | Positional | RNN | GRU | LSTM | Attention | Transformer) -> str:
    steps = layer.input.time if isinstance(layer.input, Sequence | Tokens) else 0
    match spec:
        case Embedding():
            return f"Looks up a learned vector of {spec.width:,} numbers for each of {steps:,} tokens."
        case Positional():
            kind = "learned numbers" if spec.kind == "learned" else "sines and cosines"
            return f"Adds {kind} to each step that tell its place."
        case RNN() | GRU() | LSTM():
            return _recurrent(layer, spec, steps)
        case Attention():
            return _attention(spec.heads, spec.causal)
        case Transformer():
            order = "x + attention(norm(x)), then x + dense(norm(x))"
            if not spec.pre_norm:
                order = "norm(x + attention(x)), then norm(x + dense(x))"
            return (
                f"{order}. {_attention(spec.heads, spec.causal)} Dense are two layers, {spec.activation} between them."
            )


def _recurrent(layer: LayerPlan, spec: RNN | GRU | LSTM, steps: int) -> str:
    rules = {
        "rnn": "h = f(W·x + U·h + b)",
        "gru": "gates r and u (sigmoids of x and h); n = tanh(W·x + r·(U·h + c)), h = (1 - u)·n + u·h",
        "lstm": "gates i, f, o (sigmoids of x and h); memory c = f·c + i·tanh(W·x + U·h + b), state h = o·tanh(c)",
    }
    rule = rules[spec.layer].replace("f(", f"{spec.activation}(") if isinstance(spec, RNN) else rules[spec.layer]
    text = f"Reads {steps:,} steps one after another, and keeps a state h of {spec.units:,} numbers: {rule}."
    if spec.layers > 1:
        text += f" {spec.layers} such layers, each reading the states of the one below."
    if spec.bidirectional:
        text += " It reads from both ends; the two states lie side by side."
    text += " It gives every state." if isinstance(layer.output, Sequence) else " It gives the last state."
    return f"{text} Below is the first number of h at step 1, before which all state is 0."


def _attention(heads: int, causal: bool) -> str:
    many = f"{heads} heads, each" if heads > 1 else "One head"
    which = "the steps up to it" if causal else "all steps"
    return f"Attention: {many} with a query, a key and a value at each step; softmax(q·k / √width) weighs {which}."


def _reshaping(layer: LayerPlan, spec: MaxPool | AvgPool | GlobalAvgPool | Flatten | Reshape) -> str:
    match spec:
        case MaxPool() | AvgPool():
            size = " x ".join(map(str, both(spec.size))) if isinstance(layer.input, Image) else f"{spec.size} steps"
            what = "largest number" if isinstance(spec, MaxPool) else "mean"
            return f"Keeps the {what} of each window of {size}, {_channel(layer)} by {_channel(layer)}."
        case GlobalAvgPool():
            return f"Keeps the mean of each {_channel(layer)}."
        case Flatten():
            is_flat = isinstance(layer.input, Flat)
            return "Changes nothing: it is a vector already." if is_flat else "Lays all numbers in one vector."
        case Reshape():
            return f"The same numbers, row by row, as {layer.output}."


def _channel(layer: LayerPlan) -> str:
    return "channel" if isinstance(layer.input, Image) else "feature"
