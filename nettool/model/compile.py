"""From a plan to an nn.Module: the one place that knows both a spec and its module."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, assert_never

import torch
from torch import Tensor, nn

from nettool.config.layers import (
    CUSTOM_LAYERS,
    Activation,
    ActivationLayer,
    BatchNorm,
    CustomLayer,
    Dense,
    Dropout,
    Init,
    LayerNorm,
    LayerSettings,
    Output,
    Repeat,
    Residual,
)
from nettool.model import blocks
from nettool.model.shapes import LayerPlan, NetworkPlan, has_bias

CUSTOM_BUILDERS: dict[str, Callable[[Any, int], nn.Module]] = {}
"""Builders of the layers added from Python: (settings, input features) to a module."""


class Network(nn.Module):
    """A compiled network: encoded examples in, logits (or standardised numbers) out.

    input: float [batch, signature.width]. Returns float [batch, signature.target.num_outputs].
    """

    def __init__(self, plan: NetworkPlan, seed: int, device: torch.device) -> None:
        super().__init__()
        self.dropout_generator = torch.Generator(device).manual_seed(_stream(seed, 1))
        self.inputs = blocks.TableInput(plan.signature.numbers, plan.embeddings) if plan.embeddings else nn.Identity()
        with torch.random.fork_rng(devices=[]):
            # A layer added from Python draws its own weights, from torch's global generator.
            torch.default_generator.manual_seed(_stream(seed, 2))
            self.layers = nn.Sequential(*(_build(layer, self.dropout_generator) for layer in plan.layers))

    def forward(self, x: Tensor) -> Tensor:
        """One pass from input to output."""
        logits: Tensor = self.layers(self.inputs(x))
        return logits


def compile_network(plan: NetworkPlan, seed: int, device: torch.device | None = None) -> Network:
    """Build the network and draw its first weights, a function of plan and seed alone.

    The weights are drawn on the cpu and moved, so that every device starts from the same ones.
    """
    device = device or torch.device("cpu")
    network = Network(plan, seed, device)
    generator = torch.Generator().manual_seed(seed)
    if isinstance(network.inputs, blocks.TableInput):
        network.inputs.draw_weights(generator)
    _init_layers(plan.layers, network.layers, generator)
    return network.to(device)


def _stream(seed: int, number: int) -> int:
    """Another seed for each use, so that masks and weights are not made of the same random bits.

    It differs in the lowest 32 bits, which are all that torch's generator on the cpu looks at.
    """
    return seed ^ (number * 0x9E3779B9 & 0xFFFFFFFF)


def _build(plan: LayerPlan, generator: torch.Generator) -> nn.Module:
    spec = plan.spec
    match spec:
        case Dense():
            return _build_dense(plan, spec, generator)
        case Output():
            return nn.Sequential(OrderedDict(product=_linear(plan, has_bias(spec))))
        case ActivationLayer():
            activation = _activation(spec.function)
            return nn.Sequential(activation, blocks.Dropout(plan.dropout, generator)) if plan.dropout else activation
        case Dropout():
            return blocks.Dropout(spec.rate, generator)
        case BatchNorm():
            return nn.BatchNorm1d(plan.input.features, eps=spec.epsilon, momentum=spec.momentum)
        case LayerNorm():
            return nn.LayerNorm(plan.input.features, eps=spec.epsilon)
        case Repeat():
            return nn.Sequential(*(_build(layer, generator) for layer in plan.inner))
        case Residual():
            inner = nn.Sequential(*(_build(layer, generator) for layer in plan.inner))
            return blocks.Residual(inner, _linear(plan, bias=False) if spec.projection else None)
        case CustomLayer():
            settings: LayerSettings = CUSTOM_LAYERS[spec.layer].model_validate(spec.settings)
            return CUSTOM_BUILDERS[spec.layer](settings, plan.input.features)
        case _:
            assert_never(spec)


def _build_dense(plan: LayerPlan, spec: Dense, generator: torch.Generator) -> nn.Module:
    """Product, norm, activation, dropout, in that order; what does nothing is left out."""
    parts: OrderedDict[str, nn.Module] = OrderedDict(product=_linear(plan, has_bias(spec)))
    if spec.norm == "batch_norm":
        parts["norm"] = nn.BatchNorm1d(spec.units)
    elif spec.norm == "layer_norm":
        parts["norm"] = nn.LayerNorm(spec.units)
    if plan.activation != "linear":
        parts["activation"] = _activation(plan.activation)
    if plan.dropout:
        parts["dropout"] = blocks.Dropout(plan.dropout, generator)
    return nn.Sequential(parts)


def _linear(plan: LayerPlan, bias: bool) -> nn.Linear:
    return blocks.Linear(plan.input.features, plan.output.features, bias=bias)


def _activation(name: Activation) -> nn.Module:
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


# --- first weights -----------------------------------------------------------------------------------------


def _init_layers(plans: Sequence[LayerPlan], modules: nn.Sequential, generator: torch.Generator) -> None:
    """Draw the weights of each layer in order, so that they are a function of the seed."""
    for plan, module in zip(plans, modules, strict=True):
        spec = plan.spec
        match spec:
            case Dense() | Output():
                _init_product(plan, spec, module.get_submodule("product"), generator)
            case Repeat():
                assert isinstance(module, nn.Sequential)
                _init_layers(plan.inner, module, generator)
            case Residual():
                assert isinstance(module, blocks.Residual)
                assert isinstance(module.layers, nn.Sequential)
                _init_layers(plan.inner, module.layers, generator)
                if module.projection is not None:
                    assert isinstance(module.projection, nn.Linear)
                    draw_weights(module.projection.weight, "xavier", generator)


@torch.no_grad()
def _init_product(plan: LayerPlan, spec: Dense | Output, linear: nn.Module, generator: torch.Generator) -> None:
    assert isinstance(linear, nn.Linear)
    if spec.weights is None:
        draw_weights(linear.weight, plan.init, generator)
    else:
        linear.weight.copy_(torch.tensor(spec.weights).view_as(linear.weight))
    if linear.bias is not None:
        given = 0.0 if isinstance(spec.bias, bool) else spec.bias
        linear.bias.copy_(torch.tensor(given))


def draw_weights(weight: Tensor, init: Init, generator: torch.Generator) -> None:
    """Fill a weight matrix [units, inputs] in place.

    he: normal, variance 2 / inputs (He et al. 2015). lecun: normal, variance 1 / inputs (LeCun et al. 1998). xavier:
    uniform, variance 2 / (inputs + units) (Glorot and Bengio 2010). normal: deviation 0.05. zeros: no symmetry is
    broken, which is what it shows.
    """
    fan_in = weight.shape[1]
    match init:
        case "he":
            nn.init.normal_(weight, std=math.sqrt(2 / fan_in), generator=generator)
        case "lecun":
            nn.init.normal_(weight, std=math.sqrt(1 / fan_in), generator=generator)
        case "xavier":
            nn.init.xavier_uniform_(weight, generator=generator)
        case "normal":
            nn.init.normal_(weight, std=0.05, generator=generator)
        case "zeros":
            nn.init.zeros_(weight)
        case _:
            assert_never(init)
