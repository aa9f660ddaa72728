"""The loss along the straight line between two networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nettool.analysis.line import Line
from nettool.plots.figures import COLORS, headline, log_where_wide, new_panels, plain

_LITTLE = 0.01
"""Of the loss at the higher end: less of a rise is none."""


@dataclass(frozen=True)
class Ends:
    """What stands at 0 and at 1. of_one_run: they are the first and the best weights of one. note: of the second."""

    first: str
    second: str
    of_one_run: bool
    note: str = ""


def line(found: Line, splits: Sequence[str], metric: str, ends: Ends) -> Figure:
    """Above the loss, below the metric, of each split, the first being training; what lies beyond the ends is grey.

    found: of each split `<split> loss` and `<split> <metric>`.
    """
    figure, (above, below) = new_panels(2, 1, 7.6, 6.0, height_ratios=[3, 2], sharex=True)
    for axes, what in ((above, "loss"), (below, metric)):
        _curves(axes, found, splits, what)
        axes.set_ylabel(plain(what.replace("_", " "), 30))
    log_where_wide(above, np.concatenate([found.values[f"{split} loss"] for split in splits]).tolist())
    below.set_xlabel(f"share of the way: 0 is {plain(ends.first, 24)}, 1 is {plain(ends.second, 24)}{ends.note}")
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


def _told(found: Line, loss: str, ends: Ends) -> str:
    highest = float(found.values[loss][np.isin(found.at, (0.0, 1.0))].max())
    if ends.of_one_run:
        height = found.climb(loss)
        rises = f"has to climb by {height:.3g} on the way" if height > _LITTLE * highest else "falls nearly all the way"
        told = f"the {loss} {rises if height > 0 else 'falls all the way'}"
        where = "on the straight line from the first weights to the best"
    else:
        height, at = found.barrier(loss)
        higher = f"at {at:.2g} of the way the {loss} is {height:.3g} higher than its ends let expect"
        told = higher if height > _LITTLE * highest else f"the {loss} is nowhere higher than its ends let expect"
        where = "on the straight line between the two"
    return f"{where}, {told if np.isfinite(height) else f'the {loss} is no number at some places'}"
