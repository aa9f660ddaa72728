"""What kind of column it is, by what stands in it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from nettool.config.data import ColumnKind
from nettool.data.arrow import to_numpy
from nettool.data.kinds import NUMBER, NUMBER_WITH_COMMA, PAIRS, bad_number, parse_date
from nettool.data.values import count_missing, describe_type, ends, is_date, is_numeric, is_text, levels, one_array
from nettool.errors import DataError

NUMBERS_SHARE = 0.9
"""Text of which so many levels are numbers is a number column with mistakes in it."""
DISTINCT_SHARE = 0.95
"""Text of which more values differ says who a row is, not what it is like."""
LONG_COUNT = 1000
"""Consecutive integers that begin at 0 or 1 count rows. Those that begin elsewhere may be years or ages; only
from so many rows on are they taken for row numbers."""

NOTHING = "it has no value at all"
CONSTANT = "it is the same in every row"
DISTINCT = "distinct texts"


@dataclass(frozen=True)
class Found:
    """A column's kind, and how it was found. num_distinct: levels, where they were counted."""

    kind: ColumnKind
    reason: str
    num_distinct: int | None = None
    examples: tuple[str, ...] = ()
    num_missing: int = 0


def infer_kind(
    column: pa.ChunkedArray, name: str, source: str, *, strict: bool = True, may_ignore: bool = True
) -> Found:
    """Find a column's kind. Text must be packed (`values.simplify`).

    strict: text in a number column raises DataError, else it makes a category. may_ignore: row numbers,
    constants and names may come out as `ignore`; a column that the config asks for may not, unless no kind fits.
    """
    num_missing = count_missing(column)
    count = len(column) - num_missing
    if is_text(column.type):
        found = _infer_text(one_array(column), count, name, source, strict, may_ignore)
    else:
        found = _infer_typed(column, count, may_ignore)
    if may_ignore and count == 0:
        found = Found("ignore", NOTHING, 0)
    elif may_ignore and found.kind != "ignore" and re.fullmatch(r"|Unnamed: \d+", name):
        found = replace(found, kind="ignore", reason="it has no name")
    return replace(found, num_missing=num_missing)


def _infer_typed(column: pa.ChunkedArray, count: int, may_ignore: bool) -> Found:
    kind = column.type
    examples = _examples(column)
    may_be_constant = may_ignore and count == len(column)
    if pa.types.is_boolean(kind) or is_date(kind):
        if may_be_constant and _says_one_thing(column):
            return Found("ignore", CONSTANT, 1, examples[:1])
        is_boolean = pa.types.is_boolean(kind)
        return Found("boolean", "true and false", 2, examples) if is_boolean else Found("date", "dates", None, examples)
    if pa.types.is_null(kind):
        return Found("ignore", NOTHING, 0)
    if not is_numeric(kind):
        return Found("ignore", f"it holds {describe_type(kind)}, which nettool does not read", None, ())
    low, high = ends(column)
    if may_ignore and counts_rows(column, low, high):
        return Found("ignore", "it counts the rows", None, examples)
    if (low, high) == (0, 1) and (pa.types.is_integer(kind) or _whole(column)):
        return Found("boolean", "0 and 1", 2, examples)
    # One value here and none there do tell rows apart.
    if may_be_constant and low == high:
        return Found("ignore", CONSTANT, 1, examples[:1])
    return Found("number", "numbers", None, examples)


def _examples(column: pa.ChunkedArray) -> tuple[str, ...]:
    if pa.types.is_nested(column.type) or pa.types.is_binary(column.type):
        return ()
    return tuple(text for text in column.slice(0, 3).cast(pa.string()).to_pylist() if text is not None)


def _whole(column: pa.ChunkedArray) -> bool:
    import pyarrow.compute as pc

    return bool(pc.all(pc.or_kleene(pc.is_nan(column), pc.equal(column, pc.floor(column)))).as_py())


def _says_one_thing(column: pa.ChunkedArray) -> bool:
    import pyarrow.compute as pc

    low, high = pc.min_max(column).values()
    return bool(low == high)


def counts_rows(column: pa.ChunkedArray, low: Any, high: Any) -> bool:
    """Whether the column, with these ends, is a permutation of consecutive integers, as row numbers are.

    Such a number leaks: files are often sorted by what is to be predicted. Fewer than three rows show nothing.
    """
    count = len(column)
    if count < 3:
        return False
    if low is None or high - low != count - 1 or count_missing(column) or low != int(low):
        return False
    if (low not in (0, 1) and count < LONG_COUNT) or high >= 1 << 63:
        return False
    values = to_numpy(one_array(column))
    places = values.astype(np.int64) - int(low)
    seen = np.zeros(count, np.bool_)
    seen[places] = True
    return bool(seen.all() and (places + int(low) == values).all())


def _infer_text(
    column: pa.DictionaryArray, count: int, name: str, source: str, strict: bool, may_ignore: bool
) -> Found:
    import pyarrow.compute as pc

    distinct = len(column.dictionary)
    examples = tuple(column.dictionary.slice(0, 3).to_pylist())
    lowered = set(pc.utf8_lower(column.dictionary).to_pylist()) if distinct <= 8 else set()
    pair = next((pair for pair in PAIRS if lowered == set(pair)), None)
    if pair is not None:
        return Found("boolean", " and ".join(pair), distinct, examples)
    if may_ignore and distinct == 1 and count == len(column):
        return Found("ignore", CONSTANT, 1, examples)
    number = to_numpy(pc.match_substring_regex(column.dictionary, NUMBER))
    comma = to_numpy(pc.match_substring_regex(column.dictionary, NUMBER_WITH_COMMA))
    if distinct and number.all():
        return Found("number", "text that is numbers", None, examples)
    if strict and distinct and (number | comma).mean() >= NUMBERS_SHARE:
        raise DataError(bad_number(column, name, source))
    if distinct and all(parse_date(level) for level in examples) and all(map(parse_date, levels(column))):
        return Found("date", "text that is dates", None, examples)
    if may_ignore and distinct > DISTINCT_SHARE * count:
        return Found("ignore", f"{distinct:,} of its {count:,} values are {DISTINCT}", distinct, examples)
    return Found("category", "text", distinct, examples)
