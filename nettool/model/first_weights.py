"""The weights that a network starts from: a function of plan and seed alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import assert_never

import torch
from torch import Tensor, nn

from nettool.config.convolutions import Conv1d, Conv2d
from nettool.config.layer_types import Init
from nettool.config.layers import Dense, Output, Repeat, Residual
from nettool.config.sequences import GRU, LSTM, RNN, Attention, Embedding, Positional, Transformer
from nettool.model import blocks, recurrent, spatial, stack
from nettool.model.plans import LayerPlan


def init_layers(plans: Sequence[LayerPlan], modules: nn.Module, generator: torch.Generator) -> None:
    """Draw the weights of each layer in order. Norms keep their ones and zeros."""
    assert isinstance(modules, stack.Stack)
    for plan, module in zip(plans, modules, strict=True):
        match plan.spec:
            case Dense() | Output() | Conv1d() | Conv2d():
                _init_product(plan, plan.spec, module.get_submodule("product"), generator)
            case Repeat():
                init_layers(plan.inner, module, generator)
            case Residual():
                assert isinstance(module, stack.Residual)
                init_layers(plan.inner, module.layers, generator)
                if module.projection is not None:
                    _draw_linear(module.projection, plan, generator)
            case Embedding():
                _init_embedding(plan, module.get_submodule("table"), generator)
            case Attention() | Transformer():
                for part in module.modules():
                    if isinstance(part, blocks.Linear):
                        _draw_linear(part, plan, generator)
            case RNN() | GRU() | LSTM():
                assert isinstance(module, recurrent.Recurrent)
                module.draw_weights(generator)
            case Positional():
                table = module.get_submodule("table")
                assert isinstance(table, recurrent.Positional)
                table.draw_weights(generator)


@torch.no_grad()
def _init_product(
    plan: LayerPlan, spec: Dense | Output | Conv1d | Conv2d, product: nn.Module, generator: torch.Generator
) -> None:
    weight, bias = product.weight, product.bias
    assert isinstance(weight, Tensor)
    given = spec.weights if isinstance(spec, Dense | Output) else None
    if given is None:
        _draw(weight, plan, generator)
    else:
        weight.copy_(torch.tensor(given).view_as(weight))
    if bias is not None:
        assert isinstance(bias, Tensor)
        bias.copy_(torch.tensor(0.0 if isinstance(spec.bias, bool) else spec.bias))


@torch.no_grad()
def _draw_linear(module: nn.Module, plan: LayerPlan, generator: torch.Generator) -> None:
    assert isinstance(module, blocks.Linear | spatial.Conv2d | spatial.Conv1d)
    _draw(module.weight, plan, generator)
    if module.bias is not None:
        module.bias.zero_()


@torch.no_grad()
def _init_embedding(plan: LayerPlan, table: nn.Module, generator: torch.Generator) -> None:
    """Normal, deviation 1, as inputs are that were standardised, unless the config says otherwise.

    Code 0 (unknown, or padding) and beside padding code 1 (unknown) begin as zeros, and stay it where training lacks
    them.
    """
    assert isinstance(table, blocks.Embedding)
    if plan.init is None:
        nn.init.normal_(table.weight, generator=generator)
    else:
        _draw(table.weight, plan, generator)
    table.weight[: 1 if table.padding_idx is None else 2] = 0


def _draw(weight: Tensor, plan: LayerPlan, generator: torch.Generator) -> None:
    assert plan.init is not None
    draw_weights(weight, plan.init, generator)


def draw_weights(weight: Tensor, init: Init, generator: torch.Generator) -> None:
    """Fill a weight matrix [units, inputs], or a kernel [filters, channels, ...], in place.

    he: normal, variance 2 / inputs (He et al. 2015). lecun: normal, variance 1 / inputs (LeCun et al. 1998). xavier:
    uniform, variance 2 / (inputs + units) (Glorot and Bengio 2010). normal: deviation 0.05. zeros: no symmetry is
    broken, which is what it shows. The inputs of a kernel are all numbers that it looks at.
    """
    fan_in = weight[0].numel()
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
