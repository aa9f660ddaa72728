"""Who looks on while a sweep is trained. Never torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nettool.errors import InterruptedRun, NettoolError, ResourceError
from nettool.runs.sweeps import SweepDirectory, SweepRecord
from nettool.workflows.sweeps.results import PointResult, Setting

if TYPE_CHECKING:
    from nettool.workflows.train import Outcome


class UnitWatcher:
    """Sees how a unit goes: points that are trained together, or one alone."""

    def progress(self, shares: dict[int, float]) -> None:
        """How much of its epochs each point has behind it."""

    def finished(self, number: int, outcome: Outcome) -> None:
        """A point's run is complete on disk."""

    def failed(self, numbers: Sequence[int], failure: Exception) -> None:
        """Points cannot be trained; what has begun of them is as it was."""


class Messages(UnitWatcher):
    """What a unit tells, as mappings that JSON has a form for. send: takes each."""

    def __init__(self, send: Callable[[dict[str, Any]], None]) -> None:
        self._send = send

    def progress(self, shares: dict[int, float]) -> None:
        """As pairs: a key of JSON is text."""
        self._send({"shares": list(shares.items())})

    def finished(self, number: int, outcome: Outcome) -> None:
        """One that was interrupted has not ended."""
        if not isinstance(outcome.error, InterruptedRun):
            self._send({"ended": number})

    def failed(self, numbers: Sequence[int], failure: Exception) -> None:
        """Why, and what a command ends with that fails so. It is fatal to all where the disk refuses."""
        is_ours = isinstance(failure, NettoolError)
        why = str(failure) if is_ours else f"{type(failure).__name__}: {failure}"
        code = failure.exit_code if isinstance(failure, NettoolError) else 1
        is_fatal = isinstance(failure, ResourceError)
        self._send({"failed": list(numbers), "why": why, "code": code, "is_fatal": is_fatal})


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
