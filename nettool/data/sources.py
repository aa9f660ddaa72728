"""Path -> Arrow table. Every mistake in a file is answered with the file, the place, the cause and the cure.

No file is ever unpickled or executed, and none may grow to hundreds of times its size while it is read.
"""

from __future__ import annotations

import difflib
import hashlib
from pathlib import Path
from typing import Any

import pyarrow as pa

from nettool.config.data import COMPRESSIONS
from nettool.data.idx import is_idx
from nettool.data.streams import check_expansion, check_regular
from nettool.data.values import show
from nettool.errors import DataError
from nettool.memory import is_out_of_memory

READ = ".csv, .tsv, .jsonl, .ndjson (each also .gz, .bz2, .xz or .zst), .parquet, .pq and .npz"


def read_table(path: Path, *, limit: int | None = None) -> pa.Table:
    """Read a table, or its first `limit` rows.

    Raises DataError when the file is missing, empty, damaged or of a kind that is not read.
    """
    suffix = check_file(path)
    match suffix:
        case ".csv" | ".tsv":
            from nettool.data.delimited import read_delimited

            table = read_delimited(path, "\t" if suffix == ".tsv" else None, limit)
        case ".jsonl" | ".ndjson":
            from nettool.data.jsonlines import read_jsonlines

            table = read_jsonlines(path, limit)
        case ".npz":
            from nettool.data.npz import read_npz

            table = read_npz(path)
        case _:
            table = _read_parquet(path, limit)
    if table.num_rows == 0 and table.num_columns == 0:
        raise DataError(f"{path}: the file is empty.")
    if table.num_rows == 0:
        raise DataError(f"{path}: there are column names, but not a single row. Cure: a file with data.")
    seen: set[str] = set()
    for name in table.column_names:
        if name in seen:
            raise DataError(f"{path}: two columns are called {show(name)}. Cure: rename one of them.")
        seen.add(name)
    return table if limit is None else table.slice(0, limit)


def as_written(path: Path, table: pa.Table) -> pa.Table:
    """The table that `read_table` read from this file, its csv or tsv cells as the text that stands there."""
    suffix = check_file(path)
    if suffix not in (".csv", ".tsv"):
        return table
    from nettool.data.delimited import read_written

    return read_written(path, "\t" if suffix == ".tsv" else None, table.column_names)


def fingerprint(path: Path) -> dict[str, Any]:
    """What tells this file from another: the sha256 of its bytes, and how many they are."""
    with path.open("rb") as file:
        return {"sha256": hashlib.file_digest(file, "sha256").hexdigest(), "bytes": path.stat().st_size}


def check_source(path: Path) -> None:
    """Refuse a file that is not there, is empty, or of a kind that is not read; folders and IDX files are looked at
    where they are read.
    """
    if not path.is_dir() and not is_idx(path):
        check_file(path)


def check_file(path: Path) -> str:
    """The suffix that says how the file is read; a DataError when there is no such file or way."""
    if path.is_dir():
        raise DataError(f"{path} is a folder. A table is one file: {READ}.")
    if not path.exists():
        raise no_such_file(path)
    check_regular(path)
    suffixes = [suffix.lower() for suffix in path.suffixes]
    suffix = suffixes[-1] if suffixes else ""
    inner = suffixes[-2] if len(suffixes) > 1 and suffix in COMPRESSIONS else ""
    if inner in (".csv", ".tsv", ".jsonl", ".ndjson"):
        suffix = inner
    elif suffix not in (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".pq", ".npz"):
        text = " A text of which the next character is to be predicted has `target: next`." if suffix == ".txt" else ""
        raise DataError(f'{path}: nettool does not read "{suffix or path.name}" files. It reads {READ}.{text}')
    try:
        if path.stat().st_size == 0:
            raise DataError(f"{path}: the file is empty.")
        with path.open("rb"):
            return suffix
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}.") from error


CONFIG_ENDINGS = (".yaml", ".yml")
"""What is never data."""


def no_such_file(path: Path) -> DataError:
    """What to say of a path where there is nothing."""
    what = "file" if path.suffix else "file or folder"
    return DataError(f"{path}: there is no such {what}.{_near(path)}")


def _near(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f" There is no folder {folder} either."
    names = [entry.name for entry in folder.iterdir() if entry.suffix not in CONFIG_ENDINGS]
    near = difflib.get_close_matches(path.name, names, n=3)
    near = near or [name for name in sorted(names) if name.split(".")[0] == path.name.split(".")[0]][:3]
    return f" Did you mean {' or '.join(near)}?" if near else ""


def _read_parquet(path: Path, limit: int | None) -> pa.Table:
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        groups = [file.metadata.row_group(index) for index in range(file.num_row_groups)]
        width = max(file.metadata.num_columns, 1)
        # A run-length encoded page of a few bytes may stand for billions of rows, so rows are counted too.
        declared = max(sum(group.total_byte_size for group in groups), file.metadata.num_rows * width * 8)
        check_expansion(path, path.stat().st_size, declared)
        table = file.read() if limit is None else _first_rows(file, limit)
        table.validate(full=True)  # finds text that is no UTF-8
        return table
    except (pa.ArrowException, OSError) as error:
        if not isinstance(error, pa.ArrowInvalid) and is_out_of_memory(error):  # that may quote a row
            raise
        cause = show(str(error).splitlines()[0].rstrip("."), 200)
        raise DataError(
            f"{path}: not a parquet file, or a damaged one ({cause}). Cure: write it again, or copy it again."
        ) from error


def _first_rows(file: Any, limit: int) -> pa.Table:
    batches: list[pa.RecordBatch] = []
    for batch in file.iter_batches(batch_size=limit):
        batches.append(batch)
        if sum(part.num_rows for part in batches) >= limit:
            break
    return pa.Table.from_batches(batches, schema=file.schema_arrow)
