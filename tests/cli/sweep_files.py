"""The sweep that a test has trained, as it lies on the disk."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

SWEEP = Path("runs/students-sweep-0001")
RATES = "optimizer.lr=0.001,0.01,0.1"


def rows(sweep: Path = SWEEP) -> list[dict[str, str]]:
    with (sweep / "sweep.csv").open() as file:
        return list(csv.DictReader(file))


def sweep_json(sweep: Path = SWEEP) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((sweep / "sweep.json").read_text())
    return content
