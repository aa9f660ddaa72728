"""What all figures have in common: a look, and how they become files."""

from __future__ import annotations

import io

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000", "#8c8c8c")
"""Told apart by those who see few colours too (Okabe and Ito 2008)."""
FADED = "#c4c4c4"


def new_figure(width: float = 8.0, height: float = 4.5) -> tuple[Figure, Axes]:
    """An empty figure with one pair of axes. In inches; pyplot, which keeps what it drew, has no part in it."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    return figure, axes


def legend(figure: Figure, title: str) -> None:
    """Beside the picture, where it hides nothing."""
    figure.legend(loc="outside right upper", frameon=False, fontsize=8, title=title, title_fontsize=8, alignment="left")


def as_png(figure: Figure) -> bytes:
    """The picture as a file's content, the same bytes each time."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150, metadata={"Software": None})
    return buffer.getvalue()


def plain(text: str, most: int = 40) -> str:
    """A user's text as a label: no dollar sign begins a formula, and no label is longer than the picture."""
    shown = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    return (shown if len(shown) <= most else f"{shown[: most - 1]}…").replace("$", r"\$")
