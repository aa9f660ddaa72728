"""What users write themselves: a loop over learning rates, in one shell or in several at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

NETTOOL = Path(sys.executable).parent / "nettool"

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


def test_a_loop_that_was_killed_is_simply_started_again(config: Path) -> None:
    first = shell("a", "0.01 0.02")
    done = first.communicate()[0].split()  # killed before the third
    again = shell("a", "0.01 0.02 0.03").communicate()[0].split()
    assert again == [*done, "runs/students-0003"]
    assert len(list(Path("runs").glob("students-*"))) == 3
