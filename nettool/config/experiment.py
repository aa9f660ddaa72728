"""Experiment: the whole config, its shorthand expanded and its defaults filled in."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field

from nettool.config.data import DataSpec
from nettool.config.layer_types import Activation, DropoutRate, Init
from nettool.config.layers import LayerSpec
from nettool.config.losses import Classification, LossSpec
from nettool.config.optimization import Adam, Constant, EarlyStopping, LearningRate, OptimizerSpec, ScheduleSpec
from nettool.config.runtime import Checkpoint, Runtime
from nettool.config.spec import Spec

ClassificationMetric = Literal[
    "accuracy", "balanced_accuracy", "precision", "recall", "f1", "log_loss", "brier",
    "auroc", "average_precision", "calibration_error", "top_5_accuracy",
]  # fmt: skip
RegressionMetric = Literal["mse", "rmse", "mae", "r2", "median_absolute_error"]
NextMetric = Literal["bits_per_character", "perplexity", "accuracy", "top_5_accuracy"]
Metric = Literal[ClassificationMetric, RegressionMetric, NextMetric]


class Experiment(Spec):
    """One experiment: everything that decides its result, apart from the machine."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
    """Prefix of the run directory. Default: the file's name without its ending."""
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 0
    """Decides the first weights, the order of the examples and the dropout."""
    data: DataSpec
    """Where the examples come from."""
    layers: Annotated[tuple[LayerSpec, ...], Field(min_length=1)]
    """The network from input to output; the last one is `output`."""
    activation: Activation = "relu"
    """For every hidden layer that sets none of its own."""
    dropout: DropoutRate = 0.0
    """For every hidden layer that sets none of its own."""
    init: Init | None = None
    """How weights start. Default: he for relu and its kin, xavier for tanh, sigmoid and linear."""
    loss: LossSpec
    """What training makes small. It decides the task."""
    optimizer: OptimizerSpec = Adam()
    """The rule that moves the weights."""
    schedule: ScheduleSpec = Constant()
    """How the learning rate changes on the way."""
    batch_size: Annotated[int, Field(ge=1)] | Literal["full"] = 32
    """Examples a step. `full` is plain gradient descent, 1 the purely stochastic one."""
    accumulate: Annotated[int, Field(ge=1)] = 1
    """Batches whose gradients are averaged before the weights move once."""
    epochs: Annotated[int, Field(ge=0)] = 100
    """Passes over the training split, at most. 0 keeps the untrained network."""
    early_stopping: EarlyStopping | None = None
    """Ends training when it no longer helps. Default: off. The best weights are kept either way."""
    metrics: tuple[Metric, ...] | None = None
    """What is measured on the validation split after every epoch. Default: accuracy; rmse, mae and r2; or, for
    the next token, bits_per_character and accuracy."""
    runtime: Runtime = Runtime()
    """Device and threads."""
    checkpoint: Checkpoint = Checkpoint()
    """How often the state is saved."""

    def with_rate(self, lr: LearningRate) -> Experiment:
        """With this learning rate."""
        return self.model_copy(update={"optimizer": self.optimizer.model_copy(update={"lr": lr})})

    @property
    def classifies(self) -> bool:
        """Whether the loss makes this a classification; else it is a regression."""
        return isinstance(self.loss, Classification)

    @property
    def metric_names(self) -> tuple[Metric, ...]:
        """The metrics asked for, or those that suit the task."""
        if self.metrics is not None:
            return self.metrics
        if self.data.is_stream:
            return ("bits_per_character", "accuracy")
        return ("accuracy",) if self.classifies else ("rmse", "mae", "r2")

    @property
    def possible_metrics(self) -> tuple[Metric, ...]:
        """Every metric of the task."""
        if self.data.is_stream:
            return get_args(NextMetric)
        return get_args(ClassificationMetric if self.classifies else RegressionMetric)
