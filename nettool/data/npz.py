"""npz -> Arrow table. The sizes that an array's header declares are checked before anything is allocated."""

from __future__ import annotations

import io
import lzma
import math
import zipfile
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from nettool.data.arrow import from_numpy, from_texts
from nettool.data.streams import check_expansion
from nettool.data.values import show
from nettool.errors import DataError
from nettool.limits import MAX_ARRAY_HEADER_BYTES

DAMAGE = (
    ValueError, OSError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error, lzma.LZMAError,
)  # fmt: skip
"""What zipfile and numpy raise when they meet a damaged file."""


class NpzArray(NamedTuple):
    """An array as its header describes it. is_fortran: its first index runs fastest. start: where its values begin."""

    name: str
    member: zipfile.ZipInfo
    shape: tuple[int, ...]
    kind: np.dtype[Any]
    is_fortran: bool
    start: int

    @property
    def num_bytes(self) -> int:
        """What its values take."""
        return self.kind.itemsize * math.prod(self.shape)

    def __str__(self) -> str:
        return f"{show(self.name)} {self.shape}"


def read_npz(path: Path) -> pa.Table:
    """Read the arrays of an npz: 1-D arrays are columns, a 2-D array `x` becomes x0, x1, ..."""
    if not zipfile.is_zipfile(path):
        raise DataError(
            f"{path}: not an npz file, or a damaged one (a pickle is never opened). "
            f"Cure: write it with numpy.savez(path, x=..., y=...)."
        )
    columns: dict[str, Any] = {}
    rows: dict[str, int] = {}
    try:
        _check_members(path)
        with np.load(path, allow_pickle=False) as arrays:
            for name in arrays.files:
                array = arrays[name]
                rows[name] = len(array)
                for column, values in _columns(name, array):
                    if column in columns:
                        raise DataError(f"{path}: two columns are called {show(column)}. Cure: rename an array.")
                    columns[column] = _as_array(path, name, values)
    except DAMAGE as error:
        raise DataError(f"{path}: not an npz file, or a damaged one ({show(error, 120)[1:-1]}).") from error
    if len(set(rows.values())) > 1:
        lengths = ", ".join(f"{show(name)} has {count:,}" for name, count in rows.items())
        raise DataError(f"{path}: the arrays differ in length: {lengths} rows. Cure: one row for each example.")
    return pa.table(columns)


def _as_array(path: Path, name: str, values: Any) -> pa.Array:
    try:
        if values.dtype.kind == "U":
            return from_texts(values.tolist())
        return from_numpy(values)
    except TypeError as error:
        raise DataError(
            f"{path}: array {show(name)} is of type {values.dtype}. Cure: an array of numbers, text or dates."
        ) from error


def _columns(name: str, array: Any) -> list[tuple[str, Any]]:
    if array.ndim == 1:
        return [(name, array)]
    return [(f"{name}{index}", np.ascontiguousarray(array[:, index])) for index in range(array.shape[1])]


def _check_members(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        check_expansion(path, path.stat().st_size, sum(member.file_size for member in archive.infolist()))
        if not archive.infolist():
            raise DataError(f"{path}: there is no array in it.")
        for member in archive.infolist():
            array = read_header(archive, member)
            name, shape, kind = show(array.name), array.shape, array.kind
            if kind.hasobject:
                raise DataError(
                    f"{path}: array {name} holds Python objects, which are pickled; nettool unpickles "
                    f"nothing. Cure: save it as numbers or text, e.g. with .astype(str)."
                )
            if len(shape) not in (1, 2):
                images = f", or, if it holds images, `data.features: [{array.name}]`" if len(shape) in (3, 4) else ""
                raise DataError(
                    f"{path}: array {name} has the shape {shape}. Cure: one dimension for a column, two "
                    f"for several; a larger array is reshaped to (rows, -1){images}."
                )
            if 0 in shape:
                raise DataError(f"{path}: array {name} has the shape {shape}: no value at all. Cure: a file with data.")
            declared = max(kind.itemsize, 1) * math.prod(shape)
            if declared > member.file_size:
                raise DataError(
                    f"{path}: array {name} is said to have the shape {shape}, {declared:,} bytes, but "
                    f"holds {member.file_size:,}. The file is damaged."
                )


def read_header(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NpzArray:
    """What an array says of itself. Raises one of DAMAGE where that makes no sense."""
    # numpy would read a header of any declared length before it finds it too long.
    with archive.open(member) as stream:
        beginning = io.BytesIO(stream.read(MAX_ARRAY_HEADER_BYTES))
    version = np.lib.format.read_magic(beginning)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    try:
        shape, is_fortran, kind = read(beginning)
    except Exception as error:  # a header is a piece of Python, and a damaged one fails as Python does: in any way
        raise ValueError(f"the header of {show(member.filename)} says nothing") from error
    if any(isinstance(size, bool) or size < 0 for size in shape):
        raise ValueError(f"the header of {show(member.filename)} says {shape}")
    return NpzArray(member.filename.removesuffix(".npy"), member, shape, kind, is_fortran, beginning.tell())
