"""Row 10: signals at random times. The state is saved, the exit code tells, and the run ends with the same bits."""

from __future__ import annotations

import random
import re
import signal
import time
from pathlib import Path

from tests.same_run import assert_same_run
from tests.torture.kills import assert_whole
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
    for number in (4 * [*INTERRUPTED]) if lab.sample else 20 * [*INTERRUPTED]:
        run, delay = lab.new_run(folder), chance.uniform(0, 1.1 * seconds)
        with lab.point(f"{case}, {number.name} after {delay:.3f} s"):
            _interrupt(lab, folder, run, number, delay)
        lab.done_with(run)


def _interrupt(lab: Lab, folder: Path, run: Path, number: signal.Signals, delay: float) -> None:
    child = lab.start(folder, "train", f"{folder.name}.yaml", "--run-dir", run.name, "--quiet", *LONGER[folder.name])
    time.sleep(delay)
    try:
        child.send(number)
        sent = time.monotonic()
    except ProcessLookupError:
        child.wait()
        return
    result = child.wait()
    assert time.monotonic() - sent < 10, "it took more than ten seconds to leave"
    assert "Traceback" not in result.err, result.err
    if not (run / "config.yaml").exists():
        assert result.code in (-number, INTERRUPTED[number]), result
        return
    if result.code != 0:  # else the signal came when all was done
        assert result.code == INTERRUPTED[number], result
        assert re.search(rf"interrupted by {number.name} in epoch \d+; what was learned is saved", result.err), (
            result.err
        )
        assert (run / "last.safetensors").exists()
    result = lab.resume(run)
    assert result.code == 0, result.err
    assert_same_run(folder / "long", run)


def signal_twice(lab: Lab, case: str) -> None:
    """The second signal ends the process at once, and harms nothing."""
    folder = lab.case(case)
    for number in INTERRUPTED:
        run = lab.new_run(folder)
        with lab.point(f"{case}, {number.name} twice"):
            child = lab.start(folder, "train", f"{case}.yaml", "--run-dir", run.name, "epochs=1000000")
            while not (run / "last.safetensors").exists():
                time.sleep(0.01)
            child.send(signal.SIGSTOP)  # so that both are there before the first is answered
            child.send(number)
            child.send(signal.SIGCONT)
            child.send(number)
            result = child.wait()
            assert result.code in (-number, INTERRUPTED[number]), result
            assert_whole(run)
        lab.done_with(run)
