"""The plan of a network: every layer with its shapes, settings, parameters and FLOPs, by arithmetic alone.

`plan_network` is the one reader of the rules that connect layers (defaults for hidden layers, an activation that
replaces one, shapes that must fit). `compile.py` builds just what the plan says.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nettool.config.experiment import Experiment
from nettool.config.layers import (
    CUSTOM_LAYERS,
    Activation,
    ActivationLayer,
    BatchNorm,
    CustomLayer,
    Dense,
    Dropout,
    Init,
    LayerNorm,
    LayerSpec,
    Output,
    Repeat,
    Residual,
)
from nettool.config.signature import Flat, Shape, Signature
from nettool.errors import ConfigError, ConfigPath, Mistake

MAX_PARAMETERS = 2**40
"""Beyond this a network is refused before anything is built: a slip of the pen, not a plan."""


@dataclass(frozen=True)
class LayerPlan:
    """One layer as it will be built. `inner` holds the layers of a repeat (unrolled) or a residual."""

    path: ConfigPath
    spec: LayerSpec
    input: Shape
    output: Shape
    num_parameters: int = 0
    flops: int = 0
    """Multiplications and additions of the matrix products, forward, for one example."""
    num_stored: int = 0
    """Numbers an example leaves behind for the backward pass."""
    activation: Activation = "linear"
    dropout: float = 0.0
    init: Init = "he"
    inner: tuple[LayerPlan, ...] = ()

    @property
    def name(self) -> str:
        """`layers.2 (dense)`, as messages call it."""
        return f"{'.'.join(str(part) for part in self.path)} ({self.spec.layer})"


@dataclass(frozen=True)
class NetworkPlan:
    """A whole network. embeddings: (number of codes, width) of each embedded category."""

    signature: Signature
    embeddings: tuple[tuple[int, int], ...]
    layers: tuple[LayerPlan, ...]

    @property
    def input(self) -> Shape:
        """What the first layer takes: the numbers, and the embedded categories behind them."""
        return Flat(self.signature.numbers + sum(width for _, width in self.embeddings))

    @property
    def num_parameters(self) -> int:
        """Trainable numbers of the whole network."""
        embedded = sum(codes * width for codes, width in self.embeddings)
        return embedded + sum(layer.num_parameters for layer in self.layers)

    @property
    def flops(self) -> int:
        """Multiplications and additions of the matrix products, forward, for one example."""
        return sum(layer.flops for layer in self.layers)

    def leaves(self) -> Iterator[LayerPlan]:
        """All layers that hold no other layers, in order; a residual's projection stays with the residual."""
        yield from _leaves(self.layers)


def embedding_width(num_codes: int) -> int:
    """Width of the embedding of a category, the rule of fastai: 1.6 x codes ** 0.56, at most 50."""
    return min(50, round(1.6 * math.pow(num_codes, 0.56)))


def plan_network(experiment: Experiment, signature: Signature) -> NetworkPlan:
    """The plan of the experiment's network for data of this signature.

    Raises ConfigError with every layer that does not fit.
    """
    embeddings = tuple((codes, embedding_width(codes)) for codes in signature.embedded)
    planner = _Planner(experiment, signature)
    width = signature.numbers + sum(width for _, width in embeddings)
    layers = planner.plan(experiment.layers, ("layers",), Flat(width))
    plan = NetworkPlan(signature, embeddings, layers)
    if plan.num_parameters > MAX_PARAMETERS:
        text = f"the network would have {plan.num_parameters:,} parameters; nettool stops at {MAX_PARAMETERS:,}."
        planner.mistakes.append(Mistake(("layers",), text))
    if planner.mistakes:
        raise ConfigError(planner.mistakes)
    return plan


def linear_warning(plan: NetworkPlan) -> str | None:
    """A sentence where hidden layers exist but nothing between input and output is nonlinear."""
    leaves = list(plan.leaves())
    hidden = [layer for layer in leaves if isinstance(layer.spec, Dense)]
    if not hidden or any(_bends(layer) for layer in leaves):
        return None
    return (
        f"this network is linear: its {len(hidden)} hidden layer{'s have' if len(hidden) > 1 else ' has'} "
        "no activation, and linear functions composed remain linear. "
        "For a network that can bend, set `activation: relu`."
    )


def _bends(layer: LayerPlan) -> bool:
    """Whether the layer is nonlinear in one example: batch norm is not, since it scales all examples alike."""
    spec = layer.spec
    has_layer_norm = isinstance(spec, LayerNorm) or (isinstance(spec, Dense) and spec.norm == "layer_norm")
    return layer.activation != "linear" or has_layer_norm or isinstance(spec, CustomLayer)


class _Planner:
    def __init__(self, experiment: Experiment, signature: Signature) -> None:
        self.experiment = experiment
        self.signature = signature
        self.dropout_due = 0.0  # of a dense layer whose activation is an item of its own, still to come
        self.mistakes: list[Mistake] = []

    def plan(self, layers: Sequence[LayerSpec], path: ConfigPath, shape: Shape) -> tuple[LayerPlan, ...]:
        """Each layer takes the shape that the one before it gives."""
        plans = []
        for index, spec in enumerate(layers):
            plan = self.layer(spec, (*path, index), shape, layers[index + 1 :])
            plans.append(plan)
            shape = plan.output
        return tuple(plans)

    def layer(self, spec: LayerSpec, path: ConfigPath, shape: Shape, following: Sequence[LayerSpec]) -> LayerPlan:
        width = shape.features
        match spec:
            case Dense():
                return self.dense(spec, path, shape, following)
            case Output():
                return self.output(spec, path, shape)
            case ActivationLayer():
                dropout, self.dropout_due = self.dropout_due, 0.0
                stored = width * (1 + (dropout > 0))
                return LayerPlan(path, spec, shape, shape, num_stored=stored, activation=spec.function, dropout=dropout)
            case Dropout():
                return LayerPlan(path, spec, shape, shape, num_stored=width, dropout=spec.rate)
            case BatchNorm() | LayerNorm():
                return LayerPlan(path, spec, shape, shape, num_parameters=2 * width, num_stored=width)
            case Repeat():
                return self.repeat(spec, path, shape)
            case Residual():
                return self.residual(spec, path, shape)
            case CustomLayer():
                settings = CUSTOM_LAYERS[spec.layer].model_validate(spec.settings)
                output = Flat(settings.output_features(width))
                num_parameters = settings.num_parameters(width)
                return LayerPlan(path, spec, shape, output, num_parameters, num_stored=output.features)

    def dense(self, spec: Dense, path: ConfigPath, shape: Shape, following: Sequence[LayerSpec]) -> LayerPlan:
        activation = spec.activation or self.experiment.activation
        dropout = self.experiment.dropout if spec.dropout is None else spec.dropout
        init = spec.init or self.experiment.init
        if spec.activation is None and (item := _activation_item(following)):
            # The item takes the place of the default activation; what follows an activation follows the item.
            init = init or _init_for(item.function)
            activation, dropout, self.dropout_due = "linear", 0.0, dropout
        self.check_numbers(spec, path, shape.features, spec.units)
        parts = 1 + (spec.norm is not None) + (activation != "linear") + (dropout > 0)
        return LayerPlan(
            path,
            spec,
            shape,
            Flat(spec.units),
            num_parameters=_dense_parameters(shape.features, spec.units, spec) + 2 * spec.units * bool(spec.norm),
            flops=2 * shape.features * spec.units,
            num_stored=parts * spec.units,
            activation=activation,
            dropout=dropout,
            init=init or _init_for(activation),
        )

    def output(self, spec: Output, path: ConfigPath, shape: Shape) -> LayerPlan:
        units = self.signature.target.num_outputs
        self.check_numbers(spec, path, shape.features, units)
        return LayerPlan(
            path,
            spec,
            shape,
            Flat(units),
            num_parameters=_dense_parameters(shape.features, units, spec),
            flops=2 * shape.features * units,
            num_stored=units,
            init=spec.init or self.experiment.init or "xavier",
        )

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
        if spec.projection:
            extra = shape.features * output.features
            return _container(path, spec, shape, output, inner, num_parameters=extra, flops=2 * extra)
        if output != shape:
            text = (
                f"the layers inside give {output} numbers, but their input has {shape}, and the two are added. "
                f"End with a layer of {shape}, or set `projection: true`."
            )
            self.mistakes.append(Mistake(path, text))
        return _container(path, spec, shape, output, inner)

    def check_numbers(self, spec: Dense | Output, path: ConfigPath, inputs: int, units: int) -> None:
        """`weights` and `bias` given as numbers must have the layer's shape."""
        if spec.weights is not None:
            widths = {len(row) for row in spec.weights if isinstance(row, tuple)} or {len(spec.weights)}
            num_rows = len(spec.weights) if isinstance(spec.weights[0], tuple) else 1
            if num_rows != units or widths != {inputs}:
                found = f"{num_rows} x {'/'.join(str(width) for width in sorted(widths))}"
                text = f"is {found} numbers, but {units} units with {inputs} inputs need {units} x {inputs}."
                self.mistakes.append(Mistake((*path, "weights"), text))
        if isinstance(spec.bias, tuple) and len(spec.bias) != units:
            text = f"has {len(spec.bias)} numbers, but there are {units} units. Give one for each, or one for all."
            self.mistakes.append(Mistake((*path, "bias"), text))


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
        output.features + sum(layer.num_stored for layer in inner),
        inner=inner,
    )


def _leaves(layers: Sequence[LayerPlan]) -> Iterator[LayerPlan]:
    for layer in layers:
        if layer.inner:
            yield from _leaves(layer.inner)
        else:
            yield layer


def _dense_parameters(inputs: int, units: int, spec: Dense | Output) -> int:
    return inputs * units + (units if has_bias(spec) else 0)


def has_bias(spec: Dense | Output) -> bool:
    """Whether the layer adds a bias: `bias: 0` does (it starts at 0), `bias: false` does not."""
    return spec.bias is not False


def _init_for(activation: Activation) -> Init:
    return "xavier" if activation in ("tanh", "sigmoid", "linear") else "he"
