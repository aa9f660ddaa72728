"""Texts that a network wrote as it learned, the epochs from top to bottom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from nettool.plots.embeddings import print_width
from nettool.plots.figures import COLORS, font_families, new_figure, overline, plain

LETTERS = 84
"""In a line."""
MOST_LINES = 4
_END = "↵"


@dataclass(frozen=True)
class Sample:
    """A text that was written with the weights of one epoch. loss: of that epoch, None where it is not known."""

    epoch: int
    text: str
    loss: float | None
    is_best: bool = False


def samples(found: Sequence[Sample], title: str) -> Figure:
    """Each text in a few lines of one width, beside its epoch; an end of a line is a sign."""
    wrapped = [list(_lines(sample.text))[:MOST_LINES] or [""] for sample in found]
    num_lines = sum(max(len(lines), 2) for lines in wrapped) + 0.6 * len(found)
    figure, axes = new_figure(9.2, 0.8 + 0.185 * num_lines)
    fonts = font_families("DejaVu Sans Mono")
    axes.set_axis_off()
    axes.set_xlim(0, 1)
    axes.set_ylim(num_lines, 0)
    line = 0.0
    for sample, lines in zip(found, wrapped, strict=True):
        color = COLORS[0] if sample.is_best else "#333333"
        loss = f"\nloss {sample.loss:.3g}" if sample.loss is not None else ""
        told = f"epoch {sample.epoch}{' (best)' if sample.is_best else ''}{loss}"
        axes.text(0.115, line + 0.1, told, ha="right", va="top", fontsize=8, color=color)
        for number, text in enumerate(lines):
            axes.text(0.135, line + number + 0.1, plain(text, 2 * LETTERS), va="top", fontsize=8.5, family=fonts)
        line += max(len(lines), 2)
        axes.axhline(line + 0.2, color="#dddddd", linewidth=0.8)
        line += 0.6
    overline(figure, title)
    return figure


def _lines(text: str) -> Iterator[str]:
    """The text in lines of one width; an end of a line does not begin another, but is seen."""
    line, width = "", 0
    for char in text.replace("\n", _END):
        wide = print_width(char)
        if width + wide > LETTERS:
            yield line
            line, width = "", 0
        line += char
        width += wide
    if line:
        yield line
