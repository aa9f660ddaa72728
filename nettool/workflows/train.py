"""nettool train: config to data to network to run directory, from the beginning or from where a run stands."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nettool.errors import DivergedError, InterruptedRun, NettoolError, ResourceError
from nettool.runs import directory, durable
from nettool.runs.directory import RunDirectory
from nettool.runs.find import find_run
from nettool.runs.journal import read_record
from nettool.training.loop import Job, fit
from nettool.training.state import TrainingState
from nettool.workflows import machine
from nettool.workflows.build import build_job
from nettool.workflows.changes import stop_note
from nettool.workflows.exhaustion import out_of_memory_in_training
from nettool.workflows.first_record import Origin
from nettool.workflows.prepare import Prepared
from nettool.workflows.recorder import Recorder
from nettool.workflows.resume import Saved, is_complete, load_run, prepare_resumption, restore
from nettool.workflows.signals import StopSignals
from nettool.workflows.watch import Watcher, as_note


@dataclass(frozen=True)
class Outcome:
    """A run that ended, in whatever way. error: what its command should end with, if anything."""

    run: RunDirectory
    record: dict[str, Any]
    error: NettoolError | None


def train(
    prepared: Prepared,
    watcher: Watcher,
    run_dir: Path | None = None,
    tags: Mapping[str, str] | None = None,
    board: bool = False,
) -> Outcome:
    """Train in a new run directory, `run_dir` or the next free one under `runs/`.

    tags: to group runs by. board: leave event files for TensorBoard, see `check_board`.
    Divergence, signals and exhausted memory end the run in good order and are told by the outcome's error.
    """
    name = prepared.loaded.experiment.name
    run = directory.claim_exactly(run_dir) if run_dir else directory.claim(name)
    with occupied(run):
        return carry_out(prepared, run, watcher, None, Origin(machine.git_commit(), tags or {}, board))


def resume(argument: Path | None, overrides: Sequence[str], watcher: Watcher, board: bool = False) -> Outcome:
    """Go on with a run, the newest where none is named, as if it had never stopped; to more epochs, if asked.

    A run that is complete is left alone. board: see `train`. Raises ConfigError for a change that a run does not bear,
    DataError where the data changed, DamagedError where no checkpoint is left, BusyError where another process is in
    the run.
    """
    run = find_run(argument, sweeps=False)
    with occupied(run):
        loaded = load_run(run, overrides)
        if is_complete(run, loaded):
            watcher.note(f"{run.path} is complete. Take it further with epochs=N or early_stopping.patience=N.")
            return Outcome(run, read_record(run), None)
        prepared, saved = prepare_resumption(run, loaded)
        return carry_out(prepared, run, watcher, saved, Origin(machine.git_commit(), board=board))


@contextmanager
def occupied(run: RunDirectory) -> Iterator[None]:
    """Keep others out, and say of an error of the disk how to go on. A directory in which nothing began is removed."""
    try:
        with directory.locked(run):
            yield
    except ResourceError as error:
        directory.withdraw(run)
        if directory.is_run(run.path):
            raise ResourceError(f"{error} Then go on with: nettool train --resume {run.path}") from None
        raise


def carry_out(prepared: Prepared, run: RunDirectory, watcher: Watcher, saved: Saved | None, origin: Origin) -> Outcome:
    """Train in a directory that is `occupied`."""
    runtime = prepared.loaded.experiment.runtime
    computing = machine.computing(runtime, prepared.device, prepared.threads)
    put_back(run, saved)
    with computing, StopSignals() as signals, Recorder(run, prepared, saved, origin) as recorder:
        watcher.started(run, prepared)
        _tell((*prepared.notes, *(saved.notes if saved else ())), recorder, watcher)
        if origin.board:
            _tell([f"for TensorBoard: tensorboard --logdir {run.path.parent}"], recorder, watcher)
        ending = _run(prepared, recorder, watcher, signals, saved)
        record = recorder.end(ending.status, ending.why, ending.state, prepared.baseline_metrics())
    outcome = Outcome(run, record, ending.error)
    watcher.finished(outcome)
    return outcome


def put_back(run: RunDirectory, saved: Saved | None) -> None:
    """Where only the checkpoint before the last is whole, make it the last.

    Else the next save would keep the damaged one as the previous, and for an instant no whole one would be there.
    """
    if saved and saved.is_previous:
        durable.rename(run.previous, run.last)


def _tell(notes: Iterable[str], recorder: Recorder, watcher: Watcher) -> None:
    for note in notes:
        watcher.note(note)
        recorder.log(as_note(note))


@dataclass(frozen=True)
class _Ending:
    status: str
    state: TrainingState | None
    error: NettoolError | None = None

    @property
    def why(self) -> str:
        return str(self.error) if self.error else self.state.stopped if self.state else ""


def _run(
    prepared: Prepared, recorder: Recorder, watcher: Watcher, signals: StopSignals, saved: Saved | None
) -> _Ending:
    """Train, save, and say how it ended. What nobody foresaw is written down and raised on."""
    state = None
    try:
        with machine.random_numbers(prepared.loaded.experiment.seed, prepared.device):
            job, state = build_job(prepared)
            if saved is not None:
                restore(state, saved, recorder.run.last)
                watcher.resumed(state.history)
                _tell(stop_note(prepared.loaded.experiment, state.history), recorder, watcher)
            recorder.begin(state)
            try:
                if prepared.engine.kind == "compiled":
                    _compile(job, state, recorder, watcher)
                    signals.check(f"epoch {state.epoch + 1}", recorder.run.path)
                _follow(job, state, recorder, watcher, signals)
                ending = _Ending("stopped early" if state.stopped else "finished", state)
            except InterruptedRun as interrupted:
                ending = _Ending("interrupted", state, interrupted)
            recorder.save(state)
            recorder.wait()
            return ending
    except Exception as failure:
        error = _explained(failure, prepared, has_begun=state is not None)
        if error is None:
            recorder.end_badly(failure, state)
            raise
        if state is not None:
            with contextlib.suppress(NettoolError):  # the disk may be full as well, which is not what ended the run
                recorder.save_best(state)  # the last state is no use any more
        return _Ending("diverged" if isinstance(error, DivergedError) else "failed", state, error)


def _compile(job: Job, state: TrainingState, recorder: Recorder, watcher: Watcher) -> None:
    from nettool.training.compiled import compile_ahead  # here, since it costs a second of imports

    _tell(["compiling: that takes up to a minute the first time."], recorder, watcher)
    seconds = compile_ahead(job, state.network)
    _tell([f"compiled in {seconds:.1f} seconds."], recorder, watcher)


def _explained(failure: Exception, prepared: Prepared, has_begun: bool) -> NettoolError | None:
    """What ends a run in good order, as the user is told of it."""
    if isinstance(failure, DivergedError):
        return failure
    return out_of_memory_in_training(failure, prepared, has_begun) or machine.no_deterministic_kernel(failure)


def _follow(job: Job, state: TrainingState, recorder: Recorder, watcher: Watcher, signals: StopSignals) -> None:
    """Record what `fit` yields, show it, and leave when a signal asks."""
    for event in fit(job, state):
        recorder.event(event, state)
        watcher.event(event)
        if state.epoch < job.epochs and not state.stopped:
            signals.check(f"epoch {state.epoch + 1}", recorder.run.path)
