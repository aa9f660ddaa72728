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
from pathlib import Path
from typing import Any

from nettool.runs.sweeps import SweepDirectory, read_sweep
from nettool.workflows.first_record import Origin
from nettool.workflows.signals import StopSignals
from nettool.workflows.sweeps.shared import SharedData
from nettool.workflows.sweeps.stored import stored_sweep
from nettool.workflows.sweeps.training import train_unit
from nettool.workflows.sweeps.watch import Messages


def _say(what: dict[str, Any]) -> None:
    """Write to whoever started the process."""
    with contextlib.suppress(BrokenPipeError):  # nobody listens any more, which `_listen` sees as well
        os.write(sys.stdout.fileno(), json.dumps(what).encode() + b"\n")


def main(path: Path, git_commit: str | None, board: bool) -> None:
    """Train what is asked for, until nothing is."""
    signal.signal(signal.SIGTERM, lambda number, frame: os._exit(0))  # nothing is lost between two units
    StopSignals.second_ends = False
    directory = SweepDirectory(path)
    record = read_sweep(directory)
    sweep, shared, messages = stored_sweep(record), SharedData(), Messages(_say)
    origin = Origin(git_commit, record.tags, board)
    while (numbers := _asked.get()) is not None:
        try:
            train_unit(sweep, directory, numbers, shared, messages, origin, threads=1)
        except Exception as failure:  # a bug fails these points, and not the others
            messages.failed(numbers, failure)
        _say({"done": numbers})


_asked: queue.SimpleQueue[list[int] | None] = queue.SimpleQueue()


def _listen() -> None:
    for line in sys.stdin:
        _asked.put(json.loads(line))
    _asked.put(None)
    signal.raise_signal(signal.SIGTERM)  # Python hears it in the main thread


if __name__ == "__main__":
    threading.Thread(target=_listen, daemon=True).start()
    main(Path(sys.argv[1]), sys.argv[2] or None, sys.argv[3] == "board")
    os._exit(0)  # without taking torch apart
