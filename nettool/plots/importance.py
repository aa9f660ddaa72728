"""What a network looks at: how much worse it gets without each column."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from nettool.analysis.importance import Importance
from nettool.analysis.pixels import PixelGrid
from nettool.plots.figures import COLORS, DIVERGING, FADED, headline, new_figure, plain

MOST_BARS = 20


def importance(found: Sequence[Importance], metric: str, reached: float) -> Figure:
    """Bars of how much the metric gets worse when a column is shuffled, the most important on top.

    metric: its name; reached: what it is with all columns as they are.
    """
    shown = list(found[:MOST_BARS])
    figure, axes = new_figure(7.4, 1.6 + 0.34 * max(len(shown), 3))
    axes.grid(visible=False, axis="y")
    for place, each in enumerate(reversed(shown)):
        low, high = float(each.losses.min()), float(each.losses.max())
        color = COLORS[0] if low > 0 else FADED
        axes.barh(place, each.mean, color=color, height=0.7)
        axes.plot([low, high], [place, place], color="#333333", linewidth=1.4)
    axes.axvline(0, color="#333333", linewidth=0.8)
    axes.text(0, len(shown) - 0.45, "no worse", ha="center", va="bottom", fontsize=7.5, color="#333333")
    axes.set_ylim(-0.7, len(shown) + 0.1)
    axes.set_yticks(range(len(shown)), [plain(each.name, 28) for each in reversed(shown)])
    if found:
        axes.set_xlabel(f"{plain(metric)} gets worse by (dark: least to most of {len(found[0].losses)} shuffles)")
    told = f"{metric.replace('_', ' ')} is {reached:.4g}"
    useless = sum(float(each.losses.min()) <= 0 for each in found)
    if shown:
        told += f"; without what {plain(shown[0].name, 28)} tells it is worse by {shown[0].mean:.3g}"
    if useless:
        told += f". {useless} of {len(found)} columns (grey) make no difference that is more than chance"
    headline(axes, told)
    if len(found) > MOST_BARS:
        axes.text(0.99, 0.02, f"{len(found) - MOST_BARS} more below", transform=axes.transAxes, ha="right", fontsize=8)
    return figure


def importance_of_pixels(found: Sequence[Importance], grid: PixelGrid, metric: str, reached: float) -> Figure:
    """The same of columns that are pixels, each at its place; of several channels the sum. Grey ones are no feature."""
    means = {each.name: each.mean for each in found}
    channels = np.array([means.get(name, np.nan) for name in grid.names]).reshape(grid.shape)
    image = np.where(np.isnan(channels).all(axis=0), np.nan, np.nansum(channels, axis=0))
    figure, axes = new_figure(6.0, 5.0)
    axes.grid(visible=False)
    axes.set_facecolor(FADED)
    limit = float(np.nanmax(np.abs(image))) or 1.0
    shown = axes.imshow(image, cmap=DIVERGING.reversed(), vmin=-limit, vmax=limit, interpolation="nearest")
    figure.colorbar(shown, ax=axes).set_label(f"{plain(metric)} gets worse by, when the pixel is shuffled")
    axes.set_xlabel("column (grey: no feature, as it is always the same)" if np.isnan(image).any() else "column")
    axes.set_ylabel("row")
    useless = sum(float(each.losses.min()) <= 0 for each in found)
    first = f"what pixel {plain(found[0].name, 28)} tells it is worse by {found[0].mean:.3g}"
    told = f"{metric.replace('_', ' ')} is {reached:.4g}; without {first}"
    headline(axes, f"{told}. {useless} of {len(found)} pixels make no difference that is more than chance")
    return figure
