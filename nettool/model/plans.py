"""What a planned network is: every layer with its shapes, settings, parameters and FLOPs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nettool.config.layer_types import Activation, Init
from nettool.config.layers import LayerSpec, Repeat
from nettool.config.signature import Flat, Image, ImageExample, Shape, Signature, TableExample, Tokens
from nettool.config.signature import Sequence as Steps
from nettool.errors import ConfigPath


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
    init: Init | None = None
    """How its weights start; None for a way of its own, or no weights."""
    inner: tuple[LayerPlan, ...] = ()

    @property
    def name(self) -> str:
        """`layers.2 (dense)`, as messages call it."""
        return layer_name(self.path, self.spec)

    @property
    def settings(self) -> str:
        """What it does beside its product, in words: `batch_norm, relu, dropout 0.2`."""
        words = [str(getattr(self.spec, "norm", None) or "")]
        words.append(self.activation if self.activation != "linear" else "")
        words.append(f"dropout {self.dropout:g}" if self.dropout else "")
        words.append(f"{self.spec.times} times" if isinstance(self.spec, Repeat) else "")
        return ", ".join(word for word in words if word)


@dataclass(frozen=True)
class NetworkPlan:
    """A whole network. embeddings: (number of codes, width) of each embedded category of a table."""

    signature: Signature
    embeddings: tuple[tuple[int, int], ...]
    layers: tuple[LayerPlan, ...]

    @property
    def input(self) -> Shape:
        """What the first layer takes."""
        return input_shape(self.signature, self.embeddings)

    @property
    def num_parameters(self) -> int:
        """Trainable numbers of the whole network."""
        return self.num_embedded + sum(layer.num_parameters for layer in self.layers)

    @property
    def num_embedded(self) -> int:
        """Those of the embedded categories of a table."""
        return sum(codes * width for codes, width in self.embeddings)

    @property
    def flops(self) -> int:
        """Multiplications and additions of the matrix products, forward, for one example."""
        return sum(layer.flops for layer in self.layers)

    def leaves(self) -> Iterator[LayerPlan]:
        """All layers that hold no other layers, in order; a residual's projection stays with the residual."""
        yield from _leaves(self.layers)


def layer_name(path: ConfigPath, spec: LayerSpec) -> str:
    """`layers.2 (dense)`, as messages call it."""
    return f"{'.'.join(str(part) for part in path)} ({spec.layer})"


def input_shape(signature: Signature, embeddings: Sequence[tuple[int, int]]) -> Shape:
    """What the first layer takes: of a table its numbers, and the embedded categories behind them."""
    match signature.example:
        case TableExample(numbers=numbers, window=window):
            features = numbers + sum(width for _, width in embeddings)
            return Flat(features) if window is None else Steps(window, features)
        case ImageExample(channels=channels, height=height, width=width):
            return Image(channels, height, width)
        case tokens:
            return Tokens(tokens.time, tokens.vocabulary, tokens.padded)


def _leaves(layers: Sequence[LayerPlan]) -> Iterator[LayerPlan]:
    for layer in layers:
        if layer.inner:
            yield from _leaves(layer.inner)
        else:
            yield layer
