"""How a run is found again."""

from __future__ import annotations

import difflib
from pathlib import Path

from nettool.errors import RunError
from nettool.runs.directory import ROOT, RunDirectory, all_runs, is_run
from nettool.runs.sweeps import SweepDirectory, all_sweeps, is_sweep, read_sweep


def find_run(argument: Path | None, root: Path = ROOT, sweeps: bool = True) -> RunDirectory:
    """The run that a user means: a run directory, its name under `runs/`, or the newest where nothing is said.

    A sweep stands for its best point; sweeps: also where nothing is said.
    """
    if argument is None:
        found = {run: run.config.stat().st_mtime_ns for run in all_runs(root)}
        if sweeps:
            found |= {
                _best_point(sweep): sweep.record.stat().st_mtime_ns for sweep in all_sweeps(root) if _has_best(sweep)
            }
        if not found:
            raise RunError(f"there are no runs in {root}/ yet. `nettool train CONFIG` makes one.")
        return max(found, key=found.__getitem__)
    for path in (argument, root / argument, *([argument.parent] if argument.is_file() else [])):
        if is_run(path):
            return RunDirectory(path)
        if is_sweep(path):
            return _best_point(SweepDirectory(path))
    if argument == Path():
        raise RunError("no run is named, or one without a name: is a variable of the shell empty? This folder is none.")
    for path in (argument, root / argument):
        if path.is_dir():
            raise RunError(f"{path} is a folder, but no run: it holds no config.yaml.")
    if argument.is_file():
        raise RunError(f"{argument} is no run. Name a run directory, or its best.safetensors.")
    names = [str(run.path) for run in all_runs(root)] + [run.path.name for run in all_runs(root)]
    near = difflib.get_close_matches(str(argument), names, n=1)
    hint = f" Did you mean {near[0]}?" if near else " `nettool runs list` shows those there are."
    raise RunError(f"{argument}: no such run.{hint}")


def _has_best(sweep: SweepDirectory) -> bool:
    try:
        return read_sweep(sweep).best is not None
    except RunError:
        return False


def _best_point(sweep: SweepDirectory) -> RunDirectory:
    best = read_sweep(sweep).best
    if best is None:
        raise RunError(
            f"{sweep.path}: no point of this sweep has come to its end yet. nettool sweep --resume {sweep.path}"
        )
    return sweep.point(best)
