"""A dense layer on one example, neuron by neuron: forward, and backward by the chain rule."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nettool.analysis.formulas import Dot, Formula, activated, slope
from nettool.analysis.outcomes import Array
from nettool.config.layer_types import Activation


@dataclass(frozen=True)
class Neurons:
    """U units with I inputs, all float64, as the network and autograd have them.

    x: [I]. weights: [U, I]. bias: [U], or None. z: [U], the dot products. normed: [U], after a norm between product and
    activation; None without one. a: [U]. da, dz: [U], the loss by a and by z. dx: [I], handed back to the layer below;
    None where nothing below learns. dweights: [U, I]; dbias: [U], or None.
    """

    activation: Activation
    norm: str
    x: Array
    weights: Array
    bias: Array | None
    z: Array
    normed: Array | None
    a: Array
    da: Array
    dz: Array
    dx: Array | None
    dweights: Array
    dbias: Array | None

    @property
    def num_units(self) -> int:
        """Neurons."""
        return len(self.z)

    @property
    def num_inputs(self) -> int:
        """Of each of them."""
        return len(self.x)

    @property
    def before(self) -> Array:
        """What the activation takes: [U]."""
        return self.z if self.normed is None else self.normed

    def dot(self, unit: int) -> Dot:
        """Z of a unit."""
        bias = None if self.bias is None else float(self.bias[unit])
        return Dot(f"z{unit + 1}", self.weights[unit], self.x, bias, float(self.z[unit]))

    def activated(self, unit: int) -> Formula:
        """A of a unit."""
        return activated(f"a{unit + 1}", self.activation, float(self.before[unit]), float(self.a[unit]))

    def slope(self, unit: int) -> Formula:
        """G' of a unit."""
        return slope(f"g'(z{unit + 1})", self.activation, float(self.before[unit]), float(self.a[unit]))

    def delta(self, unit: int) -> Formula:
        """The loss by z of a unit, from the loss by a. With a norm between them it is none of this unit alone."""
        name = unit + 1
        numbers = {"da": float(self.da[unit]), "g": self.slope(unit).value}
        symbols = f"dL/da{name}·g'(z{name})"
        return Formula(f"dL/dz{name}", symbols, "{da}·{g}", numbers, float(self.dz[unit]))

    def weight_gradient(self, unit: int, source: int) -> Formula:
        """The loss by a weight: the loss by z, times the input that the weight is multiplied with."""
        symbols = f"dL/dz{unit + 1}·x{source + 1}"
        numbers = {"dz": float(self.dz[unit]), "x": float(self.x[source])}
        name = f"dL/dw{unit + 1},{source + 1}"
        return Formula(name, symbols, "{dz}·{x}", numbers, float(self.dweights[unit, source]))

    def handed_back(self, source: int) -> Dot:
        """The loss by an input: what comes back through each unit's weight."""
        assert self.dx is not None
        name = f"dL/dx{source + 1}"
        return Dot(name, self.dz, self.weights[:, source], None, float(self.dx[source]))


def gradient_in_a_line(below: Neurons, above: Neurons) -> Formula:
    """The loss by a weight as one product from the loss on: by each output, times its weight, the slope, the input.

    Of the weight in `below` with the largest gradient. `above` takes what `below` gives.
    """
    unit, source = np.unravel_index(int(np.abs(below.dweights).argmax()), below.dweights.shape)
    outputs = range(above.num_units)
    symbols = " + ".join(f"dL/dz{k + 1}·v{k + 1},{unit + 1}" for k in outputs)
    template = " + ".join(f"{{d{k}}}·{{v{k}}}" for k in outputs)
    if above.num_units > 1:
        symbols, template = f"({symbols})", f"({template})"
    numbers = {f"d{k}": float(above.dz[k]) for k in outputs}
    numbers |= {f"v{k}": float(above.weights[k, unit]) for k in outputs}
    numbers |= {"g": below.slope(int(unit)).value, "x": float(below.x[source])}
    return Formula(
        f"dL/dw{unit + 1},{source + 1}",
        f"{symbols}·g'(z{unit + 1})·x{source + 1}",
        f"{template}·{{g}}·{{x}}",
        numbers,
        float(below.dweights[unit, source]),
    )
