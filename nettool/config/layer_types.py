"""The kinds of settings that layers share."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from nettool.config.spec import Spec

Activation = Literal["relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid", "softplus", "linear"]
Norm = Literal["batch_norm", "layer_norm"]
Init = Literal["he", "xavier", "lecun", "normal", "zeros"]
DropoutRate = Annotated[float, Field(ge=0, lt=1)]
Epsilon = Annotated[float, Field(gt=0)]
Bias = bool | float | tuple[float, ...]
Row = Annotated[tuple[float, ...], Field(min_length=1)]
Weights = Annotated[tuple[Row, ...], Field(min_length=1)] | Row
Units = Annotated[int, Field(ge=1, le=1_000_000)]
Extent = Annotated[int, Field(ge=1, le=100_000)]
"""A number of pixels or of steps in time."""
Offset = Annotated[int, Field(ge=0, le=100_000)]
Extents = Extent | tuple[Extent, Extent]
"""One number for height and width, or both: [3, 5]."""
Offsets = Offset | tuple[Offset, Offset]


class Product(Spec):
    """What every layer can do that multiplies by weights: norm, activation and dropout come after its product."""

    main: ClassVar[str | None] = None

    norm: Norm | None = None
    """batch_norm or layer_norm between the product and the activation."""
    activation: Activation | None = None
    """Default: the network's `activation`."""
    dropout: DropoutRate | None = None
    """Share of the outputs that is dropped in training. Default: the network's `dropout`."""
    init: Init | None = None
    """How the weights start. Default: the network's `init`, else what suits the activation."""
