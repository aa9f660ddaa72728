"""Where attention looks: how much each token takes from each other one, head by head."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nettool.analysis.layers import leaf_modules
from nettool.analysis.outcomes import Array
from nettool.model.compile import Network
from nettool.model.plans import NetworkPlan
from nettool.model.recurrent import Attention
from nettool.model.stack import Lengths
from nettool.training.evaluation import evaluating

NAMED = 0.4
"""Of a token's attention: a head that gives so much to one place on average is named by it."""


@dataclass(frozen=True)
class AttentionMap:
    """A layer of attention. weights: float64 [heads, steps, steps]; rows look at columns, and each sums up to 1."""

    name: str
    weights: Array
    causal: bool


@dataclass(frozen=True)
class Habit:
    """What a head mostly does. place: what it looks at in words, "" where it spreads. share: of its attention that goes
    there. spread: over how many tokens its attention is spread, exp(entropy), on average.
    """

    place: str
    share: float
    spread: float


def has_attention(network: Network) -> bool:
    """Whether any layer is, or holds, attention."""
    return any(isinstance(module, Attention) for module in network.modules())


def attention_maps(network: Network, plan: NetworkPlan, features: Tensor) -> list[AttentionMap]:
    """Of every attention from input to output, for one example. features: [1, ...], encoded.

    softmax(q kᵀ / sqrt(width)) (Vaswani et al. 2017, equation 1), of the real steps alone.
    """
    layers = _attentions(network, plan)
    seen: dict[Attention, tuple[Tensor, Lengths]] = {}

    def watched(module: Attention) -> Callable[[Tensor, Lengths], tuple[Tensor, Lengths]]:
        run = module.run

        def run_and_keep(x: Tensor, lengths: Lengths) -> tuple[Tensor, Lengths]:
            seen[module] = x, lengths
            return run(x, lengths)

        return run_and_keep

    try:
        for _, module in layers:
            module.run = watched(module)  # type: ignore[method-assign, assignment]
        with evaluating(network):
            network(features)
            return [AttentionMap(name, _weights(module, *seen[module]), module.causal) for name, module in layers]
    finally:
        for _, module in layers:
            module.__dict__.pop("run", None)


def _attentions(network: Network, plan: NetworkPlan) -> list[tuple[str, Attention]]:
    """Each with its layer's name; those that a `repeat` made of one layer are numbered."""
    found = [
        (name, module)
        for name, _, layer in leaf_modules(network, plan)
        for module in layer.modules()
        if isinstance(module, Attention)
    ]
    names = [name for name, _ in found]
    return [
        (f"{name}, no. {names[: place + 1].count(name)}" if names.count(name) > 1 else name, module)
        for place, (name, module) in enumerate(found)
    ]


def _weights(module: Attention, x: Tensor, lengths: Lengths) -> Array:
    time = x.shape[1] if lengths is None else int(lengths[0])
    query, key, _ = module.qkv(x[:1, :time]).view(time, 3, module.heads, module.width).permute(1, 2, 0, 3).double()
    scores = query @ key.transpose(1, 2) / math.sqrt(module.width)
    if module.causal:
        later = torch.ones(time, time, dtype=torch.bool, device=scores.device).triu(1)
        scores = scores.masked_fill(later, -math.inf)
    weights: Array = scores.softmax(dim=2).cpu().numpy()
    return weights


def habit(weights: Array, causal: bool) -> Habit:
    """What one head does, from its map [steps, steps]. Rows in which the places are one and the same do not count."""
    time = len(weights)
    spread = float(np.exp(-(weights * np.log(np.where(weights > 0, weights, 1.0))).sum(axis=1)).mean())
    if time < 4:
        return Habit("", 0.0, spread)
    places = {
        "itself": float(np.diagonal(weights)[2:].mean()),
        "the one before": float(np.diagonal(weights, -1)[1:].mean()),
        "the first": float(weights[2:, 0].mean()),
    }
    if not causal:
        places["the one after"] = float(np.diagonal(weights, 1)[1:].mean())
    place = max(places, key=lambda name: places[name])
    return Habit(place if places[place] >= NAMED else "", places[place], spread)
