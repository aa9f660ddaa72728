"""What a sweep shows while it goes, and its table at the end."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from nettool.runs.sweeps import SweepDirectory
from nettool.workflows.sweeps.results import verdict
from nettool.workflows.sweeps.watch import SweepOutcome, SweepWatcher
from nettool.workflows.watch import as_note
from nettool_cli import console
from nettool_cli.sweep import MOST_ROWS, result_table


class SummaryWatcher(SweepWatcher):
    """What begins, and the table at the end."""

    def __init__(self) -> None:
        self.console = console.stderr()
        self.num_points = 0

    def note(self, text: str) -> None:
        """Say it, where the live bar does not overwrite it."""
        self.console.print(console.printable(as_note(text)))

    def started(self, directory: SweepDirectory, num_points: int, how: str) -> None:
        """Say what begins."""
        self.num_points = num_points
        self.console.print(f"{directory.path}: {num_points:,} points, {how}")

    def finished(self, outcome: SweepOutcome) -> None:
        """The settings, the best first, and whether that means anything."""
        record, ranked, out = outcome.record, outcome.ranked, self.console
        ended = sum(result.is_complete for result in outcome.results)
        out.print(f"{record.status}: {ended:,} of {len(outcome.results):,} points in {record.seconds:,.1f} s")
        if not any(setting.mean is not None for setting in ranked):
            return
        out.print(result_table(ranked, record.monitor))
        if len(ranked) > MOST_ROWS:
            out.print(f"... and {len(ranked) - MOST_ROWS:,} more in {outcome.directory.table}")
        if said := verdict(ranked, record.monitor):
            console.message(said)
        if record.best is not None and outcome.error is None:
            out.print(f"next: nettool eval {outcome.directory.point(record.best).path}")


class PlainWatcher(SummaryWatcher):
    """A line a second at most: for pipes and logs."""

    def __init__(self) -> None:
        super().__init__()
        self.last_line = time.monotonic()

    def progress(self, done: float, num_ended: int) -> None:
        """How far it has come."""
        now = time.monotonic()
        if now - self.last_line >= 1:
            share = done / max(self.num_points, 1)
            print(
                f"{num_ended:,} of {self.num_points:,} points done, {share:.0%} of the work",
                file=sys.stderr,
                flush=True,
            )
            self.last_line = now


class LiveWatcher(SummaryWatcher):
    """One line that moves."""

    def __init__(self) -> None:
        super().__init__()
        self.bar: Any = None
        self.task: Any = None

    def started(self, directory: SweepDirectory, num_points: int, how: str) -> None:
        """Put the bar up."""
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        super().started(directory, num_points, how)
        self.bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=60 if self.console.width > 100 else 24),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
            console=self.console,
            transient=True,
            refresh_per_second=10,
        )
        self.task = self.bar.add_task("starting", total=max(num_points, 1))
        self.bar.start()

    def progress(self, done: float, num_ended: int) -> None:
        """Move."""
        if self.bar is not None:
            self.bar.update(self.task, completed=done, description=f"{num_ended:,} of {self.num_points:,} points done")

    def finished(self, outcome: SweepOutcome) -> None:
        """Take the bar down, then the table."""
        self.close()
        super().finished(outcome)

    def close(self) -> None:
        """Give the terminal back."""
        if self.bar is not None:
            self.bar.stop()


@contextmanager
def watching(quiet: bool) -> Iterator[SweepWatcher]:
    """Silence if asked for, a live bar on a terminal, plain lines elsewhere; the terminal is given back in any case."""
    if quiet:
        yield SweepWatcher()
    elif sys.stderr.isatty():
        live = LiveWatcher()
        try:
            yield live
        finally:
            live.close()
    else:
        yield PlainWatcher()
