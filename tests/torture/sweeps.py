"""A sweep killed before any operation goes on: its points end as those of one that was not killed."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from tests.same_run import assert_same_run, journal
from tests.torture.lab import Lab
from tests.torture.zygote import Task

ARGUMENTS = ("optimizer.lr=0.02,0.05", "dropout=0.2", "epochs=4", "--quiet")
POINTS = ("0001", "0002")
EVERY = 4
"""Operations between two kills, where all are tried: most of them are those of a lone run, tried one by one elsewhere."""


def kill_sweeps(lab: Lab, case: str) -> None:
    """Here and there from the first operation to the last."""
    folder = lab.case(case)
    log = folder / "sweep-log"
    command = ("sweep", f"{folder.name}.yaml", *ARGUMENTS, "--sweep-dir", "sweep-uncut")
    assert lab.zygote.run(Task(str(folder), command, log=str(log))).code == 0
    num_operations = len(log.read_text().splitlines())
    step = max(1, num_operations // 9) if lab.sample or lab.bug else EVERY
    for number in range(1, num_operations, step):
        name = f"sweep-{number:05d}"
        with lab.point(f"{case}, a sweep killed before operation {number}"):
            command = ("sweep", f"{folder.name}.yaml", *ARGUMENTS, "--sweep-dir", name)
            assert lab.run(folder, *command, kill_at=number).code == -9
            _go_on(lab, folder, name)


def _go_on(lab: Lab, folder: Path, name: str) -> None:
    sweep = folder / name
    result = lab.run(folder, "sweep", "--resume", name, "--quiet")
    if not sweep.is_dir() or not (sweep / "sweep.json").exists():  # killed before there was anything to go on with
        assert result.code == 2, result.err
        assert "is no sweep" in result.err, result.err
        return
    assert result.code == 0, result.err
    assert json.loads((sweep / "sweep.json").read_text())["status"] == "finished"
    with (sweep / "sweep.csv").open() as file:
        assert {row["status"] for row in csv.DictReader(file)} <= {"finished", "stopped early"}
    for point in POINTS:
        found, expected = sweep / point, folder / "sweep-uncut" / point
        assert not list(found.glob(".*.tmp")), "what a killed process was writing is still there"
        stays = json.loads((found / "run.json").read_text()).get("resumed", [])
        if all(stay["engine"] == "closed_form, 2 members" for stay in stays):
            assert_same_run(found, expected)
            continue
        # Killed between the saves of two members, each went on alone: the same but for the last digits.
        for row, other in zip(journal(found), journal(expected), strict=True):
            losses = zip(row[2:4], other[2:4], strict=True)
            assert row[0] == "epoch" or all(abs(float(one) - float(two)) < 0.02 for one, two in losses), (row, other)
