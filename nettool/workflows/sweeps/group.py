"""Points trained together: each in a run directory of its own, as if it had been trained alone."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from nettool.errors import DivergedError, InterruptedRun, NettoolError
from nettool.runs.directory import RunDirectory
from nettool.training.epochs import Progress, Training, forget_a_late_stop
from nettool.training.history import EpochResult
from nettool.training.state import TrainingState
from nettool.training.together import Member, fit_together
from nettool.workflows import machine
from nettool.workflows.exhaustion import out_of_memory_in_training
from nettool.workflows.first_record import Origin
from nettool.workflows.prepare import Prepared
from nettool.workflows.recorder import Recorder
from nettool.workflows.resume import Saved, restore
from nettool.workflows.signals import StopSignals
from nettool.workflows.sweeps.build import build_members
from nettool.workflows.sweeps.watch import UnitWatcher
from nettool.workflows.train import Outcome, put_back
from nettool.workflows.watch import as_note

LOOK_SECONDS = 0.1
"""Between two signs of life that are passed on."""


@dataclass(frozen=True)
class Seat:
    """A point that is to be trained with others. saved: where its run stands, if it has begun."""

    number: int
    run: RunDirectory
    prepared: Prepared
    saved: Saved | None


@dataclass(frozen=True)
class _Sitter:
    """A seat that is taken."""

    seat: Seat
    recorder: Recorder
    training: Training
    state: TrainingState

    @property
    def share(self) -> float:
        """Of its epochs, how much is done."""
        epochs = self.state.epoch + self.state.update / self.training.steps_per_epoch
        return epochs / max(self.training.epochs, 1)


def train_group(seats: Sequence[Seat], threads: int, watcher: UnitWatcher, origin: Origin) -> Iterable[Outcome]:
    """Train until each has ended in its own way; an interruption ends all of them, with their states saved.

    Their directories are locked by whoever calls this.

    Raises ResourceError where the disk refuses, after all that can be saved is saved.
    """
    prepared = seats[0].prepared
    engine = replace(prepared.engine, members=len(seats))
    seats = [replace(seat, prepared=replace(seat.prepared, engine=engine, threads=threads)) for seat in seats]
    with ExitStack() as stack:
        for seat in seats:
            put_back(seat.run, seat.saved)
        experiment = prepared.loaded.experiment
        stack.enter_context(machine.computing(experiment.runtime, prepared.device, threads))
        stack.enter_context(machine.random_numbers(experiment.seed, prepared.device))  # a state of them is saved
        signals = stack.enter_context(StopSignals())
        recorders = [stack.enter_context(Recorder(seat.run, seat.prepared, seat.saved, origin)) for seat in seats]
        group = _Group(seats, recorders, watcher)
        with group.ending_badly():
            group.build()
            group.train(signals)
        return group.outcomes.values()


class _Group:
    def __init__(self, seats: Sequence[Seat], recorders: Sequence[Recorder], watcher: UnitWatcher) -> None:
        self._seats, self._recorders, self._watcher = seats, recorders, watcher
        self._sitters: list[_Sitter] = []
        self._next_look = 0.0
        self.outcomes: dict[int, Outcome] = {}

    @property
    def _left(self) -> list[_Sitter]:
        return [sitter for sitter in self._sitters if sitter.seat.number not in self.outcomes]

    def build(self) -> None:
        """The networks, each as it would be alone, and the step that moves all of them."""
        members, self._step = build_members([seat.prepared for seat in self._seats])
        for seat, recorder, (training, state) in zip(self._seats, self._recorders, members, strict=True):
            if seat.saved is not None:
                restore(state, seat.saved, seat.run.last)
            for note in (*seat.prepared.notes, *(seat.saved.notes if seat.saved else ())):
                recorder.log(as_note(note))
            recorder.begin(state)
            self._sitters.append(_Sitter(seat, recorder, training, state))

    def train(self, signals: StopSignals) -> None:
        """Follow what happens to each."""
        members = [Member(place, sitter.training, sitter.state) for place, sitter in enumerate(self._sitters)]
        for member, sitter in zip(members, self._sitters, strict=True):
            forget_a_late_stop(sitter.training, sitter.state)
            if member.is_done and len(sitter.state.history):  # before it was taken up
                self._end(sitter, "stopped early" if sitter.state.stopped else "finished")
        for place, what in fit_together(members, self._step):
            if place is None:
                assert isinstance(what, Progress)
                self._sign_of_life(what)
                if signals.received is not None:
                    return self._leave(signals)
                continue
            sitter = self._sitters[place]
            if sitter.seat.number in self.outcomes:  # diverged, as a save has seen before
                continue
            if isinstance(what, DivergedError):
                self._end(sitter, "diverged", what)
            else:
                assert isinstance(what, EpochResult)
                self._record(sitter, what)
                if members[place].is_done:
                    self._end(sitter, "stopped early" if what.stopped else "finished")
        return None

    def _record(self, sitter: _Sitter, event: Progress | EpochResult) -> None:
        """Write it down, and save where that is due; weights that cannot be saved have diverged."""
        try:
            sitter.recorder.event(event, sitter.state)
        except DivergedError as error:
            self._end(sitter, "diverged", error)

    def _sign_of_life(self, progress: Progress) -> None:
        for sitter in self._left:
            self._record(sitter, progress)
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + LOOK_SECONDS
            self._watcher.progress({sitter.seat.number: sitter.share for sitter in self._left})

    def _leave(self, signals: StopSignals) -> None:
        """Save all that are left; each is told how it goes on."""
        for sitter in self._left:
            try:
                signals.check(f"epoch {sitter.state.epoch + 1}", sitter.seat.run.path)
            except InterruptedRun as interrupted:
                self._end(sitter, "interrupted", interrupted)

    def _end(self, sitter: _Sitter, status: str, error: NettoolError | None = None) -> None:
        if sitter.seat.number in self.outcomes:
            return
        recorder, state = sitter.recorder, sitter.state
        try:
            if status != "diverged":
                recorder.save(state)
                recorder.wait()
        except DivergedError as ruined:
            status, error = "diverged", ruined
        if status == "diverged":
            recorder.save_best(state)  # the last state is no use any more
        baseline = sitter.seat.prepared.baseline_metrics()
        record = recorder.end(status, str(error) if error else state.stopped, state, baseline)
        self.outcomes[sitter.seat.number] = outcome = Outcome(sitter.seat.run, record, error)
        self._watcher.finished(sitter.seat.number, outcome)

    @contextmanager
    def ending_badly(self) -> Iterator[None]:
        """Write into every run that has not ended what has ended it. Exhausted memory is no more than that."""
        try:
            yield
        except Exception as failure:
            error = out_of_memory_in_training(failure, self._seats[0].prepared, has_begun=bool(self._sitters))
            states = {sitter.seat.number: sitter.state for sitter in self._sitters}
            for seat, recorder in zip(self._seats, self._recorders, strict=True):
                if seat.number in self.outcomes:
                    continue
                state = states.get(seat.number)
                if error is None:
                    recorder.end_badly(failure, state)
                    continue
                record = recorder.end("failed", str(error), state, {})
                self.outcomes[seat.number] = Outcome(seat.run, record, error)
                self._watcher.finished(seat.number, self.outcomes[seat.number])
            if error is None:
                raise
