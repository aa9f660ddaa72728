"""The sweep that a user means."""

from __future__ import annotations

from pathlib import Path

from nettool.errors import RunError
from nettool.runs.directory import ROOT
from nettool.runs.sweeps import SweepDirectory, all_sweeps, is_sweep


def find_sweep(argument: Path | None, root: Path = ROOT) -> SweepDirectory:
    """The sweep that a user means: its directory, its name under `runs/`, or the newest where nothing is said."""
    if argument is None:
        newest = max(all_sweeps(root), key=lambda each: each.record.stat().st_mtime_ns, default=None)
        if newest is None:
            raise RunError(f"there are no sweeps in {root}/ yet. `nettool sweep CONFIG KEY=RANGE` makes one.")
        return newest
    for path in (argument, root / argument):
        if is_sweep(path):
            return SweepDirectory(path)
    names = ", ".join(str(each.path) for each in all_sweeps(root)) or "none yet"
    raise RunError(f"{argument} is no sweep: it holds no sweep.json. There are {names}.")
