"""Arrow columns in the one type that each kind of column has inside nettool, and as numpy arrays.

    number    any arrow integer or float          float64, NaN for missing
    boolean   bool                                float64, 0 and 1, NaN for missing
    category  dictionary<int32, string>           int32 codes into the levels, -1 for missing
    date      timestamp[us], UTC                  datetime64[us], NaT for missing

`kinds.py` brings columns into these types.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nettool.data.arrow import from_numpy, from_texts, null_mask, to_numpy

MISSING = (
    "", "NA", "N/A", "n/a", "#N/A", "#N/A N/A", "#NA", "<NA>", "NaN", "nan", "-NaN", "-nan", "NULL", "null",
    "None", "NaT", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN", "?",
)  # fmt: skip
"""Text that stands for no value, in every format."""


def show(value: object, limit: int = 40) -> str:
    """Quote a value for a message: on one line, not too long, and harmless to a terminal."""
    text = str(value)
    text = text if len(text) <= limit else text[: limit - 3] + "..."
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return f'"{safe}"'


def is_text(kind: pa.DataType) -> bool:
    """Whether a column of this arrow type holds text."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def is_numeric(kind: pa.DataType) -> bool:
    """Whether a column of this arrow type holds numbers."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def is_date(kind: pa.DataType) -> bool:
    """Whether a column of this arrow type holds dates."""
    return bool(pa.types.is_date(kind) or pa.types.is_timestamp(kind))


def simplify(table: pa.Table) -> pa.Table:
    """Text as codes into its levels, stripped of spaces and of the spellings of missing; rare numbers as float64.

    Times of day and durations become seconds.
    """
    for index, name in enumerate(table.column_names):
        column = table.column(index)
        if is_text(column.type):
            table = table.set_column(index, name, levels_of(column))
        elif pa.types.is_dictionary(column.type):
            table = table.set_column(index, name, column.cast(column.type.value_type))
        elif pa.types.is_decimal(column.type) or pa.types.is_float16(column.type):
            table = table.set_column(index, name, column.cast(pa.float64()))
        elif pa.types.is_time(column.type) or pa.types.is_duration(column.type):
            table = table.set_column(index, name, _seconds(one_array(column)))
    return table


def _seconds(array: pa.Array) -> pa.Array:
    unit = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}[array.type.unit]
    return from_numpy(to_numpy(array) / unit, null_mask(array))


def levels_of(column: pa.ChunkedArray) -> pa.DictionaryArray:
    """Text as one dictionary array, its levels stripped and without the spellings of missing."""
    import pyarrow.compute as pc

    encoded = one_array(column if pa.types.is_dictionary(column.type) else column.dictionary_encode())
    levels = encoded.dictionary.cast(pa.string())
    trimmed = pc.utf8_trim_whitespace(levels)
    missing = pc.is_in(trimmed, value_set=from_texts(MISSING))
    unchanged = trimmed.equals(levels) and not pc.any(missing).as_py() and levels.null_count == 0
    if unchanged and len(pc.unique(levels)) == len(levels) and pa.types.is_int32(encoded.type.index_type):
        return encoded if levels.type == encoded.type.value_type else with_levels(codes(encoded), levels)
    merged = pc.if_else(missing, pa.nulls(1, pa.string())[0], trimmed).dictionary_encode()
    recoded = np.append(_codes(merged), np.int32(-1))
    return with_levels(recoded[_codes(encoded)], merged.dictionary)


def with_levels(codes: NDArray[np.int32], levels: pa.Array) -> pa.DictionaryArray:
    """A dictionary array from codes, of which -1 is missing."""
    indices = from_numpy(codes, codes < 0)
    return pa.DictionaryArray.from_arrays(indices, levels)


def one_array(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """The column as a single array, its dictionaries made one."""
    if isinstance(column, pa.Array):
        return column
    if pa.types.is_dictionary(column.type):
        column = column.unify_dictionaries()
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _codes(array: pa.DictionaryArray) -> NDArray[np.int32]:
    found = to_numpy(array.indices).astype(np.int32, copy=False)
    absent = null_mask(array.indices)
    return found if absent is None else np.where(absent, np.int32(-1), found)


# Columns of a kind as numpy arrays


def numbers(column: pa.ChunkedArray | pa.Array) -> NDArray[np.float64]:
    """A number or boolean column as float64, NaN where missing; without a copy where it already is that."""
    array = one_array(column)
    found = to_numpy(array).astype(np.float64, copy=False)
    absent = null_mask(array)
    return found if absent is None else np.where(absent, np.nan, found)


def codes(column: pa.ChunkedArray | pa.Array) -> NDArray[np.int32]:
    """A category column as int32 codes into its levels, -1 where missing."""
    return _codes(one_array(column))


def levels(column: pa.ChunkedArray | pa.Array) -> list[str]:
    """The levels that the codes of a category column point to."""
    return list(one_array(column).dictionary.to_pylist())


def instants(column: pa.ChunkedArray | pa.Array) -> NDArray[np.datetime64]:
    """A date column as datetime64[us], NaT where missing."""
    array = one_array(column)
    found = to_numpy(array).view("datetime64[us]")
    absent = null_mask(array)
    return found if absent is None else np.where(absent, np.datetime64("NaT", "us"), found)


def missing(column: pa.ChunkedArray) -> NDArray[np.bool_]:
    """Where the column has no value; NaN is none either."""
    import pyarrow.compute as pc

    return to_numpy(one_array(pc.is_null(column, nan_is_null=True)))


def ends(column: pa.ChunkedArray) -> tuple[Any, Any]:
    """The least and the greatest of a column's numbers; None, or of floats NaN, where it has none."""
    import pyarrow.compute as pc

    if pa.types.is_floating(column.type):  # numpy is ten times as fast as Arrow here
        parts = [numbers(chunk) for chunk in column.chunks]
        lows, highs = ([end.reduce(part, initial=np.nan) for part in parts] for end in (np.fmin, np.fmax))
        return float(np.fmin.reduce(lows, initial=np.nan)), float(np.fmax.reduce(highs, initial=np.nan))
    both = pc.min_max(column).as_py()
    return both["min"], both["max"]


def count_missing(column: pa.ChunkedArray) -> int:
    """How many values are missing; NaN is missing."""
    import pyarrow.compute as pc

    if pa.types.is_floating(column.type):
        return int(pc.sum(pc.is_null(column, nan_is_null=True)).as_py() or 0)
    return int(column.null_count)


def describe_type(kind: pa.DataType) -> str:
    """What a column of this arrow type holds, in words."""
    types = pa.types
    names: list[tuple[Callable[[pa.DataType], bool], str]] = [
        (is_text, "text"), (is_numeric, "numbers"), (is_date, "dates"), (types.is_boolean, "yes/no values"),
        (types.is_struct, "nested objects"), (types.is_map, "nested objects"), (types.is_nested, "lists"),
        (types.is_null, "no value at all"),
    ]  # fmt: skip
    return next((words for test, words in names if test(kind)), f"raw data ({kind})")
