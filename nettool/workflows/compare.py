"""nettool runs compare: what differs between runs in their configs and in their results. Never torch."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from nettool.config.load import load
from nettool.config.losses import Regression
from nettool.errors import NettoolError, RunError, UsageError
from nettool.runs.cells import as_cells
from nettool.runs.directory import ROOT, RunDirectory, all_runs
from nettool.runs.find import find_run
from nettool.runs.journal import read_metrics
from nettool.runs.sweeps import SweepDirectory, SweepRecord, all_sweeps, is_sweep, read_sweep
from nettool.training.stopping import cost, mode_of
from nettool.workflows.changes import flat_settings
from nettool.workflows.runs import has_tags, reached, record_or_damage
from nettool.workflows.sweeps.results import Setting, rank, read_results

SAME_EVERYWHERE = ("name",)
"""Keys that say nothing of an experiment."""
LOSSES = ("validation_loss", "train_loss")
REGRESSION = {spec.model_fields["name"].default for spec in get_args(Regression)}
"""Losses of numbers; all others are of classes."""


@dataclass(frozen=True)
class Compared:
    """One run: the settings in which it differs from others of them, and what it reached."""

    run: RunDirectory
    record: dict[str, Any]
    settings: dict[str, Any]
    epochs: list[dict[str, float | None]]

    @property
    def metrics(self) -> dict[str, float | None]:
        """Of its best epoch."""
        return reached(self.record, self.epochs)


@dataclass(frozen=True)
class Comparison:
    """Runs beside each other, the best first. keys: what they differ in. metrics: what any of them has measured.

    sweep: the directory and the record of the sweep that they are the points of, with its settings ranked. note: what
    to mind about the ranking, if anything.
    """

    runs: tuple[Compared, ...]
    keys: tuple[str, ...]
    metrics: tuple[str, ...]
    monitor: str
    mode: Literal["min", "max"]
    sweep: tuple[SweepDirectory, SweepRecord, list[Setting]] | None
    note: str = ""

    def rows(self) -> list[dict[str, Any]]:
        """One for each run, the same columns in each."""
        return [
            {
                "run": str(each.run.path), "status": each.record["status"],
                **{key: each.settings.get(key) for key in self.keys},
                **{name: each.metrics.get(name) for name in self.metrics},
                "epochs_trained": each.record.get("epochs"), "best_epoch": each.record.get("best_epoch"),
                "seconds": each.record.get("seconds"),
            }
            for each in self.runs
        ]  # fmt: skip

    def as_csv(self) -> str:
        """The rows; floats so that reading gives the same bits."""
        buffer = io.StringIO()
        rows = [as_cells(row) for row in self.rows()]
        writer = csv.DictWriter(buffer, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return buffer.getvalue()


def compare(arguments: Sequence[Path], tags: Mapping[str, str] | None = None, by: str | None = None) -> Comparison:
    """Put runs beside each other: those named, of a sweep all its points, and those with these tags.

    by: the metric that they are ranked by; by default what chose their best weights. Raises RunError for what is no
    run, UsageError where there are not two, none has measured `by`, or nothing of theirs can be compared.
    """
    runs: dict[Path, RunDirectory] = {}
    sweep: tuple[SweepDirectory, SweepRecord] | None = None
    for argument in arguments:
        path = next((path for path in (argument, ROOT / argument) if is_sweep(path)), None)
        if path is None:
            found = [find_run(argument)]
        else:
            directory = SweepDirectory(path)
            found = list(all_runs(path))
            if len(arguments) == 1 and not tags:
                sweep = directory, read_sweep(directory)
        runs |= {run.path.resolve(): run for run in found}
    if tags:
        everywhere = [run for root in (ROOT, *(each.path for each in all_sweeps())) for run in all_runs(root)]
        runs |= {run.path.resolve(): run for run in everywhere if has_tags(run, tags)}
    if len(runs) < 2:
        raise UsageError(
            f"there {'is 1 run' if runs else 'are no runs'} to compare. Name two or more, or a sweep of several points."
        )
    return _compared(list(runs.values()), by, sweep)


def _compared(
    runs: Sequence[RunDirectory], by: str | None, sweep: tuple[SweepDirectory, SweepRecord] | None
) -> Comparison:
    runs, settings, unread = _readable(runs)
    keys = tuple(dict.fromkeys(key for each in settings for key in each))
    differing = tuple(
        key for key in keys if key not in SAME_EVERYWHERE and len({repr(each.get(key)) for each in settings}) > 1
    )
    compared = [
        Compared(run, record_or_damage(run), {key: each.get(key) for key in differing}, _epochs(run))
        for run, each in zip(runs, settings, strict=True)
    ]
    metrics = tuple(dict.fromkeys(name for each in compared for name in each.metrics))
    if by is not None and by not in metrics:
        raise UsageError(f"none of the runs has measured {by}. They have measured {', '.join(metrics)}.")
    everywhere = [name for name in metrics if all(name in each.metrics for each in compared if each.metrics)]
    _check_tasks(runs, settings, is_asked=by in everywhere)
    monitor = by or (sweep[1].monitor if sweep else _monitor(settings[0], metrics))
    monitor, note = _despite_losses(monitor, settings, everywhere, is_asked=by is not None)
    mode = mode_of(monitor)
    ranked = sorted(compared, key=lambda each: cost(each.metrics.get(monitor), mode))
    of_sweep = None
    if sweep is not None:
        directory, record = sweep
        of_sweep = directory, record, rank(read_results(directory, record), monitor, mode)
    return Comparison(
        tuple(ranked), differing, metrics, monitor, mode, of_sweep, " ".join(filter(None, (note, unread)))
    )


def _readable(runs: Sequence[RunDirectory]) -> tuple[list[RunDirectory], list[dict[str, Any]], str]:
    """The runs whose config can be read, their settings, and a word of the others. Raises RunError without two."""
    found, unread = [], []
    for run in runs:
        try:
            found.append((run, _settings(run)))
        except RunError as error:
            unread.append(error)
    if unread and len(found) < 2:
        raise unread[0]
    more = f" (and {len(unread) - 1} more)" if len(unread) > 1 else ""
    return (
        [run for run, _ in found],
        [each for _, each in found],
        f"note: left out{more}: {unread[0]}" if unread else "",
    )


def _check_tasks(runs: Sequence[RunDirectory], settings: Sequence[Mapping[str, Any]], is_asked: bool) -> None:
    """What predicts different things has no number in common, whatever the names of the numbers are.

    is_asked: the user wants them ranked by a metric that all have measured.
    """
    tasks: dict[str, str] = {}
    for run, each in zip(runs, settings, strict=True):
        target = ", ".join(each.get("data.target") or ("what comes next",))
        task = f"{target} {each['loss.name'] in REGRESSION}"
        tasks.setdefault(task, f"{run.path} predicts {target} (loss {each['loss.name']})")
    if len(tasks) > 1 and not is_asked:
        told = list(tasks.values())
        others = f", and {len(told) - 3} more" if len(told) > 3 else ""
        raise UsageError(
            "these runs have different tasks, so neither their losses nor their metrics can be compared: "
            f"{', '.join(told[:3])}{others}. Name runs of the same target and the same kind of loss."
        )


def _despite_losses(
    monitor: str, settings: Sequence[Mapping[str, Any]], everywhere: Sequence[str], is_asked: bool
) -> tuple[str, str]:
    """What to rank by, and what to say of it: losses of different functions are numbers of different kinds."""
    losses = [{key: value for key, value in each.items() if key.startswith("loss.")} for each in settings]
    if monitor not in LOSSES or all(loss == losses[0] for loss in losses):
        return monitor, ""
    names = list(dict.fromkeys(str(loss["loss.name"]) for loss in losses))
    how = f"with different losses ({', '.join(names)})" if len(names) > 1 else f"with different settings of {names[0]}"
    told = f"these runs were trained {how}, whose values cannot be compared"
    metrics = [name for name in everywhere if name not in LOSSES]
    if not metrics:
        raise UsageError(f"{told}, and there is no metric that all of them have measured.")
    if is_asked:
        raise UsageError(f"{told}. Rank them by a metric that all have measured: {', '.join(metrics)}.")
    return metrics[0], f"note: {told}: ranked by {metrics[0]}."


def _epochs(run: RunDirectory) -> list[dict[str, float | None]]:
    """Its journal; one that cannot be read must not hide the others."""
    try:
        return read_metrics(run)
    except RunError:
        return []


def _monitor(settings: Mapping[str, Any], metrics: Sequence[str]) -> str:
    """What chose the best weights of the first run."""
    monitor = str(settings.get("early_stopping.monitor", "validation_loss"))
    return monitor if monitor in metrics else "validation_loss" if "validation_loss" in metrics else "train_loss"


def _settings(run: RunDirectory) -> dict[str, Any]:
    """Every setting of its config by its dotted key."""
    try:
        experiment = load(run.config).experiment
    except NettoolError as error:
        raise RunError(f"{run.config} cannot be read: {error}") from None
    found = flat_settings(experiment)
    return {".".join(map(str, path)): value for path, value in found.items()}
