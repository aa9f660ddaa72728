"""Distributions, a row for each layer: weights, what layers put out, gradients."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from nettool.analysis.layers import Distribution
from nettool.plots.figures import COLORS, headline, new_figure, plain

BINS = 80
MOST_LAYERS = 24
_OUTER = 0.002
"""Of the numbers on either side that may lie outside of the picture, or one of them would press all others flat."""


def distributions(found: Sequence[Distribution], what: str, title: str) -> Figure:
    """Histograms of the layers from the input (top) to the output, all on one axis. what: the axis."""
    shown = list(found[:MOST_LAYERS])
    figure, axes = new_figure(7.6, 1.4 + 0.75 * max(len(shown), 2))
    axes.grid(visible=False, axis="y")
    low, high = _range(shown)
    edges = np.linspace(low, high, BINS + 1)
    for row, layer in enumerate(reversed(shown)):
        color = COLORS[1] if layer.note else COLORS[0]
        counts, _ = np.histogram(layer.values, edges)
        heights = 0.85 * counts / max(counts.max(), 1)
        axes.fill_between(
            edges, row, row + np.append(heights, heights[-1]), step="post", color=color, alpha=0.75, linewidth=0
        )
        axes.axhline(row, color="#bbbbbb", linewidth=0.6)
        if layer.note:
            behind = {"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "pad": 1.0}
            axes.text(low, row + 0.62, f"  {plain(layer.note, 70)}", fontsize=7.5, color=COLORS[1], bbox=behind)
    axes.set_yticks(
        [row + 0.3 for row in range(len(shown))], [_row_name(layer) for layer in reversed(shown)], fontsize=8
    )
    axes.set_xlim(low, high)
    axes.set_xlabel(what)
    more = f"; {len(found) - MOST_LAYERS} more layers" if len(found) > MOST_LAYERS else ""
    headline(axes, f"{title}{more}")
    return figure


def _row_name(layer: Distribution) -> str:
    mean = f"{layer.values.mean():.2g}" if len(layer.values) else "none"
    deviation = f" ± {layer.values.std():.2g}" if len(layer.values) else ""
    return f"{plain(layer.name, 32)}\n{mean}{deviation}"


def _range(found: Sequence[Distribution]) -> tuple[float, float]:
    ends = [
        np.quantile(layer.values[np.isfinite(layer.values)], [_OUTER, 1 - _OUTER])
        for layer in found
        if len(layer.values)
    ]
    if not ends:
        return -1.0, 1.0
    low, high = float(min(end[0] for end in ends)), float(max(end[1] for end in ends))
    room = 0.04 * (high - low) or 1.0
    return low - room, high + room
