"""What the loss makes of the outputs for one example: the prediction, the loss, and its derivative by each output."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar, assert_never

import numpy as np

from nettool.analysis.formulas import Formula, sigmoid
from nettool.analysis.outcomes import Array
from nettool.config.losses import BinaryCrossEntropy, CrossEntropy, Huber, LossSpec, MeanAbsoluteError, MeanSquaredError


@dataclass(frozen=True)
class OutputLoss(ABC):
    """Of K outputs. names: of each. z: float64 [K]. y: float64 [K], what they should be: 0 and 1, or numbers.

    value: the loss as nettool's own loss has it. dz: float64 [K], its derivative by each output, as autograd has it.
    """

    rule: ClassVar[str]
    """How z becomes a prediction, in symbols."""
    names: tuple[str, ...]
    z: Array
    y: Array
    value: float
    dz: Array

    @abstractmethod
    def predicted(self, output: int) -> Formula:
        """What the output says, as a prediction."""

    def prediction_of(self, output: int, said: float) -> float:
        """As `predicted` has it. said: what the loss says of an output, a probability or a standardised number."""
        return said

    @abstractmethod
    def losses(self) -> list[Formula]:
        """From predictions to the loss, which the last one gives."""

    @abstractmethod
    def delta(self, output: int) -> Formula:
        """The loss by z."""


@dataclass(frozen=True)
class SoftmaxLoss(OutputLoss):
    """Softmax cross-entropy. y: the share that each class should have; all 1 but for smoothing and class weights.

    truth: the class. num_steps: of a sequence, over which the loss is a mean; `value` is that of this step.
    """

    rule = "p = exp(z) / (the sum of exp(z) over all classes)"
    truth: int = 0
    num_steps: int = 1

    @property
    def probabilities(self) -> Array:
        """float64 [K]."""
        powers = np.exp(self.z - self.z.max())
        found: Array = powers / powers.sum()
        return found

    @property
    def is_plain(self) -> bool:
        """Whether all of it is the true class's."""
        return float(self.y[self.truth]) == 1.0 and float(self.y.sum()) == 1.0

    def predicted(self, output: int) -> Formula:
        """The probability of a class."""
        z = float(self.z[output])
        value = float(self.probabilities[output])
        if np.abs(self.z).max() < 300:
            total = float(np.exp(self.z).sum())
            return Formula(f"p{output + 1}", "exp(z) / sum", "exp({z}) / {sum}", {"z": z, "sum": total}, value)
        top = float(self.z.max())  # subtracted from all, which changes nothing but keeps exp finite
        numbers = {"z": z, "top": top, "sum": float(np.exp(self.z - top).sum())}
        return Formula(f"p{output + 1}", "exp(z - z max) / sum", "exp({z} - {top}) / {sum}", numbers, value)

    def losses(self) -> list[Formula]:
        """Minus the logarithm of the true class's probability, as far as it is all that counts."""
        logs = self.z - self.z.max() - np.log(np.exp(self.z - self.z.max()).sum())
        p = float(self.probabilities[self.truth])
        if self.is_plain:
            return [Formula("L", "-log(p of the true class)", "-log({p})", {"p": p}, self.value)]
        others = np.delete(self.y, self.truth) @ np.delete(logs, self.truth)
        numbers = {"y": float(self.y[self.truth]), "p": p, "rest": float(others)}
        symbols = "-(y·log(p) of the true class + the sum of y·log(p) over the others)"
        return [Formula("L", symbols, "-({y}·log({p}) + {rest})", numbers, self.value)]

    def delta(self, output: int) -> Formula:
        """What the class has too much of probability."""
        name, total = f"dL/dz{output + 1}", float(self.y.sum())
        numbers = {"p": float(self.probabilities[output]), "y": float(self.y[output])}
        symbols, template = "p - y", "{p} - {y}"
        if abs(total - 1) > 1e-9:
            symbols, template, numbers["total"] = "p·(the sum of all y) - y", "{p}·{total} - {y}", total
        if self.num_steps > 1:
            symbols, template = f"({symbols}) / steps", f"({template}) / {{steps}}"
            numbers["steps"] = float(self.num_steps)
        return Formula(name, symbols, template, numbers, float(self.dz[output]))


@dataclass(frozen=True)
class SigmoidLoss(OutputLoss):
    """Sigmoid cross-entropy, the mean over the outputs. y: 0 or 1, moved by label smoothing."""

    rule = "p = 1 / (1 + exp(-z))"

    def predicted(self, output: int) -> Formula:
        """The probability of 1."""
        z = float(self.z[output])
        return Formula(f"p{output + 1}", "1 / (1 + exp(-z))", "1 / (1 + exp(-{z}))", {"z": z}, sigmoid(z))

    def losses(self) -> list[Formula]:
        """Of each output, and their mean."""
        found = []
        for output, (z, y) in enumerate(zip(self.z.tolist(), self.y.tolist(), strict=True)):
            # Of its complement: 1 - p would be 0 where p is nearly 1.
            numbers = {"p": sigmoid(z), "q": sigmoid(-z), "y": y}
            value = float(np.logaddexp(0, -z) * y + np.logaddexp(0, z) * (1 - y))
            symbols, template = "-(y·log(p) + (1 - y)·log(1 - p))", "-({y}·log({p}) + (1 - {y})·log({q}))"
            if y in (0.0, 1.0):
                symbols, template = ("-log(p)", "-log({p})") if y else ("-log(1 - p)", "-log({q})")
            found.append(Formula(f"L{output + 1}", symbols, template, numbers, value))
        return _mean(found, self.value)

    def delta(self, output: int) -> Formula:
        """What there is too much of probability."""
        numbers = {"p": sigmoid(float(self.z[output])), "y": float(self.y[output]), "n": float(len(self.z))}
        return _shared(f"dL/dz{output + 1}", "p - y", "{p} - {y}", numbers, float(self.dz[output]))


@dataclass(frozen=True)
class NumberLoss(OutputLoss):
    """A loss of numbers, the mean over the outputs. means, deviations: [K], back to the target's own units."""

    spec: MeanSquaredError | MeanAbsoluteError | Huber = field(default_factory=MeanSquaredError)
    means: tuple[float, ...] = ()
    deviations: tuple[float, ...] = ()
    rule = "ŷ = z·deviation + mean, for z is in standard deviations from the mean of the training rows"

    def predicted(self, output: int) -> Formula:
        """The number in the target's own units."""
        z, d, m = float(self.z[output]), self.deviations[output], self.means[output]
        return Formula(f"ŷ{output + 1}", "z·deviation + mean", "{z}·{d} + {m}", {"z": z, "d": d, "m": m}, z * d + m)

    def prediction_of(self, output: int, said: float) -> float:
        """In the target's own units."""
        return said * self.deviations[output] + self.means[output]

    def losses(self) -> list[Formula]:
        """Of each output, and their mean."""
        found = []
        for output, (z, y) in enumerate(zip(self.z.tolist(), self.y.tolist(), strict=True)):
            numbers, error = {"z": z, "y": y}, abs(z - y)
            match self.spec:
                case MeanSquaredError():
                    symbols, template, value = "(z - y)²", "({z} - {y})²", error**2
                case MeanAbsoluteError():
                    symbols, template, value = "|z - y|", "abs({z} - {y})", error
                case Huber(delta=delta):
                    numbers["d"] = delta
                    if error <= delta:
                        symbols, template, value = "(z - y)² / 2", "({z} - {y})² / 2", error**2 / 2
                    else:
                        symbols, template = "delta·(|z - y| - delta / 2)", "{d}·(abs({z} - {y}) - {d} / 2)"
                        value = delta * (error - delta / 2)
                case _:
                    assert_never(self.spec)
            found.append(Formula(f"L{output + 1}", symbols, template, numbers, value))
        return _mean(found, self.value)

    def delta(self, output: int) -> Formula:
        """The slope of the error."""
        z, y = float(self.z[output]), float(self.y[output])
        numbers = {"z": z, "y": y, "n": float(len(self.z)), "sign": float(np.sign(z - y))}
        symbols, template = "2·(z - y)", "2·({z} - {y})"
        if isinstance(self.spec, MeanAbsoluteError):
            symbols, template = "the sign of z - y", "{sign}"
        elif isinstance(self.spec, Huber) and abs(z - y) > self.spec.delta:
            symbols, template, numbers["d"] = "delta·(the sign of z - y)", "{d}·{sign}", self.spec.delta
        elif isinstance(self.spec, Huber):
            symbols, template = "z - y", "{z} - {y}"
        return _shared(f"dL/dz{output + 1}", symbols, template, numbers, float(self.dz[output]))


def _mean(found: list[Formula], value: float) -> list[Formula]:
    """With the mean behind them, where there are several; one alone is the loss."""
    if len(found) == 1:
        return [Formula("L", found[0].symbols, found[0].template, found[0].numbers, value)]
    total = sum(each.value for each in found)
    numbers = {"sum": total, "n": float(len(found))}
    return [*found, Formula("L", "the mean of these", "{sum} / {n}", numbers, value)]


def _shared(name: str, symbols: str, template: str, numbers: dict[str, float], value: float) -> Formula:
    """A derivative of a mean over outputs: of several, each has its share."""
    if numbers["n"] > 1:
        if symbols in ("p - y", "z - y"):
            symbols, template = f"({symbols})", f"({template})"
        symbols, template = f"{symbols} / outputs", f"{template} / {{n}}"
    return Formula(name, symbols, template, numbers, value)


def desired_shares(spec: CrossEntropy, truth: int, class_weights: Array | None, num_classes: int) -> Array:
    """What softmax cross-entropy wants each class to have, once the loss is divided by the example's own weight.

    float64 [C]. Without smoothing that is 1 for the true class, whatever its weight.
    """
    weights = np.ones(num_classes) if class_weights is None else class_weights
    shares: Array = spec.label_smoothing / num_classes * weights / weights[truth]
    shares[truth] += 1 - spec.label_smoothing
    return shares


def smoothed(spec: BinaryCrossEntropy, y: Array) -> Array:
    """What sigmoid cross-entropy wants each output to be: float64 [K]."""
    found: Array = y * (1 - spec.label_smoothing) + spec.label_smoothing / 2
    return found


def written_loss(
    spec: LossSpec,
    names: tuple[str, ...],
    z: Array,
    target: Array,
    value: float,
    dz: Array,
    class_weights: Array | None,
    units: tuple[tuple[float, ...], tuple[float, ...]],
) -> OutputLoss:
    """The loss of one example, or of one step. target: a class's number, or float64 [K]. units: means, deviations."""
    match spec:
        case CrossEntropy():
            truth = int(target)
            y = desired_shares(spec, truth, class_weights, len(z))
            return SoftmaxLoss(names, z, y, value, dz, truth)
        case BinaryCrossEntropy():
            return SigmoidLoss(names, z, smoothed(spec, target), value, dz)
        case MeanSquaredError() | MeanAbsoluteError() | Huber():
            return NumberLoss(names, z, target, value, dz, spec, *units)
        case _:
            assert_never(spec)
