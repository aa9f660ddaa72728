"""numpy <-> Arrow, without pandas.

`pa.array`, `pa.scalar` and `Array.to_numpy` import pandas wherever it is installed, which takes longer than reading a
table. Arrow's buffers are numpy's, so nothing is copied that need not be.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

CELLS = 1 << 20
"""Of a table, worked on at a time. With fewer, threads wait for each other between numpy's operations, with more, for
memory: of a table of 21 columns, half as many cells took longer to encode, and twice as many to hash."""
FEWEST_ROWS = 1 << 14
"""Of a stretch, where there would be too few stretches for all cores."""

_TIMES = {f"datetime64[{unit}]": unit for unit in ("s", "ms", "us", "ns")}


def to_numpy(array: pa.Array) -> NDArray[Any]:
    """The numbers that a fixed-width array holds, dates and times as integers; anything where a value is missing."""
    kind = array.type
    if pa.types.is_boolean(kind):
        return _bits(array.buffers()[1], array.offset, len(array))
    name = f"int{kind.bit_width}" if pa.types.is_temporal(kind) else str(kind.to_pandas_dtype().__name__)
    dtype = np.dtype(name)
    if len(array) == 0:
        return np.empty(0, dtype)
    return np.frombuffer(array.buffers()[1], dtype, len(array), array.offset * dtype.itemsize)


def null_mask(array: pa.Array) -> NDArray[np.bool_] | None:
    """Where the array has no value; None where it has them all."""
    if array.null_count == 0:
        return None
    if pa.types.is_null(array.type):
        return np.ones(len(array), np.bool_)
    return ~_bits(array.buffers()[0], array.offset, len(array))


def stretches(table: pa.Table) -> Iterator[tuple[int, list[pa.RecordBatch]]]:
    """The table in stretches, four for each core or more, each with the row that it begins at; nothing is copied.

    A stretch comes in as many batches as the pieces that its rows were read in: to make one of them would take as much
    memory again.
    """
    share = max(table.num_rows // (4 * pa.cpu_count()), FEWEST_ROWS)
    most = max(min(CELLS // max(table.num_columns, 1), share), 1)
    for start in range(0, table.num_rows, most):
        yield start, table.slice(start, most).to_batches()


def empty(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """An array to be written to, in Arrow's memory: what a file was read in, and large arrays before it, is used again.

    Large arrays of numpy go back to the system, which takes longer to give them out than numbers take to work out.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    return np.ndarray(shape, dtype, pa.allocate_buffer(max(size, 1)))


def gather(read: Callable[[pa.Array], NDArray[Any]], column: pa.ChunkedArray, rows: NDArray[np.int64]) -> NDArray[Any]:
    """What `read` makes of a column at these rows, which ascend."""
    starts = np.cumsum([0, *(len(chunk) for chunk in column.chunks)])
    bounds = np.searchsorted(rows, starts)
    found = empty((len(rows),), read(column.slice(0, 0)).dtype)
    for chunk, start, first, last in zip(column.chunks, starts[:-1], bounds[:-1], bounds[1:], strict=True):
        pick(read(chunk), rows[first:last] - start, found[first:last])
    return found


def pick(values: NDArray[Any], rows: NDArray[np.int64], out: NDArray[Any]) -> None:
    """Write the values at these rows, which there are, to `out`: twice as fast as indexing."""
    if len(rows):
        np.take(values, rows, out=out, mode="clip")  # which needs no copy in case that a row is not there


def from_numpy(values: NDArray[Any], absent: NDArray[np.bool_] | None = None) -> pa.Array:
    """An array of these numbers, truths or dates, without those that are `absent`. Raises TypeError for others."""
    data: NDArray[Any]
    if values.dtype == np.bool_:
        kind, data = pa.bool_(), np.packbits(values, bitorder="little")
    elif values.dtype == np.dtype("datetime64[D]"):
        kind, data = pa.date32(), values.astype(np.int32)
    elif values.dtype.name in _TIMES:
        kind, data = pa.timestamp(_TIMES[values.dtype.name]), values.astype(np.int64)
    elif values.dtype.kind in "iuf" and values.dtype.itemsize <= 8:
        native = values.dtype.newbyteorder("=")
        kind, data = pa.from_numpy_dtype(native), values.astype(native, copy=False)
    else:
        raise TypeError(f"numpy {values.dtype}")
    if values.dtype.kind == "M":
        nat = np.isnat(values)
        absent = nat if absent is None else absent | nat
    valid = None if absent is None else pa.py_buffer(np.packbits(~absent, bitorder="little"))
    return pa.Array.from_buffers(kind, len(values), [valid, pa.py_buffer(np.ascontiguousarray(data))])


def from_texts(texts: Iterable[str | None]) -> pa.Array:
    """An array of strings; None is missing."""
    encoded = [None if text is None else text.encode() for text in texts]
    ends = np.cumsum([0, *(len(text or b"") for text in encoded)])
    absent = np.array([text is None for text in encoded], np.bool_)
    valid = pa.py_buffer(np.packbits(~absent, bitorder="little"))
    offsets, data = pa.py_buffer(ends.astype(np.int32)), pa.py_buffer(b"".join(text or b"" for text in encoded))
    return pa.Array.from_buffers(pa.string(), len(encoded), [valid, offsets, data])


def _bits(buffer: pa.Buffer, offset: int, count: int) -> NDArray[np.bool_]:
    if count == 0:
        return np.empty(0, np.bool_)
    first = offset // 8
    packed = np.frombuffer(buffer, np.uint8, (offset % 8 + count + 7) // 8, first)
    bits = np.unpackbits(packed, bitorder="little")[offset % 8 : offset % 8 + count]
    return bits.view(np.bool_)
