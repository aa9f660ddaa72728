"""How the weights move: optimizer, learning rate schedule, early stopping."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from nettool.config.spec import Spec

Rate = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
UnitInterval = Annotated[float, Field(ge=0, lt=1)]


LearningRate = Rate | Literal["auto"]
"""auto: training begins with a search for one, see `nettool find-lr`."""


class OptimizerBase(Spec):
    """What every optimizer can do."""

    main: ClassVar[str | None] = None

    weight_decay: NonNegative = 0.0
    """Pulls every weight towards zero: added to the gradient as weight_decay x weight."""
    clip_norm: Rate | None = None
    """Gradients longer than this, all taken together, are shortened to it."""

    @property
    def rate(self) -> float:
        """The learning rate, which has been found by now."""
        found = self.model_dump()["lr"]
        assert isinstance(found, float), "it is still to be found"
        return found


class SGD(OptimizerBase):
    """Stochastic gradient descent, the lecture's rule: weight -= lr x gradient."""

    name: Literal["sgd"] = "sgd"
    lr: LearningRate = 0.01
    """Learning rate. auto: what `nettool find-lr` suggests."""
    momentum: UnitInterval = 0.0
    """Share of the last step that is kept in the next one."""
    nesterov: bool = False
    """Nesterov's momentum: the gradient as seen one step ahead. Needs momentum."""

    @model_validator(mode="after")
    def _nesterov_has_momentum(self) -> Self:
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs momentum: add `momentum: 0.9`")
        return self


class Adam(OptimizerBase):
    """Adam (Kingma and Ba 2015): steps scaled by running means of the gradient and its square."""

    name: Literal["adam"] = "adam"
    lr: LearningRate = 0.001
    """Learning rate. auto: what `nettool find-lr` suggests."""
    beta1: UnitInterval = 0.9
    """Decay of the mean of the gradient."""
    beta2: UnitInterval = 0.999
    """Decay of the mean of its square."""
    epsilon: Rate = 1e-8
    """Keeps the division finite."""


class AdamW(OptimizerBase):
    """AdamW (Loshchilov and Hutter 2019): Adam whose weight decay is kept apart from the gradient."""

    name: Literal["adamw"] = "adamw"
    lr: LearningRate = 0.001
    """Learning rate. auto: what `nettool find-lr` suggests."""
    weight_decay: NonNegative = 0.01
    """Every step shrinks each weight by lr x weight_decay."""
    beta1: UnitInterval = 0.9
    """Decay of the mean of the gradient."""
    beta2: UnitInterval = 0.999
    """Decay of the mean of its square."""
    epsilon: Rate = 1e-8
    """Keeps the division finite."""


class Adadelta(OptimizerBase):
    """Adadelta (Zeiler 2012): steps scaled by the ratio of past updates to past gradients."""

    name: Literal["adadelta"] = "adadelta"
    lr: LearningRate = 1.0
    """Learning rate. auto: what `nettool find-lr` suggests."""
    rho: UnitInterval = 0.9
    """Decay of the running means."""
    epsilon: Rate = 1e-6
    """Keeps the division finite."""


class Adagrad(OptimizerBase):
    """Adagrad (Duchi et al. 2011): steps shrink with the sum of past squared gradients."""

    name: Literal["adagrad"] = "adagrad"
    lr: LearningRate = 0.01
    """Learning rate. auto: what `nettool find-lr` suggests."""
    epsilon: Rate = 1e-10
    """Keeps the division finite."""


class RMSprop(OptimizerBase):
    """RMSprop (Tieleman and Hinton 2012): steps scaled by a running mean of squared gradients."""

    name: Literal["rmsprop"] = "rmsprop"
    lr: LearningRate = 0.001
    """Learning rate. auto: what `nettool find-lr` suggests."""
    alpha: UnitInterval = 0.99
    """Decay of the mean of the squared gradient."""
    momentum: UnitInterval = 0.0
    """Share of the last step that is kept in the next one."""
    epsilon: Rate = 1e-8
    """Keeps the division finite."""


OptimizerSpec = Annotated[SGD | Adam | AdamW | Adadelta | Adagrad | RMSprop, Field(discriminator="name")]


class ScheduleBase(Spec):
    """What every schedule but one_cycle can do."""

    warmup: NonNegative = 0.0
    """Epochs (2, or 0.5) over which the rate first rises in a line from near zero to `lr`."""


class Constant(ScheduleBase):
    """The learning rate stays as it is."""

    name: Literal["constant"] = "constant"


class Step(ScheduleBase):
    """The rate is multiplied by `factor` every so many epochs."""

    name: Literal["step"] = "step"
    every: Annotated[int, Field(ge=1)] = 30
    """Epochs between two steps."""
    factor: Annotated[float, Field(gt=0, le=1)] = 0.1
    """What the rate is multiplied by."""


class Exponential(ScheduleBase):
    """The rate is multiplied by `factor` after every epoch."""

    name: Literal["exponential"] = "exponential"
    factor: Annotated[float, Field(gt=0, le=1)] = 0.95
    """What the rate is multiplied by."""


class Cosine(ScheduleBase):
    """The rate falls along half a cosine, step by step, to `final` at the last one (Loshchilov, Hutter 2017)."""

    name: Literal["cosine"] = "cosine"
    final: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Where it ends, as a fraction of `lr`."""


class OneCycle(Spec):
    """The rate rises from lr / 25 to `lr` and falls to lr / 250,000, both along half a cosine (Smith, Topin 2018)."""

    name: Literal["one_cycle"] = "one_cycle"
    rise: Annotated[float, Field(gt=0, lt=1)] = 0.3
    """Fraction of all steps on which the rate rises."""
    start: Annotated[float, Field(gt=0, le=1)] = 0.04
    """Where it starts, as a fraction of `lr`."""
    final: Annotated[float, Field(gt=0, le=1)] = 4e-6
    """Where it ends, as a fraction of `lr`."""


class Plateau(ScheduleBase):
    """The rate is multiplied by `factor` once the validation loss has not improved for `patience` epochs.

    Without a validation split it looks at the training loss.
    """

    name: Literal["plateau"] = "plateau"
    patience: Annotated[int, Field(ge=0)] = 10
    """Epochs without improvement that are borne."""
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """What the rate is multiplied by."""
    min_delta: NonNegative = 1e-4
    """An improvement is smaller by at least this fraction of the best loss so far."""
    minimum: Annotated[float, Field(ge=0, le=1)] = 0.0
    """The rate never falls below this fraction of `lr`."""


ScheduleSpec = Annotated[Constant | Step | Exponential | Cosine | OneCycle | Plateau, Field(discriminator="name")]


class EarlyStopping(Spec):
    """Training ends once the monitored number has not improved for `patience` epochs."""

    main: ClassVar[str | None] = "patience"

    patience: Annotated[int, Field(ge=1)]
    """Epochs without improvement that are borne before training ends."""
    monitor: str = "validation_loss"
    """What is watched: validation_loss, train_loss ("until convergence"), or one of the `metrics`."""
    min_delta: NonNegative = 0.0
    """An improvement smaller than this does not count."""


def chooser(early_stopping: EarlyStopping | None) -> str:
    """The number on the validation split that chooses the best weights: what stops training, or the loss."""
    monitor = early_stopping.monitor if early_stopping else "validation_loss"
    return "validation_loss" if monitor == "train_loss" else monitor
