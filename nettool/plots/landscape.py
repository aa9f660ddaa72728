"""The loss around trained weights: a map, and the same as a surface, with the path of training over both; and those of
several runs on one scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from mpl_toolkits.mplot3d.axes3d import Axes3D  # type: ignore[import-untyped]

from nettool.analysis.landscape import Landscape
from nettool.analysis.outcomes import Array
from nettool.plots.figures import COLORS, headline, new_panels, plain

LEVELS = 24
_COLORMAP = "viridis"
_WAY = "#ff5a36"
_BOX, _ELEVATION, _TURN = (4, 4, 3), 38.0, -60.0
"""Of a surface: its sides, and from where it is looked at, in degrees."""
_FAINT = 0.45
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
    scale = _scale([found])
    mesh = _map(axes, found, scale)
    figure.colorbar(mesh, ax=axes, format="{x:.3g}").set_label("loss")
    for path, color in zip(paths, _colors(paths), strict=True):
        _draw(axes, path, color)
    headline(axes, title)
    if any(len(path.x) > 1 for path in paths):
        axes.legend(
            fontsize=7, loc="best", title="the way of training: begins at \u25cb, best at \u2605", title_fontsize=7
        )
    surface = _surface(figure, right, found, scale)
    hidden = [_draw_on(surface, found, path, color, scale) for path, color in zip(paths, _colors(paths), strict=True)]
    parts = ("the same as a surface", "on a log scale" * scale.is_log, "a way is dotted behind it" * any(hidden))
    surface.set_title(", ".join(filter(None, parts)), fontsize=9)
    return figure


def landscapes(found: Sequence[tuple[str, Landscape]], title: str) -> Figure:
    """Several beside each other, each with its name: above the maps, below the surfaces, all on one scale."""
    num = len(found)
    figure, panels = new_panels(2, num, 1.2 + 4.2 * num, 8.6, height_ratios=[1, 1.1])
    scale = _scale([each for _, each in found])
    for axes, below, (name, each) in zip(panels[:num], panels[num:], found, strict=True):
        mesh = _map(axes, each, scale)
        headline(axes, _steepness(name, each), 9)
        axes.plot(0, 0, "*", color=_WAY, markeredgecolor="white", markersize=12)
        _surface(figure, below, each, scale, zoom=0.95)
    figure.colorbar(mesh, ax=panels[:num], format="{x:.3g}").set_label("loss")
    figure.suptitle(title, fontsize=10, x=0.01, ha="left")
    return figure


def _steepness(name: str, found: Landscape) -> str:
    """How deep the weights lie, beside how high it is around them."""
    middle = found.loss[len(found.y) // 2, len(found.x) // 2]
    half = np.median(np.nan_to_num(found.loss, nan=np.inf))
    return f"{plain(name, 24)}: {middle:.3g} in the middle; half of the plane is above {half:.3g}"


@dataclass(frozen=True)
class _Scale:
    """What losses look like: their colour, and how high they are."""

    norm: Normalize
    levels: Array

    @property
    def is_log(self) -> bool:
        return isinstance(self.norm, LogNorm)

    def shown(self, loss: Array) -> Array:
        """What is beyond the scale, and what is no number, at its upper end."""
        shown: Array = np.clip(np.where(np.isfinite(loss), loss, self.levels[-1]), self.levels[0], self.levels[-1])
        return shown

    def height(self, loss: Array) -> Array:
        """In a surface."""
        shown = self.shown(loss)
        return np.log10(shown) if self.is_log else shown

    @property
    def limits(self) -> tuple[float, float]:
        """Of the heights, with a little room."""
        low, high = self.height(self.levels[[0, -1]]).tolist()
        return low - 0.02 * (high - low), high + 0.02 * (high - low)


def _scale(found: Sequence[Landscape]) -> _Scale:
    """Of all of them together. By size where the loss spans much, so that the valley is not one colour."""
    every = np.concatenate([each.loss.ravel() for each in found])
    known = every[np.isfinite(every)]
    if not len(known):
        return _Scale(Normalize(0, 1), np.linspace(0, 1, LEVELS))
    low, high = float(known.min()), float(np.quantile(known, _HIGHEST))
    high = high if high > low else low + 1.0
    if low > 0 and high / low > 10:
        return _Scale(LogNorm(low, high), np.geomspace(low, high, LEVELS))
    return _Scale(Normalize(low, high), np.linspace(low, high, LEVELS))


def _map(axes: Axes, found: Landscape, scale: _Scale) -> ContourSet:
    axes.grid(visible=False)
    shown = scale.shown(found.loss)
    mesh = axes.contourf(found.x, found.y, shown, levels=scale.levels, cmap=_COLORMAP, norm=scale.norm, extend="max")
    axes.contour(found.x, found.y, shown, levels=scale.levels[::3], colors="white", linewidths=0.4, alpha=0.6)
    axes.set_xlabel(plain(found.plane.labels[0]))
    axes.set_ylabel(plain(found.plane.labels[1]))
    axes.set_xlim(found.x[0], found.x[-1])
    axes.set_ylim(found.y[0], found.y[-1])
    return mesh


def _colors(paths: Sequence[Path]) -> list[str]:
    return (
        [COLORS[1 + place % (len(COLORS) - 1)] for place in range(len(paths))]
        if len(paths) > 1
        else [_WAY] * len(paths)
    )


def _draw(axes: Axes, path: Path, color: str) -> None:
    axes.plot(path.x, path.y, color=color, linewidth=1.4, label=plain(path.name, 24), zorder=3)
    if len(path.x) <= 60:
        axes.plot(path.x, path.y, ".", color=color, markersize=4, zorder=3)
    axes.plot(path.x[0], path.y[0], "o", markerfacecolor="white", markeredgecolor=color, markersize=8, zorder=4)
    axes.plot(path.x[-1], path.y[-1], "*", color=color, markeredgecolor="white", markersize=14, zorder=5)


def _surface(figure: Figure, flat: Axes, found: Landscape, scale: _Scale, zoom: float = 0.88) -> Axes3D:
    """In the place of flat axes."""
    place = flat.get_subplotspec()
    assert place is not None
    flat.remove()
    axes = figure.add_subplot(place, projection="3d", computed_zorder=False)  # a path lies on it, not behind it
    columns, rows = np.meshgrid(found.x, found.y)
    colors = colormaps[_COLORMAP](scale.norm(scale.shown(found.loss)))
    axes.plot_surface(
        columns, rows, scale.height(found.loss), facecolors=colors, shade=False, linewidth=0, rcount=80, ccount=80
    )
    axes.set(xlim=(found.x[0], found.x[-1]), ylim=(found.y[0], found.y[-1]), zlim=scale.limits)
    axes.set_xlabel(plain(found.plane.labels[0]), fontsize=8)
    axes.set_ylabel(plain(found.plane.labels[1]), fontsize=8)
    axes.set_zlabel("loss", fontsize=8, labelpad=6)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(4))
    if scale.is_log:
        axes.zaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10], integer=True))
        axes.zaxis.set_major_formatter(FuncFormatter(lambda height, _: f"{10**height:.2g}"))
    axes.tick_params(labelsize=7)
    axes.view_init(elev=_ELEVATION, azim=_TURN)
    axes.set_box_aspect(_BOX, zoom=zoom)  # the layout knows nothing of the name of the third axis
    return axes


def _heights(found: Landscape, x: Array, y: Array, scale: _Scale) -> Array:
    """Of the surface at these places, straight between those that are known: as `x` and `y`, of one shape."""
    rows, row_shares = _cells(found.y, y)
    columns, column_shares = _cells(found.x, x)
    heights = scale.height(found.loss)
    low, high = (
        heights[rows + step, columns] * (1 - column_shares) + heights[rows + step, columns + 1] * column_shares
        for step in (0, 1)
    )
    between: Array = low * (1 - row_shares) + high * row_shares
    return between


def _cells(axis: Array, values: Array) -> tuple[Array, Array]:
    """Between which two places of an axis each value lies, by the first, and how far on its way to the second."""
    cells = np.clip(np.searchsorted(axis, values, side="right") - 1, 0, len(axis) - 2)
    return cells, np.clip((values - axis[cells]) / (axis[cells + 1] - axis[cells]), 0, 1)


def _is_hidden(found: Landscape, path: Path, heights: Array, scale: _Scale) -> Array:
    """Whether the surface rises anywhere between a place of the path and the eye, which is far away: bool [k]."""
    low, high = scale.limits
    sizes = np.array([np.ptp(found.x), np.ptp(found.y), high - low]) / _BOX
    elevation, turn = np.radians(_ELEVATION), np.radians(_TURN)
    toward = sizes * [np.cos(elevation) * np.cos(turn), np.cos(elevation) * np.sin(turn), np.sin(elevation)]
    far = np.linspace(0, np.hypot(*_BOX[:2]), 120)[1:]
    x, y, z = (start[:, None] + far * step for start, step in zip((path.x, path.y, heights), toward, strict=True))
    is_over = (found.x[0] <= x) & (x <= found.x[-1]) & (found.y[0] <= y) & (y <= found.y[-1])
    hidden: Array = (is_over & (_heights(found, x, y, scale) > z)).any(axis=1)
    return hidden


def _draw_on(axes: Axes3D, found: Landscape, path: Path, color: str, scale: _Scale) -> bool:
    """A path a little above the surface, faint where the surface hides it. Returns whether it does anywhere."""
    low, high = scale.limits
    heights = _heights(found, path.x, path.y, scale) + 0.01 * (high - low)
    hidden = _is_hidden(found, path, heights, scale)
    axes.plot(path.x, path.y, heights, color=color, linewidth=1.0, linestyle=":", alpha=_FAINT, zorder=4)
    axes.plot(path.x, path.y, np.where(hidden, np.nan, heights), color=color, linewidth=1.6, zorder=5)
    for place, marker, face, edge, size in ((0, "o", "white", color, 6), (-1, "*", color, "white", 11)):
        axes.plot(
            path.x[[place]], path.y[[place]], heights[[place]], marker, markerfacecolor=face, markeredgecolor=edge,
            markersize=size, zorder=6, alpha=_FAINT if hidden[place] else 1.0,
        )  # fmt: skip
    return bool(hidden.any())
