"""The loss around trained weights: a map, and the same as a surface, with the path of training over both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure

from nettool.analysis.landscape import Landscape
from nettool.analysis.outcomes import Array
from nettool.plots.figures import COLORS, headline, new_panels, plain

LEVELS = 24
_HIGHEST = 0.97
"""Of the losses: what is above it would make all others one colour."""


@dataclass(frozen=True)
class Path:
    """Where the weights of a run were, epoch after epoch, in the plane: float64 [k], [k]."""

    name: str
    x: Array
    y: Array


def landscape(found: Landscape, paths: Sequence[Path], title: str) -> Figure:
    """Left a map of the loss, right the same as a surface. A path begins at a ring and ends at a star."""
    figure, (axes, right) = new_panels(1, 2, 11.0, 4.8, width_ratios=[1.15, 1])
    loss = np.where(np.isfinite(found.loss), found.loss, np.nan)
    norm, levels = _scale(loss)
    axes.grid(visible=False)
    shown = np.clip(np.where(np.isnan(loss), levels[-1], loss), levels[0], levels[-1])
    mesh = axes.contourf(found.x, found.y, shown, levels=levels, cmap="viridis", norm=norm, extend="max")
    axes.contour(found.x, found.y, shown, levels=levels[::3], colors="white", linewidths=0.4, alpha=0.6)
    figure.colorbar(mesh, ax=axes, format="{x:.3g}").set_label("loss")
    for place, path in enumerate(paths):
        _draw(axes, path, COLORS[1 + place % (len(COLORS) - 1)] if len(paths) > 1 else "#ff5a36")
    axes.set_xlabel(plain(found.plane.labels[0]))
    axes.set_ylabel(plain(found.plane.labels[1]))
    axes.set_xlim(found.x[0], found.x[-1])
    axes.set_ylim(found.y[0], found.y[-1])
    headline(axes, title)
    if any(len(path.x) > 1 for path in paths):
        axes.legend(
            fontsize=7, loc="best", title="the way of training: begins at \u25cb, best at \u2605", title_fontsize=7
        )
    _surface(figure, right, found, shown, norm)
    return figure


def _scale(loss: Array) -> tuple[Normalize, Array]:
    """Colours by the size of the loss where it spans much, so that the valley is not one colour."""
    known = loss[np.isfinite(loss)]
    if not len(known):
        return Normalize(0, 1), np.linspace(0, 1, LEVELS)
    low, high = float(known.min()), float(np.quantile(known, _HIGHEST))
    high = high if high > low else low + 1.0
    if low > 0 and high / low > 10:
        return LogNorm(low, high), np.geomspace(low, high, LEVELS)
    return Normalize(low, high), np.linspace(low, high, LEVELS)


def _draw(axes: Axes, path: Path, color: str) -> None:
    axes.plot(path.x, path.y, color=color, linewidth=1.4, label=plain(path.name, 24), zorder=3)
    if len(path.x) <= 60:
        axes.plot(path.x, path.y, ".", color=color, markersize=4, zorder=3)
    axes.plot(path.x[0], path.y[0], "o", markerfacecolor="white", markeredgecolor=color, markersize=8, zorder=4)
    axes.plot(path.x[-1], path.y[-1], "*", color=color, markeredgecolor="white", markersize=14, zorder=5)


def _surface(figure: Figure, flat: Axes, found: Landscape, shown: Array, norm: Normalize) -> None:
    place = flat.get_subplotspec()
    assert place is not None
    flat.remove()
    axes = figure.add_subplot(place, projection="3d")
    columns, rows = np.meshgrid(found.x, found.y)
    heights = np.log10(shown) if isinstance(norm, LogNorm) else shown
    axes.plot_surface(columns, rows, heights, cmap="viridis", linewidth=0, antialiased=True, rcount=80, ccount=80)
    axes.set_title(f"the same as a surface{', on a log scale' if isinstance(norm, LogNorm) else ''}", fontsize=9)
    axes.tick_params(labelsize=7)
    axes.view_init(elev=38, azim=-60)
