"""nettool sweep: a config and ranges to a directory with a run for each point; anew, or from where it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from nettool.config.checks import has_validation
from nettool.config.optimization import chooser
from nettool.errors import ResourceError
from nettool.runs import directory as runs
from nettool.runs.sweeps import SweepDirectory, is_sweep, read_sweep, write_sweep
from nettool.workflows.sweeps.find import find_sweep
from nettool.workflows.sweeps.points import CheckedPoint, Request, Sweep, check_points, plan_sweep
from nettool.workflows.sweeps.shared import SharedData
from nettool.workflows.sweeps.stored import record_of, stored_sweep
from nettool.workflows.sweeps.units import Unit, describe, plan_units
from nettool.workflows.sweeps.watch import SweepOutcome, SweepWatcher


@dataclass(frozen=True)
class Planned:
    """What a sweep would do."""

    sweep: Sweep
    checked: list[CheckedPoint]

    @cached_property
    def units(self) -> list[Unit]:
        """What is trained together where there is no GPU."""
        return plan_units(self.checked, range(1, len(self.checked) + 1), on_cpu=True)

    @property
    def how(self) -> str:
        """In a sentence."""
        return describe(self.units, 1)


def plan(config: Path, request: Request, most: int | None, shared: SharedData | None = None) -> Planned:
    """Every point, checked. Writes nothing."""
    sweep = plan_sweep(config, request, most)
    return Planned(sweep, check_points(sweep, shared or SharedData()))


def sweep(
    config: Path,
    request: Request,
    watcher: SweepWatcher,
    sweep_dir: Path | None = None,
    tags: Mapping[str, str] | None = None,
    most: int | None = None,
    board: bool = False,
) -> SweepOutcome:
    """Train every point in a new directory, `sweep_dir` or the next free one under `runs/`. board: see `train`.

    A point that diverges or fails ends by itself; the outcome's error tells. Raises ConfigError with the mistakes of
    all points before anything is trained, ResourceError where the disk refuses.
    """
    shared = SharedData()
    planned = plan(config, request, most, shared)  # its mistakes are told before torch is loaded

    from nettool.workflows.sweeps.sweeper import Sweeper

    experiment = planned.checked[0].experiment
    record = record_of(planned.sweep, _monitor(planned.checked), tags or {})
    name = f"{experiment.name}-sweep"
    where = runs.claim_exactly(sweep_dir) if sweep_dir else runs.claim(name)
    directory = SweepDirectory(where.path)
    with _occupied(directory):
        write_sweep(directory, record)
        return Sweeper(directory, planned.sweep, record, shared, watcher, board).carry_out(planned.checked)


def resume_sweep(argument: Path | None, watcher: SweepWatcher, board: bool = False) -> SweepOutcome:
    """Go on with a sweep, the newest where none is named: points that are complete are left alone, others go on.

    Raises RunError where there is no such sweep, BusyError where another process is in it.
    """
    from nettool.workflows.sweeps.sweeper import Sweeper

    directory = find_sweep(argument)
    with _occupied(directory):
        runs.remove_leftovers(directory.path)
        record = read_sweep(directory)
        sweep, shared = stored_sweep(record), SharedData()
        return Sweeper(directory, sweep, record, shared, watcher, board).carry_out(check_points(sweep, shared))


def _monitor(checked: Sequence[CheckedPoint]) -> str:
    """What the points are ranked by: what chooses the best weights of the first, if all measure it; else their loss."""
    experiment = checked[0].experiment
    if not has_validation(experiment.data):
        return "train_loss"
    monitor = chooser(experiment.early_stopping)
    measured = all(monitor in ("validation_loss", *each.experiment.metric_names) for each in checked)
    return monitor if measured else "validation_loss"


@contextmanager
def _occupied(directory: SweepDirectory) -> Iterator[None]:
    """Keep others out, and say how to go on where the disk refuses."""
    try:
        with runs.locked(directory.whole):
            yield
    except ResourceError as error:
        if not is_sweep(directory.path):
            runs.withdraw(directory.whole)
            raise
        raise ResourceError(
            f"{error} Every point that is finished is kept. Then go on with: nettool sweep --resume {directory.path}"
        ) from None
