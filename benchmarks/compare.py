"""What the runs of a contest say: ratios between contenders, and who learned as much as the others."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

TOLERANCE, SLACK = 0.02, 0.01
"""By how much a held-out loss may lie above the median of the others': in proportion, and in nats.

All begin with the same weights and make the same steps; what differs is the order of the examples and the units
dropped. That moves the loss by 0.6 % at most on the four jobs. Without dropout, or with a third of the learning rate,
it rises by 4 to 9 % on the jobs with a table, and is found.
"""

Standing = Mapping[str, Any]
"""Of one contender: its `runs`, and the `error` that kept it from running."""


def values(standing: Standing, key: str) -> list[float]:
    """One number of every run."""
    return [run[key] for run in standing["runs"]]


def median(standing: Standing, key: str) -> float:
    """Over the runs."""
    return statistics.median(values(standing, key))


def ratio(theirs: Sequence[float], ours: Sequence[float]) -> float:
    """How many times as long they take: the median over rounds, in each of which the machine was the same to both."""
    return statistics.median(their / our for their, our in zip(theirs, ours, strict=True))


def finished(standings: Mapping[str, Standing]) -> dict[str, Standing]:
    """Those that ran to the end."""
    return {name: standing for name, standing in standings.items() if "error" not in standing and standing["runs"]}


def lagging(losses: Mapping[str, float]) -> set[str]:
    """Whose loss is so far above the others' that they did not do the same work."""
    behind = set()
    for name, loss in losses.items():
        others = [each for other, each in losses.items() if other != name and math.isfinite(each)]
        bound = statistics.median(others) * (1 + TOLERANCE) + SLACK if others else math.inf
        if not math.isfinite(loss) or loss > bound:
            behind.add(name)
    return behind
