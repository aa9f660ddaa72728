"""Row 17: numbers that are none, in the data, in the loss, in the gradients."""

from __future__ import annotations

import csv
import json
import math
import re
import sys
from pathlib import Path

import numpy as np

from nettool.runs import checkpoint
from tests.torture.lab import Lab

FROM_STEP = 17


def spoil_data(lab: Lab) -> None:
    """What is infinite is named by column and row before training; what is missing counts as missing."""
    folder = lab.case("table")
    lines = (folder / "people.csv").read_text().splitlines()
    for value in ("inf", "-inf", "Infinity", "1e999"):
        for column, place in (("lectures", 1), ("hours", 0)):
            for row in (1, 77, 240):
                cells = lines[row].split(",")
                cells[place] = value
                (folder / "spoilt.csv").write_text("\n".join([*lines[:row], ",".join(cells), *lines[row + 1 :]]) + "\n")
                with lab.point(f"{value} in {column}, row {row}"):
                    result = lab.run(folder, "train", "table.yaml", "data.path=spoilt.csv", "--quiet")
                    assert result.code == 2, (result.code, result.err)
                    assert f'column "{column}", row {row}: the value is infinite' in result.err, result.err
    for value in (np.inf, -np.inf):
        x, y = np.random.default_rng(1).normal(size=(60, 3)), np.arange(60.0)
        x[17, 2] = value
        np.savez(folder / "spoilt.npz", x=x, y=y)
        with lab.point(f"{value} in an array"):
            changes = ("data={path: spoilt.npz, target: y}", "loss=mse")
            result = lab.run(folder, "train", "table.yaml", *changes, "--quiet")
            assert result.code == 2, result.err
            assert 'column "x2", row 18: the value is infinite' in result.err, result.err


def diverge(lab: Lab, case: str) -> None:
    """Exit 3 with epoch, step and layer; what is on disk is finite, and so is the best. Again and again."""
    folder = lab.case(case)
    for rate in ("1e30", "inf"):
        run = lab.new_run(folder)
        with lab.point(f"{case}, a rate of {rate} from step {FROM_STEP} on"):
            train = ("train", f"{case}.yaml", "--run-dir", run.name, "epochs=30")
            result = lab.run(folder, "call", "tests.torture.numbers:run_with_rate", rate, *train)
            if result.code == 0 and rate == "1e30":  # sigmoids may well stay where they are
                lab.done_with(run)
                continue
            assert result.code == 3, (result.code, result.err)
            assert "Training diverged: try a learning rate ten times smaller" in result.err, result.err
            _assert_place(run, result.err, rate)
            assert "layers." in result.err or "every layer" in result.err, result.err
            _assert_finite(run)
            assert (run / "last.safetensors").exists(), "no finite checkpoint was kept"
            resume = ("train", "--resume", run.name)
            again = lab.run(folder, "call", "tests.torture.numbers:run_with_rate", rate, *resume)
            assert again.code == 3, again.err
            if "at or before step" not in result.err:  # on cuda the clock says when the loss is looked at
                assert _why(again.err) == _why(result.err), again.err
            _assert_finite(run)
        lab.done_with(run)


def run_with_rate(rate: str, *arguments: str) -> int:
    """In the process with the bug: a command line whose learning rate goes mad on the way."""
    from nettool_cli.main import main

    from nettool.training.schedules import Schedule

    as_it_was = Schedule.rate
    Schedule.rate = lambda self, step: as_it_was(self, step) if step < FROM_STEP else float(rate)  # type: ignore[method-assign]
    sys.argv = ["nettool", *arguments]
    main()
    return 0


def _assert_place(run: Path, err: str, rate: str) -> None:
    """The step is the one after the rate went mad, or after a few with it; the epoch is the one with that step in it."""
    with (run / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    steps_per_epoch = int(rows[0]["step"])
    place = re.search(r"in epoch (\d+), at (or before )?step (\d+)|step (?P<s>\d+) in epoch (?P<e>\d+) took", err)
    assert place, err
    epoch, step = int(place[1] or place["e"]), int(place[3] or place["s"])
    assert epoch == (step - 1) // steps_per_epoch + 1 == len(rows) + 1, (err, rows)
    if rate == "inf":
        assert FROM_STEP < step <= FROM_STEP + 2, err


def _why(err: str) -> str:
    return err.rpartition("nettool: ")[2]


def _assert_finite(run: Path) -> None:
    for name in ("last", "previous", "best"):
        path = run / f"{name}.safetensors"
        if path.exists():
            tensors, facts = checkpoint.load(path)
            weights = {key: tensor for key, tensor in tensors.items() if not key.startswith(("optimizer.", "history"))}
            ruined = [
                key for key, tensor in weights.items() if tensor.is_floating_point() and not tensor.isfinite().all()
            ]
            assert not ruined, f"{name} holds {ruined[0]}, which is not finite"
            best = facts["state"]["best"] if "state" in facts else None
            assert best is None or math.isfinite(best["value"]), "the best is no number"
    record = json.loads((run / "run.json").read_text())
    assert record["status"] == "diverged", record["status"]


def never_the_best(lab: Lab) -> None:
    """A metric that is no number is never better than one that is."""
    with lab.point("NaN and infinity"):
        assert lab.call("numbers:improvements") == [], "NaN counts as an improvement"


def improvements() -> list[str]:
    """In the process with the bug: what counts as better than 1, and should not."""
    from nettool.training.stopping import improved

    values = (math.nan, math.inf, -math.inf)
    return [f"{v} {mode}" for v in values for mode in ("min", "max") for best in (1.0, None) if improved(v, best, mode)]  # type: ignore[arg-type]
