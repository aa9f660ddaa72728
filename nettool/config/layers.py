"""The layers section: one spec for each layer that a list of layers may name."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import Discriminator, Field, Tag

from nettool.config.convolutions import AvgPool, Conv1d, Conv2d, Flatten, GlobalAvgPool, MaxPool, Reshape
from nettool.config.layer_types import Activation, Bias, DropoutRate, Epsilon, Init, Product, Units, Weights
from nettool.config.sequences import GRU, LSTM, RNN, Attention, Embedding, Positional, Transformer
from nettool.config.spec import Spec


class Dense(Product):
    """A fully connected layer: product and bias, then norm, activation and dropout. On a sequence: at each step."""

    main: ClassVar[str | None] = "units"

    layer: Literal["dense"] = "dense"
    units: Units
    """Number of neurons."""
    bias: Bias = True
    """true, false for none, or the numbers: one for all units or one for each."""
    weights: Weights | None = None
    """The weights outright: a row for each unit, a number for each input; for one unit the row alone."""


class ActivationLayer(Spec):
    """An activation of its own. Right after a dense layer or convolution (and its norm) it replaces their default."""

    main: ClassVar[str | None] = "function"

    layer: Literal["activation"] = "activation"
    function: Activation
    """relu, leaky_relu, elu, gelu, silu, tanh, sigmoid, softplus or linear."""


class Dropout(Spec):
    """Drops a share of its inputs in training, and scales up the rest (Srivastava et al. 2014)."""

    main: ClassVar[str | None] = "rate"

    layer: Literal["dropout"] = "dropout"
    rate: DropoutRate
    """Share of the inputs that is dropped."""


class BatchNorm(Spec):
    """Batch normalisation (Ioffe and Szegedy 2015): each feature or channel to mean 0, deviation 1 over the batch."""

    layer: Literal["batch_norm"] = "batch_norm"
    momentum: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Share of the newest batch in the running mean and variance that evaluation uses."""
    epsilon: Epsilon = 1e-5
    """Added to the variance."""


class LayerNorm(Spec):
    """Layer normalisation (Ba et al. 2016): each example, or each of its steps, to mean 0, deviation 1."""

    layer: Literal["layer_norm"] = "layer_norm"
    epsilon: Epsilon = 1e-5
    """Added to the variance."""


class Repeat(Spec):
    """The same layers several times in a row, each time with weights of its own."""

    layer: Literal["repeat"] = "repeat"
    times: Annotated[int, Field(ge=1, le=1000)]
    """How often."""
    layers: Annotated[tuple[LayerSpec, ...], Field(min_length=1)]
    """The layers to repeat."""


class Residual(Spec):
    """A shortcut around layers (He et al. 2016): the output is input + layers(input)."""

    layer: Literal["residual"] = "residual"
    layers: Annotated[tuple[LayerSpec, ...], Field(min_length=1)]
    """The layers on the long way; same shape in and out, unless `projection` is asked for."""
    projection: bool = False
    """true puts a linear map on the shortcut, so that the shapes may differ; for images a 1 x 1 convolution."""


class Output(Spec):
    """The last layer. Its units follow from target and loss; it gives logits, or standardised numbers."""

    layer: Literal["output"] = "output"
    init: Init | None = None
    """How the weights start. Default: the network's `init`, else xavier."""
    bias: Bias = True
    """true, false for none, or the numbers."""
    weights: Weights | None = None
    """The weights outright: a row for each output; for one output the row alone."""


class CustomLayer(Spec):
    """A layer added from Python with `nettool.register_layer`."""

    layer: str
    settings: dict[str, Any] = {}
    """Checked by the spec that it was registered with."""


def _tag(value: Any) -> str:
    name = value.get("layer") if isinstance(value, dict) else getattr(value, "layer", None)
    return name if isinstance(name, str) and name in LAYERS else "custom"


LayerSpec = Annotated[
    Annotated[Dense, Tag("dense")]
    | Annotated[ActivationLayer, Tag("activation")]
    | Annotated[Dropout, Tag("dropout")]
    | Annotated[BatchNorm, Tag("batch_norm")]
    | Annotated[LayerNorm, Tag("layer_norm")]
    | Annotated[Conv1d, Tag("conv1d")]
    | Annotated[Conv2d, Tag("conv2d")]
    | Annotated[MaxPool, Tag("max_pool")]
    | Annotated[AvgPool, Tag("avg_pool")]
    | Annotated[GlobalAvgPool, Tag("global_avg_pool")]
    | Annotated[Flatten, Tag("flatten")]
    | Annotated[Reshape, Tag("reshape")]
    | Annotated[Embedding, Tag("embedding")]
    | Annotated[Positional, Tag("positional")]
    | Annotated[RNN, Tag("rnn")]
    | Annotated[GRU, Tag("gru")]
    | Annotated[LSTM, Tag("lstm")]
    | Annotated[Attention, Tag("attention")]
    | Annotated[Transformer, Tag("transformer")]
    | Annotated[Repeat, Tag("repeat")]
    | Annotated[Residual, Tag("residual")]
    | Annotated[Output, Tag("output")]
    | Annotated[CustomLayer, Tag("custom")],
    Discriminator(_tag),
]

LAYERS: dict[str, type[Spec]] = {
    get_args(member)[1].tag: get_args(member)[0]
    for member in get_args(get_args(LayerSpec)[0])
    if get_args(member)[0] is not CustomLayer
}
"""Every layer that YAML may name, by its name."""

CONTAINERS = ("repeat", "residual")
"""Those that hold layers of their own; the `layers` of a recurrent layer are a number."""

Repeat.model_rebuild()
Residual.model_rebuild()


class LayerSettings(Spec):
    """Base of the settings of a layer added from Python with `nettool.register_layer`.

    A layer that changes the width or has weights says so, so that shapes and sizes are known without building it.
    """

    def output_features(self, features: int) -> int:
        """Width of the layer's output, given the width of its input. Default: the same."""
        return features

    def num_parameters(self, features: int) -> int:
        """Number of trainable numbers, given the width of the input. Default: none."""
        return 0


CUSTOM_LAYERS: dict[str, type[LayerSettings]] = {}
"""Layers added from Python, by name: the spec of their settings."""
