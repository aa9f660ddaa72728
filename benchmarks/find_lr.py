"""How near the learning rate that find-lr suggests lies to the best of a sweep of 16, on the examples.

    python benchmarks/find_lr.py [--configs circles digits ...] [--seeds 3]

The best rate is the one with the lowest mean validation loss over the seeds. Where rates around it are as good within
the deviation over seeds, any of them may come out the best another time: they are the range that is shown beside it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from jobs import NETTOOL
from tables import table

CONFIGS = Path(__file__).parent.parent / "configs"
EXAMPLES = (
    "circles", "circles_linear", "diabetes", "digits", "dropout", "grade", "gradient_descent", "overfit", "penguins",
    "series", "sgd", "underfit", "will_i_pass",
)  # fmt: skip
"""Those whose sweep takes a minute or two. (rate_too_large and rate_too_small are will_i_pass, perceptron is given.)"""
RATES = "1e-5..10:log:16"
FACTOR = 3.0


def look_at(name: str, seeds: int) -> tuple[str, ...]:
    """The row of one example."""
    config = CONFIGS / f"{name}.yaml"
    with tempfile.TemporaryDirectory() as folder:
        suggested = float(_answer(folder, "find-lr", "--quiet", config))
        several = ["--seeds", seeds] if seeds > 1 else []
        found = json.loads(_answer(folder, "sweep", "--quiet", "--json", config, f"optimizer.lr={RATES}", *several))
    settings = [each for each in found["settings"] if each["mean"] is not None]
    best, *_ = settings
    noise = best["mean"] + (best["deviation"] or 0.0)
    as_good = [_rate(each) for each in settings if each["mean"] <= noise]
    factor = max(suggested / _rate(best), _rate(best) / suggested)
    is_within = min(as_good) <= suggested <= max(as_good)
    verdict = "yes" if factor <= FACTOR else "within the noise" if is_within else "no"
    near = min(settings, key=lambda each: max(_rate(each) / suggested, suggested / _rate(each)))
    return (
        name, f"{suggested:g}", f"{_rate(best):.2g}", f"{min(as_good):.2g} to {max(as_good):.2g}", f"{factor:.1f}",
        verdict, f"{best['mean']:.3g}", f"{near['mean']:.3g}",
    )  # fmt: skip


def _rate(setting: dict[str, Any]) -> float:
    return float(setting["settings"]["optimizer.lr"])


def _answer(folder: str, *arguments: object) -> str:
    command = [str(part) for part in (NETTOOL, *arguments)]
    return subprocess.run(command, cwd=folder, check=False, stdout=subprocess.PIPE, text=True).stdout


def main() -> None:
    """Measure and print, row by row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--configs", nargs="+", default=EXAMPLES)
    parser.add_argument("--seeds", type=int, default=3)
    asked = parser.parse_args()
    rows = []
    for name in asked.configs:
        rows.append(look_at(name, asked.seeds))
        print(*rows[-1], file=sys.stderr, flush=True)
    headers = ("example", "suggested", "best", "as good", "factor", "within 3", "its loss", "loss near the suggested")
    print(table(headers, rows))


if __name__ == "__main__":
    main()
