"""Commands as processes of their own: loops over learning rates, in several shells at once; sweeps that are killed."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nettool.runs.directory import RunDirectory, is_busy
from nettool.workflows.machine import num_cores
from tests.same_run import assert_same_state

NETTOOL = Path(sys.executable).parent / "nettool"
Start = Callable[..., subprocess.Popen[str]]

LOOP = """
for lr in $RATES; do
  "$NETTOOL" train students.yaml --quiet --tag loop=$1 --skip-done optimizer.lr=$lr epochs=3 || exit 1
done
"""


def shell(name: str, rates: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "NETTOOL": str(NETTOOL), "RATES": rates}
    return subprocess.Popen(["sh", "-c", LOOP, "sh", name], env=environment, stdout=subprocess.PIPE, text=True)


def test_loops_in_several_shells_at_once_never_collide(config: Path) -> None:
    shells = [shell("a", "0.01 0.02"), shell("b", "0.03 0.04"), shell("c", "0.05 0.06")]
    printed = [each.communicate()[0].split() for each in shells]
    assert [each.returncode for each in shells] == [0, 0, 0]
    runs = [run for mine in printed for run in mine]
    assert sorted(runs) == [f"runs/students-{number:04d}" for number in range(1, 7)]
    for name, mine, rates in zip("abc", printed, ((0.01, 0.02), (0.03, 0.04), (0.05, 0.06)), strict=True):
        for run, rate in zip(mine, rates, strict=True):
            record = json.loads((Path(run) / "run.json").read_text())
            assert record["overrides"][0] == f"optimizer.lr={rate}"
            assert (record["tags"], record["status"]) == ({"loop": name}, "finished")


def test_a_loop_is_started_again_and_trains_what_is_left(config: Path) -> None:
    first = shell("a", "0.01 0.02")
    done = first.communicate()[0].split()
    again = shell("a", "0.01 0.02 0.03").communicate()[0].split()
    assert again == [*done, "runs/students-0003"]
    assert len(list(Path("runs").glob("students-*"))) == 3


def wait_for(what: Callable[[], bool]) -> None:
    for _ in range(3600):  # three minutes: the machine may be busy
        if what():
            return
        time.sleep(0.05)
    raise AssertionError("it never came")


@pytest.fixture
def sweep(config: Path) -> Iterator[Start]:
    """Starts sweeps; what is still running at the end is killed, and its processes leave by themselves."""
    begun = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        command = [NETTOOL, "sweep", "students.yaml", "--quiet", *arguments]
        begun.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return begun[-1]

    yield start
    for process in begun:
        process.kill()
        process.communicate()


def two_under_way() -> list[RunDirectory]:
    """The points of the first sweep, once both have had some epochs."""
    points = [RunDirectory(Path(f"runs/students-sweep-0001/{point:04d}")) for point in (1, 2)]
    wait_for(lambda: all(point.metrics.exists() and point.metrics.stat().st_size > 1000 for point in points))
    return points


def statuses(name: str) -> list[str]:
    with Path(f"runs/{name}/sweep.csv").open() as file:
        return [row["status"] for row in csv.DictReader(file)]


def test_a_sweep_that_is_killed_goes_on_to_the_bits_of_one_that_was_not(sweep: Start) -> None:
    arguments = ("optimizer.lr=0.01,0.02", "--seeds", "2", "dropout=0.2", "epochs=300", "checkpoint.every=7 steps")
    killed = sweep(*arguments)
    wait_for(
        lambda: all(Path(f"runs/students-sweep-0001/{point:04d}/last.safetensors").exists() for point in (1, 2, 3, 4))
    )
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    resumed = subprocess.run(
        [NETTOOL, "sweep", "--resume", "last", "--quiet"], capture_output=True, text=True, check=False
    )
    assert (resumed.returncode, resumed.stdout) == (0, "runs/students-sweep-0001\n"), resumed.stderr
    assert statuses("students-sweep-0001") == ["finished"] * 4
    assert sweep(*arguments).wait() == 0
    for point in (1, 2, 3, 4):
        first, second = (Path(f"runs/students-sweep-{number:04d}/{point:04d}") for number in (1, 2))
        # Killed between the saves of two members, they went on in two groups, whose last digits differ.
        if json.loads((first / "run.json").read_text())["resumed"][0]["engine"] == "closed_form, 4 members":
            assert_same_state(first / "last.safetensors", second / "last.safetensors")


two_cores = pytest.mark.skipif(num_cores() < 2, reason="processes are for those who have cores for them")


@two_cores
def test_processes_whose_command_is_killed_save_and_leave(sweep: Start) -> None:
    killed = sweep("runtime.engine=autograd", "layers.0.units=4,8", "epochs=100000", "checkpoint.every=1000 epochs")
    points = two_under_way()
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    wait_for(lambda: not any(is_busy(point) for point in points))
    assert {json.loads(point.record.read_text())["status"] for point in points} == {"interrupted"}
    assert all(point.last.exists() for point in points)


@two_cores
def test_ctrl_c_reaches_the_processes_once_through_the_command(sweep: Start) -> None:
    begun = sweep("runtime.engine=autograd", "layers.0.units=4,8", "epochs=100000", "checkpoint.every=1000 epochs")
    points = two_under_way()
    begun.send_signal(signal.SIGINT)
    out, err = begun.communicate(timeout=120)
    assert begun.returncode == 130, err
    assert out == "runs/students-sweep-0001\n"
    assert "0 of 2 points are done" in err
    assert statuses("students-sweep-0001") == ["interrupted"] * 2
    assert not any(is_busy(point) for point in points)
