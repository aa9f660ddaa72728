"""What a network looks at in images: each beside how much its answer loses where a patch hides it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from nettool.analysis.outcomes import Array
from nettool.plots.figures import DIVERGING, NEGATIVE, new_panels, overline, plain

ACROSS = 4
_LOSES = DIVERGING.reversed()
"""Orange where hiding it takes something away."""


@dataclass(frozen=True)
class Hidden:
    """An image, uint8 [channels, height, width], and how much less the answer is where it is hidden, float64 [height,
    width]. told: what is true and what was predicted, in words.
    """

    image: Array
    lost: Array
    told: str
    is_wrong: bool


def occlusion(found: Sequence[Hidden], title: str, what: str) -> Figure:
    """Each image, and on its right the heat over it. what: the number that gets less."""
    rows = -(-len(found) // ACROSS)
    across = min(ACROSS, len(found))
    figure, panels = new_panels(rows, 2 * across, 2.45 * across + 1.1, 0.8 + 1.5 * rows)
    limit = max(float(np.abs(one.lost).max()) for one in found) or 1.0
    for axes in panels:
        axes.set_axis_off()
    for place, one in enumerate(found):
        left, right = panels[2 * place], panels[2 * place + 1]
        shown = np.moveaxis(one.image, 0, -1)
        shown = shown[:, :, 0] if shown.shape[2] == 1 else shown
        left.imshow(shown, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        left.set_title(one.told, fontsize=7.5, loc="left", color=NEGATIVE if one.is_wrong else "#333333")
        _heat(right, one, limit)
    bar = figure.colorbar(ScalarMappable(Normalize(-limit, limit), _LOSES), ax=panels, shrink=0.8, aspect=30, pad=0.01)
    bar.set_label(f"{plain(what, 40)} lost where hidden", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    overline(figure, title)
    return figure


def _heat(axes: Axes, one: Hidden, limit: float) -> None:
    """What is lost as colour; the image lies faintly beneath it."""
    grey = one.image.astype(np.float64).mean(axis=0) / 255
    if grey.mean() < 0.5:  # ink on paper either way
        grey = 1 - grey
    colors = _LOSES(Normalize(-limit, limit)(one.lost))[:, :, :3]
    axes.imshow((colors * (0.72 + 0.28 * grey[:, :, None])).clip(0, 1), interpolation="nearest")
