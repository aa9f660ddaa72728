"""Who looks on while a workflow works: the CLI's progress bar, a notebook, a test, or nobody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nettool.runs.directory import RunDirectory
    from nettool.training.epochs import Progress
    from nettool.training.history import EpochResult
    from nettool.workflows.prepare import Prepared
    from nettool.workflows.train import Outcome


class Watcher:
    """Sees everything and does nothing; override what matters."""

    def note(self, text: str) -> None:
        """Something the user should know: a column that is ignored, a network that is linear."""

    def started(self, run: RunDirectory, prepared: Prepared) -> None:
        """The run directory is claimed and training begins."""

    def resumed(self, history: Iterable[EpochResult]) -> None:
        """The run goes on behind these epochs."""

    def progress(self, progress: Progress) -> None:
        """A sign of life within an epoch, at most ten a second."""

    def epoch(self, result: EpochResult) -> None:
        """An epoch ended."""

    def event(self, event: Progress | EpochResult) -> None:
        """Pass what `fit` yields on to the method for it."""
        from nettool.training.history import EpochResult

        if isinstance(event, EpochResult):
            self.epoch(event)
        else:
            self.progress(event)

    def finished(self, outcome: Outcome) -> None:
        """The run is complete on disk."""


def as_note(text: str) -> str:
    """A note as a line; a warning is one that says so itself."""
    return text if text.startswith("warning: ") else f"note: {text}"


def describe_epoch(result: EpochResult, num_epochs: int) -> str:
    """An epoch in one line, for logs and pipes."""
    parts = [f"epoch {result.epoch}/{num_epochs}", f"loss {result.train_loss:.4g}"]
    if result.validation_loss is not None:
        parts.append(f"validation loss {result.validation_loss:.4g}")
    parts += [f"{name} {value:.4g}" for name, value in result.metrics.items()]
    if result.validation_loss is not None and result.is_best:
        parts.append("(best)")
    return "  ".join(parts)


def finite(values: dict[str, Any]) -> dict[str, Any]:
    """The same with None for what JSON has no number for."""
    return {key: None if isinstance(value, float) and value - value != 0 else value for key, value in values.items()}


def beats_baseline(record: Mapping[str, Any]) -> bool:
    """Whether a run is better by the first metric that both have; where there is none, nobody knows."""
    from nettool.training.metrics import METRICS

    for name, baseline in record["baseline"].items():
        value = record["metrics"].get(name)
        if value is not None and baseline is not None and name in METRICS:
            return bool(value > baseline if METRICS[name].mode == "max" else value < baseline)
    return True
