"""How soon training begins: from the start of `nettool train` on a small table to the end of its first step.

    python benchmarks/startup.py [--rounds 5]

Beside it, what nobody who uses torch can do without: `import torch`. Both are whole processes, interleaved; what counts
is the difference of their medians.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import processes
from first_step import LEFT
from tables import spread, table

TITLE = "Start-up"

FIRST_STEP = Path(__file__).parent / "first_step.py"
ROWS = 1000
IMPORT = "import os, torch; os._exit(0)"  # without the way out, on which torch is taken apart

CONFIG = """\
data: {path: small.csv, target: y}
layers: [dense: 3, output]
loss: cross_entropy
batch_size: full  # so that an epoch is one step, and the first sign of life comes after it
epochs: 2
"""


def measure(rounds: int) -> dict[str, list[float]]:
    """Seconds of each process, one number a round. A round before them warms the disk's cache and does not count."""
    seconds: dict[str, list[float]] = {"import torch": [], "first step": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        x = np.random.default_rng(0).normal(size=(ROWS, 2)).round(3)
        rows = "\n".join(f"{a},{b},{'yes' if a * b > 0 else 'no'}" for a, b in x)
        (folder / "small.csv").write_text(f"a,b,y\n{rows}\n")
        (folder / "config.yaml").write_text(CONFIG)
        for number in range(rounds + 1):
            train = [sys.executable, FIRST_STEP, "train", "config.yaml", "--run-dir", f"run-{number}"]
            taken = {
                "import torch": processes.run([sys.executable, "-c", IMPORT], folder),
                "first step": processes.run(train, folder, exit_code=LEFT),
            }
            if number:
                for what, each in taken.items():
                    seconds[what].append(each.seconds)
    return seconds


def difference(measured: Mapping[str, list[float]]) -> float:
    """Seconds from `import torch` to the first step."""
    return statistics.median(measured["first step"]) - statistics.median(measured["import torch"])


def section(measured: Mapping[str, list[float]]) -> str:
    """Both processes and what lies between."""
    names = {"import torch": "`import torch`", "first step": "`nettool train` to the end of its first step"}
    rows = [(names[what], spread(seconds, ".2f")) for what, seconds in measured.items()]
    return table(("process", "seconds"), [*rows, ("the difference", f"{difference(measured):.2f}")])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    print(section(measure(parser.parse_args().rounds)))


if __name__ == "__main__":
    main()
