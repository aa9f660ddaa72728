"""What a training run leaves on disk, written while it goes: config, record, journal, log, weights."""

from __future__ import annotations

import contextlib
import time
import traceback
from datetime import UTC, datetime
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any

from torch import Tensor

from nettool.config.runtime import parse_interval
from nettool.config.write import to_yaml
from nettool.errors import NettoolError, RunError
from nettool.runs import checkpoint, durable, journal
from nettool.runs.background import BackgroundWriter
from nettool.runs.directory import FORMAT_VERSION, RunDirectory, remove_leftovers
from nettool.training.divergence import check_weights
from nettool.training.epochs import Progress
from nettool.training.history import EpochResult
from nettool.training.state import Best, TrainingState
from nettool.workflows import machine
from nettool.workflows.changes import spans_epochs
from nettool.workflows.first_record import Origin, first_record
from nettool.workflows.past_weights import PastWeights
from nettool.workflows.rows import columns, journal_row
from nettool.workflows.trained import BestFacts, check_facts, facts_of
from nettool.workflows.watch import describe_epoch, finite

if TYPE_CHECKING:
    from nettool.workflows.board import Board
    from nettool.workflows.prepare import Prepared
    from nettool.workflows.resume import Saved


class Recorder:
    """Writes one run directory, which this process holds the lock of.

    Used as a context, so that its thread ends with it. saved: where the run stands, for one that goes on. origin: what
    the record says beside what the run is and does.
    """

    def __init__(self, run: RunDirectory, prepared: Prepared, saved: Saved | None, origin: Origin) -> None:
        self.run = run
        self.prepared = prepared
        self.experiment = prepared.loaded.experiment
        self._started = time.monotonic() - (saved.elapsed if saved else 0.0)
        self._interval, self._unit = parse_interval(self.experiment.checkpoint.every)
        self._saved_at = time.monotonic()
        self._saved_position = (-1, -1)
        self._best_epoch = -1  # of the weights on disk,
        self._best_has_config = True  # which stand beside this very config there
        here = machine.describe(self.experiment.runtime, prepared.device, prepared.threads, str(prepared.engine))
        facts = saved.facts if saved else None
        facts = facts if facts and facts.state.position.step else None  # else nothing was learned that they speak of
        before = [one.described() for one in facts.machines] if facts else []
        self._machines = before if here in before else [*before, here]
        spans = [self.experiment.epochs] if spans_epochs(self.experiment) else []
        self._spans = list(dict.fromkeys([*(facts.spans if facts else ()), *spans]))
        if saved:
            self._clean_up()
        self._record = first_record(prepared, saved, here, origin)
        self._write_config()  # first: with it a run can be gone on with
        journal.write_record(run, self._record)
        self._log = durable.Appender(run.log)
        self._writer = BackgroundWriter()
        self._journal: journal.Journal | None = None
        self._past: PastWeights | None = None
        self._with_board = origin.board
        self._board: Board | None = None

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()
        for file in (self._journal, self._log):
            with contextlib.suppress(NettoolError):
                if file is not None:
                    file.close()

    def _clean_up(self) -> None:
        """Remove what a killed process was writing, and see which weights are on disk."""
        remove_leftovers(self.run.path)
        with contextlib.suppress(RunError):
            facts = check_facts(BestFacts, checkpoint.read_facts(self.run.best), self.run.best)
            self._best_epoch = facts.epoch
            self._best_has_config = facts.config == self._facts["config"]

    def _write_config(self) -> None:
        header = f"# nettool {machine.versions()['nettool']}, format_version {FORMAT_VERSION}\n"
        content = (header + to_yaml(self.experiment)).encode()
        if not self.run.config.exists() or self.run.config.read_bytes() != content:
            durable.write_file(self.run.config, content)

    def begin(self, state: TrainingState) -> None:
        """Bring the journal to where the state stands: rows of epochs that will be done again are dropped."""
        names = self.experiment.metric_names
        rows = (journal_row(result, names) for result in state.history)
        self._journal = journal.Journal(self.run, columns(names), rows)
        self._past = PastWeights(self.run, self.experiment.checkpoint, state)
        if self._with_board:
            from nettool.workflows.board import Board  # here, since few runs have one

            self._board = Board(self.run, self.prepared, state, self._record)

    def log(self, line: str) -> None:
        """Add a line to log.txt."""
        self._log.append(line + "\n")

    def event(self, event: Progress | EpochResult, state: TrainingState) -> None:
        """Journal an epoch; save when a checkpoint is due. Raises the error of a save that has failed meanwhile."""
        self._writer.check()
        if isinstance(event, EpochResult):
            assert self._journal is not None
            self._journal.append(journal_row(event, self.experiment.metric_names))
            self.log(describe_epoch(event, self.experiment.epochs))
            assert self._past is not None
            self._past.see(event.epoch)
            if self._board is not None:
                self._board.see(event)
        if self._is_due(event, state):
            self.save(state)

    def _is_due(self, event: Progress | EpochResult, state: TrainingState) -> bool:
        if self._unit == "steps":
            return state.step % int(self._interval) == 0 and state.step != self._saved_position[1]
        if self._unit == "epochs":
            return isinstance(event, EpochResult) and event.epoch % int(self._interval) == 0
        return time.monotonic() - self._saved_at >= self._interval and not self._writer.is_busy

    def save(self, state: TrainingState) -> None:
        """Copy the state, and make it, the best weights and the journal durable meanwhile training goes on.

        Raises DivergedError, and saves nothing, where the weights are not finite.
        """
        if (state.epoch, state.step) == self._saved_position:
            return
        check_weights(state)
        tensors, position = state.to_tensors()
        facts = {**self._facts, "elapsed": self._elapsed(), "state": position}
        assert self._past is not None
        best, past, trace = self._new_best(state), self._past, self._past.prepare()
        board, seen = self._board, self._board.prepare() if self._board else {}

        def write() -> None:
            if board is not None:
                board.write(seen)
            past.write_trace(trace)  # first: a run that goes on has every epoch that its checkpoint knows
            past.keep(tensors, facts)
            self._write(tensors, facts, best)

        self._writer.start(write)
        self._saved_at = time.monotonic()
        self._saved_position = (state.epoch, state.step)

    def _write(self, tensors: dict[str, Tensor], facts: dict[str, Any], best: Best | None) -> None:
        """In this order: what the newest checkpoint knows, `best.safetensors` never knows better."""
        assert self._journal is not None
        self._journal.sync()
        checkpoint.save(self.run.last, tensors, facts, self.run.previous)
        if best is not None:
            self._write_best(best)

    def _new_best(self, state: TrainingState) -> Best | None:
        """The best weights if they are others than those on disk; not before a state gone back to has caught up.

        It never does where training ends before: those on disk are then of epochs that the run does not have any more.
        """
        best = state.best
        has_ended = bool(state.stopped) or state.epoch >= self.experiment.epochs
        if best is None or (state.epoch < self._best_epoch and not has_ended):
            return None
        if best.epoch == self._best_epoch and self._best_has_config:
            return None
        self._best_epoch, self._best_has_config = best.epoch, True
        return best

    def _write_best(self, best: Best) -> None:
        tensors = {name: tensor.cpu() for name, tensor in best.weights.items()}
        checkpoint.save(self.run.best, tensors, {**self._facts, "epoch": best.epoch})

    def save_best(self, state: TrainingState) -> None:
        """Make the best weights and their trace durable, and leave the last checkpoint as it is."""
        self.wait()
        if self._past is not None:
            self._past.write_trace(self._past.prepare())
        best = self._new_best(state)
        if best is not None:
            self._write_best(best)

    def wait(self) -> None:
        """Wait until all is saved. Raises ResourceError where it could not be."""
        self._writer.wait()

    @cached_property
    def _facts(self) -> dict[str, Any]:
        prepared = self.prepared
        data = prepared.data
        facts = facts_of(
            self.experiment, data.encoders, prepared.baseline, prepared.threads, prepared.device, data.fingerprint
        )
        return {
            "nettool": machine.versions()["nettool"],
            "machines": self._machines,
            "batch_size": prepared.batch_size,
            "spans": self._spans,
            **facts,
        }

    def _elapsed(self) -> float:
        return round(time.monotonic() - self._started, 3)

    def end_badly(self, failure: Exception, state: TrainingState | None) -> None:
        """Write down, as far as the disk still lets us, an error that nobody foresaw."""
        with contextlib.suppress(NettoolError):
            self.wait()
        with contextlib.suppress(NettoolError):
            why = str(failure) if isinstance(failure, NettoolError) else f"{type(failure).__name__}: {failure}"
            self._end_record("failed", why, state, {})
            journal.write_record(self.run, self._record)
        with contextlib.suppress(NettoolError):
            self.log("".join(traceback.format_exception(failure)))

    def end(self, status: str, why: str, state: TrainingState | None, baseline: dict[str, float]) -> dict[str, Any]:
        """Write the last record, close every file and return the record."""
        self.log(f"{status}: {why}" if why else status)
        if self._journal is not None:
            self._journal.close()
        self._log.close()
        self._end_record(status, why, state, baseline)
        if self._board is not None:
            self._board.end(self._record)
        journal.write_record(self.run, self._record)
        return self._record

    def _end_record(self, status: str, why: str, state: TrainingState | None, baseline: dict[str, float]) -> None:
        best = state.best if state else None
        measured: dict[str, float | None] = {}
        if best is not None:
            measured["validation_loss"] = best.loss
            measured |= {str(name): best.metrics[name] for name in self.experiment.metric_names if name in best.metrics}
        self._record |= {
            "status": status,
            "why": why,
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": self._elapsed(),
            "epochs": state.epoch if state else 0,
            "best_epoch": best.epoch if best else None,
            "metrics": finite(measured),
            "baseline": finite(baseline),
        }
