"""nettool runs: what was trained, and how well it went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nettool.errors import RunError, UsageError
from nettool.runs.directory import ROOT, RunDirectory, all_runs, is_busy
from nettool.runs.find import find_run
from nettool.runs.journal import read_metrics, read_record
from nettool.runs.sweeps import all_sweeps, read_sweep


def list_runs(
    sort: str | None = None, root: Path = ROOT, tags: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """The records of all runs, by name; or by a metric, the best first, runs without it last.

    root: a folder of runs, or a sweep. tags: only runs that have these. Raises UsageError for a metric that no run has.
    """
    found = (run for run in all_runs(root) if not tags or has_tags(run, tags))
    records = [{"run": str(run.path), **record_or_damage(run)} for run in found]
    if sort is None or not records:
        return records
    known = sorted({name for record in records for name in record.get("metrics", {})})
    if sort not in known:
        raise UsageError(f"no run has measured {sort}. Sort by one of {', '.join(known)}.")
    from nettool.training.stopping import cost, mode_of

    mode = mode_of(sort)
    return sorted(records, key=lambda record: cost(record.get("metrics", {}).get(sort), mode))


def list_sweeps(root: Path = ROOT) -> list[tuple[str, str, str, str]]:
    """Of each sweep its name, how it ended, what it varied, and its best point; one that cannot be read is left out."""
    found: list[tuple[str, str, str, str]] = []
    for sweep in all_sweeps(root):
        try:
            record = read_sweep(sweep)
        except RunError:
            continue
        status = "killed" if record.status == "running" and not is_busy(sweep.whole) else record.status
        varied = f"{len(record.points):,} points: {', '.join(axis.key for axis in record.axes)}"
        found.append(
            (sweep.path.name, status, varied, "" if record.best is None else sweep.point(record.best).path.name)
        )
    return found


def reached(record: Mapping[str, Any], epochs: Sequence[Mapping[str, float | None]]) -> dict[str, float | None]:
    """The metrics of the best epoch; where nothing is validated, the last training loss."""
    found: dict[str, float | None] = dict(record.get("metrics", {}))
    if epochs and not any(value is not None for value in found.values()):
        found = {"train_loss": epochs[-1]["train_loss"]}
    return found


def record_or_damage(run: RunDirectory) -> dict[str, Any]:
    """The run's record; one that cannot be read must not hide the others."""
    try:
        return current_record(run)
    except RunError as error:
        return {"status": "damaged", "why": str(error), "overrides": []}


def has_tags(run: RunDirectory, tags: Mapping[str, str]) -> bool:
    """Whether the run was given all of these."""
    try:
        return all(read_record(run).get("tags", {}).get(key) == value for key, value in tags.items())
    except RunError:
        return False


def show_run(argument: Path | None) -> tuple[RunDirectory, dict[str, Any], list[dict[str, float | None]]]:
    """One run: its directory, its record and the rows of its journal."""
    run = find_run(argument)
    return run, current_record(run), read_metrics(run)


def current_record(run: RunDirectory) -> dict[str, Any]:
    """The run's record; a killed run could not say that it was. Raises RunError."""
    record = read_record(run)
    if record["status"] == "running" and not is_busy(run):
        record = read_record(run)  # it may have ended between the two looks
    if record["status"] == "running" and not is_busy(run):
        return {**record, "status": "killed", "why": f"go on with: nettool train --resume {run.path}"}
    return record
