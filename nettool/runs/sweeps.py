"""A sweep's directory: a run directory for each of its points, sweep.json and sweep.csv."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from nettool.errors import DamagedError, RunError
from nettool.limits import MAX_RECORD_BYTES
from nettool.runs import durable
from nettool.runs.cells import as_cells
from nettool.runs.directory import FORMAT_VERSION, ROOT, RunDirectory, by_number
from nettool.runs.strict_json import read_mapping

SweepStatus = Literal["running", "finished", "interrupted", "failed"]


@dataclass(frozen=True)
class SweepDirectory:
    """The layout of one sweep."""

    path: Path

    @property
    def record(self) -> Path:
        """sweep.json: the config, what is varied, the points, and how it ended."""
        return self.path / "sweep.json"

    @property
    def table(self) -> Path:
        """sweep.csv: a row for each point."""
        return self.path / "sweep.csv"

    @property
    def plots(self) -> Path:
        """Pictures."""
        return self.path / "plots"

    def point(self, number: int) -> RunDirectory:
        """The run of the point of this number, which counts from 1."""
        return RunDirectory(self.path / f"{number:04d}")

    @property
    def whole(self) -> RunDirectory:
        """The sweep itself, as what can be locked."""
        return RunDirectory(self.path)


class AxisRecord(BaseModel):
    """One key that is varied."""

    model_config = ConfigDict(strict=True)

    key: str
    is_log: bool


class SweepRecord(BaseModel):
    """What sweep.json holds. A stranger may have written it.

    config: as it was read, bases merged, paths absolute, before any override. points: all overrides of each. monitor:
    what the points are ranked by; mode: which way it is better. best: the number of the best point, once there is one.
    """

    model_config = ConfigDict(strict=True)

    format_version: Annotated[int, Field(ge=1, le=FORMAT_VERSION)] = FORMAT_VERSION
    nettool: str
    name: str
    status: SweepStatus = "running"
    why: str = ""
    source: str
    config: dict[str, Any]
    axes: list[AxisRecord]
    points: list[list[str]]
    tags: dict[str, str] = {}
    monitor: str
    mode: Literal["min", "max"]
    started: str
    finished: str = ""
    seconds: float = 0.0
    best: int | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for point in self.points:
            if not {axis.key for axis in self.axes} <= {override.partition("=")[0] for override in point}:
                raise ValueError("a point lacks what is varied")
        if self.best is not None and not 1 <= self.best <= len(self.points):
            raise ValueError("the best point is none of them")
        return self

    def settings(self, number: int) -> dict[str, str]:
        """The value, as it was typed, of each key that is varied."""
        pairs = dict(override.split("=", 1) for override in self.points[number - 1] if "=" in override)
        return {axis.key: pairs[axis.key] for axis in self.axes}


def is_sweep(path: Path) -> bool:
    """Whether this folder is a sweep's."""
    return (path / "sweep.json").is_file()


def all_sweeps(root: Path = ROOT) -> Iterable[SweepDirectory]:
    """Every sweep under root, by name and number."""
    entries = sorted(root.iterdir(), key=by_number) if root.is_dir() else []
    return (SweepDirectory(entry) for entry in entries if is_sweep(entry))


def write_sweep(sweep: SweepDirectory, record: SweepRecord) -> None:
    """Replace sweep.json."""
    text = json.dumps(record.model_dump(mode="json"), indent=1, ensure_ascii=False, allow_nan=False)
    durable.write_file(sweep.record, (text + "\n").encode())


def read_sweep(sweep: SweepDirectory) -> SweepRecord:
    """The content of sweep.json. Raises RunError where there is none, DamagedError where it is not what was written."""
    try:
        if sweep.record.stat().st_size > MAX_RECORD_BYTES:
            raise ValueError("too large")
        return SweepRecord.model_validate(read_mapping(sweep.record.read_bytes()))
    except FileNotFoundError:
        raise RunError(f"{sweep.path} is no sweep: it holds no sweep.json.") from None
    except ValidationError as error:
        name = ".".join(map(str, error.errors()[0]["loc"])) or "it"
        raise DamagedError(f"{sweep.record} is damaged: {name} is missing, or not what nettool writes.") from None
    except (ValueError, RecursionError):
        raise DamagedError(f"{sweep.record} is damaged: it is no JSON that nettool writes.") from None
    except OSError as error:
        raise RunError(f"{sweep.record} cannot be read: {error.strerror}.") from None


def write_table(sweep: SweepDirectory, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Replace sweep.csv. What is None stays empty; floats are written so that reading gives the same bits."""
    buffer = io.StringIO()
    lines = [as_cells({column: row.get(column) for column in columns}) for row in rows]
    writer = csv.DictWriter(buffer, list(as_cells(dict.fromkeys(columns))), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    durable.write_file(sweep.table, buffer.getvalue().encode())
