"""Rows 15 and 18: many starts at once, a killed holder, and all that a shell may do to a command."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.same_run import assert_same_run
from tests.torture.lab import Lab
from tests.torture.signals import LONGER

STARTS = 20


def start_together(lab: Lab) -> None:
    """Of twenty starts on one directory one wins, new or resumed; the others name who holds it."""
    folder = lab.case("table")
    run = lab.new_run(folder)
    for number in range(1 if lab.sample else 3):
        with lab.point(f"{STARTS} new runs, round {number}"):
            fresh = lab.new_run(folder)
            ends = lab.call(
                "processes:start_many", "train", "table.yaml", "--run-dir", fresh.name, "--quiet", folder=folder
            )
            assert sorted(code for code, _ in ends) == [0] + [5] * (STARTS - 1), ends
            assert_same_run(folder / "uncut", fresh)
        lab.done_with(fresh)
        with lab.point(f"{STARTS} resumptions, round {number}"):
            run = lab.new_run(folder)
            lab.train(folder, run, *LONGER["table"], kill_at=100)
            ends = lab.call("processes:start_many", "train", "--resume", run.name, "--quiet", folder=folder)
            codes = sorted({code for code, _ in ends})
            assert codes in ([0, 5], [0]), ends  # one that comes late finds the run complete
            for code, err in ends:
                assert code == 0 or re.search(r"is in use by process \d+ on .+, since ", err), err
            assert sum("resumed in epoch" in line for line in (run / "log.txt").read_text().splitlines()) == 1
        lab.done_with(run)


def start_many(*arguments: str) -> list[tuple[int, str]]:
    """In the process with the bug: the same command line in twenty children at once; their codes and messages."""
    from nettool_cli.main import main

    children = []
    for number in range(STARTS):
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                for descriptor, name in ((1, f"out-{number}"), (2, f"err-{number}")):
                    os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
                sys.argv = ["nettool", *arguments]
                main()
            except SystemExit as left:
                code = int(left.code or 0)
            finally:
                sys.stderr.flush()
                os._exit(code)
        children.append(pid)
    ends = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
    return [(code, Path(f"err-{number}").read_text()) for number, code in enumerate(ends)]


def kill_the_holder(lab: Lab) -> None:
    """The lock is free the moment its holder is dead, whatever it has left behind."""
    folder = lab.case("table")
    for _ in range(2 if lab.sample else 10):
        run = lab.new_run(folder)
        with lab.point("the holder killed"):
            child = lab.start(
                folder, "train", "table.yaml", "--run-dir", run.name, "epochs=1000000", "early_stopping=null"
            )
            while not (run / "last.safetensors").exists():
                time.sleep(0.005)
            held = subprocess.run(
                [sys.executable, "-c", LOCKED, str(run)], capture_output=True, text=True, check=False, timeout=60
            )
            child.send(signal.SIGKILL)
            child.wait()
            assert f"process {child.pid} on" in held.stdout, held
            free = subprocess.run([sys.executable, "-c", LOCKED, str(run)], capture_output=True, text=True, check=False)
            assert free.stdout.strip() == "free", free
        lab.done_with(run)


LOCKED = """
import sys
from pathlib import Path
from nettool.errors import BusyError
from nettool.runs.directory import RunDirectory, locked
try:
    with locked(RunDirectory(Path(sys.argv[1]))):
        print("free")
except BusyError as error:
    print(error)
"""


SHELLS = {
    "a reader that leaves": "{nettool} {command} | head -1 > /dev/null; exit ${{PIPESTATUS[0]}}",
    "no standard output": "{nettool} {command} >&-",
    "no standard error": "{nettool} {command} 2>&-",
    "no stream at all": "{nettool} {command} >&- 2>&- <&-",
    "a full device": "{nettool} {command} > /dev/full",
    "a reader of messages that leaves": "{nettool} {command} 2>&1 >/dev/null | :; exit ${{PIPESTATUS[0]}}",
    "a full device for messages": "{nettool} {command} 2> /dev/full",
    "no HOME": "env -u HOME {nettool} {command}",
    "the C locale": "env LC_ALL=C PYTHONIOENCODING=ascii {nettool} {command}",
    "no terminal type": "env -u TERM COLUMNS=1 {nettool} {command}",
}
COMMANDS = (
    "train table.yaml epochs=2",
    "eval uncut",
    "predict uncut people.csv",
    "runs show uncut",
    "check table.yaml --data",
    "verify uncut",
)


def use_shells(lab: Lab) -> None:
    """Whatever a shell does with the streams: no traceback, no message of a bug, an exit code that fits."""
    folder = lab.case("table")
    for number, (what, line) in enumerate(SHELLS.items()):
        for command in [COMMANDS[number % len(COMMANDS)]] if lab.sample else COMMANDS:
            with lab.point(f"{what}, {command}"):
                shell = line.format(nettool=shlex.join(lab.command()), command=command)
                result = subprocess.run(["bash", "-c", shell], cwd=folder, capture_output=True, text=True, check=False)
                assert "Traceback" not in result.stderr, result.stderr
                assert "a bug in nettool" not in result.stderr, result.stderr
                assert result.returncode == (4 if what == "a full device" else 0), (result.returncode, result.stderr)


def set_the_clock_back(lab: Lab) -> None:
    """The time of day may jump back; durations do not care."""
    folder = lab.case("table")
    run = lab.new_run(folder)
    with lab.point("the clock set back"):
        lab.call("processes:train_back_in_time", run.name, folder=folder)
        record = json.loads((run / "run.json").read_text())
        assert record["seconds"] >= 0, record["seconds"]
        rows = (run / "metrics.csv").read_text().splitlines()[1:]
        assert all(float(field) >= 0 for row in rows for field in row.split(",")[-2:]), rows
        assert_same_run(folder / "uncut", run)
    lab.done_with(run)


def train_back_in_time(run: str) -> int:
    """In the process with the bug: every look at the clock is an hour earlier than the one before."""
    import nettool_cli.main

    now = time.time()
    hours = iter(range(10**9))
    time.time = lambda: now - 3600 * next(hours)
    sys.argv = ["nettool", "train", "table.yaml", "--run-dir", run, "--quiet"]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        nettool_cli.main.main()
    return 0


def start_after_a_kill(lab: Lab) -> None:
    """A run whose process was killed can be gone on with at once."""
    folder = lab.case("table")
    for number in (60, 200):
        run = lab.new_run(folder)
        with lab.point(f"killed before operation {number}, gone on with"):
            assert lab.train(folder, run, kill_at=number).code == -9
            result = lab.resume(run)
            assert result.code == 0, result.err
        lab.done_with(run)
