"""Layers for text, music and series: embeddings, recurrent layers, attention."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from nettool.config.layer_types import Activation, DropoutRate, Init, Units
from nettool.config.spec import Spec

NumLayers = Annotated[int, Field(ge=1, le=1000)]
Returns = Literal["last", "sequence"]


class Embedding(Spec):
    """A vector of its own for each character or word: tokens to a sequence."""

    main: ClassVar[str | None] = "width"

    layer: Literal["embedding"] = "embedding"
    width: Units
    """Numbers in each vector."""
    dropout: DropoutRate = 0.0
    """Share of the numbers that is dropped in training."""
    init: Init | None = None
    """How the vectors start. Default: the network's `init`, else normal with deviation 1."""


class Positional(Spec):
    """Adds to each step what tells its place in time, which attention alone does not see."""

    main: ClassVar[str | None] = "kind"

    layer: Literal["positional"] = "positional"
    kind: Literal["learned", "sinusoidal"] = "learned"
    """learned (a vector for each step), or sinusoidal (waves of many lengths, Vaswani et al. 2017)."""
    dropout: DropoutRate = 0.0
    """Share of the sums that is dropped in training."""


class Recurrent(Spec):
    """What the recurrent layers can do."""

    main: ClassVar[str | None] = "units"

    units: Units
    """Numbers in the state."""
    layers: NumLayers = 1
    """Recurrent layers on top of each other."""
    bidirectional: bool = False
    """true reads the sequence from both ends; the output is both states side by side."""
    returns: Returns | None = None
    """`last` (the state after the last step) or `sequence` (the state after each step). Default: the sequence where
    every step is to be predicted (`target: next`), else the last."""
    dropout: DropoutRate | None = None
    """Share of each layer's output that is dropped in training. Default: the network's `dropout`."""
    bias: bool = True
    """Whether each unit adds a number of its own."""


class RNN(Recurrent):
    """Elman's recurrent layer (1990): state = f(W input + U state + b)."""

    layer: Literal["rnn"] = "rnn"
    activation: Literal["tanh", "relu"] = "tanh"
    """f."""


class GRU(Recurrent):
    """Gated recurrent units (Cho et al. 2014), the reset gate after the product, as in cuDNN."""

    layer: Literal["gru"] = "gru"


class LSTM(Recurrent):
    """Long short-term memory (Hochreiter and Schmidhuber 1997) with forget gates, which start open."""

    layer: Literal["lstm"] = "lstm"


class Attention(Spec):
    """Scaled dot-product self-attention with several heads (Vaswani et al. 2017)."""

    main: ClassVar[str | None] = "heads"

    layer: Literal["attention"] = "attention"
    heads: Annotated[int, Field(ge=1, le=1024)]
    """Heads, each with an equal share of the features."""
    causal: bool = False
    """true: no step sees a later one."""
    dropout: DropoutRate | None = None
    """Share of the outputs that is dropped in training. Default: the network's `dropout`."""
    bias: bool = True
    """Whether the four products add a bias."""
    init: Init | None = None
    """How the weights start. Default: the network's `init`, else xavier."""


class Transformer(Spec):
    """A transformer block (Vaswani et al. 2017): attention, then two dense layers, with a shortcut around each."""

    main: ClassVar[str | None] = "heads"

    layer: Literal["transformer"] = "transformer"
    heads: Annotated[int, Field(ge=1, le=1024)]
    """Heads of the attention."""
    feedforward: Units | None = None
    """Units between the two dense layers. Default: four times the features."""
    causal: bool = False
    """true: no step sees a later one."""
    pre_norm: bool = True
    """true normalises before attention and dense layers (Xiong et al. 2020), false after each sum."""
    activation: Activation = "gelu"
    """Between the two dense layers."""
    dropout: DropoutRate | None = None
    """Share of both branches' outputs that is dropped in training. Default: the network's `dropout`."""
    init: Init | None = None
    """How the weights start. Default: the network's `init`, else xavier."""
