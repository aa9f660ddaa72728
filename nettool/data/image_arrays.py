"""npz with an array of images -> pixels and a table. What its headers declare is checked before memory is taken."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nettool.data.arrow import from_numpy, from_texts
from nettool.data.npz import DAMAGE, NpzArray, read_header
from nettool.data.streams import check_expansion
from nettool.data.values import show
from nettool.errors import DataError
from nettool.memory import check_memory

BLOCK_BYTES = 1 << 24


def has_images(path: Path, features: str = "x") -> bool:
    """Whether this is an npz whose array `features` has three or four dimensions. Reads no more than its header."""
    try:
        with zipfile.ZipFile(path) as archive:
            return len(read_header(archive, archive.getinfo(f"{features}.npy")).shape) in (3, 4)
    except DAMAGE:
        return False


def read_image_arrays(path: Path, features: str = "x", *, labels: bool = True) -> tuple[NDArray[np.uint8], pa.Table]:
    """Read the images of an npz, and beside them its 1-D arrays as the columns of a table.

    features: the array of images, [n, height, width] or [n, height, width, channels] with 1 or 3 channels, which
    always come last: bytes, or floats from 0 to 1, which become bytes. labels: whether the other arrays are read;
    without them, images under another name are taken where there are no others.

    Returns uint8 [n, channels, height, width], and the table.

    Raises DataError when the file is damaged or no npz, when it holds pickled objects, when an array is missing, of
    another length, shape or type, when floats leave 0 to 1, and when the images do not fit into memory.
    """
    if not zipfile.is_zipfile(path):
        raise DataError(
            f"{path}: not an npz file, or a damaged one (a pickle is never opened). "
            f"Cure: write it with numpy.savez(path, x=..., y=...)."
        )
    try:
        with zipfile.ZipFile(path) as archive:
            arrays = [read_header(archive, member) for member in archive.infolist()]
            _check_arrays(path, arrays)
            images = _find_images(path, arrays, features if labels else _name_of_images(arrays, features))
            columns = [array for array in arrays if labels and array is not images]
            _check_columns(path, images, columns)
            _check_memory(path, images, columns)
            pixels = _read_pixels(path, archive, images)
            table = pa.table({array.name: _read_column(path, archive, array) for array in columns})
    except DAMAGE as error:
        raise DataError(f"{path}: not an npz file, or a damaged one ({show(error, 120)[1:-1]}).") from error
    return pixels, table


def _check_arrays(path: Path, arrays: list[NpzArray]) -> None:
    check_expansion(path, path.stat().st_size, sum(array.member.file_size for array in arrays))
    seen: set[str] = set()
    for array in arrays:
        if array.name in seen:
            raise DataError(f"{path}: two arrays are called {show(array.name)}. Cure: rename one of them.")
        seen.add(array.name)
        if array.kind.hasobject:
            raise DataError(
                f"{path}: array {show(array.name)} holds Python objects, which are pickled; nettool unpickles "
                f"nothing. Cure: save it as numbers or text; images of one size as one array of bytes."
            )
        if array.num_bytes > array.member.file_size:
            raise DataError(
                f"{path}: array {show(array.name)} is said to have the shape {array.shape}, {array.num_bytes:,} bytes, "
                f"but holds {array.member.file_size:,}. The file is damaged."
            )


def _name_of_images(arrays: list[NpzArray], features: str) -> str:
    names = [array.name for array in arrays if len(array.shape) in (3, 4)]
    return names[0] if len(names) == 1 and features not in names else features


def _find_images(path: Path, arrays: list[NpzArray], features: str) -> NpzArray:
    images = next((array for array in arrays if array.name == features), None)
    if images is None:
        there = ", ".join(map(str, arrays)) or "none at all"
        raise DataError(
            f"{path}: there is no array {show(features)}. There are: {there}. "
            f"Cure: save the images under that name, numpy.savez(path, {features}=..., y=...)."
        )
    if cure := _wrong_shape(images.shape):
        raise DataError(f"{path}: array {images} is no array of images. {cure}")
    if images.kind != np.uint8 and images.kind.kind != "f":
        raise DataError(
            f"{path}: array {show(features)} is of type {images.kind}. Images are bytes from 0 to 255, or floats from "
            f"0 to 1. Cure: save it with .astype(numpy.uint8)."
        )
    return images


def _wrong_shape(shape: tuple[int, ...]) -> str:
    """What is wrong with the shape of an array of images, and what to do; empty if nothing is."""
    wanted = "Their shape is (number, height, width) or (number, height, width, channels) with 1 or 3 channels"
    if len(shape) not in (3, 4):
        return f"{wanted}. Cure: numpy.reshape."
    if 0 in shape:
        return "It holds not a single pixel. Cure: a file with data."
    if len(shape) == 3 or shape[3] in (1, 3):
        return ""
    if shape[1] in (1, 3):
        return f"{wanted}, the channels last. Cure: numpy.moveaxis(array, 1, -1)."
    if shape[3] == 4:
        return f"{wanted}; a fourth tells what is transparent. Cure: lay the images over a colour, and save three."
    return f"{wanted}. Cure: save that many."


def _check_columns(path: Path, images: NpzArray, columns: list[NpzArray]) -> None:
    for array in columns:
        if len(array.shape) != 1:
            raise DataError(
                f"{path}: array {array} cannot stand beside the images {images}: one value belongs to each image. "
                f"Cure: one 1-D array for each column; another split in a file of its own."
            )
        if array.shape[0] != images.shape[0]:
            raise DataError(
                f"{path}: the arrays differ in length: {show(images.name)} has {images.shape[0]:,} images, "
                f"{show(array.name)} has {array.shape[0]:,} values. Cure: one value for each image."
            )


def _check_memory(path: Path, images: NpzArray, columns: list[NpzArray]) -> None:
    passing = images.num_bytes if images.is_fortran else min(images.num_bytes, BLOCK_BYTES)
    num_bytes = math.prod(images.shape) + passing + sum(array.num_bytes for array in columns)
    check_memory(num_bytes, f"{path}: array {images}", "smaller or fewer images")


def _read_pixels(path: Path, archive: zipfile.ZipFile, images: NpzArray) -> NDArray[np.uint8]:
    """The images block by block, so that they are never in memory twice; one in Fortran's order comes as a whole."""
    num_images, height, width = images.shape[:3]
    channels = images.shape[3] if len(images.shape) == 4 else 1
    image_bytes = images.num_bytes // num_images
    step = num_images if images.is_fortran else max(1, BLOCK_BYTES // image_bytes)
    pixels = np.empty((num_images, channels, height, width), np.uint8)
    with archive.open(images.member) as stream:
        stream.read(images.start)
        for start in range(0, num_images, step):
            count = min(step, num_images - start)
            block = np.frombuffer(stream.read(count * image_bytes), images.kind)
            block = block.reshape((count, height, width, channels), order="F" if images.is_fortran else "C")
            pixels[start : start + count] = _as_bytes(path, images, block).transpose(0, 3, 1, 2)
    return pixels


def _as_bytes(path: Path, images: NpzArray, block: NDArray[Any]) -> NDArray[np.uint8]:
    if images.kind == np.uint8:
        return block
    low, high = block.min(), block.max()
    if not (low >= 0 and high <= 1):  # NaN is neither
        raise DataError(
            f"{path}: array {show(images.name)} holds floats from {low:g} to {high:g}. As floats, black is 0 and white "
            f"is 1. Cure: save them as bytes from 0 to 255, with .astype(numpy.uint8)."
        )
    return np.rint(block.astype(np.float32) * 255).astype(np.uint8)


def _read_column(path: Path, archive: zipfile.ZipFile, array: NpzArray) -> pa.Array:
    with archive.open(array.member) as stream:
        values = np.lib.format.read_array(stream, allow_pickle=False)
    try:
        return from_texts(values.tolist()) if values.dtype.kind == "U" else from_numpy(values)
    except TypeError as error:
        raise DataError(
            f"{path}: array {show(array.name)} is of type {values.dtype}. Cure: an array of numbers, text or dates."
        ) from error
