"""Pictures of predicted numbers: against the truth, and what was missed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nettool.analysis.outcomes import Array, Numbers
from nettool.plots.figures import COLORS, headline, new_panels, plain
from nettool.training.regression_metrics import compute

MOST_PANELS = 6
"""Targets; of more of them (a series that looks far ahead) those between are left out."""
MOST_DOTS = 4000
"""Beyond it dots would hide each other: their density is shown."""
_LINE = "#d55e00"


def _chosen(outcomes: Mapping[str, Numbers]) -> list[Numbers]:
    every = list(outcomes.values())
    places = np.unique(np.linspace(0, len(every) - 1, min(MOST_PANELS, len(every))).round().astype(int))
    return [every[place] for place in places]


def _grid(count: int, width: float, height: float) -> tuple[int, int, float, float]:
    columns = min(count, 3)
    rows = -(-count // columns)
    one = count == 1
    return rows, columns, width if one else 3.6 * columns, height if one else 3.4 * rows


def predicted_vs_true(outcomes: Mapping[str, Numbers]) -> Figure:
    """Each example as a dot: on the line what was predicted is true."""
    chosen = _chosen(outcomes)
    figure, panels = new_panels(*_grid(len(chosen), 5.6, 5.2))
    for axes, found in zip(panels, chosen, strict=False):
        low = float(min(found.actual.min(), found.predicted.min()))
        high = float(max(found.actual.max(), found.predicted.max()))
        room = 0.04 * (high - low) or 1.0
        _dots(axes, found.actual, found.predicted, found.weights)
        axes.plot([low - room, high + room], [low - room, high + room], color=_LINE, linewidth=1.2, zorder=4)
        axes.set_xlim(low - room, high + room)
        axes.set_ylim(low - room, high + room)
        axes.set_aspect("equal")
        headline(axes, _quality(found), 10 if len(chosen) == 1 else 8)
        axes.set_xlabel(f"true {plain(found.name, 30)}")
        axes.set_ylabel(f"predicted {plain(found.name, 30)}")
    _hide_rest(panels, len(chosen))
    return figure


def _quality(found: Numbers) -> str:
    measured = compute(("rmse", "r2"), found.predicted[:, None], found.actual[:, None], found.weights)
    explained = f"R² {measured['r2']:.3f}, " if found.actual.min() < found.actual.max() else ""
    return f"{explained}off by {measured['rmse']:.4g} (RMSE)"


def residuals(outcomes: Mapping[str, Numbers]) -> Figure:
    """What was predicted too much or too little, against the prediction; beside it, how often how much."""
    chosen = _chosen(outcomes)
    figure, panels = new_panels(
        len(chosen), 2, 8.6, 4.2 if len(chosen) == 1 else 2.8 * len(chosen), width_ratios=[3, 1], sharey="row"
    )
    for row, found in enumerate(chosen):
        axes, beside = panels[2 * row : 2 * row + 2]
        _dots(axes, found.predicted, found.residuals, found.weights)
        axes.axhline(0, color=_LINE, linewidth=1.2, zorder=4)
        middle = _running_mean(found)
        if middle is not None:
            axes.plot(*middle, color=COLORS[7], linewidth=1.6, linestyle="--", label="mean around here", zorder=4)
            axes.legend(frameon=False, fontsize=8)
        bias = float(np.average(found.residuals, weights=found.weights))
        headline(axes, f"{abs(bias):.3g} too {'much' if bias > 0 else 'little'} on average")
        axes.set_xlabel(f"predicted {plain(found.name, 30)}")
        axes.set_ylabel("predicted − true")
        beside.hist(
            found.residuals,
            bins=min(40, 5 + len(found.residuals) // 10),
            weights=found.weights,
            orientation="horizontal",
            color=COLORS[0],
            alpha=0.7,
        )
        beside.axhline(0, color=_LINE, linewidth=1.2)
        beside.set_xlabel("examples")
        inner = _quantile(np.abs(found.residuals), found.weights, 0.9)
        headline(beside, f"nine of ten within ±{inner:.3g}", 8)
    return figure


def _running_mean(found: Numbers) -> tuple[Array, Array] | None:
    """Of the residuals over tenths of the examples, by prediction."""
    if len(found.predicted) < 50:
        return None
    order = np.argsort(found.predicted, kind="stable")
    parts = np.array_split(order, 10)
    places, means = (
        np.array([np.average(values[part], weights=found.weights[part]) for part in parts])
        for values in (found.predicted, found.residuals)
    )
    return places, means


def _quantile(values: Array, weights: Array, share: float) -> float:
    """The value below which, itself included, that share of the weight lies."""
    order = np.argsort(values, kind="stable")
    below = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(below, share * below[-1])])


def _dots(axes: Axes, x: Array, y: Array, weights: Array) -> None:
    if len(x) > MOST_DOTS:
        settings: Any = {"gridsize": 60, "bins": "log", "cmap": "Blues", "mincnt": 1, "linewidths": 0.2}
        axes.hexbin(x, y, C=weights, reduce_C_function=np.sum, zorder=2, **settings)
    else:
        size = 22 if len(x) < 300 else 10
        axes.scatter(x, y, s=size, color=COLORS[0], alpha=0.6 if len(x) < 1000 else 0.35, linewidths=0, zorder=2)


def _hide_rest(panels: list[Axes], used: int) -> None:
    for axes in panels[used:]:
        axes.set_visible(False)
