"""A network as a picture: neurons and weights where there are few, else its layers one after another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from nettool.analysis.outcomes import Array
from nettool.analysis.structure import Box, Neurons
from nettool.plots.figures import NEGATIVE, POSITIVE, headline, new_figure, plain

_WIDEST = 4.5


def neurons(layers: Sequence[Neurons], inputs: Sequence[str], outputs: Sequence[str]) -> Figure:
    """Circles are neurons, lines weights: blue above 0, orange below, the wider the larger. Biases stand in them."""
    sizes = [layers[0].weights.shape[1], *(len(layer.weights) for layer in layers)]
    figure, axes = new_figure(2.4 + 2.3 * len(layers), 1.6 + 0.42 * max(*sizes, 4))
    axes.set_axis_off()
    tallest = max(sizes)
    places = [_column(column, size, tallest) for column, size in enumerate(sizes)]
    for column, layer in enumerate(layers):
        largest = float(np.abs(layer.weights).max()) or 1.0
        _lines(axes, places[column], places[column + 1], layer.weights / largest)
    radius = 260 if tallest <= 12 else 120
    for column, spots in enumerate(places):
        x, y = zip(*spots, strict=True)
        axes.scatter(x, y, s=radius, color="white", edgecolors="#333333", linewidths=1.2, zorder=3)
        told = f"{plain(layers[column - 1].name, 24)}\n{layers[column - 1].activation}" if column else "input"
        biases = layers[column - 1].bias if column and tallest <= 12 else None
        if biases is not None:
            for (across, up), bias in zip(spots, biases.tolist(), strict=True):
                axes.text(
                    across,
                    up,
                    f"{bias:.2g}" if abs(bias) < 100 else f"{bias:.0e}",
                    ha="center",
                    va="center",
                    fontsize=6,
                    zorder=4,
                )
        axes.text(column, tallest - 0.2, told, ha="center", va="bottom", fontsize=8, color="#555555")
    _names(axes, places[0], inputs, -0.12, "right")
    _names(axes, places[-1], outputs, 0.12, "left")
    axes.set_xlim(-0.9, len(layers) + 0.8)
    axes.set_ylim(-0.7, tallest + 0.5)
    told = "weights: blue above 0, orange below, the wider the larger in its layer"
    headline(axes, f"{told}; in a neuron its bias" if tallest <= 12 else told)
    return figure


Spot = tuple[float, float]


def _column(column: int, size: int, tallest: int) -> list[Spot]:
    """Where the neurons of a layer are, from top to bottom, in the middle of the height."""
    top = tallest - 1 - (tallest - size) / 2
    return [(float(column), top - row) for row in range(size)]


def _lines(axes: Axes, left: Sequence[Spot], right: Sequence[Spot], weights: Array) -> None:
    """weights: [right, left], the largest 1."""
    order = np.argsort(np.abs(weights), axis=None)  # the strongest on top
    rows, columns = np.unravel_index(order, weights.shape)
    values = weights[rows, columns].tolist()
    axes.add_collection(
        LineCollection(
            [[left[column], right[row]] for row, column in zip(rows.tolist(), columns.tolist(), strict=True)],
            colors=[POSITIVE if value > 0 else NEGATIVE for value in values],
            linewidths=[0.2 + _WIDEST * abs(value) for value in values],
            alpha=0.65,
            zorder=2,
        )
    )


def _names(axes: Axes, spots: Sequence[Spot], names: Sequence[str], away: float, side: str) -> None:
    if len(names) != len(spots):
        return
    for (x, y), name in zip(spots, names, strict=True):
        axes.text(x + away, y, plain(name, 20), ha=side, va="center", fontsize=8)


def boxes(found: Sequence[Box], before: str, embedded: int = 0) -> Figure:
    """From top to bottom. before: what the first layer takes. embedded: parameters of the categories in it."""
    figure, axes = new_figure(6.6, 0.9 + 0.62 * (len(found) + 1))
    axes.set_axis_off()
    most = max([embedded, *(box.num_parameters for box in found)]) or 1
    rows = [Box("input", before, embedded), *found]
    for row, box in enumerate(rows):
        y = len(rows) - row
        share = box.num_parameters / most
        color = (1 - 0.45 * share, 1 - 0.25 * share, 1.0)
        axes.add_patch(
            FancyBboxPatch((0, y - 0.3), 10, 0.6, boxstyle="round,pad=0.06", facecolor=color, edgecolor="#555555")
        )
        axes.text(0.2, y, plain(box.name, 34), va="center", fontsize=8, fontweight="bold")
        axes.text(9.8, y, box.shape, va="center", ha="right", fontsize=8)
        if box.num_parameters:
            axes.text(10.4, y, f"{box.num_parameters:,}", va="center", ha="left", fontsize=8, color="#333333")
        if row:
            axes.annotate("", (5, y + 0.36), (5, y + 0.64), arrowprops={"arrowstyle": "-|>", "color": "#555555"})
    axes.set_xlim(-0.3, 12.6)
    axes.set_ylim(0.4, len(rows) + 0.6)
    headline(axes, f"{sum(row.num_parameters for row in rows):,} parameters (right: of each layer)")
    return figure
