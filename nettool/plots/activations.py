"""Every activation beside its derivative: what a neuron may say, and what reaches the weights before it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from nettool.analysis.activations import Response
from nettool.analysis.outcomes import Array
from nettool.plots.figures import COLORS, headline, new_panels

COLUMNS = 3
LOW, HIGH = -1.6, 2.6
"""The same for all, so that they compare: what is beyond goes on as it looks."""
_JUMP = 0.5
"""Between two neighbouring points."""


def activations(found: Sequence[Response]) -> Figure:
    """A panel for each: the function, and its derivative dashed."""
    rows = -(-len(found) // COLUMNS)
    figure, panels = new_panels(rows, COLUMNS, 9.0, 2.5 * rows, sharex=True, sharey=True)
    for axes, each in zip(panels, found, strict=False):
        axes.axhline(0, color="#999999", linewidth=0.8)
        axes.axvline(0, color="#999999", linewidth=0.8)
        axes.plot(each.x, each.y, color=COLORS[0], linewidth=2, label="what comes out")
        axes.plot(*_with_gaps(each), color=COLORS[1], linewidth=1.4, linestyle="--", label="its derivative")
        axes.set_ylim(LOW, HIGH)
        axes.set_xlim(each.x[0], each.x[-1])
        headline(axes, each.name)
    for axes in panels[len(found) :]:
        axes.set_visible(False)
    panels[0].legend(frameon=False, fontsize=8, loc="upper left")
    figure.supxlabel("what goes in", fontsize=9)
    return figure


def _with_gaps(each: Response) -> tuple[Array, Array]:
    """The derivative with nothing drawn where it jumps: at the bend of relu it has no value between 0 and 1."""
    jumps = 1 + np.flatnonzero(np.abs(np.diff(each.slope)) > _JUMP)
    return np.insert(each.x, jumps, np.nan), np.insert(each.slope, jumps, np.nan)
