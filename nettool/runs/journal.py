"""metrics.csv, run.json and log.txt: how a run went, while it goes and afterwards."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nettool.errors import DamagedError, RunError
from nettool.limits import MAX_JOURNAL_BYTES, MAX_RECORD_BYTES
from nettool.runs import durable
from nettool.runs.directory import FORMAT_VERSION, RunDirectory
from nettool.runs.strict_json import read_mapping


class Journal:
    """metrics.csv, a row an epoch. Rows reach the disk for certain at `sync`."""

    def __init__(self, run: RunDirectory, columns: Sequence[str], rows: Iterable[Mapping[str, object]] = ()) -> None:
        """Begin with these rows, whatever stood there."""
        self.columns = tuple(columns)
        lines = [_csv_line(self.columns), *map(self._line, rows)]
        durable.write_file(run.metrics, "".join(lines).encode())
        self._file = durable.Appender(run.metrics)

    def append(self, row: Mapping[str, object]) -> None:
        """Add a row; what is None stays empty. Floats are written so that reading gives the same bits."""
        self._file.append(self._line(row))

    def _line(self, row: Mapping[str, object]) -> str:
        values = [row[column] for column in self.columns]
        return _csv_line(["" if value is None else value for value in values])

    def sync(self) -> None:
        """Make the rows durable."""
        self._file.sync()

    def close(self) -> None:
        """Sync and close."""
        self._file.close()


def _csv_line(values: Sequence[object]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(values)
    return buffer.getvalue()


def read_metrics(run: RunDirectory) -> list[dict[str, float | None]]:
    """The rows of metrics.csv, oldest first; none where there is no such file. Raises DamagedError."""
    if not run.metrics.is_file():
        return []
    try:
        if run.metrics.stat().st_size > MAX_JOURNAL_BYTES:
            raise ValueError("too large")
        with run.metrics.open(encoding="utf-8", newline="") as file:
            columns, *lines = csv.reader(file)
            numbers = [[float(value) if value else None for value in line] for line in lines]
            rows = [dict(zip(columns, line, strict=True)) for line in numbers]
            for row in rows:
                _check_row(row)
            return rows
    except (OSError, ValueError, KeyError, csv.Error):
        raise DamagedError(
            f"{run.metrics} is damaged: it is no table of numbers with a line of names. "
            f"Write it again from the last checkpoint: nettool train --resume {run.path}"
        ) from None


def _check_row(row: Mapping[str, float | None]) -> None:
    """Raise ValueError or KeyError for what no epoch looks like."""
    places, measured = (row["epoch"], row["step"]), (row["train_loss"], row["lr"])
    if None in measured or not all(place is not None and place.is_integer() and 0 <= place < 2**53 for place in places):
        raise ValueError("no epoch")


def write_record(run: RunDirectory, record: Mapping[str, Any]) -> None:
    """Replace run.json."""
    durable.write_file(run.record, _to_bytes({"format_version": FORMAT_VERSION, **record}))


def _to_bytes(record: Mapping[str, Any]) -> bytes:
    return (json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def read_record(run: RunDirectory) -> dict[str, Any]:
    """The content of run.json. Raises RunError where it is missing, DamagedError where it is not what was written."""
    try:
        if not run.record.exists():
            raise RunError(f"{run.path} has no run.json: no run, or one that was killed as it began.")
        if not run.record.is_file() or run.record.stat().st_size > MAX_RECORD_BYTES:
            raise DamagedError(f"{run.record} is damaged: it is too large, or no file.")
        record = read_mapping(run.record.read_bytes())
        _to_bytes(record)  # NaN and half a character are read, and cannot be written again
        _Record.model_validate(record)
    except ValidationError as error:
        name = ".".join(map(str, error.errors()[0]["loc"])) or "it"
        raise DamagedError(f"{run.record} is damaged: {name} is missing, or not what nettool writes.") from None
    except (ValueError, RecursionError):
        raise DamagedError(f"{run.record} is damaged: it is no JSON that nettool writes.") from None
    except OSError as error:
        raise RunError(f"{run.record} cannot be read: {error.strerror}.") from None
    return record


class _Stay(BaseModel):
    """What is read of a machine that a run was on: a stranger may have written it."""

    model_config = ConfigDict(strict=True)

    epoch: int = 0
    at: str = ""
    overrides: list[str] = []
    versions: dict[str, str] = {}


class _Record(BaseModel):
    """The same of a record."""

    model_config = ConfigDict(strict=True)

    format_version: Annotated[int, Field(ge=1, le=FORMAT_VERSION)]
    status: Literal["running", "finished", "stopped early", "interrupted", "diverged", "failed"]
    overrides: list[str]
    why: str = ""
    metrics: dict[str, float | None] = {}
    baseline: dict[str, float | None] = {}
    data: dict[str, dict[str, Any]] = {}
    versions: dict[str, str] = {}
    resumed: list[_Stay] = []
    tags: dict[str, str] = {}
    fingerprint: str = ""
