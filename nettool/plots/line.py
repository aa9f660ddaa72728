"""The loss along the straight line between two networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nettool.analysis.line import Line
from nettool.analysis.outcomes import Array
from nettool.plots.figures import COLORS, headline, new_panels, plain

_WIDE = 20.0
"""How many times the smallest the largest loss may be on a linear axis."""
_PLAIN = 0.01
"""Of the loss at the higher end: less of a rise is none."""


@dataclass(frozen=True)
class Ends:
    """What stands at 0 and at 1. of_one_run: they are the first and the best weights of one."""

    first: str
    second: str
    of_one_run: bool


def line(found: Line, splits: Sequence[str], metric: str, ends: Ends) -> Figure:
    """Above the loss, below the metric, of each split, the first being training; what lies beyond the ends is grey.

    found: of each split `<split> loss` and `<split> <metric>`.
    """
    figure, (above, below) = new_panels(2, 1, 7.6, 6.0, height_ratios=[3, 2], sharex=True)
    for axes, what in ((above, "loss"), (below, metric)):
        _curves(axes, found, splits, what)
        axes.set_ylabel(plain(what.replace("_", " "), 30))
    _log_where_wide(above, [found.values[f"{split} loss"] for split in splits])
    below.set_xlabel(f"share of the way: 0 is {plain(ends.first, 24)}, 1 is {plain(ends.second, 24)}")
    above.legend(frameon=False, fontsize=9)
    headline(above, _told(found, f"{splits[0]} loss", ends))
    return figure


def _curves(axes: Axes, found: Line, splits: Sequence[str], what: str) -> None:
    axes.axvspan(found.at[0], 0, color="#f2f2f2", zorder=0)
    axes.axvspan(1, found.at[-1], color="#f2f2f2", zorder=0)
    at_end = np.isin(found.at, (0.0, 1.0))
    for color, split in zip((COLORS[1], COLORS[0]), splits, strict=False):
        values = found.values[f"{split} {what}"]
        shown = np.where(np.isfinite(values), values, np.nan)
        axes.plot(found.at, shown, color=color, linewidth=1.6, label=split)
        axes.plot(found.at[at_end], shown[at_end], "o", color=color, markersize=6)
    axes.set_xlim(found.at[0], found.at[-1])


def _log_where_wide(axes: Axes, losses: Sequence[Array]) -> None:
    """Beyond the ends a loss may be a thousand times as high, and would press all else flat."""
    known = np.concatenate([values[np.isfinite(values)] for values in losses])
    if len(known) and known.min() > 0 and known.max() / known.min() > _WIDE:
        axes.set_yscale("log")


def _told(found: Line, loss: str, ends: Ends) -> str:
    if ends.of_one_run:
        way, height = "from the first weights to the best", found.climb(loss)
        smooth, rough = f"the {loss} falls all the way", f"the {loss} has to climb by {height:.3g}"
    else:
        height, at = found.barrier(loss)
        way = "between the two"
        smooth = f"there is no barrier: the {loss} stays below the straight line between its ends"
        rough = f"the {loss} rises {height:.3g} above the straight line between its ends, at {at:.2g} of the way"
    if not np.isfinite(height):
        return f"on the straight line {way} the {loss} is no number at some places"
    highest = float(found.values[loss][np.isin(found.at, (0.0, 1.0))].max())
    return f"on the straight line {way}, {smooth if height <= _PLAIN * highest else rough}"
