"""Who looks on while a sweep is trained. Never torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nettool.errors import NettoolError
from nettool.runs.sweeps import SweepDirectory, SweepRecord
from nettool.workflows.sweeps.results import PointResult, Setting

if TYPE_CHECKING:
    from nettool.workflows.train import Outcome


def explained(failure: Exception) -> tuple[str, int]:
    """Why points failed, and what a command ends with that did."""
    if isinstance(failure, NettoolError):
        return str(failure), failure.exit_code
    return f"{type(failure).__name__}: {failure}", 1


class UnitWatcher:
    """Sees how a unit goes: points that are trained together, or one alone."""

    def progress(self, shares: dict[int, float]) -> None:
        """How much of its epochs each point has behind it."""

    def finished(self, number: int, outcome: Outcome) -> None:
        """A point's run is complete on disk."""

    def failed(self, numbers: Sequence[int], failure: Exception) -> None:
        """Points cannot be trained; what has begun of them is as it was."""


class SweepWatcher:
    """Sees everything and does nothing; override what matters."""

    def note(self, text: str) -> None:
        """Something the user should know."""

    def started(self, directory: SweepDirectory, num_points: int, how: str) -> None:
        """The directory is claimed and training begins. how: which points are trained together."""

    def progress(self, done: float, num_ended: int) -> None:
        """So many points' worth of epochs are behind us, and so many points have ended."""

    def finished(self, outcome: SweepOutcome) -> None:
        """All is on disk."""


@dataclass(frozen=True)
class SweepOutcome:
    """A sweep that ended, in whatever way. error: what its command should end with, if anything."""

    directory: SweepDirectory
    record: SweepRecord
    results: list[PointResult]
    ranked: list[Setting]
    error: NettoolError | None
