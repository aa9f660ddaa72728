"""metrics.csv, run.json and log.txt: how a run went, while it goes and afterwards."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nettool.errors import RunError
from nettool.limits import MAX_RECORD_BYTES
from nettool.runs import durable
from nettool.runs.directory import FORMAT_VERSION, RunDirectory


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
    """The rows of metrics.csv, oldest first."""
    if not run.metrics.is_file():
        return []
    with run.metrics.open(encoding="utf-8", newline="") as file:
        return [{key: float(value) if value else None for key, value in row.items()} for row in csv.DictReader(file)]


def write_record(run: RunDirectory, record: Mapping[str, Any]) -> None:
    """Replace run.json."""
    text = json.dumps({"format_version": FORMAT_VERSION, **record}, indent=2, ensure_ascii=False, allow_nan=False)
    durable.write_file(run.record, (text + "\n").encode())


def read_record(run: RunDirectory) -> dict[str, Any]:
    """The content of run.json. Raises RunError where it is missing or damaged."""
    try:
        if run.record.stat().st_size > MAX_RECORD_BYTES:
            raise ValueError("it is too large")
        record = json.loads(run.record.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(f"{run.path} has no run.json: no run, or one that was killed as it began.") from None
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(f"{run.record} cannot be read: {error}.") from None
    if not isinstance(record, dict):
        raise RunError(f"{run.record} is damaged: it is no JSON object.")
    return record
