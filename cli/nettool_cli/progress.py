"""What a training run shows while it goes: a live bar on a terminal, plain lines elsewhere, and the summary."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from nettool.workflows.watch import Watcher, as_note, beats_baseline, describe_epoch
from nettool_cli import console
from nettool_cli.chart import loss_chart

if TYPE_CHECKING:
    from nettool.runs.directory import RunDirectory
    from nettool.training.epochs import Progress
    from nettool.training.history import EpochResult
    from nettool.workflows.prepare import Prepared
    from nettool.workflows.train import Outcome


class SummaryWatcher(Watcher):
    """Notes at the beginning, the summary at the end."""

    def __init__(self) -> None:
        self.console = console.stderr()
        self.train_losses: list[float] = []
        self.validation_losses: list[float | None] = []
        self.num_epochs = 0

    def note(self, text: str) -> None:
        """Say it, where the live bar does not overwrite it."""
        self.console.print(console.printable(as_note(text)))

    def started(self, run: RunDirectory, prepared: Prepared) -> None:
        """Say what begins."""
        plan, data = prepared.plan, prepared.data
        self.num_epochs = prepared.loaded.experiment.epochs
        sizes = ", ".join(f"{len(split.features):,} {name}" for name, split in data.splits.items())
        self.console.print(
            f"{run.path}: {plan.num_parameters:,} parameters, {sizes} examples, batches of {prepared.batch_size:,}, "
            f"{prepared.device}, {prepared.threads} thread{'s' if prepared.threads > 1 else ''}, "
            f"{str(prepared.engine).replace('_', ' ')}",
        )

    def resumed(self, history: Iterable[EpochResult]) -> None:
        """The chart begins where the run began."""
        for result in history:
            self.keep(result)

    def epoch(self, result: EpochResult) -> None:
        """Keep the losses for the chart."""
        self.keep(result)

    def keep(self, result: EpochResult) -> None:
        """Of this epoch."""
        self.train_losses.append(result.train_loss)
        self.validation_losses.append(result.validation_loss)

    def finished(self, outcome: Outcome) -> None:
        """How it ended, how good it is beside the baseline, what to type next."""
        record = outcome.record
        out = self.console
        chart = loss_chart(
            self.train_losses, self.validation_losses, min(out.width, 100), unicode=out.encoding.startswith("utf")
        )
        if chart:
            out.print(chart)
        why = f": {record['why']}" if record["why"] and not outcome.error else ""
        seconds = f"{record['seconds']:,.1f} s"
        best = f"; the best was epoch {record['best_epoch']}" if record["best_epoch"] else ""
        epochs = f"{record['epochs']} epoch{'s' if record['epochs'] != 1 else ''}"
        out.print(console.printable(f"{record['status']} after {epochs} in {seconds}{why}{best}"))
        rows = [
            (name, console.number(value), console.number(record["baseline"].get(name)))
            for name, value in record["metrics"].items()
            if value is not None
        ]
        if rows:
            out.print(console.table(("on the validation split", "network", "baseline"), rows))
        if not outcome.error and not beats_baseline(record):
            out.print(f"no better than the baseline. next: nettool diagnose {outcome.run.path}")
        elif not outcome.error:
            out.print(f"next: nettool eval {outcome.run.path}")


class PlainWatcher(SummaryWatcher):
    """A line an epoch, but at most one a second: for pipes and logs."""

    def __init__(self) -> None:
        super().__init__()
        self.last_line = float("-inf")

    def epoch(self, result: EpochResult) -> None:
        """Print the epoch's line if a second has passed, and always the last one's."""
        super().epoch(result)
        now = time.monotonic()
        if now - self.last_line >= 1 or result.epoch == self.num_epochs or result.stopped:
            print(describe_epoch(result, self.num_epochs), file=sys.stderr, flush=True)
            self.last_line = now


class LiveWatcher(SummaryWatcher):
    """One line that moves: epoch, losses, the best so far, time left."""

    def __init__(self) -> None:
        super().__init__()
        self.bar: Any = None
        self.task: Any = None
        self.best = ""
        self.losses = ""

    def started(self, run: RunDirectory, prepared: Prepared) -> None:
        """Put the bar up."""
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        super().started(run, prepared)
        self.bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None if self.console.width > 100 else 16),
            TextColumn("{task.fields[losses]}", markup=False),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
            console=self.console,
            transient=True,
            refresh_per_second=10,
        )
        self.task = self.bar.add_task("starting", total=max(self.num_epochs, 1), losses="")
        self.bar.start()

    def progress(self, progress: Progress) -> None:
        """Move within the epoch."""
        self._show(progress.epoch, progress.epoch - 1 + progress.fraction)

    def resumed(self, history: Iterable[EpochResult]) -> None:
        """Begin where the run stands: its epochs are no measure of how fast this machine is."""
        super().resumed(history)
        done = len(self.train_losses)
        self.bar.reset(self.task, completed=done, losses=self.losses + self.best)

    def epoch(self, result: EpochResult) -> None:
        """Move to the next epoch."""
        super().epoch(result)
        self._show(result.epoch, result.epoch)

    def keep(self, result: EpochResult) -> None:
        """The losses too, and which epoch was the best."""
        super().keep(result)
        self.losses = f"loss {result.train_loss:.4g}"
        if result.validation_loss is not None:
            self.losses += f" val {result.validation_loss:.4g}"
            if result.is_best:
                self.best = f" best: epoch {result.epoch}"

    def _show(self, epoch: int, completed: float) -> None:
        description = f"epoch {epoch}/{self.num_epochs}"
        self.bar.update(self.task, completed=completed, description=description, losses=self.losses + self.best)

    def finished(self, outcome: Outcome) -> None:
        """Take the bar down, then the summary."""
        self.close()
        super().finished(outcome)

    def close(self) -> None:
        """Give the terminal back."""
        if self.bar is not None:
            self.bar.stop()


def choose_watcher(quiet: bool) -> Watcher:
    """Silence if asked for, a live bar on a terminal, plain lines elsewhere."""
    if quiet:
        return Watcher()
    return LiveWatcher() if sys.stderr.isatty() else PlainWatcher()
