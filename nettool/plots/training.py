"""How a training went: losses, metrics and learning rate over the epochs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nettool.plots.figures import COLORS, headline, log_where_wide, new_panels, plain

Row = Mapping[str, float | None]
_BEST = "#e69f00"
_CUT = "#8c8c8c"
MOST_METRICS = 4


def training_curves(
    rows: Sequence[Row], metrics: Sequence[str], best: int | None, why: str, baseline: Mapping[str, float | None]
) -> Figure:
    """Loss, metrics and, unless it stayed the same, learning rate by epoch.

    rows: of metrics.csv. metrics: their names. best: the epoch that was kept. why: how the training ended. baseline:
    each metric of the naive model.
    """
    shown = [name for name in metrics if any(row.get(name) is not None for row in rows)][:MOST_METRICS]
    rates = {row["lr"] for row in rows}
    heights = [3.0, *([1.6] * len(shown)), *([1.0] if len(rates) > 1 else [])]
    figure, panels = new_panels(len(heights), 1, 7.6, 1.0 + sum(heights), height_ratios=heights, sharex=True)
    loss, others = panels[0], panels[1 : 1 + len(shown)]
    epochs = [row["epoch"] or 0.0 for row in rows]
    _line(loss, epochs, [row["train_loss"] for row in rows], COLORS[1], "training")
    if any(row.get("validation_loss") is not None for row in rows):
        _line(loss, epochs, [row.get("validation_loss") for row in rows], COLORS[0], "validation")
    loss.set_ylabel("loss")
    both = [row.get(name) for row in rows for name in ("train_loss", "validation_loss")]
    log_where_wide(loss, [value for value in both if value is not None])
    for axes, name in zip(others, shown, strict=True):
        _line(axes, epochs, [row.get(name) for row in rows], COLORS[0], None)
        naive = baseline.get(name)
        if naive is not None and math.isfinite(naive):
            axes.axhline(naive, color=_CUT, linestyle=":", linewidth=1.2, label="baseline")
            axes.legend(frameon=False, fontsize=8)
        axes.set_ylabel(plain(name.replace("_", " "), 18))
    if len(rates) > 1:
        _line(panels[-1], epochs, [row["lr"] for row in rows], COLORS[2], None)
        panels[-1].set_ylabel("learning rate")
    panels[-1].set_xlabel("epoch")
    panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    if best is not None and epochs:
        for axes in panels:
            axes.axvline(best, color=_BEST, linewidth=1.4, zorder=1, label="best epoch" if axes is loss else None)
    loss.legend(frameon=False, fontsize=9)
    headline(loss, _ending(best, why, epochs) + _steady(rates))
    return figure


def _steady(rates: AbstractSet[float | None]) -> str:
    """A learning rate that stayed the same, in words: a panel of it would be empty."""
    rate = next(iter(rates)) if len(rates) == 1 else None
    return "" if rate is None else f"; learning rate {rate:.4g} throughout"


def _ending(best: int | None, why: str, epochs: Sequence[float]) -> str:
    last = int(epochs[-1]) if epochs else 0
    told = f"the best of {last:,} epochs is {best:,}" if best is not None else f"{last:,} epochs"
    return plain(f"{told}; {why}" if why else told, 110)


def _line(axes: Axes, epochs: Sequence[float], values: Sequence[float | None], color: str, label: str | None) -> None:
    numbers = [math.nan if value is None or not math.isfinite(value) else value for value in values]
    axes.plot(
        epochs, numbers, color=color, label=label, linewidth=1.6, marker="o" if len(epochs) < 30 else "", markersize=3
    )
