"""What came of the points: read from their runs, averaged over seeds and folds, ranked. Never torch."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from nettool.errors import RunError
from nettool.runs.directory import is_run
from nettool.runs.journal import read_metrics
from nettool.runs.sweeps import SweepDirectory, SweepRecord
from nettool.training.stopping import cost
from nettool.workflows.done import COMPLETE
from nettool.workflows.runs import current_record, reached
from nettool.workflows.sweeps.points import REPLICATES

_T975 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.179, 2.145, 2.120, 2.101, 2.086)
"""The 97.5 % points of Student's t, for 1 to 10 degrees of freedom and then for 12, 14, 16, 18 and 20."""
_DEGREES = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 18, 20)
_NORMAL975 = 1.960


@dataclass(frozen=True)
class PointResult:
    """What came of one point. settings: the value of each key that is varied, as text. metrics: of its best epoch."""

    number: int
    settings: dict[str, str]
    status: str
    why: str
    metrics: dict[str, float | None]
    seconds: float | None
    epochs: int | None
    best_epoch: int | None

    @property
    def is_complete(self) -> bool:
        """Whether its training came to its end."""
        return self.status in COMPLETE


def read_results(directory: SweepDirectory, record: SweepRecord) -> list[PointResult]:
    """Of every point, in order. One that has no run yet is "waiting"."""
    return [_read(directory, record, number) for number in range(1, len(record.points) + 1)]


def _read(directory: SweepDirectory, record: SweepRecord, number: int) -> PointResult:
    settings = record.settings(number)
    run = directory.point(number)
    found: dict[str, Any] = {"status": "waiting"}
    if is_run(run.path):
        try:
            found = current_record(run)
            if record.monitor == "train_loss":
                found = {**found, "metrics": reached(found, read_metrics(run))}
        except RunError as error:
            found = {"status": "killed" if not run.record.exists() else "damaged", "why": str(error)}
    if found["status"] in COMPLETE and not run.best.is_file():
        found = {**found, "status": "damaged", "why": "its best.safetensors is gone"}
    return PointResult(
        number,
        settings,
        str(found["status"]),
        str(found.get("why", "")),
        found.get("metrics", {}),
        found.get("seconds"),
        found.get("epochs"),
        found.get("best_epoch"),
    )


@dataclass(frozen=True)
class Setting:
    """Points that differ in seed and fold alone. values: of what they are ranked by, of each that has one.

    metrics: the mean of each over the points that came to an end.
    """

    settings: dict[str, str]
    points: tuple[PointResult, ...]
    values: dict[tuple[str, ...], float]
    metrics: dict[str, float]

    @property
    def mean(self) -> float | None:
        """Of what is ranked by."""
        return statistics.fmean(self.values.values()) if self.values else None

    @property
    def is_whole(self) -> bool:
        """Whether every point of it came to its end."""
        return len(self.values) == len(self.points)

    @property
    def deviation(self) -> float | None:
        """The standard deviation over seeds and folds; None where there is one alone."""
        return statistics.stdev(self.values.values()) if len(self.values) > 1 else None

    @property
    def status(self) -> str:
        """What its points have in common, or how many of each."""
        names = [point.status for point in self.points]
        kinds = sorted(set(names))
        return kinds[0] if len(kinds) == 1 else ", ".join(f"{names.count(kind)} {kind}" for kind in kinds)

    @property
    def name(self) -> str:
        """As one would type it."""
        return " ".join(f"{key}={value}" for key, value in self.settings.items())


def rank(results: Sequence[PointResult], monitor: str, mode: Literal["min", "max"]) -> list[Setting]:
    """The settings, the best first by their mean; those of which a point came to no end last."""
    groups: dict[tuple[tuple[str, str], ...], list[PointResult]] = {}
    for result in results:
        varied = tuple((key, value) for key, value in result.settings.items() if key not in REPLICATES)
        groups.setdefault(varied, []).append(result)
    settings = [_setting(dict(varied), points, monitor) for varied, points in groups.items()]
    return sorted(settings, key=lambda setting: (not setting.is_whole, cost(setting.mean, mode)))


def _setting(varied: dict[str, str], points: Sequence[PointResult], monitor: str) -> Setting:
    values: dict[tuple[str, ...], float] = {}
    sums: dict[str, list[float]] = {}
    for point in points:
        value = point.metrics.get(monitor)
        if point.is_complete and value is not None:
            values[tuple(point.settings[key] for key in REPLICATES if key in point.settings)] = value
            for name, measured in point.metrics.items():
                if measured is not None:
                    sums.setdefault(name, []).append(measured)
    return Setting(varied, tuple(points), values, {name: statistics.fmean(found) for name, found in sums.items()})


def verdict(ranked: Sequence[Setting], monitor: str) -> str:
    """A plain word on whether the best is better than the others by more than the noise of seeds and folds."""
    whole = [setting for setting in ranked if setting.is_whole]
    if not whole:
        return "no setting came to its end with every seed"
    best = whole[0]
    if len(whole) == 1:
        return ""
    if len(best.values) < 2:
        return (
            f"each setting was trained once, so how much of a difference is luck is not known: --seeds 5 tells. "
            f"The best by {monitor} is {best.name}."
        )
    equals = [setting for setting in whole[1:] if not _is_clear(best, setting)]
    noise = f"the noise of {_repeats(best)}"
    if not equals:
        return f"{best.name} is better than every other by more than {noise}."
    names = [setting.name for setting in equals[:3]]
    others = f" and {len(equals) - 3} more" if len(equals) > 3 else ""
    return f"{best.name} is the best, but not by more than {noise}: {', '.join(names)}{others} may be as good."


def _repeats(setting: Setting) -> str:
    """`5 seeds`, `3 seeds and 5 folds`."""
    counts = {
        name: len({point.settings[key] for point in setting.points})
        for key, name in zip(REPLICATES, ("seeds", "folds"), strict=True)
        if key in setting.points[0].settings
    }
    return " and ".join(f"{count} {name}" for name, count in counts.items())


def _is_clear(best: Setting, other: Setting) -> bool:
    """A paired t-test (Student 1908), two-sided, 5 %: whole settings were trained with the same seeds and folds."""
    differences = [value - other.values[pair] for pair, value in best.values.items()]
    spread = statistics.stdev(differences)
    error = spread / math.sqrt(len(differences))
    return abs(statistics.fmean(differences)) > _t975(len(differences) - 1) * error


def _t975(degrees: int) -> float:
    """Of so many degrees of freedom, or of the next fewer that the table has."""
    if degrees > 2 * _DEGREES[-1]:
        return _NORMAL975
    return [value for known, value in zip(_DEGREES, _T975, strict=True) if known <= degrees][-1]
