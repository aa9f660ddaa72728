"""Rows 1 and 2: killed before any operation, the newest checkpoint is whole, and the run ends with the same bits."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from nettool.errors import RunError
from nettool.runs import checkpoint
from nettool.workflows.done import COMPLETE
from tests.same_run import assert_same_run
from tests.torture.lab import Lab

MIDDLES = 8
"""In so many different places in the middle of epochs must have been gone on, at least."""


def kill_everywhere(lab: Lab, case: str) -> None:
    """At every operation; sampled, at some all over the run."""
    folder = lab.case(case)
    num_operations = len((folder / "log").read_text().splitlines())
    if lab.bug:  # here and there first: what is forgotten shows late in a run
        _kill_at_each(lab, case, itertools.count(1, max(1, num_operations // 12)))
    places = _kill_at_each(lab, case, itertools.count(1, max(1, num_operations // 12) if lab.sample else 1))
    with lab.point(f"{case}, gone on in the middle of epochs"):
        middles = {place for place in places if place and place.update}
        assert len(middles) >= (1 if lab.sample else MIDDLES), middles


def _kill_at_each(lab: Lab, case: str, numbers: Iterable[int]) -> set[Place | None]:
    """Until the run ends before the operation is reached. Returns where it was gone on from."""
    places: set[Place | None] = set()
    folder = lab.case(case)
    num_operations = len((folder / "log").read_text().splitlines())
    for number in numbers:
        run = lab.new_run(folder)
        result = lab.train(folder, run, kill_at=number)
        if result.code == 0:
            assert number > 0.9 * num_operations, "the run has fewer operations than the uncut one"
            lab.done_with(run)
            break
        with lab.point(f"{case}, killed before operation {number}"):
            assert result.code == -9, result.err
            places.add(check_survivor(lab, folder, run))
        lab.done_with(run)
    return places


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


def check_survivor(lab: Lab, folder: Path, run: Path) -> Place | None:
    """What is left of a run is whole, and goes on to the end of the uncut one. Returns where it stood."""
    if not (run / "config.yaml").exists():
        result = lab.resume(run)
        assert result.code == 2, result.err
        assert "no config.yaml" in result.err or "no such run" in result.err
        return None
    assert_whole(run)
    place = go_on(lab, run)
    assert_same_run(folder / "uncut", run)
    assert not list(run.glob(".*.tmp")), "what a killed process was writing is still there"
    return place


class Place(NamedTuple):
    """Where a checkpoint stands: epochs completed, updates in all, updates in the epoch under way."""

    epoch: int
    step: int
    update: int


def go_on(lab: Lab, run: Path) -> Place | None:
    """Resume to the end, from the newest checkpoint: beginning again would end with the same bits, and save nothing."""
    place, is_complete = newest_place(run), _status(run) in COMPLETE
    before = len(_resumptions(run))
    result = lab.resume(run)
    assert result.code == 0, result.err
    said = _resumptions(run)[before:]
    if place is None:
        assert said == [], said
        assert "it begins again" in _log(run)
    elif not is_complete:
        assert len(said) == 1, said
        assert f"in epoch {place.epoch + 1} at step {place.step}." in said[0], (place, said)
    return place


def _resumptions(run: Path) -> list[str]:
    """Every line that says from where it was gone on."""
    return [line for line in _log(run).splitlines() if "resumed in epoch" in line or "Going on from" in line]


def newest_place(run: Path) -> Place | None:
    """Of the newest checkpoint that is whole; None where there is none."""
    for name in ("last", "previous"):
        try:
            position = checkpoint.load(run / f"{name}.safetensors")[1]["state"]["position"]
        except RunError:
            continue
        return Place(position["epoch"], position["step"], position["update"])
    return None


def _status(run: Path) -> str:
    path = run / "run.json"
    return str(json.loads(path.read_text())["status"]) if path.exists() else ""


def _log(run: Path) -> str:
    path = run / "log.txt"
    return path.read_text() if path.exists() else ""


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


def train_half(lab: Lab, folder: Path, run: Path, *, damaged: bool = False) -> None:
    """Killed halfway; with a newest checkpoint that is damaged and one before it, if so wanted."""
    num_operations = len((folder / "log").read_text().splitlines())
    lab.train(folder, run, kill_at=num_operations // 2)
    if not damaged:
        return
    if not (run / "previous.safetensors").exists():
        lab.resume(run, kill_at=num_operations // 4)
    content = bytearray((run / "last.safetensors").read_bytes())
    content[-1] ^= 1
    (run / "last.safetensors").write_bytes(content)


def kill_after_damage(lab: Lab, case: str) -> None:
    """The newest checkpoint was damaged; killed anywhere while the one before it takes over, a whole one is there."""
    folder = lab.case(case)
    for number in range(1, 60, 12 if lab.sample else 1):
        run = lab.new_run(folder)
        train_half(lab, folder, run, damaged=True)
        with lab.point(f"{case}, damaged, then killed before operation {number}"):
            lab.resume(run, kill_at=number)
            go_on(lab, run)
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
