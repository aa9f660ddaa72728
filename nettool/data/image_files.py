"""Image files -> one array of bytes, by Pillow and in threads. Only the common raster formats are ever opened."""

from __future__ import annotations

import math
import os
import struct
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.PpmImagePlugin import PpmImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from nettool.data.image_encoder import CURE, hash_bytes
from nettool.data.values import show
from nettool.errors import DataError
from nettool.memory import check_memory

READERS = (PngImageFile, JpegImageFile, BmpImageFile, GifImageFile, TiffImageFile, WebPImageFile, PpmImageFile)
FORMATS = tuple(reader.format for reader in READERS)
"""Pillow knows many more, among them EPS, for which it starts ghostscript."""
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm")
GREY_MODES = ("1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B", "I;16N", "F")
EXIF_DAMAGE = (ValueError, TypeError, KeyError, IndexError, SyntaxError, EOFError, OSError, struct.error)
"""What Pillow raises when it meets damaged metadata, which cameras and editors write more often than one thinks."""
MOST_NAMED = 5
CHUNK = 32
"""Files that a thread takes at a time: small images are decoded faster than a thread is told of the next one."""


class _Header(NamedTuple):
    height: int
    width: int
    has_colour: bool


def list_class_folders(folder: Path) -> list[tuple[Path, str]]:
    """The image files in each folder of this folder, at any depth, with the name of that folder, which is their class.

    Sorted by class and path. What begins with a dot is skipped, and so is what has no image's suffix. Raises DataError
    when there are no class folders, when one of them holds no image, and when a folder cannot be read.
    """
    try:
        entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
        class_folders = [entry for entry in entries if entry.is_dir()]
        files = [(path, _class_name(entry)) for entry in class_folders for path in images_under(entry)]
    except OSError as error:
        raise DataError(f"{_name(error.filename or folder)}: cannot be read: {error.strerror}.") from error
    if not class_folders:
        num_loose = sum(is_image(Path(entry.name)) for entry in entries)
        found = f"{num_loose:,} image{'s'[: num_loose != 1]}, but no folder" if num_loose else "no folder"
        raise DataError(
            f"{folder}: there {'are' if num_loose > 1 else 'is'} {found} in it. Cure: a folder for each class with its "
            f"images in it, as in {folder / 'cat' / '1.png'} and {folder / 'dog' / '1.png'}."
        )
    filled = {name for _, name in files}
    if empty := [entry for entry in class_folders if _class_name(entry) not in filled]:
        raise DataError(
            f"{_some([_name(entry) for entry in empty])}: no image in a folder that stands for a class. "
            f"Cure: images in it ({', '.join(SUFFIXES)}), or, if it is no class, another `data.path` or another place "
            "for the folder."
        )
    return files


def images_under(folder: Path) -> list[Path]:
    """All images in a folder and in those below it, hidden ones left out, sorted by path."""

    def refuse(error: OSError) -> None:
        raise error

    found: list[Path] = []
    for parent, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(parent, name) for name in names if not name.startswith(".") and is_image(Path(name))]
    return sorted(found)


def is_image(path: Path) -> bool:
    """Whether a file is an image that is read, by its name."""
    return path.suffix.lower() in SUFFIXES


def _class_name(folder: Path) -> str:
    """A name may hold bytes that are no text, which Arrow and JSON do not take."""
    return os.fsencode(folder.name).decode(errors="replace")


def _some(names: list[str], joint: str = ", ") -> str:
    rest = len(names) - MOST_NAMED
    return joint.join(names[:MOST_NAMED]) + (f"{joint}and {rest:,} more" if rest > 0 else "")


def _name(path: Path | str) -> str:
    """The path for a message, harmless to a terminal: who packed a folder of images chose the names in it."""
    return show(path, 1000)[1:-1]


def decode_images(paths: Sequence[Path], size: tuple[int, int] | None, channels: int | None) -> NDArray[np.uint8]:
    """Decode images, in this order: uint8 [n, channels, height, width], 0 black and 255 white.

    paths: one or more. size: height and width that every image is scaled to (bicubic and antialiased, its
    proportions not kept); None where all are of one size. channels: 1 for grey, 3 for red, green and blue; None for
    3 if any image is stored in colour, else 1.

    An image is turned as its EXIF orientation says. What is transparent is laid over white, as a viewer shows it. 16
    bits become 8. Of an animation or a file of several pages the first is taken.

    Raises DataError when images cannot be read, declare more pixels than Pillow takes for harmless, are of several
    sizes where `size` is None, or do not fit into memory together.
    """
    shape = find_shape(paths, size, channels)
    check_memory(len(paths) * math.prod(shape), f"{len(paths):,} images, {shape[1]} high and {shape[2]} wide", CURE)
    pixels = np.empty((len(paths), *shape), np.uint8)

    def decode(index: int, path: Path) -> None:
        image = _decode(path, size, shape[0])
        if image.shape != shape:
            raise ValueError(f"its header says {shape[1:]} pixels, but it holds {image.shape[1:]}")
        pixels[index] = image

    _for_each(paths, decode)
    return pixels


def find_shape(paths: Sequence[Path], size: tuple[int, int] | None, channels: int | None) -> tuple[int, int, int]:
    """Channels, height and width that `decode_images` gives these images. Reads no more than their headers."""
    if size is not None and channels is not None:
        return channels, *size
    headers = _read_headers(paths, with_colour=channels is None)
    channels = channels or (3 if any(header.has_colour for header in headers) else 1)
    return channels, *(size or _common_size(paths, headers))


def hash_files(paths: Sequence[Path]) -> NDArray[np.int64]:
    """A number of 52 bits for the bytes of each file, see `hash_images`: equal files have equal ones."""
    hashes = np.empty(len(paths), np.int64)

    def read(index: int, path: Path) -> None:
        hashes[index] = hash_bytes(path.read_bytes())

    _for_each(paths, read)
    return hashes


@contextmanager
def _open(path: Path) -> Iterator[Image.Image]:
    # A file that Pillow opens itself may be mapped into memory, and a TIFF that has to be turned is garbled then.
    with path.open("rb") as file, Image.open(file, formats=FORMATS) as image:
        yield image


def _read_headers(paths: Sequence[Path], *, with_colour: bool) -> list[_Header]:
    headers = [_Header(0, 0, False)] * len(paths)

    def read(index: int, path: Path) -> None:
        with _open(path) as image:
            height, width = image.height, image.width
            if _lies_on_its_side(image):
                height, width = width, height
            headers[index] = _Header(height, width, with_colour and _has_colour(image))

    _for_each(paths, read)
    return headers


def _lies_on_its_side(image: Image.Image) -> bool:
    """Whether the declared height will be the width, once the image is turned as its EXIF data say."""
    with suppress(*EXIF_DAMAGE):
        # PNG's own `getexif` would decode the image, to look for more behind it. TIFF declares the size it will have.
        orientation = Image.Image.getexif(image).get(ExifTags.Base.Orientation)
        return orientation in (5, 6, 7, 8) and image.format != "TIFF"
    return False


def _has_colour(image: Image.Image) -> bool:
    if image.mode in ("P", "PA"):
        palette = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
        return bool((palette != palette[:, :1]).any())
    return image.mode not in GREY_MODES


def _common_size(paths: Sequence[Path], headers: list[_Header]) -> tuple[int, int]:
    first = headers[0]
    for path, other in zip(paths, headers, strict=True):
        if other[:2] != first[:2]:
            raise DataError(
                f"the images are of several sizes: {_name(paths[0])} is {first.height} high and {first.width} wide, "
                f"{_name(path)} is {other.height} high and {other.width} wide. Cure: `data.image.size`, a number or "
                f"[height, width], to which all are scaled."
            )
    return first.height, first.width


def _decode(path: Path, size: tuple[int, int] | None, channels: int) -> NDArray[np.uint8]:
    """Decode one image: uint8 [channels, height, width], scaled to `size` where there is one."""
    with _open(path) as image:
        if size is not None:
            # A JPEG is decoded at 1/2, 1/4 or 1/8 several times faster. Half of the way is left to the filter.
            image.draft(None, (2 * max(size), 2 * max(size)))
        image.load()
        with suppress(*EXIF_DAMAGE):  # the pixels are there; at most, they stay as they are stored
            ImageOps.exif_transpose(image, in_place=True)
        plain = _without_alpha(image).convert("L" if channels == 1 else "RGB")
    if size is not None:
        plain = plain.resize((size[1], size[0]), Image.Resampling.BICUBIC)
    array = np.asarray(plain)
    return array[None] if channels == 1 else array.transpose(2, 0, 1)


def _without_alpha(image: Image.Image) -> Image.Image:
    """The image with 8 bits for each channel, and over white where it is transparent."""
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        # `convert` would make all that is brighter than 255 of 65535 white.
        values = np.asarray(image).astype(np.int64)
        return Image.fromarray(((values * 255 + 32767) // 65535).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ValueError("its pixels are numbers without a known white; save it with 8 or 16 bits")
    if not image.has_transparency_data:
        return image
    layer = image.convert("RGBA")
    page = Image.new("RGBA", layer.size, "white")
    page.alpha_composite(layer)
    return page


# Many files at once


def _for_each(paths: Sequence[Path], task: Callable[[int, Path], None]) -> None:
    """Run the task for every path and its position, in threads; one DataError names the paths where it failed."""

    def run(start: int) -> list[str]:
        chunk = enumerate(paths[start : start + CHUNK], start)
        return [f"{_name(path)}: {reason}" for index, path in chunk if (reason := _attempt(task, index, path))]

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="PIL")  # about metadata that nobody asked for
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with ThreadPoolExecutor(_num_cores()) as executor:
            failures = [text for part in executor.map(run, range(0, len(paths), CHUNK)) for text in part]
    if len(failures) == 1:
        raise DataError(f"{failures[0]}. Cure: replace the file, or delete it.")
    if failures:
        count = f"{len(failures):,} of {len(paths):,} images cannot be read"
        raise DataError(f"{count}:\n  {_some(failures, chr(10) + '  ')}\nCure: replace the files, or delete them.")


def _attempt(task: Callable[[int, Path], None], index: int, path: Path) -> str:
    """Run the task; why it failed, else an empty text."""
    if path.is_fifo() or path.is_char_device():  # reading would wait for ever, or never end
        return "a pipe or a device"
    try:
        task(index, path)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        return f"declares more pixels than a file can be trusted with ({Image.MAX_IMAGE_PIXELS:,})"
    except UnidentifiedImageError:
        return f"no image of a kind that nettool reads ({', '.join(FORMATS)}), or a damaged one"
    except MemoryError:
        raise
    except Exception as error:  # damage makes Pillow's readers stumble in every way there is
        if isinstance(error, OSError) and error.strerror:
            return f"cannot be read: {error.strerror}"
        return f"a damaged image ({show(error, 120)[1:-1]})"
    return ""


def _num_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
