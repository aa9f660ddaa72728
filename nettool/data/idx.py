"""IDX, the format of MNIST and its kin: a short header, and behind it the values of one array.

    00 00    08               03                      00 00 EA 60  00 00 00 1C  00 00 00 1C    ...
    always   unsigned bytes   number of dimensions    their sizes, 32 bits each, big end first   the values

What a header declares is compared with what the file holds; memory is taken for values that were read.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from nettool.data.streams import open_stream
from nettool.errors import DataError
from nettool.limits import MAX_DEFLATED, MAX_DIMENSIONS
from nettool.memory import check_memory

TYPES = {0x09: "signed bytes", 0x0B: "int16", 0x0C: "int32", 0x0D: "float32", 0x0E: "float64"}
CHUNK = 1 << 20


def is_idx(path: Path) -> bool:
    """Whether the file is called like IDX files are: `...-idx3-ubyte` or `....idx1-ubyte`, also with .gz."""
    return re.search(r"[-.]idx\d-ubyte(\.gz)?$", path.name, re.IGNORECASE) is not None


def find_idx(folder: Path) -> dict[str, Path]:
    """The files of images that a folder with MNIST holds, by split: `train` and `test`; those that there are."""
    found: dict[str, Path] = {}
    for split, prefix in (("train", "train"), ("test", "t10k")):
        for path in _spellings(folder, f"{prefix}-images", "idx3"):
            if path.is_file():
                found.setdefault(split, path)
    return found


def labels_of(images: Path) -> Path:
    """The file of labels beside a file of images: train-labels-idx1-ubyte for train-images-idx3-ubyte.gz.

    Raises DataError when the name does not say `images`, or when no such file is there.
    """
    before, images_word, _ = images.name.rpartition("images")
    if not images_word:
        raise DataError(
            f'{images}: the name does not say "images", so it does not tell which file holds the labels. '
            f"Cure: call the two files train-images-idx3-ubyte and train-labels-idx1-ubyte."
        )
    spellings = _spellings(images.parent, f"{before}labels", "idx1")
    for path in spellings:
        if path.is_file():
            return path
    raise DataError(f"{images}: there is no file with its labels. Cure: put {spellings[0].name} (or .gz) beside it.")


def read_idx_images(
    images: Path, limit: int | None = None, *, labels: bool = True
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Images and the labels beside them, or the first `limit` of both. labels: whether there have to be any.

    Returns uint8 [n, 1, height, width] and uint8 [n] (without labels [0]). Raises DataError as `read_idx` and
    `labels_of` do, when the images have not three dimensions or the labels not one, and when there are not as many of
    the one as of the other.
    """
    sizes = _read_header(images)
    if len(sizes) != 3:
        raise DataError(
            f"{images}: the header says {_product(sizes)}. Images have three dimensions: number, height and width. "
            f"Cure: the file that is called ...-images-idx3-ubyte."
        )
    if not labels:
        return read_idx(images, limit)[:, None], np.empty(0, np.uint8)
    beside = labels_of(images)
    label_sizes = _read_header(beside)
    if len(label_sizes) != 1:
        raise DataError(f"{beside}: the header says {_product(label_sizes)}. Labels have one dimension.")
    if label_sizes[0] != sizes[0]:
        raise DataError(
            f"{images} holds {sizes[0]:,} images, but {beside} {label_sizes[0]:,} labels. "
            f"Cure: two files that belong together."
        )
    return read_idx(images, limit)[:, None], read_idx(beside, limit)


def read_idx(path: Path, limit: int | None = None) -> NDArray[np.uint8]:
    """An array of unsigned bytes, of any shape, or the first `limit` items of its first dimension.

    Raises DataError when the file is missing, no IDX file, of another type, empty, damaged, or too large for the
    memory, and when it does not hold exactly what its header declares.
    """
    with _open(path) as stream:
        sizes = _parse_header(path, stream)
        _check_sizes(path, sizes)
        shape = sizes if limit is None else (min(limit, sizes[0]), *sizes[1:])
        num_bytes = math.prod(shape)
        check_memory(num_bytes, f"{path}: {_product(shape)} bytes", "fewer images")
        values = bytearray()
        while len(values) < num_bytes and (chunk := stream.read(min(CHUNK, num_bytes - len(values)))):
            values += chunk
        if len(values) < num_bytes:
            raise _lie(path, sizes, f"there are {len(values):,}")
        # The end of an archive is read even if nothing is left in it: there its checksum stands.
        if limit is None and stream.read(1):
            raise _lie(path, sizes, "there are more")
    return np.frombuffer(values, np.uint8).reshape(shape)


def _open(path: Path) -> IO[bytes]:
    try:
        return open_stream(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}.") from error


def _read_header(path: Path) -> tuple[int, ...]:
    with _open(path) as stream:
        return _parse_header(path, stream)


def _parse_header(path: Path, stream: IO[bytes]) -> tuple[int, ...]:
    """The sizes of the dimensions."""
    start = stream.read(4)
    if not start:
        raise DataError(f"{path}: the file is empty.")
    if start.startswith(b"\x1f\x8b"):
        raise DataError(f"{path}: this is a gzip archive. Cure: let its name end in .gz, or unpack it.")
    if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in (0x08, *TYPES):
        raise DataError(
            f"{path}: no IDX file: it begins with {start.hex(' ')}, and not with 00 00 08 and a number of dimensions. "
            f"Cure: copy it again."
        )
    if start[2] != 0x08:
        raise DataError(
            f"{path}: the header says {TYPES[start[2]]}. Of IDX files, nettool reads those of unsigned bytes. "
            f"Cure: save the array as npz."
        )
    num_dimensions = start[3]
    if not 1 <= num_dimensions <= MAX_DIMENSIONS:
        raise DataError(
            f"{path}: the header says {num_dimensions} dimensions. The file is damaged. Cure: copy it again."
        )
    packed = stream.read(4 * num_dimensions)
    if len(packed) < 4 * num_dimensions:
        raise DataError(f"{path}: the file ends inside its header. Cure: copy it again.")
    sizes = tuple(int(size) for size in np.frombuffer(packed, ">u4"))
    if 0 in sizes:
        raise DataError(
            f"{path}: the header says {_product(sizes)}, which is not a single value. Cure: a file with data."
        )
    return sizes


def _check_sizes(path: Path, sizes: tuple[int, ...]) -> None:
    """Compare the declared sizes with the file's, as far as that is possible without unpacking it."""
    stored = path.stat().st_size
    if path.suffix.lower() == ".gz":
        if math.prod(sizes) > MAX_DEFLATED * stored:
            raise _lie(path, sizes, f"that many cannot be packed into the file's {stored:,}")
    elif (held := stored - 4 - 4 * len(sizes)) != math.prod(sizes):
        raise _lie(path, sizes, f"there are {held:,}")


def _lie(path: Path, sizes: tuple[int, ...], held: str) -> DataError:
    declared = f"{_product(sizes)} bytes" + (f", {math.prod(sizes):,} in all" if len(sizes) > 1 else "")
    return DataError(f"{path}: the header says {declared}, but {held}. The file is damaged. Cure: copy it again.")


def _product(sizes: tuple[int, ...]) -> str:
    return " x ".join(f"{size:,}" for size in sizes)


def _spellings(folder: Path, stem: str, dimensions: str) -> list[Path]:
    return [folder / f"{stem}{mark}{dimensions}-ubyte{ending}" for ending in ("", ".gz") for mark in "-."]
