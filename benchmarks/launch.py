"""Run one command and say what it took: `python -S launch.py '{"command": [...], "cores": [0], "log": FILE}'`.

A process of its own, because the peak memory of a child counts from the size of the process that started it, and the
harness has torch loaded. This one is small. Prints seconds of wall clock, peak memory and exit code as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time

KIBIBYTE = 1024 if sys.platform == "linux" else 1
"""What ru_maxrss counts in."""


def launch(command: list[str], cores: list[int], log: str) -> dict[str, float]:
    """Run the command on these cores, with all it says in the log."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)
    output = [
        (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    began = time.perf_counter()
    process = os.posix_spawn(command[0], command, os.environ, file_actions=output)
    _, status, usage = os.wait4(process, 0)
    seconds = time.perf_counter() - began
    return {
        "seconds": seconds,
        "peak_mb": usage.ru_maxrss * KIBIBYTE / 1e6,
        "exit_code": os.waitstatus_to_exitcode(status),
    }


if __name__ == "__main__":
    print(json.dumps(launch(**json.loads(sys.argv[1]))))
