"""A unit of a sweep: its points are trained, from the beginning or from where their runs stand."""

from __future__ import annotations

from collections.abc import Sequence

from nettool.config.load import Loaded, load
from nettool.runs import durable
from nettool.runs.directory import RunDirectory, is_run
from nettool.runs.sweeps import SweepDirectory
from nettool.training.epochs import Progress
from nettool.training.history import EpochResult
from nettool.workflows.prepare import prepare_training
from nettool.workflows.recorder import Origin
from nettool.workflows.resume import Saved, is_complete, prepare_resumption
from nettool.workflows.sweeps.group import Seat, fitting_threads, train_group
from nettool.workflows.sweeps.points import Sweep
from nettool.workflows.sweeps.shared import SharedData
from nettool.workflows.sweeps.watch import UnitWatcher
from nettool.workflows.train import Outcome, carry_out, occupied
from nettool.workflows.watch import Watcher


def train_unit(
    sweep: Sweep,
    directory: SweepDirectory,
    numbers: Sequence[int],
    shared: SharedData,
    watcher: UnitWatcher,
    origin: Origin,
    threads: int | None = None,
) -> list[Outcome]:
    """Train the points of these numbers together, or a lone one by itself.

    threads: of each process; None for as many as the rule says. Those that stand at different places of their training
    since an interruption go on in groups of their own. Raises ResourceError where the disk refuses.
    """
    outcomes: list[Outcome] = []
    seats: dict[tuple[int, ...], list[Seat]] = {}
    for number in numbers:
        seat = _take_seat(directory.point(number), number, sweep.load(number).loaded, shared)
        if seat is not None:
            seats.setdefault(_place(seat.saved), []).append(seat)
    for group in seats.values():
        if len(group) > 1:
            outcomes += train_group(group, threads or fitting_threads(group), watcher, origin)
        else:
            outcomes.append(_train_alone(group[0], threads, watcher, origin))
        if any(outcome.record["status"] == "interrupted" for outcome in outcomes):
            break
    return outcomes


def _take_seat(run: RunDirectory, number: int, loaded: Loaded, shared: SharedData) -> Seat | None:
    """The point with its data; None where its run is complete."""
    if not is_run(run.path):
        if not run.path.is_dir():
            durable.claim_folder(run.path)
        return Seat(number, run, prepare_training(loaded, shared.read), None)
    if loaded.experiment.optimizer.lr == "auto":  # which it has found when it began
        loaded = loaded.with_rate(load(run.config).experiment.optimizer.rate)
    if is_complete(run, loaded):
        return None
    prepared, saved = prepare_resumption(run, loaded, shared.read)
    return Seat(number, run, prepared, saved)


def _place(saved: Saved | None) -> tuple[int, ...]:
    """Where its training stands: those that are trained together take the same steps."""
    if saved is None or saved.facts is None:
        return (0, 0, 0)
    position = saved.facts.state.position
    return (position.epoch, position.step, position.update) if position.step else (0, 0, 0)


def _train_alone(seat: Seat, threads: int | None, watcher: UnitWatcher, origin: Origin) -> Outcome:
    prepared = seat.prepared
    if threads is not None and prepared.loaded.experiment.runtime.threads is None:
        prepared = prepared.with_threads(threads)
    with occupied(seat.run):
        return carry_out(prepared, seat.run, _Lone(seat, watcher), seat.saved, origin)


class _Lone(Watcher):
    """Tells of one training as of a group."""

    def __init__(self, seat: Seat, watcher: UnitWatcher) -> None:
        self._number, self._watcher = seat.number, watcher
        self._epochs = max(seat.prepared.loaded.experiment.epochs, 1)

    def progress(self, progress: Progress) -> None:
        self._watcher.progress({self._number: (progress.epoch - 1 + progress.fraction) / self._epochs})

    def epoch(self, result: EpochResult) -> None:
        self._watcher.progress({self._number: result.epoch / self._epochs})

    def finished(self, outcome: Outcome) -> None:
        self._watcher.finished(self._number, outcome)
