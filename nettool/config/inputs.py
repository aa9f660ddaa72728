"""What an example is made of, where it is not a row of a table: an image, a text, a stretch of a series."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from nettool.config.layer_types import Extent, Extents
from nettool.config.spec import Spec


class ImageSpec(Spec):
    """How images become numbers."""

    size: Extents | None = None
    """Height and width that every image is scaled to: 28, or [32, 48]. Default: as they are; all must be equal."""
    channels: Literal[1, 3] | None = None
    """1 for grey, 3 for colour. Default: colour if the images have any."""
    normalise: Literal["standard", "unit", "none"] = "standard"
    """standard (each channel to mean 0, deviation 1 over the training images), unit (0 to 1) or none (0 to 255)."""


class AugmentSpec(Spec):
    """Random changes to the training images, other ones in every epoch. Validation and test stay as they are."""

    flip: Literal["horizontal", "vertical", "both"] | None = None
    """Mirror every second image: horizontal (left and right), vertical (up and down) or both (each for itself)."""
    shift: Annotated[float, Field(ge=0, le=1000)] = 0.0
    """Move by up to so many pixels in each direction."""
    rotate: Annotated[float, Field(ge=0, le=180)] = 0.0
    """Turn by up to so many degrees either way."""
    crop: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Zoom into a part whose sides are shorter than the image's by up to this share."""
    noise: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Add normal noise to every pixel, of so much deviation where black is 0 and white is 1."""


class TextSpec(Spec):
    """How text becomes tokens: a number for each character, byte or word."""

    unit: Literal["character", "byte", "word"] = "character"
    """What gets a number: characters, bytes (of UTF-8), or words and punctuation marks in small letters."""
    length: Annotated[int, Field(ge=1, le=1_000_000)] = 100
    """Tokens in an example. From a stream, stretches of this length are cut; a longer text of a table ends here."""
    vocabulary: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Only the most frequent so many units get a number of their own; the others count as unknown. Default: 10,000
    words, or all characters."""


class WindowSpec(Spec):
    """How a table in time order becomes examples: so many rows to look back on, so many to look ahead."""

    main: ClassVar[str | None] = "length"

    length: Extent
    """Rows that the network sees."""
    horizon: Extent = 1
    """Rows after them whose target it predicts."""
