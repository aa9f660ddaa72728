"""From what a file holds to the type of a kind: text that says 1.5 becomes a number, "Yes" a truth.

What a cell means does not depend on the file's format: 1, 1.0 and "1" are the same category, "Yes" and true
the same boolean. Text is worked on level by level, never row by row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nettool.config.data import ColumnKind
from nettool.data.arrow import from_numpy, from_texts, to_numpy
from nettool.data.values import (
    codes,
    describe_type,
    ends,
    is_date,
    is_numeric,
    is_text,
    levels,
    levels_of,
    numbers,
    one_array,
    show,
    with_levels,
)
from nettool.errors import DataError

PAIRS = (("yes", "no"), ("true", "false"), ("1", "0"), ("y", "n"), ("t", "f"))
"""How a boolean may be written, in small letters or capitals."""
TRUTHS = {word: word == yes for yes, no in PAIRS for word in (yes, no)}

NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$|^[+-]?(?i:inf|infinity)$"
NUMBER_WITH_COMMA = r"^[$€£]?[+-]?\d{1,3}(,\d{3})+(\.\d+)?%?$|^[+-]?\d+,\d+$"
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?(Z|[+-]\d{2}(:?\d{2})?)?)?")


def as_kind(column: pa.ChunkedArray, kind: ColumnKind, name: str, source: str) -> pa.ChunkedArray:
    """The column in the type of its kind; a DataError names the first row whose value has no such meaning."""
    converters: dict[ColumnKind, Callable[[pa.ChunkedArray, str, str], Any]] = {
        "number": _as_number, "boolean": _as_boolean, "date": _as_date, "category": _as_category,
        "text": _as_text, "image": _as_number,  # what is left of an image in a table is a hash
    }  # fmt: skip
    converted = converters[kind](column, name, source)
    return converted if isinstance(converted, pa.ChunkedArray) else pa.chunked_array([converted])


def _as_number(column: pa.ChunkedArray, name: str, source: str) -> Any:
    kind = column.type
    if pa.types.is_null(kind):
        column = column.cast(pa.float64())
    elif pa.types.is_boolean(kind):
        column = column.cast(pa.uint8())
    elif is_text(kind):
        column = pa.chunked_array([_parsed(levels_of(column), name, source)])
    elif not is_numeric(kind):
        raise DataError(_wrong_type(column, "a number", name, source))
    if pa.types.is_floating(column.type) and any(np.isinf(end) for end in ends(column)):
        row = int(np.flatnonzero(np.isinf(numbers(column)))[0])
        raise DataError(
            f"{source}: column {show(name)}, row {row + 1:,}: the value is infinite. Networks take finite "
            f"numbers only. Cure: mend the cell, or leave it empty (it then counts as missing)."
        )
    return column


def _wrong_type(column: pa.ChunkedArray, kind: str, name: str, source: str) -> str:
    return (
        f"{source}: column {show(name)} is to be {kind}, but holds {describe_type(column.type)}. "
        f"Cure: another kind for it in data.columns, or `ignore`."
    )


def _parsed(column: pa.DictionaryArray, name: str, source: str) -> pa.Array:
    import pyarrow.compute as pc

    good = pc.match_substring_regex(column.dictionary, NUMBER)
    if pc.all(good).as_py() is False:  # of no level at all it is None
        raise DataError(bad_number(column, name, source))
    parsed = to_numpy(column.dictionary.cast(pa.float64()))
    return from_numpy(np.append(parsed, np.nan)[codes(column)])


def bad_number(column: pa.DictionaryArray, name: str, source: str) -> str:
    """The message for a number column in which there is text."""
    import pyarrow.compute as pc

    bad = np.flatnonzero(~to_numpy(pc.match_substring_regex(column.dictionary, NUMBER)))
    row, value = first_row(column, bad)
    comma = pc.match_substring_regex(from_texts([value]), NUMBER_WITH_COMMA)[0].as_py()
    why = " Numbers are written without separators and units, with a decimal point: 1234.5." if comma else ""
    return (
        f"{source}: column {show(name)}, row {row + 1:,}: {show(value)} is no number, but the column is one."
        f"{why} Cure: mend the cell (empty counts as missing), or {declare(name, 'category')}."
    )


def first_row(column: pa.DictionaryArray, bad: Sequence[int] | NDArray[np.int64]) -> tuple[int, str]:
    """The first row, from 0, that has one of these codes, and its level."""
    found = codes(column)
    rows = np.flatnonzero(np.isin(found, bad))
    row = int(rows[0]) if len(rows) else 0
    return row, str(column.dictionary[int(found[row])].as_py())


def declare(name: str, kind: ColumnKind) -> str:
    """The cure "set `data.columns: {name: kind}`", the name quoted where YAML wants it."""
    plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]*", name) and name.lower() not in TRUTHS
    return f"set `data.columns: {{{name if plain else show(name, 200)}: {kind}}}`"


def _as_boolean(column: pa.ChunkedArray, name: str, source: str) -> Any:
    if pa.types.is_boolean(column.type):
        return column
    if pa.types.is_null(column.type):
        return column.cast(pa.bool_())
    if not (is_numeric(column.type) or is_text(column.type)):
        raise DataError(_wrong_type(column, "yes or no", name, source))
    packed = _as_category(column, name, source)
    truths = [TRUTHS.get(level.lower()) for level in levels(packed)]
    bad = [code for code, truth in enumerate(truths) if truth is None]
    if not bad:
        found = codes(packed)
        return from_numpy(np.array([*truths, False], np.bool_)[found], found < 0)
    row, value = first_row(packed, bad)
    raise DataError(
        f"{source}: column {show(name)}, row {row + 1:,}: {show(value)} is neither yes nor no, but the column is "
        f"boolean. Cure: write yes/no, true/false or 1/0, or {declare(name, 'category')}."
    )


def _as_date(column: pa.ChunkedArray, name: str, source: str) -> Any:
    if is_date(column.type) or pa.types.is_null(column.type):
        zone = getattr(column.type, "tz", None)
        return column.cast(pa.timestamp("us", zone), safe=False).cast(pa.timestamp("us"))
    if not is_text(column.type):
        raise DataError(_wrong_type(column, "a date", name, source))
    packed = levels_of(column)
    parsed = [parse_date(level) for level in levels(packed)]
    bad = [code for code, instant in enumerate(parsed) if instant is None]
    if not bad:
        return from_numpy(np.array([*parsed, None], "datetime64[us]")[codes(packed)])
    row, value = first_row(packed, bad)
    raise DataError(
        f"{source}: column {show(name)}, row {row + 1:,}: {show(value)} is no date, but the column is one. "
        f"Cure: write dates as 2026-01-31 or 2026-01-31 18:30, or {declare(name, 'category')}."
    )


def parse_date(text: str) -> datetime | None:
    """An ISO 8601 date or time as a naive UTC datetime; None where the text is none."""
    if not _ISO_DATE.fullmatch(text):
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    return instant.astimezone(UTC).replace(tzinfo=None) if instant.tzinfo else instant


def _as_text(column: pa.ChunkedArray, name: str, source: str) -> pa.DictionaryArray:
    if not is_text(column.type) and not pa.types.is_null(column.type):
        raise DataError(_wrong_type(column, "text", name, source))
    return _as_category(column, name, source)


def _as_category(column: pa.ChunkedArray, name: str, source: str) -> pa.DictionaryArray:
    import pyarrow.compute as pc

    kind = column.type
    if is_text(kind):
        return levels_of(column)
    if pa.types.is_null(kind):
        return levels_of(column.cast(pa.string()))
    if not (is_numeric(kind) or is_date(kind) or pa.types.is_boolean(kind)):
        raise DataError(_wrong_type(column, "a category", name, source))
    if pa.types.is_floating(kind):
        # -0.0 is 0 (adding 0.0 makes it so), and NaN is missing.
        zero = from_numpy(np.zeros(1)).cast(kind)[0]
        column = pc.if_else(pc.is_nan(column), pa.nulls(1, kind)[0], pc.add(column, zero))
    encoded = one_array(column.dictionary_encode())
    names = from_texts(level_name(value) for value in _as_python(encoded.dictionary))
    merged = names.dictionary_encode()
    recoded = np.append(codes(merged), np.int32(-1))
    return with_levels(recoded[codes(encoded)], merged.dictionary)


def _as_python(array: pa.Array) -> list[Any]:
    if pa.types.is_floating(array.type):
        # numpy's own scalars print their shortest form: a float32 is 0.1, not 0.10000000149.
        return list(to_numpy(array))
    if is_date(array.type):
        array = array.cast(pa.string())
    return list(array.to_pylist())


def level_name(value: Any) -> str:
    """The text of a value used as a category: 1, 1.0 and "1" are all "1"."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, np.floating):
        number = float(value)
        return str(int(number)) if number.is_integer() and abs(number) < 1e15 else str(value)
    return str(value)
