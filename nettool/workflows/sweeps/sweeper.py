"""Trains what is left of a sweep, and writes down what came of it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from operator import attrgetter
from signal import Signals
from typing import Any

from nettool.config.layers import CUSTOM_LAYERS
from nettool.errors import DivergedError, InterruptedRun, NettoolError, ResourceError
from nettool.runs.sweeps import SweepDirectory, SweepRecord, write_sweep, write_table
from nettool.training.stopping import cost
from nettool.workflows import machine
from nettool.workflows.first_record import Origin
from nettool.workflows.signals import StopSignals
from nettool.workflows.sweeps.points import CheckedPoint, Sweep
from nettool.workflows.sweeps.results import PointResult, rank, read_results
from nettool.workflows.sweeps.shared import SharedData
from nettool.workflows.sweeps.training import train_unit
from nettool.workflows.sweeps.units import Unit, describe, plan_units, worth_processes
from nettool.workflows.sweeps.watch import Messages, SweepOutcome, SweepWatcher
from nettool.workflows.sweeps.workers import train_in_processes


class Sweeper:
    """Trains what is left of a sweep whose directory is ours."""

    def __init__(
        self,
        directory: SweepDirectory,
        sweep: Sweep,
        record: SweepRecord,
        shared: SharedData,
        watcher: SweepWatcher,
        board: bool,
    ) -> None:
        self._directory, self._sweep, self._shared, self._watcher = directory, sweep, shared, watcher
        self._record, self._board = record, board
        self._began = time.monotonic() - record.seconds
        self._ended: set[int] = set()
        self._shares: dict[int, float] = {}
        self._codes: set[int] = set()  # that points which failed would have ended with
        self._whys: dict[int, str] = {}  # of points that failed

    def carry_out(self, checked: Sequence[CheckedPoint]) -> SweepOutcome:
        """Train, and write down what came of it. checked: every point."""
        results = read_results(self._directory, self._record)
        left = [result.number for result in results if not (result.is_complete or result.status == "diverged")]
        self._ended = set(range(1, len(checked) + 1)) - set(left)
        self._write("running")
        error: NettoolError | None = None
        if not left:
            self._watcher.note("every point has come to its end before: there is nothing left to train.")
        if left:
            try:
                self._train([checked[number - 1] for number in left], left)
            except InterruptedRun as interrupted:
                error = interrupted
            except ResourceError:
                with contextlib.suppress(NettoolError):
                    self._write("failed", "the disk refused to write")
                raise
        results = [self._with_why(result) for result in read_results(self._directory, self._record)]
        ranked = rank(results, self._record.monitor, self._record.mode)
        if ranked and ranked[0].mean is not None:
            complete = filter(attrgetter("is_complete"), ranked[0].points)
            best = min(complete, key=lambda point: cost(point.metrics.get(self._record.monitor), self._record.mode))
            self._record = self._record.model_copy(update={"best": best.number})
        self._write("interrupted" if error else "finished", str(error or ""))
        write_rows(self._directory, self._record, results)
        outcome = SweepOutcome(self._directory, self._record, results, ranked, error or self._error(results))
        self._watcher.finished(outcome)
        return outcome

    def _with_why(self, result: PointResult) -> PointResult:
        """One that failed before its run could say so."""
        if result.number not in self._whys or result.is_complete:
            return result
        return replace(result, status="failed", why=self._whys[result.number])

    def _write(self, status: str, why: str = "") -> None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self._record = self._record.model_copy(
            update={
                "status": status,
                "why": why,
                "seconds": round(time.monotonic() - self._began, 3),
                "finished": "" if status == "running" else now,
            }
        )
        write_sweep(self._directory, self._record)

    def _train(self, checked: Sequence[CheckedPoint], numbers: Sequence[int]) -> None:
        has_gpu = machine.is_available("cuda")
        units = plan_units(checked, numbers, on_cpu=not has_gpu)
        on_gpu = has_gpu and any(each.experiment.runtime.device in ("auto", "cuda") for each in checked)
        # A process of its own knows nothing of layers that were added from Python; on a GPU they would only queue.
        beside = worth_processes(units) and not on_gpu and not CUSTOM_LAYERS
        count = min(machine.num_cores(), len(units)) if beside else 1
        self._watcher.started(self._directory, len(self._sweep.points), describe(units, count))
        if self._board:
            self._watcher.note(f"for TensorBoard: tensorboard --logdir {self._directory.path}")
        origin = Origin(machine.git_commit(), self._record.tags, self._board)
        with StopSignals() as signals:
            if count > 1:
                train_in_processes(self._directory, units, count, signals, self._hear, origin)
            else:
                self._one_after_another(units, origin, signals)
            if signals.received is not None:
                self._leave(signals.received)

    def _one_after_another(self, units: Sequence[Unit], origin: Origin, signals: StopSignals) -> None:
        messages = Messages(self._hear)
        for unit in units:
            try:
                outcomes = train_unit(self._sweep, self._directory, unit.numbers, self._shared, messages, origin)
            except (ResourceError, InterruptedRun):
                raise
            except Exception as failure:  # a bug fails these points, and not the others
                messages.failed(unit.numbers, failure)
                continue
            for outcome in outcomes:
                if isinstance(outcome.error, InterruptedRun):
                    self._leave(outcome.error.exit_code - 128)
            if signals.received is not None:
                return

    def _leave(self, signal: int) -> None:
        done = len(self._ended)
        error = InterruptedRun(
            f"interrupted by {Signals(signal).name}; {done:,} of {len(self._sweep.points):,} points are done, and "
            f"what the others have learned is saved. Go on with: nettool sweep --resume {self._directory.path}"
        )
        error.exit_code = 128 + signal
        raise error

    def _hear(self, said: Mapping[str, Any]) -> None:
        """What a unit tells, from here or from another process."""
        if "shares" in said:
            self._shares |= dict(said["shares"])
        if "ended" in said:
            self._ended.add(said["ended"])
            self._shares.pop(said["ended"], None)
        if "failed" in said:
            numbers = [number for number in said["failed"] if number not in self._ended]
            self._codes.add(int(said["code"]))
            self._whys |= {number: str(said["why"]) for number in numbers}
            for number in numbers:
                self._shares.pop(number, None)
            which = f"point {numbers[0]}" if len(numbers) == 1 else f"points {', '.join(map(str, numbers))}"
            if numbers:
                self._watcher.note(f"warning: {which} failed: {said['why']}")
        self._watcher.progress(len(self._ended) + sum(self._shares.values()), len(self._ended))

    def _error(self, results: Sequence[PointResult]) -> NettoolError | None:
        """What the command ends with: nothing where every point came to its end."""
        bad = [result for result in results if not result.is_complete]
        if not bad:
            return None
        diverged = sum(result.status == "diverged" for result in bad)
        total = len(results)
        if diverged == len(bad):
            first = bad[0]
            which = " ".join(f"{key}={value}" for key, value in first.settings.items())
            others = f", and {diverged - 1} more" if diverged > 1 else ""
            what = f"{diverged:,} of {total:,} points diverged ({which}{others})"
            others = "The others are complete." if diverged < total else "Try smaller rates, or: nettool find-lr CONFIG"
            return DivergedError(f"{what}. {others}")
        others = " The others are complete." if len(bad) < total else ""
        error = NettoolError(
            f"{len(bad):,} of {total:,} points came to no end: see the column `why` of {self._directory.table}.{others}"
            f" Try again with: nettool sweep --resume {self._directory.path}"
        )
        error.exit_code = max(self._codes, default=1)
        return error


def write_rows(directory: SweepDirectory, record: SweepRecord, results: Sequence[PointResult]) -> None:
    """sweep.csv: a row for each point."""
    keys = [axis.key for axis in record.axes]
    names = list(dict.fromkeys(name for result in results for name in result.metrics))
    columns = ["point", *keys, "status", *names, "epochs_trained", "best_epoch", "seconds", "run", "why"]
    rows = [
        {
            "point": result.number, "status": result.status, "epochs_trained": result.epochs,
            "best_epoch": result.best_epoch, "seconds": result.seconds,
            "run": directory.point(result.number).path, "why": result.why,
            **result.metrics, **result.settings,
        }
        for result in results
    ]  # fmt: skip
    write_table(directory, columns, rows)
