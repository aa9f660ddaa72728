"""The worst examples, as they are: images, or rows with their columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from nettool.analysis.mistakes import Mistake
from nettool.analysis.outcomes import Array
from nettool.plots.figures import headline, new_figure, new_panels, overline, plain

COLUMNS = 6
_WRONG = "#d55e00"


def mistaken_images(mistakes: Sequence[Mistake], pixels: Array, title: str) -> Figure:
    """pixels: uint8 [mistakes, channels, height, width]."""
    rows = -(-len(mistakes) // COLUMNS)
    across = min(COLUMNS, len(mistakes))
    figure, panels = new_panels(rows, across, max(1.5 * across, 4.5), 0.5 + 1.75 * rows)
    for axes, mistake, image in zip(panels, mistakes, pixels, strict=False):
        shown = np.moveaxis(image, 0, -1)
        axes.imshow(
            shown[:, :, 0] if shown.shape[2] == 1 else shown, cmap="gray", vmin=0, vmax=255, interpolation="nearest"
        )
        axes.set_title(
            f"{plain(mistake.actual, 14)}, not {plain(mistake.predicted, 14)}\n{mistake.how}",
            fontsize=7.5,
            color="#333333",
        )
    for axes in panels:
        axes.set_axis_off()
    overline(figure, title)
    return figure


def mistaken_rows(
    mistakes: Sequence[Mistake], numbers: Sequence[int], columns: Sequence[tuple[str, Sequence[str]]], title: str
) -> Figure:
    """A table: row number, truth, prediction, and some columns. columns: the name of each, and its cells."""
    headers = ["row", "true", "predicted", "", *(plain(name, 16) for name, _ in columns)]
    cells = [
        [f"{number:,}", plain(each.actual, 18), plain(each.predicted, 18), each.how]
        + [plain(values[place], 16) for _, values in columns]
        for place, (each, number) in enumerate(zip(mistakes, numbers, strict=True))
    ]
    figure, axes = new_figure(max(4.4, 0.95 * len(headers)), 1.0 + 0.3 * (len(cells) + 1))
    axes.set_axis_off()
    table = axes.table(cells, colLabels=headers, loc="upper left", cellLoc="right", edges="horizontal")
    table.auto_set_font_size(False)
    table.set_fontsize(8)
    table.auto_set_column_width(list(range(len(headers))))
    for (row, column), cell in table.get_celld().items():
        cell.set_edgecolor("#cccccc")
        if row == 0:
            cell.get_text().set_fontweight("bold")
        elif column == 2:
            cell.get_text().set_color(_WRONG)
    headline(axes, title)
    return figure
