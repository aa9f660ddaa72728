"""Pictures of runs, or of a sweep, beside each other."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nettool.runs import durable
from nettool.workflows.compare import Compared, Comparison

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(comparison: Comparison, folder: Path) -> list[Path]:
    """All of them, as files of the folder."""
    from nettool.plots.figures import as_png

    durable.make_folders(folder)
    files = []
    for name, figure in figures(comparison):
        path = folder / f"{name}.png"
        durable.write_file(path, as_png(figure))
        files.append(path)
    return files


def figures(comparison: Comparison) -> Iterator[tuple[str, Figure]]:
    """Each with its name: curves over each other and, of a sweep, the metric against each key that it varies."""
    from nettool.plots.sweeps import Curve, Spot, curves, metric_against_key

    monitor = comparison.monitor
    column = monitor if any(monitor in row for each in comparison.runs for row in each.epochs) else "train_loss"
    found = [Curve(label, *_columns(each.epochs, column)) for each, label in _labelled(comparison) if each.epochs]
    if found:
        yield "curves", curves(column, found)
    if comparison.sweep is None:
        return
    _, record, settings = comparison.sweep
    whole = [setting for setting in settings if setting.mean is not None]
    losses = {each.run.path.name: _train_loss(each) for each in comparison.runs}
    for axis in record.axes:
        if not whole or axis.key not in whole[0].settings:
            continue
        spots = [
            Spot(
                setting.settings[axis.key], setting.mean, setting.deviation,
                " ".join(f"{key}={value}" for key, value in setting.settings.items() if key != axis.key),
                _mean([losses.get(f"{point.number:04d}") for point in setting.points])
                if monitor == "validation_loss" else None,
            )
            for setting in whole if setting.mean is not None
        ]  # fmt: skip
        figure = metric_against_key(axis.key, monitor, spots, axis.is_log, comparison.mode == "max")
        yield f"by_{axis.key.replace('.', '_')}", figure


def _labelled(comparison: Comparison) -> list[tuple[Compared, str]]:
    """The runs, the best first, with what tells them apart; of a sweep its settings, which several seeds may share."""
    if comparison.sweep is None:
        return [(each, _label_of(each, comparison.keys)) for each in comparison.runs]
    by_name = {each.run.path.name: each for each in comparison.runs}
    return [
        (by_name[name], setting.name or "all")
        for setting in comparison.sweep[2]
        for point in setting.points
        if (name := f"{point.number:04d}") in by_name
    ]


def _label_of(each: Compared, keys: Sequence[str]) -> str:
    """What tells a run from the others."""
    told = " ".join(f"{key.rpartition('.')[2]}={each.settings.get(key)}" for key in keys if key != "seed")
    return told if 0 < len(told) <= 40 else each.run.path.name


def _train_loss(each: Compared) -> float | None:
    """That of the best epoch."""
    best = each.record.get("best_epoch")
    return next((row["train_loss"] for row in each.epochs if row["epoch"] == best), None)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known else None


def _columns(rows: Sequence[Mapping[str, float | None]], name: str) -> tuple[list[float], list[float | None]]:
    return [row["epoch"] or 0.0 for row in rows], [row.get(name) for row in rows]
