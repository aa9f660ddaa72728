"""csv and tsv -> Arrow table, with the line of every mistake."""

from __future__ import annotations

import csv
import io
import weakref
from collections.abc import Iterable, Iterator
from itertools import dropwhile
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nettool.data.arrow import empty
from nettool.data.streams import open_stream
from nettool.data.values import MISSING, show
from nettool.errors import DataError
from nettool.limits import MAX_TABLE_HEADER_BYTES
from nettool.memory import is_out_of_memory

BOM = b"\xef\xbb\xbf"
SMALL_BLOCK, LARGE_BLOCK = 1 << 20, 1 << 22
PIECES = 16
"""For each thread, of a large file: few enough to be long, and so many that a few of them are a small part of it."""
LONGEST_WAIT = 1.0
"""Seconds until one more block is read while Arrow has parsed none: perhaps it needs more of them at once."""
NULLS = [text for text in MISSING if not text.startswith(("-", "1"))]
"""What Arrow looks for in every cell of a column whose type is known. With those that begin as numbers do, it would
look twice at many numbers, a tenth of the time. It reads "-nan" as NaN; the others contradict the type."""
NOT_TEXT = {
    b"PK\x03\x04": "a zip archive or an Excel workbook",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"\x1f\x8b": "a gzip archive (its name should then end in .gz)",
    b"PAR1": "a parquet file (its name should then end in .parquet)",
    b"\x80\x04": "a Python pickle, which nettool never opens",
    b"\x80\x05": "a Python pickle, which nettool never opens",
}


def read_delimited(path: Path, delimiter: str | None, limit: int | None) -> pa.Table:
    """Read a csv (delimiter None: a comma, or what the header shows) or tsv file."""
    start = _read_start(path)
    delimiter = _check_header(path, start, delimiter)
    try:
        table = _read_typed(path, delimiter, start) if limit is None else _read_first(path, delimiter, limit)
        if table is None:
            table = _read_whole(path, delimiter, is_quoted=b'"' in start)
    except pa.ArrowException as error:
        if not isinstance(error, pa.ArrowInvalid) and is_out_of_memory(error):  # that may quote a row
            raise
        raise DataError(f"{path}: {_explain(path, delimiter) or show(error, 200)}") from error
    pa.default_memory_pool().release_unused()  # in which the text lay
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_binary(column.type):
            mistake = _explain(path, delimiter)
            raise DataError(f"{path}: {mistake or f'column {show(name)} holds bytes that are no text.'}")
    return table


def read_written(path: Path, delimiter: str | None, names: Iterable[str]) -> pa.Table:
    """The cells of a table that can be read, as the text that stands in the file: `007` stays `007`."""
    import pyarrow.csv as arrow

    parse = arrow.ParseOptions(delimiter=_check_header(path, _read_start(path), delimiter), newlines_in_values=True)
    as_text = arrow.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False)
    with open_stream(path) as stream:
        return arrow.read_csv(stream, parse_options=parse, convert_options=as_text)


def _options(
    delimiter: str, types: dict[str, pa.DataType] | None = None, *, newlines_in_values: bool = True, **of_parser: Any
) -> dict[str, Any]:
    import pyarrow.csv as arrow

    return {
        "parse_options": arrow.ParseOptions(delimiter=delimiter, newlines_in_values=newlines_in_values, **of_parser),
        "convert_options": arrow.ConvertOptions(
            null_values=NULLS if types else list(MISSING), strings_can_be_null=True, column_types=types
        ),
    }


def _read_first(path: Path, delimiter: str, limit: int) -> pa.Table | None:
    """Read the blocks that hold the first `limit` rows; None where they cannot be read as the first one is."""
    import pyarrow.csv as arrow

    batches: list[pa.RecordBatch] = []
    with open_stream(path) as stream:
        try:
            for batch in arrow.open_csv(stream, **_options(delimiter)):
                batches.append(batch)
                if sum(part.num_rows for part in batches) >= limit:
                    break
        except pa.ArrowInvalid:
            return None
    return pa.Table.from_batches(batches) if batches else None


def _read_typed(path: Path, delimiter: str, start: bytes) -> pa.Table | None:
    """Read with the types that the file's first lines show; None where a later one contradicts them.

    Told the types, Arrow reads faster, and does not keep all the text until the end, which is twice the file.
    """
    import pyarrow.csv as arrow

    lines = io.BytesIO(start[: max(start.rfind(b"\n"), start.rfind(b"\r")) + 1])
    try:
        # The last record is cut where a value of several lines is. Others that lack a value are found in what follows.
        types = _types(arrow.read_csv(lines, **_options(delimiter, invalid_row_handler=lambda row: "skip")))
        return _read_whole(path, delimiter, types, is_quoted=b'"' in start)
    except pa.ArrowInvalid:
        return None


def _read_whole(
    path: Path, delimiter: str, types: dict[str, pa.DataType] | None = None, *, is_quoted: bool
) -> pa.Table:
    """Read all of it. is_quoted: whether there are quotation marks, in which a line may end and the value go on.

    Without them Arrow need not look for the ends of the values before it deals out the file to its threads.
    """
    import pyarrow.csv as arrow

    block = min(max(path.stat().st_size // (PIECES * pa.cpu_count()), SMALL_BLOCK), LARGE_BLOCK)
    reading = arrow.ReadOptions(block_size=block)
    table: pa.Table | None = None
    with open_stream(path) as stream:
        blocks = _Blocks(stream)
        try:
            options = _options(delimiter, types, newlines_in_values=is_quoted)
            table = arrow.read_csv(blocks, read_options=reading, **options)
        except pa.ArrowInvalid:
            if is_quoted or not blocks.quotes:
                raise
    if blocks.quotes and not is_quoted:
        table = None  # or there would be two of them
        return _read_whole(path, delimiter, types, is_quoted=True)
    if blocks.quotes % 2 and (mistake := _explain(path, delimiter)):
        raise DataError(f"{path}: {mistake}")
    return table


def _types(lines: pa.Table) -> dict[str, pa.DataType]:
    """The columns' types in the first lines, whole numbers with room to grow. A column without values has none."""
    import pyarrow.compute as pc

    types: dict[str, pa.DataType] = {}
    for field, column in zip(lines.schema, lines.columns, strict=True):
        if pa.types.is_integer(field.type):
            ends = pc.min_max(column).as_py()
            largest = max(-ends["min"], ends["max"])
            types[field.name] = pa.int16() if largest <= 1000 else pa.int32() if largest <= 10**6 else pa.int64()
        elif not pa.types.is_null(field.type):
            types[field.name] = field.type
    return types


class _Blocks:
    """A stream for Arrow to read: the memory of a block is used again as soon as Arrow has parsed what lay in it.

    Arrow by itself reads ahead as far as it can, and holds as much memory as the file is long. To be given memory that
    it has not touched yet can take a process longer than to parse what it reads into it.

    quotes: how many quotation marks there were. Arrow takes one that is never closed for a very long value.
    """

    def __init__(self, stream: io.BufferedReader) -> None:
        self._stream = stream
        self._free: SimpleQueue[NDArray[np.uint8] | None] = SimpleQueue()
        for _ in range(pa.cpu_count() + 2):
            self._free.put(None)
        self.quotes = 0
        self.closed = False

    def read(self, size: int) -> NDArray[np.uint8]:
        """The next bytes, at most so many; none at the end."""
        try:
            memory = self._free.get(timeout=LONGEST_WAIT)
        except Empty:
            memory = None
        if memory is None or len(memory) < size:
            memory = empty((size,), np.uint8)
        chunk = memory[: self._stream.readinto(memory[:size].data)]
        self.quotes += int(np.count_nonzero(chunk == ord('"')))
        weakref.finalize(chunk, self._free.put, memory).atexit = False
        return chunk


def _read_start(path: Path) -> bytes:
    """So much of the file as may hold the line of names."""
    with open_stream(path) as stream:
        return stream.read(MAX_TABLE_HEADER_BYTES)


def _check_header(path: Path, start: bytes, delimiter: str | None) -> str:
    """Check the first line, and find the delimiter where the suffix does not say it."""
    for magic, what in NOT_TEXT.items():
        if start.startswith(magic):
            raise DataError(f"{path}: this is no text but {what}. Cure: export the table as csv.")
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{path}: the text is UTF-16, not UTF-8. Cure: save the file as csv UTF-8.")
    text = start.removeprefix(BOM).lstrip()
    if not text:
        raise DataError(f"{path}: the file is empty.")
    is_cut = len(start) == MAX_TABLE_HEADER_BYTES
    if is_cut and not (b"\n" in text or b"\r" in text):
        limit = f"{MAX_TABLE_HEADER_BYTES:,} bytes"
        raise DataError(f"{path}: line 1 is longer than {limit}. The first line names the columns; is this a table?")
    lines = start.splitlines(keepends=True)
    delimiters = [delimiter] if delimiter else [",", ";", "\t", "|"]
    try:
        headers = [_first_record(path, lines, mark, is_cut) for mark in delimiters]
    except csv.Error as error:
        raise DataError(f"{path}: line 1: {error}. The first line names the columns; is this a table?") from error
    best = next((index for index, header in enumerate(headers) if len(header) > 1), 0)
    _check_names(path, headers[best])
    return delimiters[best]


def _first_record(path: Path, lines: Iterable[bytes], delimiter: str, is_cut: bool) -> list[str]:
    """The names, of which no more lines are decoded than they take. is_cut: whether the last line may lack its end."""
    written = dropwhile(lambda line: not line.strip("\r\n"), _decoded(iter(lines), path, forgive_end=is_cut))
    return next(csv.reader(written, delimiter=delimiter))


def _check_names(path: Path, names: list[str]) -> None:
    repeated = [name for index, name in enumerate(names) if name in names[:index]]
    if repeated:
        places = " and ".join(str(index + 1) for index, name in enumerate(names) if name == repeated[0])
        what = f"are called {show(repeated[0])}" if repeated[0] else "have no name"
        raise DataError(
            f"{path}: line 1: columns {places} {what}. The first line names the columns, each name once. "
            f"Cure: rename one, or put a line of names above the data."
        )


def _decoded(lines: Iterator[bytes], path: Path, *, forgive_end: bool = False) -> Iterator[str]:
    """Lines of UTF-8 as text; a DataError names the line and the byte that is none."""
    for number, line in enumerate(lines, 1):
        try:
            yield (line.removeprefix(BOM) if number == 1 else line).decode()
        except UnicodeDecodeError as error:
            if forgive_end and next(lines, None) is None:
                return
            raise DataError(
                f"{path}: line {number:,}, byte {error.start + 1:,}: 0x{error.object[error.start]:02x} is no "
                f"UTF-8 text. Cure: save the file as UTF-8."
            ) from error


def _explain(path: Path, delimiter: str) -> str:
    """Find the line that cannot be read, in words; empty if there is none."""
    with open_stream(path) as stream:
        return _explain_stream(stream, path, delimiter)


def _explain_stream(stream: IO[bytes], path: Path, delimiter: str) -> str:
    reader = csv.reader(_decoded(iter(stream), path), delimiter=delimiter, strict=True)
    begin, expected = 1, 0
    try:
        for record in reader:
            expected = expected or len(record)
            if record and len(record) != expected:
                return (
                    f"line {begin:,} has {len(record)} value{'s'[: len(record) != 1]}, but the header names "
                    f'{expected} columns. Cure: mend the line; a value that contains "{delimiter}" stands in '
                    f"quotation marks."
                )
            begin = reader.line_num + 1
    except csv.Error as error:
        return (
            f"line {begin:,}: {error}. Perhaps a quotation mark is opened and never closed. "
            f'Cure: mend the line; a quotation mark inside a value is written twice ("").'
        )
    return ""
