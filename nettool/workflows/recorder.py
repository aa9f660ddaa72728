"""What a training run leaves on disk, written while it goes: config, record, journal, log, weights."""

from __future__ import annotations

import contextlib
import time
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nettool.config.runtime import parse_interval
from nettool.config.write import to_yaml
from nettool.errors import ResourceError
from nettool.runs import checkpoint, durable, journal
from nettool.runs.directory import FORMAT_VERSION, RunDirectory
from nettool.training.loop import EpochResult, Progress
from nettool.training.state import TrainingState
from nettool.workflows import machine
from nettool.workflows.trained import facts_of
from nettool.workflows.watch import describe_epoch, finite

if TYPE_CHECKING:
    from nettool.workflows.train import Prepared


class Recorder:
    """Writes one run directory."""

    def __init__(self, run: RunDirectory, prepared: Prepared) -> None:
        self.run = run
        self.prepared = prepared
        self.experiment = prepared.loaded.experiment
        self._started = time.monotonic()
        self._interval, self._unit = parse_interval(self.experiment.checkpoint.every)
        self._saved = self._started
        self._best_epoch = -1  # of the weights on disk
        self._record = self._first_record()
        header = f"# nettool {self._record['versions']['nettool']}, format_version {FORMAT_VERSION}\n"
        durable.write_file(run.config, (header + to_yaml(self.experiment)).encode())
        journal.write_record(run, self._record)
        self._log = durable.Appender(run.log)
        self._journal = journal.Journal(run, _columns(self.experiment.metric_names))

    def _first_record(self) -> dict[str, Any]:
        prepared = self.prepared
        return {
            "status": "running",
            "name": self.experiment.name,
            "overrides": list(prepared.loaded.overrides),
            "seed": self.experiment.seed,
            "versions": machine.versions(),
            "device": str(prepared.device),
            "cpu": machine.cpu_name(),
            "threads": prepared.threads,
            "engine": "autograd",
            "git_commit": machine.git_commit(),
            "data": prepared.data.fingerprint,
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
        }

    def log(self, line: str) -> None:
        """Add a line to log.txt."""
        self._log.append(line + "\n")

    def event(self, event: Progress | EpochResult, state: TrainingState) -> None:
        """Journal an epoch; save when a checkpoint is due."""
        if isinstance(event, EpochResult):
            self._journal.append(_row(event, self.experiment.metric_names))
            self.log(describe_epoch(event, self.experiment.epochs))
        if self._is_due(event):
            self.save(state)

    def _is_due(self, event: Progress | EpochResult) -> bool:
        if self._unit == "epochs":
            return isinstance(event, EpochResult) and event.epoch % max(int(self._interval), 1) == 0
        return time.monotonic() - self._saved >= self._interval

    def save(self, state: TrainingState) -> None:
        """Make the state, the best weights and the journal durable."""
        self._journal.sync()  # first: rows that no checkpoint knows can be cut off, but not brought back
        tensors, facts = state.to_tensors()
        checkpoint.save(self.run.last, tensors, {**self._facts(), "state": facts})
        self.save_best(state)
        self._saved = time.monotonic()

    def save_best(self, state: TrainingState) -> None:
        """Make the best weights durable."""
        if state.best is not None and state.best.epoch != self._best_epoch:
            checkpoint.save(self.run.best, state.best.weights, {**self._facts(), "epoch": state.best.epoch})
            self._best_epoch = state.best.epoch

    def _facts(self) -> dict[str, Any]:
        prepared = self.prepared
        data = prepared.data
        facts = facts_of(
            self.experiment, data.encoders, prepared.baseline, prepared.threads, prepared.device, data.fingerprint
        )
        return {"nettool": self._record["versions"]["nettool"], **facts}

    def end_badly(self, failure: Exception, state: TrainingState | None) -> None:
        """Write down, as far as the disk still lets us, an error that nobody foresaw."""
        with contextlib.suppress(ResourceError):
            self._write_end("failed", f"{type(failure).__name__}: {failure}", state, {})
        with contextlib.suppress(ResourceError):
            self.log("".join(traceback.format_exception(failure)))

    def end(self, status: str, why: str, state: TrainingState | None, baseline: dict[str, float]) -> dict[str, Any]:
        """Write the last record, close every file and return the record."""
        self.log(f"{status}: {why}" if why else status)
        self._journal.close()
        self._log.close()
        return self._write_end(status, why, state, baseline)

    def _write_end(
        self, status: str, why: str, state: TrainingState | None, baseline: dict[str, float]
    ) -> dict[str, Any]:
        best = state.best if state else None
        measured = {"validation_loss": best.loss, **best.metrics} if best else {}
        self._record |= {
            "status": status,
            "why": why,
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(time.monotonic() - self._started, 3),
            "epochs": state.epoch if state else 0,
            "best_epoch": best.epoch if best else None,
            "metrics": finite(measured),
            "baseline": finite(baseline),
        }
        journal.write_record(self.run, self._record)
        return self._record


def _columns(metric_names: Sequence[str]) -> tuple[str, ...]:
    measured = ("train_loss", "validation_loss", *metric_names)
    return ("epoch", "step", *measured, "lr", "seconds", "examples_per_second")


def _row(result: EpochResult, metric_names: Sequence[str]) -> dict[str, object]:
    return {
        "epoch": result.epoch,
        "step": result.step,
        "train_loss": result.train_loss,
        "validation_loss": result.validation_loss,
        **{name: result.metrics.get(name) for name in metric_names},  # none without a validation split
        "lr": result.lr,
        "seconds": round(result.seconds, 6),
        "examples_per_second": round(result.examples_per_second, 1),
    }
