"""jsonl -> Arrow table: one JSON object a line."""

from __future__ import annotations

import io
import json
from itertools import islice
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from nettool.data.streams import open_stream
from nettool.data.values import show
from nettool.errors import DataError

DEEP = 100
"""Brackets that a line may open before it is left to Python's parser: Arrow's has a stack that overflows."""


def read_jsonlines(path: Path, limit: int | None) -> pa.Table:
    """Read a file of one JSON object a line; a key that some lines lack is missing there."""
    import pyarrow.json as arrow

    with open_stream(path) as stream:
        deep = _is_deep(stream)
    if not deep:
        with open_stream(path) as stream:
            source: IO[bytes] = stream if limit is None else io.BytesIO(b"".join(islice(stream, limit)))
            try:
                table = arrow.read_json(source, read_options=arrow.ReadOptions(block_size=8 << 20))
                table.validate(full=True)  # finds text that is no UTF-8
                return table
            except pa.ArrowException:
                pass
    # Something is wrong, or a column holds numbers here and text there. Python is slow, but can tell.
    with open_stream(path) as stream:
        return _read_slowly(stream, path, limit)


def _is_deep(stream: IO[bytes]) -> bool:
    for chunk in iter(lambda: stream.read(8 << 20), b""):
        if chunk.count(b"[") + chunk.count(b"{") - chunk.count(b"\n") > DEEP and any(
            line.count(b"[") + line.count(b"{") > DEEP for line in chunk.split(b"\n")
        ):
            return True
    return False


def _read_slowly(stream: IO[bytes], path: Path, limit: int | None) -> pa.Table:
    columns: dict[str, list[Any]] = {}
    count = 0
    for number, line in enumerate(islice(stream, limit), 1):
        if not line.strip():
            continue
        for name, value in _parse(line, number, path).items():
            column = columns.setdefault(name, [])
            column.extend([None] * (count - len(column)))
            column.append(value)
        count += 1
    for column in columns.values():
        column.extend([None] * (count - len(column)))
    return pa.table({name: _as_array(column) for name, column in columns.items()})


def _parse(line: bytes, number: int, path: Path) -> dict[str, Any]:
    try:
        parsed = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: line {number:,}, byte {error.start + 1:,} is no UTF-8 text. Cure: save the file as UTF-8."
        ) from error
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}: line {number:,}, column {error.colno}: no JSON: {error.msg}. "
            f"Cure: one whole JSON object on each line."
        ) from error
    except (RecursionError, ValueError) as error:
        raise DataError(f"{path}: line {number:,}: nested too deep, or a number too long.") from error
    if not isinstance(parsed, dict):
        raise DataError(
            f"{path}: line {number:,}: {show(line.decode().strip())} is no JSON object. "
            f'Cure: each line is one row, as {{"column": value, ...}}.'
        )
    return parsed


def _as_array(values: list[Any]) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError, TypeError):
        return pa.array([None if value is None else _as_text(value) for value in values])


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
