"""A unit of a sweep: its points are trained, from the beginning or from where their runs stand."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from nettool.config.load import Loaded, load
from nettool.errors import NettoolError, ResourceError
from nettool.runs import durable
from nettool.runs.directory import RunDirectory, is_run, locked, remove_leftovers
from nettool.runs.sweeps import SweepDirectory
from nettool.training.epochs import Progress
from nettool.training.history import EpochResult
from nettool.workflows.first_record import Origin
from nettool.workflows.prepare import prepare_training
from nettool.workflows.resume import Saved, is_complete, prepare_resumption
from nettool.workflows.sweeps.build import fitting_threads
from nettool.workflows.sweeps.group import Seat, train_group
from nettool.workflows.sweeps.points import Sweep
from nettool.workflows.sweeps.shared import SharedData
from nettool.workflows.sweeps.watch import UnitWatcher
from nettool.workflows.train import Outcome, carry_out
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
    since an interruption go on in groups of their own. One that cannot be trained is told to the watcher, and does not
    keep the others from it. Raises ResourceError where the disk refuses.
    """
    outcomes: list[Outcome] = []
    seats: dict[tuple[int, ...], list[Seat]] = {}
    with ExitStack() as stack:
        for number in numbers:
            try:
                seat = _take_seat(stack, directory.point(number), number, sweep.load(number), shared, threads)
            except ResourceError:
                raise
            except NettoolError as error:
                watcher.failed([number], error)
                continue
            if seat is not None:
                seats.setdefault(_place(seat.saved), []).append(seat)
        for group in seats.values():
            if len(group) > 1:
                outcomes += train_group(
                    group, threads or fitting_threads(group[0].prepared, len(group)), watcher, origin
                )
            else:
                (seat,) = group
                outcomes.append(carry_out(seat.prepared, seat.run, _Lone(seat, watcher), seat.saved, origin))
            if any(outcome.record["status"] == "interrupted" for outcome in outcomes):
                break
    return outcomes


def _take_seat(
    stack: ExitStack, run: RunDirectory, number: int, loaded: Loaded, shared: SharedData, threads: int | None
) -> Seat | None:
    """The point with its data, in a directory that is ours from now on; None where its run is complete."""
    if not run.path.is_dir():
        durable.claim_folder(run.path)
    stack.enter_context(locked(run))
    if not is_run(run.path):
        remove_leftovers(run.path)
        return Seat(number, run, prepare_training(loaded, shared.read, threads), None)
    if loaded.experiment.optimizer.lr == "auto":  # which it has found when it began
        loaded = loaded.with_rate(load(run.config).experiment.optimizer.rate)
    if is_complete(run, loaded):
        return None
    prepared, saved = prepare_resumption(run, loaded, shared.read, threads)
    return Seat(number, run, prepared, saved)


def _place(saved: Saved | None) -> tuple[int, ...]:
    """Where its training stands: those that are trained together take the same steps."""
    if saved is None or saved.facts is None:
        return (0, 0, 0)
    position = saved.facts.state.position
    return (position.epoch, position.step, position.update) if position.step else (0, 0, 0)


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
