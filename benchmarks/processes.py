"""Processes that are measured: started on so many cores, with the libraries told so, and what they took."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

LAUNCHER = Path(__file__).parent / "launch.py"

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""What torch, numpy and scikit-learn go by. XLA goes by the cores it may use, and by a flag of its own."""


class PeerFailure(Exception):
    """A contender could not be installed, or did not run. Its text is the last line of the error."""


class Taken(NamedTuple):
    """What a process took."""

    seconds: float
    peak_mb: float


def cores() -> list[int]:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def thread_counts() -> list[int]:
    """One thread, and one for each core."""
    return sorted({1, len(cores())})


def run(
    command: Sequence[str | Path],
    folder: Path,
    threads: int | None = None,
    variables: Mapping[str, str] | None = None,
    exit_code: int = 0,
) -> Taken:
    """Run a command in a folder. threads: so many, on as many cores; None leaves both to the command.

    Raises PeerFailure where it does not end with that exit code.
    """
    given = {name: value for name, value in os.environ.items() if name not in (*THREAD_VARIABLES, "XLA_FLAGS")}
    if threads is not None:
        given |= {name: str(threads) for name in THREAD_VARIABLES}
    if threads == 1:
        given["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    log = folder / "log.txt"
    order = {"command": list(map(str, command)), "cores": cores()[:threads], "log": str(log)}
    launcher = [sys.executable, "-S", str(LAUNCHER), json.dumps(order)]
    done = subprocess.run(
        launcher, cwd=folder, env=given | dict(variables or {}), stdout=subprocess.PIPE, check=True, text=True
    )
    taken = json.loads(done.stdout)
    if taken["exit_code"] != exit_code:
        raise PeerFailure(last_line(log.read_text(errors="replace")) or f"exit code {taken['exit_code']}")
    return Taken(taken["seconds"], taken["peak_mb"])


def last_line(text: str) -> str:
    """The last line that says something: of a traceback, the error."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else ""
