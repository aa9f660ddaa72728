"""Row 10: signals at random times. The state is saved, the exit code tells, and the run ends with the same bits."""

from __future__ import annotations

import itertools
import json
import random
import re
import signal
import sys
import time
from pathlib import Path
from typing import Any

from nettool.runs import checkpoint
from nettool.workflows.done import COMPLETE
from tests.same_run import assert_same_run
from tests.torture.kills import assert_whole, go_on
from tests.torture.lab import INTERRUPTED, Lab

LONGER = {"table": ("epochs=60", "early_stopping=null"), "cnn": ("epochs=30",), "lstm": ("epochs=40",)}
"""So that a signal has something to interrupt."""


def signal_anywhere(lab: Lab, case: str) -> None:
    """A signal at a random time, then a second run to the end."""
    folder = lab.case(case)
    uncut = folder / "long"
    if not uncut.exists():
        bug, lab.bug = lab.bug, ""
        seconds = lab.train(folder, uncut, *LONGER[case]).seconds
        lab.bug = bug
        (folder / "seconds").write_text(str(seconds))
    seconds = float((folder / "seconds").read_text())
    chance = random.Random(case)
    for number in (2 if lab.sample else 20) * [*INTERRUPTED]:
        came_in_time = False
        while not came_in_time:
            run, delay = lab.new_run(folder), chance.uniform(0, seconds)
            with lab.point(f"{case}, {number.name} after {delay:.3f} s"):
                came_in_time = True  # unless it is seen that it did not
                came_in_time = _interrupt(lab, folder, run, number, delay)
            lab.points -= not came_in_time
            lab.done_with(run)


def _interrupt(lab: Lab, folder: Path, run: Path, number: signal.Signals, delay: float) -> bool:
    """Whether there was something to interrupt."""
    child = lab.start(folder, "train", f"{folder.name}.yaml", "--run-dir", run.name, "--quiet", *LONGER[folder.name])
    time.sleep(delay)
    try:
        child.send(number)
        sent = time.monotonic()
    except ProcessLookupError:
        child.wait()
        return False
    result = child.wait()
    assert time.monotonic() - sent < 10, "it took more than ten seconds to leave"
    assert "Traceback" not in result.err, result.err
    if not (run / "config.yaml").exists():
        assert result.code in (-number, INTERRUPTED[number]), result
        return True
    status = json.loads((run / "run.json").read_text())["status"] if (run / "run.json").exists() else ""
    if status in COMPLETE:  # the signal came when all was done
        assert result.code in (0, -number, INTERRUPTED[number]), result
    else:
        assert result.code == INTERRUPTED[number], result
        assert re.search(rf"interrupted by {number.name} in epoch \d+; what was learned is saved", result.err), (
            result.err
        )
        assert (run / "last.safetensors").exists()
    go_on(lab, run)
    assert_same_run(folder / "long", run)
    return status not in COMPLETE


def signal_twice(lab: Lab, case: str) -> None:
    """While a step takes its time the first signal waits for it; the second ends the process at once."""
    folder = lab.case(case)
    for number in INTERRUPTED:
        run = lab.new_run(folder)
        with lab.point(f"{case}, {number.name} twice"):
            train = ("train", f"{case}.yaml", "--run-dir", run.name, "--quiet")
            child = lab.start(folder, "call", "tests.torture.signals:run_slowly", *train)
            while not (run / SLOW).exists():
                assert not child.has_ended(), child.wait()
                time.sleep(0.01)
            child.send(number)
            time.sleep(0.2)
            assert not child.has_ended(), "it did not wait for the step"
            child.send(number)
            end = time.monotonic() + 2
            while not child.has_ended() and time.monotonic() < end:
                time.sleep(0.01)
            if not child.has_ended():
                child.send(signal.SIGKILL)
            result = child.wait()
            assert result.code == -number, result
            assert_whole(run)
            (run / SLOW).unlink()
            result = lab.resume(run)
            assert result.code == 0, result.err
            assert_same_run(folder / "uncut", run)
        lab.done_with(run)


SLOW = "slow"
"""A file that says that the slow step has begun."""


def run_slowly(*arguments: str) -> int:
    """In the process with the bug: a command line whose fifth step takes a minute."""
    from nettool_cli.main import main

    from nettool.training.step import Step

    step, count = Step.__call__, itertools.count(1)

    def slow(self: Step, *given: Any) -> Any:
        if next(count) == 5:
            Path(arguments[arguments.index("--run-dir") + 1], SLOW).touch()
            end = time.monotonic() + 60
            while time.monotonic() < end:
                time.sleep(0.01)
        return step(self, *given)

    Step.__call__ = slow  # type: ignore[method-assign]
    sys.argv = ["nettool", *arguments]
    main()
    return 0


def signal_unsaved(lab: Lab, case: str) -> None:
    """Where no checkpoint was due yet, the signal makes one."""
    folder = lab.case(case)
    for number in INTERRUPTED:
        run = lab.new_run(folder)
        with lab.point(f"{case}, {number.name} before the first checkpoint"):
            endless = ("epochs=1000000", "early_stopping=null", "checkpoint.every=1000000 epochs")
            child = lab.start(folder, "train", f"{case}.yaml", "--run-dir", run.name, "--quiet", *endless)
            while not (run / "metrics.csv").exists() or len((run / "metrics.csv").read_bytes()) < 500:
                time.sleep(0.01)
            child.send(number)
            result = child.wait()
            assert result.code == INTERRUPTED[number], result
            assert (run / "last.safetensors").exists(), "nothing was saved"
            rows = len((run / "metrics.csv").read_text().splitlines()) - 1
            done = checkpoint.load(run / "last.safetensors")[1]["state"]["position"]["epoch"]
            assert done == rows, f"{rows} epochs in the journal, {done} saved"
        lab.done_with(run)
