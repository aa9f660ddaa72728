"""A process that trains units of a sweep: `python -m nettool.workflows.sweeps.worker SWEEP`.

It reads the numbers of the points of a unit as a line of JSON, trains them, and answers with lines of JSON. When nobody
writes to it any more, whoever started it has gone: it saves and leaves.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nettool.errors import InterruptedRun, ResourceError
from nettool.runs.sweeps import SweepDirectory, read_sweep
from nettool.workflows.recorder import Origin
from nettool.workflows.sweeps.shared import SharedData
from nettool.workflows.sweeps.stored import stored_sweep
from nettool.workflows.sweeps.training import train_unit
from nettool.workflows.sweeps.watch import UnitWatcher, explained
from nettool.workflows.train import Outcome


class _Speaker(UnitWatcher):
    """Writes what it sees to whoever started the process."""

    def say(self, **what: Any) -> None:
        with contextlib.suppress(BrokenPipeError):  # nobody listens any more, which `_listen` sees as well
            os.write(sys.stdout.fileno(), json.dumps(what).encode() + b"\n")

    def progress(self, shares: dict[int, float]) -> None:
        self.say(shares=list(shares.items()))

    def failed(self, numbers: Sequence[int], failure: Exception) -> None:
        why, code = explained(failure)
        self.say(failed=list(numbers), why=why, code=code, is_fatal=isinstance(failure, ResourceError))

    def finished(self, number: int, outcome: Outcome) -> None:
        if not isinstance(outcome.error, InterruptedRun):
            self.say(ended=number)


def main(path: Path, git_commit: str | None) -> None:
    """Train what is asked for, until nothing is."""
    signal.signal(signal.SIGTERM, lambda number, frame: os._exit(0))  # nothing is lost between two units
    directory = SweepDirectory(path)
    record = read_sweep(directory)
    sweep, shared, speaker = stored_sweep(record), SharedData(), _Speaker()
    origin = Origin(git_commit, record.tags)
    while (numbers := _asked.get()) is not None:
        try:
            train_unit(sweep, directory, numbers, shared, speaker, origin, threads=1)
        except Exception as failure:  # a bug fails these points, and not the others
            speaker.failed(numbers, failure)
        speaker.say(done=numbers)


_asked: queue.SimpleQueue[list[int] | None] = queue.SimpleQueue()


def _listen() -> None:
    for line in sys.stdin:
        _asked.put(json.loads(line))
    _asked.put(None)
    signal.raise_signal(signal.SIGTERM)  # Python hears it in the main thread


if __name__ == "__main__":
    threading.Thread(target=_listen, daemon=True).start()
    main(Path(sys.argv[1]), sys.argv[2] or None)
    os._exit(0)  # without taking torch apart
