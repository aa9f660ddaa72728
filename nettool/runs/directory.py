"""Run directories: their names, how one is claimed, how one is found again."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from nettool.errors import BusyError, RunError, UsageError
from nettool.runs import durable

ROOT = Path("runs")
"""Where runs go and are looked for: a folder of the current folder."""

FORMAT_VERSION = 2
"""Of every file in a run directory. A newer nettool reads older ones, but goes on with runs of its own format only."""

LOCK = ".lock"
_NUMBERED = re.compile(r"(.+)-(\d{4,})")


@dataclass(frozen=True)
class RunDirectory:
    """The layout of one run."""

    path: Path

    @property
    def config(self) -> Path:
        """The resolved experiment, complete: training it again gives the same bits."""
        return self.path / "config.yaml"

    @property
    def record(self) -> Path:
        """run.json: how the run went, on what, and what it reached."""
        return self.path / "run.json"

    @property
    def metrics(self) -> Path:
        """One row an epoch."""
        return self.path / "metrics.csv"

    @property
    def best(self) -> Path:
        """The best weights with config and encoders: this one file is enough to predict."""
        return self.path / "best.safetensors"

    @property
    def last(self) -> Path:
        """All the state needed to go on."""
        return self.path / "last.safetensors"

    @property
    def previous(self) -> Path:
        """The state saved before that, in case the last one is damaged."""
        return self.path / "previous.safetensors"

    @property
    def trace(self) -> Path:
        """The weights of past epochs, as far as they fit."""
        return self.path / "trace.safetensors"

    @property
    def kept(self) -> Path:
        """A folder with the weights of every checkpoint, where the config asks for them."""
        return self.path / "checkpoints"

    @property
    def plots(self) -> Path:
        """A folder with pictures, when asked for."""
        return self.path / "plots"

    @property
    def events(self) -> Path:
        """A folder with event files for TensorBoard, when asked for."""
        return self.path / "tensorboard"

    @property
    def log(self) -> Path:
        """What the terminal said."""
        return self.path / "log.txt"

    @property
    def weights(self) -> Path:
        """The best weights where there are some; RunError says what is missing."""
        if not self.best.is_file():
            raise RunError(
                f"{self.path} holds no best.safetensors: the run ended before an epoch was saved, or the file is gone. "
                f"Go on with: nettool train --resume {self.path}"
            )
        return self.best


def claim(name: str, root: Path = ROOT) -> RunDirectory:
    """Make `<root>/<name>-<NNNN>` with the next free number; any number of processes may do so at once."""
    durable.make_folders(root)
    matches = (_NUMBERED.fullmatch(entry.name) for entry in root.iterdir())
    number = 1 + max((int(match[2]) for match in matches if match and match[1] == name), default=0)
    while not durable.claim_folder(path := root / f"{name}-{number:04d}"):
        number += 1
    return RunDirectory(path)


def claim_exactly(path: Path) -> RunDirectory:
    """Make this very folder. Raises BusyError where it is there already: another run is in it, or was."""
    durable.make_folders(path.parent)
    if not durable.claim_folder(path):
        # An empty one may be that of a run which begins this very moment.
        is_runs = path.is_dir() and (is_run(path) or (path / LOCK).exists() or not any(path.iterdir()))
        whose = "another run is in it, or was" if is_runs else "it is no run's"
        error = BusyError if is_runs else UsageError
        raise error(f"{path} is there already: {whose}. Name a folder that is not there yet.")
    return RunDirectory(path)


def remove_leftovers(folder: Path) -> None:
    """Remove what a process that was killed was writing there. Nobody else may be writing."""
    for path in folder.glob(".*.tmp"):
        durable.remove(path)


def withdraw(run: RunDirectory) -> None:
    """Take a directory back in which no run could begin, so that its name is free again."""
    if not is_run(run.path):
        remove_leftovers(run.path)
        durable.remove(run.path / LOCK)
        durable.remove(run.path)


@contextmanager
def locked(run: RunDirectory) -> Iterator[None]:
    """Keep every other process from training in this directory. Raises BusyError, which names the one that does."""
    path = run.path / LOCK
    now = datetime.now(UTC).isoformat(sep=" ", timespec="seconds")
    descriptor = durable.lock(path, f"process {os.getpid()} on {os.uname().nodename}, since {now}\n")
    if descriptor is None:
        raise BusyError(f"{run.path} is in use by {_holder(path)}. Wait for it to end, or stop it.")
    try:
        yield
    finally:
        os.close(descriptor)


def is_busy(run: RunDirectory) -> bool:
    """Whether a process trains in this directory."""
    return durable.is_locked(run.path / LOCK)


def _holder(path: Path) -> str:
    """What the process that holds the lock wrote into it; it may only just have taken the lock."""
    for _ in range(20):
        time.sleep(0.05)
        with contextlib.suppress(OSError):
            written = "".join(filter(str.isprintable, path.read_text(encoding="utf-8", errors="replace")[:300]))
            if written:
                return written
    return "another process"


def all_runs(root: Path = ROOT) -> Iterator[RunDirectory]:
    """Every run directory under root, by name and number."""
    if root.is_dir():
        for entry in sorted(root.iterdir(), key=by_number):
            if is_run(entry):
                yield RunDirectory(entry)


def by_number(path: Path) -> tuple[str, int, str]:
    """To sort by what stands before the number at the end of a name, and then by the number: 1001 before 10000."""
    text = path.name.rstrip("0123456789")
    return text, int(path.name[len(text) :] or -1), path.name


def is_run(path: Path) -> bool:
    """Whether this folder is a run's: from the moment that it holds a config, a run can be gone on with."""
    return (path / "config.yaml").is_file()
