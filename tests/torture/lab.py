"""Where the checks work: a folder, a zygote, a count of the points tried, and what failed."""

from __future__ import annotations

import itertools
import json
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.torture.cases import CASES
from tests.torture.zygote import ROOT, Result, Running, Task, Zygote

INTERRUPTED = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGUSR1: 138}


class Caught(Exception):
    """A planted bug was noticed; no need to look further."""


@dataclass
class Lab:
    """sample: try a few points instead of all. bug: planted in every process but the one that gives the reference."""

    folder: Path
    zygote: Zygote
    sample: bool = True
    bug: str = ""
    points: int = 0
    failures: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @contextmanager
    def point(self, what: str) -> Iterator[None]:
        """One thing tried; an assertion that does not hold is a failure."""
        self.points += 1
        try:
            yield
        except AssertionError as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            said = " ".join(str(error).split())[:300] or place.line
            self.failures.append(f"{what}: {said} ({Path(place.filename).name}:{place.lineno})")
            if self.bug:
                raise Caught from None

    def case(self, name: str) -> Path:
        """The folder of a case, with its data, config and an uncut run, `uncut`, to compare with."""
        folder = self.folder / name
        if not folder.exists():
            config = CASES[name].write(folder)
            result = self.zygote.run(
                Task(str(folder), ("train", config.name, "--run-dir", "uncut", "--quiet"), log=str(folder / "log"))
            )
            assert result.code == 0, result.err
        return folder

    def run(self, folder: Path, *arguments: str, **befalls: Any) -> Result:
        """A command line in that folder, to its end."""
        return self.start(folder, *arguments, **befalls).wait()

    def start(self, folder: Path, *arguments: str, **befalls: Any) -> Running:
        return self.zygote.start(Task(str(folder), arguments, bug=self.bug, **befalls))

    def train(self, folder: Path, run: Path, *arguments: str, **befalls: Any) -> Result:
        """The case of that folder, in this run directory."""
        return self.run(folder, "train", f"{folder.name}.yaml", "--run-dir", run.name, "--quiet", *arguments, **befalls)

    def resume(self, run: Path, *arguments: str, **befalls: Any) -> Result:
        return self.run(run.parent, "train", "--resume", run.name, "--quiet", *arguments, **befalls)

    def call(self, name: str, *arguments: str, folder: Path | None = None) -> Any:
        """What a function of these tests, "module:function", returns in a process with the bug in it."""
        result = self.run(folder or self.folder, "call", f"tests.torture.{name}", *arguments)
        assert result.code == 0, result.err
        return json.loads(result.out)

    def command(self) -> list[str]:
        """The program in a process of its own, with the bug in it."""
        if not self.bug:
            return [sys.executable, "-m", "nettool_cli"]
        start = (
            f"import sys; sys.path.insert(0, {str(ROOT)!r}); from tests.torture import bugs; "
            f"bugs.BUGS[{self.bug!r}].plant(); from nettool_cli.main import command; command()"
        )
        return [sys.executable, "-c", start]

    def new_run(self, folder: Path) -> Path:
        """A name for a run directory that is not there yet."""
        return folder / f"run-{next(self._numbers):05d}"

    def done_with(self, run: Path) -> None:
        shutil.rmtree(run, ignore_errors=True)


Check = Callable[[Lab], None]
