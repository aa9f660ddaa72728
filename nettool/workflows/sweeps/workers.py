"""Units of a sweep in processes of their own, as many as there are cores, one thread each."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from typing import IO, Any

from nettool.errors import ResourceError
from nettool.runs.sweeps import SweepDirectory
from nettool.workflows.first_record import Origin
from nettool.workflows.signals import StopSignals
from nettool.workflows.sweeps.units import Unit

POLL_SECONDS = 0.2
"""How often a signal is looked for."""
Say = Callable[[dict[str, Any]], None]
"""Takes what a worker says, see `worker`."""


class _Worker:
    """A process, and the unit that it is at."""

    def __init__(self, directory: SweepDirectory, origin: Origin) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the process)
        # A session of its own: Ctrl-C reaches the command alone, which tells the workers.
        self.process = subprocess.Popen(
            [
                sys.executable, "-m", "nettool.workflows.sweeps.worker", str(directory.path), origin.git_commit or "",
                "board" if origin.board else "",
            ],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, start_new_session=True, bufsize=0,
        )  # fmt: skip
        self.unit: Unit | None = None
        self.is_alive, self._is_asked, self._rest = True, False, b""

    @property
    def output(self) -> IO[bytes]:
        """Where it answers."""
        assert self.process.stdout is not None
        return self.process.stdout

    def answers(self) -> Iterator[dict[str, Any]]:
        """What it has said since the last look. One that has ended, or makes no sense, is not at its unit any more."""
        read = os.read(self.output.fileno(), 1 << 16)
        *lines, self._rest = (self._rest + read).split(b"\n")
        for line in lines:
            try:
                said = json.loads(line)
            except ValueError:
                self.process.kill()
                continue
            if "done" in said:
                self.unit = None
            yield said
        if not read:
            self.is_alive = False
            if self.unit is not None:
                yield self._obituary()
                self.unit = None

    def begin(self, unit: Unit) -> None:
        """Give it the next unit."""
        assert self.process.stdin is not None
        self.unit = unit
        with contextlib.suppress(BrokenPipeError):  # it has ended, which its answers tell
            self.process.stdin.write(json.dumps(unit.numbers).encode() + b"\n")
            self.process.stdin.flush()

    def _obituary(self) -> dict[str, Any]:
        """What there is to say where it ended before it was done: how, and the last line that it wrote."""
        assert self.unit is not None
        code = self.process.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        how = f"was ended by signal {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        killed = " (was memory short?)" if code == -signal.SIGKILL else ""
        why = f"its process {how}{killed}{': ' + lines[-1] if lines else ''}"
        return {"failed": self.unit.numbers, "why": why, "code": 1}

    def stop(self) -> None:
        """Ask it to save and leave."""
        if not self._is_asked:
            self._is_asked = True
            self.process.send_signal(signal.SIGTERM)

    def close(self) -> None:
        """Let it end, and wait for that."""
        for stream in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                if stream is not None:
                    stream.close()
        self.process.wait()
        self._errors.close()


def train_in_processes(
    directory: SweepDirectory,
    units: Sequence[Unit],
    count: int,
    signals: StopSignals,
    say: Say,
    origin: Origin,
) -> None:
    """Train all units, the longest first. A signal, or a disk that refuses, stops all of them, their states saved.

    Raises ResourceError where the disk refuses.
    """
    waiting = sorted(units, key=lambda unit: unit.seconds)
    with ExitStack() as stack, selectors.DefaultSelector() as busy:

        def employ() -> None:
            worker = stack.enter_context(closing(_Worker(directory, origin)))
            worker.begin(waiting.pop())
            busy.register(worker.output, selectors.EVENT_READ, worker)

        for _ in range(min(count, len(waiting))):
            employ()
        fatal: ResourceError | None = None
        while workers := [key.data for key in busy.get_map().values()]:
            is_stopping = fatal is not None or signals.received is not None
            for worker in workers if is_stopping else ():
                worker.stop()
            for key, _ in busy.select(POLL_SECONDS):
                worker = key.data
                for said in worker.answers():
                    if said.get("is_fatal"):
                        fatal = ResourceError(said["why"])
                    elif not (is_stopping and "failed" in said):  # it was asked to leave
                        say(said)
                if worker.unit is not None:
                    continue
                if worker.is_alive and waiting and not is_stopping:
                    worker.begin(waiting.pop())
                    continue
                busy.unregister(worker.output)
                if waiting and not is_stopping:
                    employ()
    if fatal is not None:
        raise fatal
