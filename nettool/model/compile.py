"""From a plan to an nn.Module: the one place that knows both a spec and its module."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, assert_never

import torch
from torch import Tensor, nn

from nettool.config.convolutions import AvgPool, Conv1d, Conv2d, Flatten, GlobalAvgPool, MaxPool, Reshape
from nettool.config.layer_types import Activation, Product
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
from nettool.config.signature import Image, ImageExample, Sequence, TableExample, TokenExample, Tokens
from nettool.model import blocks, norms, recurrent, spatial, stack
from nettool.model.extents import both, pads, pads2d
from nettool.model.first_weights import init_layers
from nettool.model.plans import LayerPlan, NetworkPlan
from nettool.model.product_shapes import has_bias
from nettool.model.sequence_shapes import feedforward_units
from nettool.model.spatial_shapes import pool_window, shortcut_stride
from nettool.model.verdicts import needs_all_steps

CUSTOM_BUILDERS: dict[str, Callable[[Any, int], nn.Module]] = {}
"""Builders of the layers added from Python: (settings, input features) to a module."""


class Network(nn.Module):
    """A compiled network: encoded examples in, logits (or standardised numbers) out.

    input: [batch, ...], an encoded example as the signature has it. Returns float
    [batch, signature.target.num_outputs], or [batch, time, num_outputs] where every step is predicted.
    """

    def __init__(self, plan: NetworkPlan, seed: int, device: torch.device) -> None:
        super().__init__()
        self.dropout_generator = torch.Generator(device).manual_seed(_stream(seed, 1))
        self.inputs = _inputs(plan)
        with torch.random.fork_rng(devices=[]):
            # A layer added from Python draws its own weights, from torch's global generator.
            torch.default_generator.manual_seed(_stream(seed, 2))
            builder = _Builder(self.dropout_generator)
            self.layers = stack.Stack(*(builder.build(layer) for layer in plan.layers))

    def forward(self, x: Tensor) -> Tensor:
        """One pass from input to output."""
        if isinstance(self.inputs, recurrent.TokenInput):
            return self.layers.run(*self.inputs(x))[0]
        logits: Tensor = self.layers(self.inputs(x))
        return logits

    def share_masks(self, other: Network) -> None:
        """Draw dropout masks from another network's generator: where both draw alike, one draw is for both."""
        self.dropout_generator = other.dropout_generator
        for module in self.modules():
            if isinstance(module, blocks.Dropout):
                module.generator = other.dropout_generator


def compile_network(plan: NetworkPlan, seed: int, device: torch.device | None = None) -> Network:
    """Build the network and draw its first weights, a function of plan and seed alone.

    The weights are drawn on the cpu and moved, so that every device starts from the same ones.
    """
    device = device or torch.device("cpu")
    network = Network(plan, seed, device)
    generator = torch.Generator().manual_seed(seed)
    if isinstance(network.inputs, blocks.TableInput):
        network.inputs.draw_weights(generator)
    init_layers(plan.layers, network.layers, generator)
    return network.to(device)


def _stream(seed: int, number: int) -> int:
    """Another seed for each use, so that masks and weights are not made of the same random bits.

    It differs in the lowest 32 bits, which are all that torch's generator on the cpu looks at.
    """
    return seed ^ (number * 0x9E3779B9 & 0xFFFFFFFF)


def _inputs(plan: NetworkPlan) -> nn.Module:
    """From an example as it lies in memory to what the first layer takes."""
    match plan.signature.example:
        case TableExample(numbers=numbers):
            return blocks.TableInput(numbers, plan.embeddings) if plan.embeddings else nn.Identity()
        case ImageExample(means=means, deviations=deviations):
            convolves = any(isinstance(layer.spec, Conv2d) for layer in plan.leaves())
            return spatial.ImageInput(means, deviations, channels_last=convolves)
        case TokenExample(padded=padded):
            return recurrent.TokenInput(padded, cut=not needs_all_steps(plan))


class _Builder:
    """Builds layers whose dropout masks come from one generator."""

    def __init__(self, generator: torch.Generator) -> None:
        self.generator = generator

    def build(self, plan: LayerPlan) -> nn.Module:
        """The layer's module, which knows by what name the user calls it."""
        module = self.bare(plan)
        module.layer_name = plan.name  # type: ignore[assignment]
        return module

    def bare(self, plan: LayerPlan) -> nn.Module:
        spec = plan.spec
        match spec:
            case Dense() | Conv1d() | Conv2d():
                return self.hidden(plan, spec)
            case Output():
                return stack.Stack(OrderedDict(product=_linear(plan, has_bias(spec))))
            case ActivationLayer():
                activation = activation_module(spec.function)
                return stack.Stack(activation, self.dropout(plan.dropout)) if plan.dropout else activation
            case Dropout():
                return self.dropout(spec.rate)
            case BatchNorm():
                return norms.batch_norm(plan.input, eps=spec.epsilon, momentum=spec.momentum)
            case LayerNorm():
                return norms.layer_norm(plan.input, eps=spec.epsilon)
            case Repeat():
                return stack.Stack(*(self.build(layer) for layer in plan.inner))
            case Residual():
                inner = stack.Stack(*(self.build(layer) for layer in plan.inner))
                return stack.Residual(inner, _projection(plan) if spec.projection else None)
            case CustomLayer():
                settings: LayerSettings = CUSTOM_LAYERS[spec.layer].model_validate(spec.settings)
                return CUSTOM_BUILDERS[spec.layer](settings, plan.input.features)
            case Embedding() | Positional() | RNN() | GRU() | LSTM() | Attention() | Transformer():
                return self.over_time(plan, spec)
            case MaxPool() | AvgPool() | GlobalAvgPool() | Flatten() | Reshape():
                return _reshaping(plan, spec)
            case _:
                assert_never(spec)

    def dropout(self, rate: float) -> blocks.Dropout:
        return blocks.Dropout(rate, self.generator)

    def maybe_dropout(self, rate: float) -> blocks.Dropout | None:
        return self.dropout(rate) if rate else None

    def hidden(self, plan: LayerPlan, spec: Dense | Conv1d | Conv2d) -> nn.Module:
        """Product, norm, activation, dropout, in that order; what does nothing is left out."""
        parts: OrderedDict[str, nn.Module] = OrderedDict(product=_product(plan, spec))
        if spec.norm is not None:
            norm = norms.batch_norm if spec.norm == "batch_norm" else norms.layer_norm
            parts["norm"] = norm(plan.output)
        if plan.activation != "linear":
            parts["activation"] = activation_module(plan.activation)
        if plan.dropout:
            parts["dropout"] = self.dropout(plan.dropout)
        return stack.Stack(parts)

    def over_time(
        self, plan: LayerPlan, spec: Embedding | Positional | RNN | GRU | LSTM | Attention | Transformer
    ) -> nn.Module:
        match spec:
            case Embedding():
                table: nn.Module = _embedding(plan, spec)
            case Positional():
                assert isinstance(plan.input, Sequence)
                table = recurrent.Positional(plan.input.time, plan.input.features, spec.kind == "learned")
            case RNN() | GRU() | LSTM():
                return self.recurrent(plan, spec)
            case Attention():
                attention = _attention(plan.input.features, spec.heads, spec.causal, spec.bias)
                return stack.Stack(attention, self.dropout(plan.dropout)) if plan.dropout else attention
            case Transformer():
                return self.transformer(plan, spec)
        return stack.Stack(OrderedDict(table=table, dropout=self.maybe_dropout(plan.dropout) or nn.Identity()))

    def recurrent(self, plan: LayerPlan, spec: RNN | GRU | LSTM) -> nn.Module:
        kinds: dict[str, type[recurrent.Cell]] = {"rnn": recurrent.RNN, "gru": recurrent.GRU, "lstm": recurrent.LSTM}
        settings: dict[str, Any] = {"bias": spec.bias, "bidirectional": spec.bidirectional, "batch_first": True}
        if isinstance(spec, RNN):
            settings["nonlinearity"] = spec.activation
        widths = [plan.input.features] + [spec.units * (1 + spec.bidirectional)] * (spec.layers - 1)
        cells = [kinds[spec.layer](width, spec.units, **settings) for width in widths]
        dropouts = [self.maybe_dropout(plan.dropout) for _ in cells]
        return recurrent.Recurrent(cells, dropouts, sequence=isinstance(plan.output, Sequence))

    def transformer(self, plan: LayerPlan, spec: Transformer) -> nn.Module:
        width = plan.input.features
        inner = feedforward_units(spec, width)
        parts = (blocks.Linear(width, inner), activation_module(spec.activation), blocks.Linear(inner, width))
        return recurrent.Transformer(
            width,
            _attention(width, spec.heads, spec.causal, bias=True),
            nn.Sequential(*parts),
            self.maybe_dropout(plan.dropout) or nn.Identity(),
            spec.pre_norm,
        )


def _attention(width: int, heads: int, causal: bool, bias: bool) -> recurrent.Attention:
    qkv, out = blocks.Linear(width, 3 * width, bias=bias), blocks.Linear(width, width, bias=bias)
    return recurrent.Attention(width, heads, causal, qkv, out)


def _embedding(plan: LayerPlan, spec: Embedding) -> blocks.Embedding:
    tokens = plan.input
    assert isinstance(tokens, Tokens)
    return blocks.Embedding(tokens.vocabulary, spec.width, padding_idx=0 if tokens.padded else None)


def _product(plan: LayerPlan, spec: Product) -> nn.Module:
    inputs = plan.input.features
    match spec:
        case Dense():
            return _linear(plan, has_bias(spec))
        case Conv1d():
            settings: dict[str, Any] = {"stride": spec.stride, "dilation": spec.dilation, "groups": spec.groups}
            around = pads(spec.padding, spec.size, spec.dilation)
            return spatial.Conv1d(inputs, spec.filters, spec.size, around, bias=spec.bias, **settings)
        case Conv2d():
            size, dilation = both(spec.size), both(spec.dilation)
            rows, columns = (pads2d(spec.padding, axis, size[axis], dilation[axis]) for axis in (0, 1))
            settings = {"stride": both(spec.stride), "dilation": dilation, "groups": spec.groups}
            return spatial.Conv2d(inputs, spec.filters, size, (rows, columns), bias=spec.bias, **settings)
    raise AssertionError(spec)


def _linear(plan: LayerPlan, bias: bool) -> nn.Linear:
    return blocks.Linear(plan.input.features, plan.output.features, bias=bias)


def _projection(plan: LayerPlan) -> nn.Module:
    """The shortcut's linear map: of a vector, of each step, or of each pixel that the layers inside have left."""
    stride = shortcut_stride(plan.input, plan.output, plan.inner)
    inputs, outputs = plan.input.features, plan.output.features
    if stride is None or (not any(step > 1 for step in stride) and not isinstance(plan.input, Image)):
        return blocks.Linear(inputs, outputs, bias=False)
    if isinstance(plan.input, Image):
        return spatial.Conv2d(inputs, outputs, (1, 1), ((0, 0), (0, 0)), bias=False, stride=stride)
    return spatial.Conv1d(inputs, outputs, 1, (0, 0), bias=False, stride=stride[0])


def _reshaping(plan: LayerPlan, spec: MaxPool | AvgPool | GlobalAvgPool | Flatten | Reshape) -> nn.Module:
    match spec:
        case GlobalAvgPool():
            return spatial.GlobalAvgPool()
        case Flatten():
            return spatial.Flatten()
        case Reshape():
            return nn.Unflatten(1, spec.shape)
        case MaxPool() | AvgPool():
            largest = isinstance(spec, MaxPool)
            if not isinstance(plan.input, Image):
                return spatial.TimePool(*pool_window(spec, 0, 1), largest)
            size, stride, padding = zip(*(pool_window(spec, axis, 2) for axis in (0, 1)), strict=True)
            if largest:
                return nn.MaxPool2d(size, stride, padding)
            return nn.AvgPool2d(size, stride, padding, count_include_pad=False)


def activation_module(name: Activation) -> nn.Module:
    """What a config calls by this name."""
    match name:
        case "relu":
            return nn.ReLU()
        case "leaky_relu":
            return nn.LeakyReLU()
        case "elu":
            return nn.ELU()
        case "gelu":
            return nn.GELU()
        case "silu":
            return nn.SiLU()
        case "tanh":
            return nn.Tanh()
        case "sigmoid":
            return nn.Sigmoid()
        case "softplus":
            return nn.Softplus()
        case "linear":
            return nn.Identity()
        case _:
            assert_never(name)
