"""Images as uint8 arrays of one size, with what their channels are like in training."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import FiniteFloat

from nettool.config.inputs import ImageSpec
from nettool.config.layer_types import Extents
from nettool.config.signature import ImageExample
from nettool.data.examples import Examples
from nettool.data.features import Rows
from nettool.data.stored import Length, Positive, from_stored
from nettool.memory import check_memory

Pixels = NDArray[np.uint8]
BLOCK_BYTES = 1 << 22
"""Pixels that are counted at a time; counting takes ten times that."""
CURE = "a smaller `data.image.size`, or fewer images"


@dataclass(frozen=True)
class ImageEncoder:
    """Images of one size. The network sees (pixel - mean) / deviation, channel by channel; pixels are 0 to 255."""

    kind: ClassVar[str] = "image"
    name: str
    channels: Literal[1, 3]
    height: Length
    width: Length
    means: tuple[FiniteFloat, ...]
    deviations: tuple[Positive, ...]

    def __post_init__(self) -> None:
        if not self.channels == len(self.means) == len(self.deviations):
            raise ValueError("as many means and deviations as channels are needed")

    @classmethod
    def fit(cls, name: str, pixels: Pixels, rows: Rows, spec: ImageSpec) -> ImageEncoder:
        """Take the size of all images, and mean and deviation of the training rows'."""
        _, channels, height, width = pixels.shape
        means, deviations = (0.0,) * channels, (1.0,) * channels
        if spec.normalise == "unit":
            deviations = (255.0,) * channels
        elif spec.normalise == "standard":
            counts = _count_values(pixels, rows)
            values = np.arange(256)
            average = (counts * values).sum(axis=1) / counts.sum(axis=1)
            variance = (counts * np.square(values - average[:, None])).sum(axis=1) / counts.sum(axis=1)
            means = tuple(average.tolist())
            deviations = tuple(float(np.sqrt(v)) or 1.0 for v in variance)
        return cls(name, channels, height, width, means, deviations)

    @property
    def example(self) -> ImageExample:
        """What an image looks like."""
        return ImageExample(self.channels, self.height, self.width, self.means, self.deviations)

    def encode(self, examples: Examples, rows: Rows) -> Pixels:
        """The images of these rows: uint8 [n, channels, height, width]."""
        assert examples.pixels is not None
        if len(rows) == len(examples.pixels):
            return examples.pixels  # all of them, in order: no second copy
        check_memory(examples.pixels[0].nbytes * len(rows), f"a copy of {len(rows):,} images", CURE)
        return examples.pixels[rows]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, exact."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> ImageEncoder:
        """The encoder that `to_json` wrote. Raises ValueError for anything else."""
        return from_stored(cls, data)


def _count_values(pixels: Pixels, rows: Rows) -> NDArray[np.int64]:
    """How often each of the 256 values occurs in each channel: int64 [channels, 256]. Exact, in any order."""
    counts = np.zeros((pixels.shape[1], 256), np.int64)
    step = max(1, BLOCK_BYTES // pixels[0].nbytes)
    for start in range(0, len(rows), step):
        block = pixels[rows[start : start + step]]
        for channel in range(pixels.shape[1]):
            counts[channel] += np.bincount(block[:, channel].reshape(-1), minlength=256)
    return counts


def hash_images(pixels: Pixels) -> NDArray[np.int64]:
    """A number for each image, which tells equal images: int64 [n], see `hash_bytes`."""
    return np.fromiter((hash_bytes(image.tobytes()) for image in pixels), np.int64, len(pixels))


def hash_bytes(content: bytes) -> int:
    """A number of 52 bits, which a float64 holds exactly."""
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "little") >> 12


def fit_pixels(pixels: Pixels, size: Extents | None, channels: int | None) -> Pixels:
    """The images in this size and number of channels: scaled as Pillow does, grey as luminance."""
    from PIL import Image

    _, found, height, width = pixels.shape
    wanted = (height, width) if size is None else (size, size) if isinstance(size, int) else size
    channels = channels or found
    if wanted == (height, width) and channels == found:
        return pixels
    num_bytes = len(pixels) * channels * wanted[0] * wanted[1]
    check_memory(num_bytes, f"{len(pixels):,} images, {wanted[0]} high and {wanted[1]} wide", CURE)
    out = np.empty((len(pixels), channels, *wanted), np.uint8)
    for index, pixel in enumerate(pixels):
        image = Image.fromarray(pixel[0] if found == 1 else np.ascontiguousarray(pixel.transpose(1, 2, 0)))
        image = image.convert("L" if channels == 1 else "RGB")
        if wanted != (height, width):
            image = image.resize(wanted[::-1], Image.Resampling.BICUBIC)
        array = np.asarray(image)
        out[index] = array[None] if channels == 1 else array.transpose(2, 0, 1)
    return out
