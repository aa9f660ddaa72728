"""What one example was made of on its way through a network: each layer, each weight, the loss, the update."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from nettool.analysis.first_steps import clips, first_step
from nettool.analysis.formulas import Detail, Formula
from nettool.analysis.loss_steps import OutputLoss
from nettool.analysis.neurons import Neurons, gradient_in_a_line
from nettool.analysis.outcomes import Array
from nettool.config.optimization import OptimizerSpec
from nettool.model.plans import LayerPlan

MOST_IN_CHAIN = 3
"""Outputs through which a gradient is written in one line."""


@dataclass(frozen=True)
class ParameterStep:
    """Weights that belong together: their name in the network, and before, gradient, after, all of one shape."""

    name: str
    before: Array
    gradient: Array
    after: Array


@dataclass(frozen=True)
class LayerStep:
    """A layer with what the example made of it. turns: of each layer that it stands in, which turn, if that repeats.

    x, out: of the example, float64 in its shape. dout, dx: the loss by them; dx is None where nothing below learns.
    parameters: its own, without those of layers inside. neurons: of a dense layer on a vector.
    """

    plan: LayerPlan
    turns: tuple[int, ...]
    sentence: str
    x: Array
    out: Array
    dout: Array
    dx: Array | None
    parameters: tuple[ParameterStep, ...]
    neurons: Neurons | None
    details: tuple[Detail, ...]

    @property
    def is_first_turn(self) -> bool:
        """Whether no layer of the same name was before it."""
        return all(turn == 1 for turn in self.turns)


@dataclass(frozen=True)
class Update:
    """What the optimizer does. norm: length of all gradients together, before it clips them."""

    spec: OptimizerSpec
    lr: float
    norm: float

    @property
    def is_clipped(self) -> bool:
        """Whether they were too long."""
        return clips(self.spec, self.norm)

    @property
    def remembered(self) -> tuple[str, ...]:
        """In symbols, what the rule remembers of earlier gradients."""
        written = " ".join(formula.symbols for formula in first_step(self.spec, self.lr, 0.0, 0.0, 0.0, 0.0))
        return tuple(name for name in ("m0", "v0", "s0", "d0") if name in written)

    def written(self, parameter: ParameterStep, index: tuple[int, ...]) -> tuple[Formula, ...]:
        """For one weight, see `first_step`."""
        before, gradient, after = (
            float(each[index]) for each in (parameter.before, parameter.gradient, parameter.after)
        )
        return first_step(self.spec, self.lr, before, gradient, after, self.norm)


@dataclass(frozen=True)
class Walk:
    """All of it. inputs: what the first layer takes. embeddings: weights in front of it, of a table's categories.

    losses: what is written out: the loss of the example, or of each step of a text. loss, loss_after: of the example,
    before and after the update. after: predictions after it, float64, in the shape of the outputs.
    """

    inputs: Array
    embeddings: tuple[ParameterStep, ...]
    layers: tuple[LayerStep, ...]
    losses: tuple[OutputLoss, ...]
    loss: float
    update: Update
    loss_after: float
    outputs_after: Array

    @property
    def chain(self) -> Formula | None:
        """All factors of one gradient in a line: of a weight right below the output, the one of the largest gradient.

        None where no dense layer without a norm stands there, or where there are too many outputs for a line.
        """
        below, last = [None, *(layer.neurons for layer in self.layers)][-2:]
        if below is None or last is None or below.norm or last.num_units > MOST_IN_CHAIN:
            return None
        return gradient_in_a_line(below, last)

    @cached_property
    def parameters(self) -> tuple[ParameterStep, ...]:
        """All of them, in the network's order."""
        return (*self.embeddings, *(each for layer in self.layers for each in layer.parameters))
