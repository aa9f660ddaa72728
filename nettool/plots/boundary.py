"""The decision regions of two features, or the predicted surface, with the data over it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from nettool.analysis.boundary import Axis, Plane, share_shown
from nettool.analysis.outcomes import Array, Classified, Numbers
from nettool.data.examples import spread
from nettool.plots.figures import COLORS, headline, new_figure, plain

CLASS_COLORS = (*COLORS[:7], "#8b4513", "#9467bd", "#7fbf7b")
MOST_CLASSES = len(CLASS_COLORS)
"""With a colour of their own; the examples of others are grey."""
MOST_DOTS = 2000


def decision_regions(plane: Plane, outcome: Classified, title: str) -> Figure:
    """Which class is predicted where, paler where it is less sure; examples in the colour of their actual class."""
    figure, axes = new_figure(7.4, 5.6)
    axes.grid(visible=False)
    probabilities = plane.surface
    if len(outcome.classes) == 2 and probabilities.shape[2] == 1:
        probabilities = np.concatenate([1 - probabilities, probabilities], axis=2)
    _paint(axes, plane, _mixed(probabilities))
    if not plane.x.levels and not plane.y.levels:
        for number in range(min(len(outcome.classes), MOST_CLASSES)):
            others = np.delete(probabilities, number, axis=2).max(axis=2)
            margin = probabilities[:, :, number] - others
            if margin.min() < 0 < margin.max():
                axes.contour(plane.x.places, plane.y.places, margin, levels=[0.0], colors="#333333", linewidths=1.0)
            if len(outcome.classes) == 2:
                break
    _dots(axes, plane, outcome)
    share = share_shown(plane, outcome)
    _finish(figure, axes, plane, title, f"{share:.0%} of the examples lie where it shows what is predicted of them")
    return figure


def _color(number: int) -> tuple[float, float, float]:
    return to_rgb(CLASS_COLORS[number] if number < MOST_CLASSES else "#8c8c8c")


def _mixed(probabilities: Array) -> Array:
    """The colour of the class that is predicted, mixed with white by how sure it is: float [y, x, 3]."""
    colors = np.array([_color(number) for number in range(probabilities.shape[2])])
    chosen, most = probabilities.argmax(axis=2), probabilities.max(axis=2, keepdims=True)
    least = 1.0 / probabilities.shape[2]
    strength = 0.12 + 0.43 * (most - least) / (1 - least)
    mixed: Array = (1 - strength * (1 - colors[chosen])).clip(0, 1)
    return mixed


def _paint(axes: Axes, plane: Plane, colors: Array) -> None:
    x, y = _edges(plane.x), _edges(plane.y)
    axes.pcolormesh(x, y, colors, shading="flat", rasterized=True, zorder=0)
    axes.set_xlim(x[0], x[-1])
    axes.set_ylim(y[0], y[-1])


def _edges(axis: Axis) -> Array:
    """Between the places, and as far beyond the outermost."""
    places = axis.places
    if len(places) == 1:
        return np.array([places[0] - 0.5, places[0] + 0.5])
    between = (places[1:] + places[:-1]) / 2
    return np.concatenate([[2 * places[0] - between[0]], between, [2 * places[-1] - between[-1]]])


def _places(plane: Plane, chosen: Array) -> tuple[Array, Array]:
    """Where the examples lie; those of one level beside each other."""
    generator = np.random.default_rng(0)
    found = []
    for axis in (plane.x, plane.y):
        points = axis.points[chosen]
        found.append(points + generator.uniform(-0.28, 0.28, len(points)) if axis.levels else points)
    return found[0], found[1]


def _dots(axes: Axes, plane: Plane, outcome: Classified) -> None:
    chosen = spread(len(outcome.actual), MOST_DOTS)
    x, y = _places(plane, outcome.places[chosen])
    actual, right = outcome.actual[chosen], outcome.is_right[chosen]
    size = 34 if len(chosen) < 400 else 14
    for number, name in enumerate(outcome.classes[:MOST_CLASSES]):
        mine = actual == number
        if mine.any():
            axes.scatter(
                x[mine],
                y[mine],
                s=size,
                color=_color(number),
                edgecolors="white",
                linewidths=0.6,
                zorder=3,
                label=plain(name, 24),
            )
    rest = actual >= MOST_CLASSES
    if rest.any():
        axes.scatter(
            x[rest],
            y[rest],
            s=size,
            color="#8c8c8c",
            edgecolors="white",
            linewidths=0.6,
            zorder=3,
            label="other classes",
        )
    axes.scatter(
        x[~right],
        y[~right],
        s=2.6 * size,
        facecolors="none",
        edgecolors="black",
        linewidths=1.3,
        zorder=4,
        label="predicted wrong",
    )


def surface(plane: Plane, outcome: Numbers, title: str) -> Figure:
    """The predicted number as colour; examples in the colour of what is true."""
    figure, axes = new_figure(7.4, 5.6)
    axes.grid(visible=False)
    values = plane.surface[:, :, 0]
    low, high = float(min(values.min(), outcome.actual.min())), float(max(values.max(), outcome.actual.max()))
    x, y = _edges(plane.x), _edges(plane.y)
    mesh = axes.pcolormesh(x, y, values, cmap="viridis", vmin=low, vmax=high, rasterized=True, zorder=0)
    if not plane.x.levels and not plane.y.levels and values.min() < values.max():
        lines = axes.contour(
            plane.x.places, plane.y.places, values, levels=8, colors="white", linewidths=0.6, alpha=0.7
        )
        axes.clabel(lines, fontsize=7)
    chosen = spread(len(outcome.actual), MOST_DOTS)
    across, up = _places(plane, outcome.places[chosen])
    axes.scatter(
        across,
        up,
        c=outcome.actual[chosen],
        cmap="viridis",
        vmin=low,
        vmax=high,
        s=34,
        edgecolors="white",
        linewidths=0.8,
        zorder=3,
    )
    axes.set_xlim(x[0], x[-1])
    axes.set_ylim(y[0], y[-1])
    figure.colorbar(mesh, ax=axes).set_label(f"{plain(outcome.name, 30)}: predicted (surface), true (dots)")
    _finish(figure, axes, plane, title, "the examples have values of their own there")
    return figure


def _finish(figure: Figure, axes: Axes, plane: Plane, title: str, of_held: str) -> None:
    """of_held: what it means for the examples that the other features are held."""
    for axis, scale in ((plane.x, axes.xaxis), (plane.y, axes.yaxis)):
        if axis.levels:
            every = -(-len(axis.levels) // 20)
            names = [plain(level, 16) for level in axis.levels[::every]]
            scale.set_ticks(axis.places[::every].tolist(), names)
            if axis is plane.x and len(names) > 6:
                axes.tick_params(axis="x", rotation=90)
        elif axis.is_date:
            locator = AutoDateLocator()  # type: ignore[no-untyped-call]
            scale.set_major_locator(locator)
            scale.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.set_xlabel(plain(plane.x.name))
    axes.set_ylabel(plain(plane.y.name))
    headline(axes, f"{title}{_held(plane.held, of_held)}")
    handles, _ = axes.get_legend_handles_labels()
    if handles:
        figure.legend(loc="outside right upper", frameon=False, fontsize=8)


def _held(held: Mapping[str, str], of_held: str) -> str:
    if not held:
        return ""
    few = [f"{plain(name, 16)} = {plain(value, 12)}" for name, value in list(held.items())[:4]]
    more = f" and {len(held) - 4} more" if len(held) > 4 else ""
    return f" with {', '.join(few)}{more}; {of_held}"
