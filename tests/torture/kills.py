"""Rows 1 and 2: killed before any operation, the newest checkpoint is whole, and the run ends with the same bits."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable
from pathlib import Path

from nettool.errors import RunError
from nettool.runs import checkpoint
from tests.same_run import assert_same_run
from tests.torture.lab import Lab


def kill_everywhere(lab: Lab, case: str) -> None:
    """At every operation; sampled, at some all over the run."""
    folder = lab.case(case)
    num_operations = len((folder / "log").read_text().splitlines())
    if lab.bug:  # here and there first: what is forgotten shows late in a run
        _kill_at_each(lab, case, itertools.count(1, max(1, num_operations // 12)))
    _kill_at_each(lab, case, itertools.count(1, max(1, num_operations // 12) if lab.sample else 1))


def _kill_at_each(lab: Lab, case: str, numbers: Iterable[int]) -> None:
    """Until the run ends before the operation is reached."""
    folder = lab.case(case)
    num_operations = len((folder / "log").read_text().splitlines())
    for number in numbers:
        run = lab.new_run(folder)
        result = lab.train(folder, run, kill_at=number)
        if result.code == 0:
            assert number > 0.9 * num_operations, "the run has fewer operations than the uncut one"
            lab.done_with(run)
            return
        with lab.point(f"{case}, killed before operation {number}"):
            assert result.code == -9, result.err
            check_survivor(lab, folder, run)
        lab.done_with(run)


def kill_twice(lab: Lab, case: str) -> None:
    """Killed again while it goes on."""
    folder = lab.case(case)
    num_operations = len((folder / "log").read_text().splitlines())
    chance = random.Random(case)
    for _ in range(3 if lab.sample else 40):
        run = lab.new_run(folder)
        first, second = chance.randrange(20, num_operations), chance.randrange(1, num_operations // 2)
        with lab.point(f"{case}, killed before operations {first} and then {second}"):
            lab.train(folder, run, kill_at=first)
            lab.resume(run, kill_at=second)
            check_survivor(lab, folder, run)
            if case == "table":
                written = [lab.run(folder, "predict", name, "people.csv").out for name in ("uncut", run.name)]
                assert written[0] == written[1], "other predictions"
                assert "probability_true" in written[0], written[0]
        lab.done_with(run)


def check_survivor(lab: Lab, folder: Path, run: Path) -> None:
    """What is left of a run is whole, and goes on to the end of the uncut one."""
    if not (run / "config.yaml").exists():
        result = lab.resume(run)
        assert result.code == 2, result.err
        assert "no config.yaml" in result.err or "no such run" in result.err
        return
    assert_whole(run)
    result = lab.resume(run)
    assert result.code == 0, result.err
    assert_same_run(folder / "uncut", run)
    assert not list(run.glob(".*.tmp")), "what a killed process was writing is still there"


def assert_whole(run: Path) -> None:
    """Whatever name holds a checkpoint holds a whole one, and once there was one there is one."""
    for name in ("last", "previous", "best"):
        path = run / f"{name}.safetensors"
        if path.exists():
            try:
                checkpoint.load(path)
            except RunError as error:
                raise AssertionError(str(error)) from None
    assert (run / "last.safetensors").exists() or (run / "previous.safetensors").exists() or not _has_rows(run)


def _has_rows(run: Path) -> bool:
    """Whether an epoch has ended, which is long after the first save of every case."""
    metrics = run / "metrics.csv"
    return metrics.exists() and len(metrics.read_text().splitlines()) > 1


def kill_after_damage(lab: Lab, case: str) -> None:
    """The newest checkpoint was damaged; killed anywhere while the one before it takes over, a whole one is there."""
    folder = lab.case(case)
    num_operations = len((folder / "log").read_text().splitlines())
    for number in range(1, 60, 12 if lab.sample else 1):
        run = lab.new_run(folder)
        lab.train(folder, run, kill_at=num_operations // 2)
        if not (run / "previous.safetensors").exists():
            lab.resume(run, kill_at=num_operations // 4)
        content = bytearray((run / "last.safetensors").read_bytes())
        content[-1] ^= 1
        (run / "last.safetensors").write_bytes(content)
        with lab.point(f"{case}, damaged, then killed before operation {number}"):
            lab.resume(run, kill_at=number)
            result = lab.resume(run)
            assert result.code == 0, result.err
            assert_same_run(folder / "uncut", run)
        lab.done_with(run)


def go_further(lab: Lab, case: str) -> None:
    """A run that has ended goes on, to more epochs or with more patience, as if it had been asked for them at once."""
    folder = lab.case(case)
    plain = ("schedule={name: step, every: 3, factor: 0.5}",)
    for what, first, then in (
        ("more epochs", ("epochs=3", "early_stopping=null"), ("epochs=7",)),
        ("no further epoch", ("epochs=0", "early_stopping=null"), ("epochs=5",)),
        ("more patience", ("epochs=30", "early_stopping={patience: 1}"), ("early_stopping.patience=3",)),
        ("an end by patience", ("epochs=3", "early_stopping=null"), ("epochs=30", "early_stopping={patience: 3}")),
    ):
        short, whole = lab.new_run(folder), lab.new_run(folder)
        with lab.point(f"{case}, {what}"):
            assert lab.train(folder, short, *plain, *first).code == 0
            result = lab.resume(short, *then)
            assert result.code == 0, result.err
            assert lab.train(folder, whole, *plain, *first, *then).code == 0
            assert_same_run(whole, short)
        lab.done_with(short)
        lab.done_with(whole)
