"""Calculations written out: the symbols of a book, the numbers in their places, and what comes out."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from nettool.analysis.outcomes import Array
from nettool.config.layer_types import Activation

Show = Callable[[float], str]


@dataclass(frozen=True)
class Formula:
    """One calculation. name: what it gives. symbols: as a book writes it. template: the same with a place for each of
    `numbers`, by name. value: what comes out, as the network or the optimizer has it.
    """

    name: str
    symbols: str
    template: str
    numbers: Mapping[str, float]
    value: float

    def written(self, show: Show) -> str:
        """With the numbers in their places; one below 0 stands in parentheses, but for one that comes first."""
        text = self.template.format(**{name: _enclosed(show(number)) for name, number in self.numbers.items()})
        return _bared(_ENCLOSED_TWICE.sub(r"(\1", text))


@dataclass(frozen=True)
class Dot:
    """A dot product: w1·x1 + w2·x2 + ... + b. weights, inputs: float64 [n]. bias: None where there is none. value: as
    the network has it.
    """

    name: str
    weights: Array
    inputs: Array
    bias: float | None
    value: float

    @property
    def products(self) -> Array:
        """Of each weight with its input: float64 [n]."""
        return self.weights * self.inputs

    def factors(self, show: Show, most: int) -> tuple[str, str]:
        """As factors, and as products. Of more terms than `most`, those that are left out stand as one sum."""
        shown, products = _first(len(self.weights), most), self.products
        pairs = [f"{_enclosed(show(self.weights[i]))}·{_enclosed(show(self.inputs[i]))}" for i in range(shown)]
        summands = [show(product) for product in products[:shown]]
        if left := len(products) - shown:
            rest = show(float(products[shown:].sum()))
            pairs.append(f"({left:,} more products: {rest})")
            summands.append(rest)
        if self.bias is not None:
            pairs.append(_enclosed(show(self.bias)))
            summands.append(show(self.bias))
        return _bared(" + ".join(pairs)), " + ".join(summands).replace("+ -", "- ")


@dataclass(frozen=True)
class Some:
    """Some numbers that say something. values: float64 [n]."""

    name: str
    values: Array


Detail = Formula | Dot | Some


def _first(count: int, most: int) -> int:
    """How many of so many terms are shown; a sum of all but one would be longer than the one."""
    return count if count <= most + 1 else most


def _enclosed(text: str) -> str:
    return f"({text})" if text.startswith("-") else text


_ENCLOSED_TWICE = re.compile(r"\(\((-[\d.,e+-]+)\)(?!²)")
_FIRST = re.compile(r"\((-[\d.,e+-]+)\)(?!²)")


def _bared(text: str) -> str:
    """Without the parentheses around a number that comes first, which need none."""
    return _FIRST.sub(r"\1", text, count=1) if _FIRST.match(text) else text


ACTIVATIONS: Mapping[Activation, tuple[str, str]] = {
    "relu": ("max(z, 0)", "max({z}, 0)"),
    "leaky_relu": ("max(0.01·z, z)", "max(0.01·{z}, {z})"),
    "elu": ("z where z > 0, else exp(z) - 1", "exp({z}) - 1"),
    "gelu": ("z·Φ(z), Φ(z) the share of a normal distribution below z", "{z}·Φ({z})"),
    "silu": ("z / (1 + exp(-z))", "{z} / (1 + exp(-{z}))"),
    "tanh": ("tanh(z)", "tanh({z})"),
    "sigmoid": ("1 / (1 + exp(-z))", "1 / (1 + exp(-{z}))"),
    "softplus": ("log(1 + exp(z))", "log(1 + exp({z}))"),
    "linear": ("z", "{z}"),
}
"""g(z) in symbols, and with a place for z; that of elu is where z is not above 0."""

SLOPES: Mapping[Activation, tuple[str, str]] = {
    "relu": ("1 where z > 0, else 0", ""),
    "leaky_relu": ("1 where z > 0, else 0.01", ""),
    "elu": ("1 where z > 0, else exp(z)", ""),
    "gelu": ("Φ(z) + z·φ(z), φ(z) = exp(-z²/2)/√(2π)", "Φ({z}) + {z}·φ({z})"),
    "silu": ("σ(z)·(1 + z·(1 - σ(z))), σ the sigmoid", "{s}·(1 + {z}·(1 - {s}))"),
    "tanh": ("1 - a²", "1 - {a}²"),
    "sigmoid": ("a·(1 - a)", "{a}·(1 - {a})"),
    "softplus": ("1 / (1 + exp(-z))", "1 / (1 + exp(-{z}))"),
    "linear": ("1", "1"),
}
"""Its derivative g'(z), in z or in a = g(z)."""


def activated(name: str, activation: Activation, z: float, a: float) -> Formula:
    """g(z) for one number. a: what the network gives."""
    symbols, template = ACTIVATIONS[activation]
    if activation == "elu" and z > 0:
        template = "{z}"
    return Formula(name, symbols, template, {"z": z}, a)


def slope(name: str, activation: Activation, z: float, a: float) -> Formula:
    """g'(z), computed here: autograd has it only as a factor."""
    symbols, template = SLOPES[activation]
    value = _slope(activation, z, a)
    return Formula(name, symbols, template or "{g}", {"z": z, "a": a, "s": sigmoid(z), "g": value}, value)


def sigmoid(z: float) -> float:
    """1 / (1 + exp(-z)), without overflow."""
    return 1 / (1 + math.exp(-z)) if z > -700 else math.exp(z)


def _slope(activation: Activation, z: float, a: float) -> float:
    match activation:
        case "relu":
            return 1.0 if z > 0 else 0.0
        case "leaky_relu":
            return 1.0 if z > 0 else 0.01
        case "elu":
            return 1.0 if z > 0 else math.exp(z)
        case "gelu":
            share, density = (1 + math.erf(z / math.sqrt(2))) / 2, math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
            return share + z * density
        case "silu":
            return sigmoid(z) * (1 + z * (1 - sigmoid(z)))
        case "tanh":
            return 1 - a * a
        case "sigmoid":
            return a * (1 - a)
        case "softplus":
            return sigmoid(z)
        case "linear":
            return 1.0


def numbers_of(tensor: Tensor) -> Array:
    """A tensor's numbers, exact and in memory of their own: float64 in its shape."""
    found: Array = tensor.detach().cpu().to(torch.float64, copy=True).numpy()
    return found
