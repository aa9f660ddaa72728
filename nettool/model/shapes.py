"""From an experiment to the plan of its network, by arithmetic alone.

`plan_network` is the one reader of the rules that connect layers (defaults for hidden layers, an activation that
replaces one, shapes that must fit). `compile.py` builds just what the plan says.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never

from nettool.config.convolutions import AvgPool, Conv1d, Conv2d, Flatten, GlobalAvgPool, MaxPool, Reshape
from nettool.config.experiment import Experiment
from nettool.config.layer_types import Activation, Init, Product
from nettool.config.layers import (
    ActivationLayer,
    BatchNorm,
    CustomLayer,
    Dense,
    Dropout,
    LayerNorm,
    LayerSpec,
    Output,
    Repeat,
    Residual,
)
from nettool.config.sequences import GRU, LSTM, RNN, Attention, Embedding, Positional, Transformer
from nettool.config.signature import (
    Flat,
    Image,
    NextTarget,
    Shape,
    Signature,
    TableExample,
    Tokens,
    describe_shape,
)
from nettool.config.signature import Sequence as Steps
from nettool.errors import ConfigError, ConfigPath, Mistake
from nettool.limits import MAX_PARAMETERS
from nettool.model import sequence_shapes, spatial_shapes
from nettool.model.misfits import EMBED, Misfit, residual_changes, steps_are_gone, wrong_shape
from nettool.model.plans import LayerPlan, NetworkPlan, input_shape
from nettool.model.product_shapes import given_numbers, plan_custom, plan_dense, plan_output
from nettool.model.spatial_shapes import Hidden
from nettool.model.verdicts import looks_ahead, norms_one_number


def embedding_width(num_codes: int) -> int:
    """Width of the embedding of a category, the rule of fastai: 1.6 x codes ** 0.56, at most 50."""
    return min(50, round(1.6 * math.pow(num_codes, 0.56)))


def plan_network(experiment: Experiment, signature: Signature) -> NetworkPlan:
    """The plan of the experiment's network for data of this signature.

    Raises ConfigError with every layer that does not fit, up to the first that leaves no shape to go on with.
    """
    example = signature.example
    embedded = example.embedded if isinstance(example, TableExample) else ()
    embeddings = tuple((codes, embedding_width(codes)) for codes in embedded)
    planner = _Planner(experiment, signature)
    try:
        layers = planner.plan(experiment.layers, ("layers",), input_shape(signature, embeddings))
    except _NoShapeError:
        raise ConfigError(planner.mistakes) from None
    plan = NetworkPlan(signature, embeddings, layers)
    if plan.num_parameters > MAX_PARAMETERS:
        text = f"the network would have {plan.num_parameters:,} parameters; nettool stops at {MAX_PARAMETERS:,}."
        planner.mistakes.append(Mistake(("layers",), text))
    if isinstance(signature.target, NextTarget):
        planner.mistakes += looks_ahead(plan)
    if planner.mistakes:
        raise ConfigError(planner.mistakes)
    return plan


class _NoShapeError(Exception):
    """A layer does not fit, so that nobody knows what the next one would be given."""


class _Planner:
    def __init__(self, experiment: Experiment, signature: Signature) -> None:
        self.experiment = experiment
        self.signature = signature
        self.every_step = isinstance(signature.target, NextTarget)
        self.dropout_due = 0.0  # of a product whose activation is an item of its own, still to come
        self.giver: LayerPlan | None = None  # the layer before; None for the data
        self.joiner: LayerPlan | None = None  # what made one vector of all steps
        self.mistakes: list[Mistake] = []

    def plan(self, layers: Sequence[LayerSpec], path: ConfigPath, shape: Shape) -> tuple[LayerPlan, ...]:
        """Each layer takes the shape that the one before it gives."""
        plans = []
        for index, spec in enumerate(layers):
            here = (*path, index)
            try:
                plan = self.layer(spec, here, shape, layers[index + 1 :])
            except Misfit as misfit:
                self.mistakes.append(Mistake((*here, *misfit.keys), misfit.text))
                raise _NoShapeError from None
            if self.experiment.batch_size == 1 and norms_one_number(plan):
                text = "batch_norm needs more than one example in a batch, but batch_size is 1."
                self.mistakes.append(Mistake(here, f"{text} Use layer_norm, or larger batches."))
            plans.append(plan)
            if isinstance(shape, Steps) and isinstance(plan.output, Flat):
                self.joiner = plan
            shape, self.giver = plan.output, plan
        return tuple(plans)

    def layer(self, spec: LayerSpec, path: ConfigPath, shape: Shape, following: Sequence[LayerSpec]) -> LayerPlan:
        match spec:
            case Dense():
                if not isinstance(shape, Flat | Steps):
                    raise self.wrong_shape(spec, shape, Flat, Steps)
                self.mistakes += given_numbers(spec, path, shape.features, spec.units)
                return plan_dense(path, spec, shape, self.hidden(spec, following))
            case Output():
                return self.output(spec, path, shape)
            case Repeat():
                return self.repeat(spec, path, shape)
            case Residual():
                return self.residual(spec, path, shape)
            case CustomLayer():
                return plan_custom(path, spec, shape)
            case Embedding():
                if not isinstance(shape, Tokens):
                    raise self.wrong_shape(spec, shape, Tokens)
                return sequence_shapes.plan_embedding(path, spec, shape, spec.init or self.experiment.init)
            case ActivationLayer() | Dropout() | BatchNorm() | LayerNorm():
                if isinstance(shape, Tokens):
                    raise Misfit(f"needs numbers, but the data gives {describe_shape(shape)}. {EMBED}")
                return self.same_shape(spec, path, shape)
            case Positional() | RNN() | GRU() | LSTM() | Attention() | Transformer():
                if not isinstance(shape, Steps):
                    raise self.wrong_shape(spec, shape, Steps)
                return self.over_time(spec, path, shape)
            case _:
                return self.spatial(spec, path, shape, following)

    def same_shape(
        self, spec: ActivationLayer | Dropout | BatchNorm | LayerNorm, path: ConfigPath, shape: Shape
    ) -> LayerPlan:
        """A layer that gives what it takes, number by number."""
        if isinstance(spec, ActivationLayer):
            dropout, self.dropout_due = self.dropout_due, 0.0
            stored = shape.size * (1 + (dropout > 0))
            return LayerPlan(path, spec, shape, shape, num_stored=stored, activation=spec.function, dropout=dropout)
        if isinstance(spec, Dropout):
            return LayerPlan(path, spec, shape, shape, num_stored=shape.size, dropout=spec.rate)
        return LayerPlan(path, spec, shape, shape, num_parameters=2 * shape.features, num_stored=shape.size)

    def over_time(
        self, spec: Positional | RNN | GRU | LSTM | Attention | Transformer, path: ConfigPath, shape: Steps
    ) -> LayerPlan:
        """A layer that looks at a sequence as a whole."""
        if isinstance(spec, Positional):
            return sequence_shapes.plan_positional(path, spec, shape)
        dropout = self.experiment.dropout if spec.dropout is None else spec.dropout
        if isinstance(spec, RNN | GRU | LSTM):
            return sequence_shapes.plan_recurrent(path, spec, shape, dropout, self.every_step)
        init = self.init(spec.init, "xavier")
        if isinstance(spec, Attention):
            return sequence_shapes.plan_attention(path, spec, shape, dropout, init)
        return sequence_shapes.plan_transformer(path, spec, shape, dropout, init)

    def spatial(
        self,
        spec: Conv1d | Conv2d | MaxPool | AvgPool | GlobalAvgPool | Flatten | Reshape,
        path: ConfigPath,
        shape: Shape,
        following: Sequence[LayerSpec],
    ) -> LayerPlan:
        """Convolutions, pooling and changes of shape."""
        match spec, shape:
            case Conv2d(), Image():
                return spatial_shapes.plan_conv2d(path, spec, shape, self.hidden(spec, following))
            case Conv1d(), Steps():
                return spatial_shapes.plan_conv1d(path, spec, shape, self.hidden(spec, following))
            case MaxPool() | AvgPool(), Image() | Steps():
                return spatial_shapes.plan_pool(path, spec, shape)
            case GlobalAvgPool(), Image() | Steps():
                return LayerPlan(path, spec, shape, Flat(shape.features), num_stored=shape.features)
            case Flatten(), Image() | Steps() | Flat():
                return LayerPlan(path, spec, shape, Flat(shape.size))
            case Reshape(), Flat():
                return spatial_shapes.plan_reshape(path, spec, shape, of_table=self.giver is None)
        match spec:
            case Conv2d():
                raise self.wrong_shape(spec, shape, Image)
            case Conv1d():
                raise self.wrong_shape(spec, shape, Steps)
            case MaxPool() | AvgPool() | GlobalAvgPool() | Flatten():
                raise self.wrong_shape(spec, shape, Image, Steps)
            case Reshape():
                raise self.wrong_shape(spec, shape, Flat)
            case _:
                assert_never(spec)

    def wrong_shape(self, spec: LayerSpec, shape: Shape, *accepted: type[Shape]) -> Misfit:
        return wrong_shape(spec, shape, self.giver, *accepted)

    def init(self, own: Init | None, default: Init) -> Init:
        return own or self.experiment.init or default

    def hidden(self, spec: Product, following: Sequence[LayerSpec]) -> Hidden:
        """Activation, dropout and first weights of a product: its own, or the network's."""
        activation = spec.activation or self.experiment.activation
        dropout = self.experiment.dropout if spec.dropout is None else spec.dropout
        init = spec.init or self.experiment.init
        if spec.activation is None and (item := _activation_item(following)):
            # The item takes the place of the default activation; what follows an activation follows the item.
            init = init or _init_for(item.function)
            activation, dropout, self.dropout_due = "linear", 0.0, dropout
        return Hidden(activation, dropout, init or _init_for(activation))

    def output(self, spec: Output, path: ConfigPath, shape: Shape) -> LayerPlan:
        units = self.signature.target.num_outputs
        if self.every_step:
            shape = self.check_steps(spec, shape)
        elif not isinstance(shape, Flat):
            raise self.wrong_shape(spec, shape, Flat)
        self.mistakes += given_numbers(spec, path, shape.features, units)
        return plan_output(path, spec, shape, units, self.init(spec.init, "xavier"))

    def check_steps(self, spec: Output, shape: Shape) -> Steps:
        """Where the next token is predicted at every step, there must be as many steps as tokens."""
        if not isinstance(shape, Steps):
            raise steps_are_gone(self.joiner) if self.joiner else self.wrong_shape(spec, shape, Steps)
        tokens = input_shape(self.signature, ())
        if isinstance(tokens, Tokens) and shape.time != tokens.time:
            raise Misfit(
                f"the next token is predicted after each of {tokens.time} steps, but there are {shape.time} here. "
                "Every layer must keep their number: `padding: causal`, no stride, no pooling."
            )
        return shape

    def repeat(self, spec: Repeat, path: ConfigPath, shape: Shape) -> LayerPlan:
        rounds: list[LayerPlan] = []
        output = shape
        for _ in range(spec.times):
            num_mistakes = len(self.mistakes)
            rounds += self.plan(spec.layers, (*path, "layers"), output)
            output = rounds[-1].output
            if len(self.mistakes) > num_mistakes:
                break  # the next round would only say it again
        return _container(path, spec, shape, output, tuple(rounds))

    def residual(self, spec: Residual, path: ConfigPath, shape: Shape) -> LayerPlan:
        inner = self.plan(spec.layers, (*path, "layers"), shape)
        output = inner[-1].output
        stride = spatial_shapes.shortcut_stride(shape, output, inner)
        if spec.projection and stride is not None:
            weights = shape.features * output.features
            positions = output.size // output.features
            plan = _container(path, spec, shape, output, inner, num_parameters=weights, flops=2 * weights * positions)
            return replace(plan, init=self.init(None, "xavier"))
        if output != shape:
            self.mistakes.append(Mistake(path, residual_changes(shape, output, inner, can_project=stride is not None)))
        return _container(path, spec, shape, output, inner)


def _activation_item(following: Sequence[LayerSpec]) -> ActivationLayer | None:
    """The activation item right after a layer and its norm, if there is one."""
    after = next((spec for spec in following if not isinstance(spec, (BatchNorm, LayerNorm))), None)
    return after if isinstance(after, ActivationLayer) else None


def _container(
    path: ConfigPath,
    spec: Repeat | Residual,
    shape: Shape,
    output: Shape,
    inner: tuple[LayerPlan, ...],
    num_parameters: int = 0,
    flops: int = 0,
) -> LayerPlan:
    return LayerPlan(
        path,
        spec,
        shape,
        output,
        num_parameters + sum(layer.num_parameters for layer in inner),
        flops + sum(layer.flops for layer in inner),
        output.size + sum(layer.num_stored for layer in inner),
        inner=inner,
    )


def _init_for(activation: Activation) -> Init:
    return "xavier" if activation in ("tanh", "sigmoid", "linear") else "he"
