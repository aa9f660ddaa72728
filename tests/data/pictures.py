"""Images to write, to read and to be refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nettool.data.image_files import decode_images
from nettool.errors import DataError

RAMP = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
COLOUR = np.random.default_rng(0).integers(0, 256, (3, 4, 3), np.uint8)


def save(path: Path, image: Image.Image | np.ndarray, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    image.save(path, **options)
    return path


def decode_one(path: Path, size: tuple[int, int] | None = None, channels: int | None = None) -> np.ndarray:
    return decode_images([path], size, channels)[0]


def refused(call: Callable[[], object], folder: Path) -> str:
    with pytest.raises(DataError) as caught:
        call()
    return str(caught.value).replace(f"{folder}/", "").replace(str(folder), ".")
