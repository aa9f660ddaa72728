"""The loss section. The loss decides the task: the entropies classify, the others regress."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from nettool.config.spec import Spec

ClassWeights = Literal["balanced"] | dict[str, Annotated[float, Field(ge=0)]]
Smoothing = Annotated[float, Field(ge=0, lt=1)]


class CrossEntropy(Spec):
    """Softmax cross-entropy, for a target with two classes or more."""

    name: Literal["cross_entropy"] = "cross_entropy"
    class_weights: ClassWeights | None = None
    """`balanced` (rare classes count more, so that all classes count the same), or a weight for each class."""
    label_smoothing: Smoothing = 0.0
    """This share of the target's probability is spread evenly over all classes."""


class BinaryCrossEntropy(Spec):
    """Sigmoid cross-entropy: one output for a target with two classes, or one for each of several yes/no targets."""

    name: Literal["binary_cross_entropy"] = "binary_cross_entropy"
    class_weights: ClassWeights | None = None
    """`balanced`, or a weight for each of the two classes. Not for several targets."""
    label_smoothing: Smoothing = 0.0
    """Targets 0 and 1 become half of this and 1 minus half of this."""


class MeanSquaredError(Spec):
    """Mean squared error, for numbers."""

    name: Literal["mse"] = "mse"


class MeanAbsoluteError(Spec):
    """Mean absolute error, for numbers: outliers weigh less than with `mse`."""

    name: Literal["mae"] = "mae"


class Huber(Spec):
    """Huber's loss, for numbers: squared near zero, linear beyond `delta`."""

    name: Literal["huber"] = "huber"
    delta: Annotated[float, Field(gt=0)] = 1.0
    """Where the square turns into a line, in standard deviations of the target."""


Classification = CrossEntropy | BinaryCrossEntropy
Regression = MeanSquaredError | MeanAbsoluteError | Huber
LossSpec = Annotated[Classification | Regression, Field(discriminator="name")]
