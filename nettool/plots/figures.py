"""What all figures have in common: a look, and how they become files."""

from __future__ import annotations

import io
import logging
import math
import textwrap
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, Literal

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.font_manager import get_font_names
from matplotlib.text import Text
from PIL import Image

COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000", "#8c8c8c")
"""Told apart by those who see few colours too (Okabe and Ito 2008)."""
FADED = "#c4c4c4"
_WIDE = 20.0
"""How many times the smallest the largest number may be on a linear axis."""
FEW_PANELS = 3
"""Of which each says something; the titles of more are names."""
POSITIVE, NEGATIVE = COLORS[0], COLORS[1]
DIVERGING = LinearSegmentedColormap.from_list("orange to blue", [NEGATIVE, "#ffffff", POSITIVE], N=257)
"""Of numbers with a sign: white is 0, in the middle of an odd number of colours."""
DEFAULT_FONT = "DejaVu Sans"
FONTS_OF_OTHER_SCRIPTS = (
    "Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans JP", "Noto Sans SC", "Noto Sans KR", "Hiragino Sans",
    "PingFang SC", "Apple SD Gothic Neo", "WenQuanYi Zen Hei", "IPAexGothic", "Noto Sans Arabic", "Noto Sans Hebrew",
    "Noto Sans Devanagari", "Noto Sans Thai", "Arial Unicode MS", "Symbola", "Noto Emoji",
)  # fmt: skip
"""Asked for what the default font lacks, where they are installed."""


def new_figure(width: float = 8.0, height: float = 4.5) -> tuple[Figure, Axes]:
    """An empty figure with one pair of axes. In inches; pyplot, which keeps what it drew, has no part in it."""
    figure, (axes,) = new_panels(1, 1, width, height)
    return figure, axes


def new_panels(rows: int, columns: int, width: float, height: float, **settings: Any) -> tuple[Figure, list[Axes]]:
    """A figure with several pairs of axes, row by row. settings: as `Figure.subplots` and its grid take them."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(rows, columns, squeeze=False, **settings).ravel().tolist()
    for axes in panels:
        _style(axes)
    return figure, panels


def _style(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)


def log_where_wide(axes: Axes, values: Iterable[float]) -> None:
    """A logarithmic y axis where the finite ones of these span so much that most would be pressed flat."""
    known = [value for value in values if math.isfinite(value)]
    if known and min(known) > 0 and max(known) / min(known) > _WIDE:
        axes.set_yscale("log")


def readable_on(color: tuple[float, ...]) -> str:
    """Black or white, whichever can be read on this colour."""
    red, green, blue = color[:3]
    return "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 0.55 else "black"


def headline(axes: Axes, text: str, size: float = 10.0) -> None:
    """What the picture says, above it: as many lines as it takes."""
    figure = axes.get_figure()
    assert isinstance(figure, Figure)
    place = axes.get_subplotspec()
    share = 1.0 if place is None else place.get_position(figure).width
    inches = figure.get_figwidth() * share
    letters = max(20, int(inches * 110 / size / 0.85))
    lines = "\n".join(textwrap.wrap(text, letters))
    axes.set_title(lines, loc="left", fontsize=size, y=1.0)  # with a place of its own it need not be looked for


def overline(figure: Figure, text: str, size: float = 10.0) -> None:
    """What a figure of many panels says, above all of them."""
    letters = max(20, int(figure.get_figwidth() * 110 / size / 0.85))
    figure.suptitle("\n".join(textwrap.wrap(text, letters)), x=0.01, ha="left", fontsize=size)


def headline_of(figure: Figure) -> str:
    """What a figure says above all of it, or above each of a few panels, as a plain text: for who does not see it."""
    titles = [axes.get_title(side) for axes in figure.axes for side in ("left", "center")]
    lines = [" ".join(title.split()).replace(r"\$", "$") for title in (figure.get_suptitle() or "", *titles)]
    said = [line for line in dict.fromkeys(lines) if line]
    return "; ".join(said[:1] if lines[0] or len(said) > FEW_PANELS else said)


def caption(figure: Figure, text: str) -> Figure:
    """Small print beneath the picture."""
    figure.supxlabel(plain(text, 100), x=0.995, ha="right", fontsize=7, color="#666666")
    return figure


def legend(figure: Figure, title: str) -> None:
    """Beside the picture, where it hides nothing."""
    figure.legend(loc="outside right upper", frameon=False, fontsize=8, title=title, title_fontsize=8, alignment="left")


Format = Literal["png", "svg"]
DOTS = 150
"""Per inch of a png."""
_DIGITS = 6
"""Of places in a figure, from 0 to 1."""
_COMPRESSION = 3
"""Of zlib: 9 makes files a tenth smaller, and takes longer than drawing them."""


def as_png(figure: Figure) -> bytes:
    """The picture as a file's content, the same bytes each time.

    `savefig` would draw it twice, the first time to see what has room where; it is laid out here, and drawn once.
    """
    canvas = FigureCanvasAgg(figure)
    with _readable(figure):
        figure.set_dpi(DOTS)
        _lay_out(figure)
        canvas.draw()  # type: ignore[no-untyped-call]
    buffer = io.BytesIO()
    _pixels(canvas).save(buffer, "PNG", compress_level=_COMPRESSION, dpi=(DOTS, DOTS))
    return buffer.getvalue()


def as_bytes(figure: Figure, kind: Format) -> bytes:
    """The same in either format. Texts of an svg are text: they can be searched, and read in any script."""
    if kind == "png":
        return as_png(figure)
    buffer = io.BytesIO()
    settings: Any = {"svg.hashsalt": "nettool", "svg.fonttype": "none"}
    with matplotlib.rc_context(settings), _readable(figure):
        _lay_out(figure)
        figure.savefig(buffer, format=kind, dpi=DOTS, metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


@contextmanager
def _readable(figure: Figure) -> Iterator[None]:
    """Inside, texts of other scripts have letters where the machine has a font for them.

    matplotlib looks in one font after another only where a text names several families; the generic one is a single
    font to it.
    """
    families = font_families(DEFAULT_FONT)
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            axis.get_ticklabels()  # which are made when they are asked for
    for text in figure.findobj(lambda one: isinstance(one, Text) and one.get_fontfamily() == ["sans-serif"]):
        text.set(fontfamily=families)
    log = logging.getLogger("matplotlib.font_manager")  # which tells of fonts that have one weight alone
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph .* missing")  # it is a box, and the svg has it as text
            yield
    finally:
        log.setLevel(level)


def _lay_out(figure: Figure) -> None:
    """Give each part its room, once: laid out again it would move by a hair.

    The solver's last digits depend on the order in which it meets its constraints, which is not always the same.
    """
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
    figure.set_layout_engine("none")
    for axes in figure.axes:
        left, bottom, width, height = np.round(axes.get_position(original=True).bounds, _DIGITS).tolist()
        axes.set_position((left, bottom, width, height))
    for text in figure.texts:
        x, y = np.round(text.get_position(), _DIGITS).tolist()
        text.set_position((x, y))


def as_frame(figure: Figure) -> Image.Image:
    """The picture as one of a film."""
    canvas = FigureCanvasAgg(figure)
    figure.set_dpi(90)
    with _readable(figure):
        canvas.draw()  # type: ignore[no-untyped-call]
    return _pixels(canvas)


def _pixels(canvas: FigureCanvasAgg) -> Image.Image:
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[:, :, :3])  # type: ignore[no-untyped-call]


def as_gif(frames: Sequence[Image.Image], seconds: float = 0.15, last: float = 2.5) -> bytes:
    """A film that begins anew when it is over; the last frame stays longer."""
    buffer = io.BytesIO()
    palette = frames[-1].quantize(256)
    first, *rest = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    durations = [int(1000 * seconds)] * len(rest) + [int(1000 * last)]
    first.save(buffer, "GIF", save_all=True, append_images=rest, duration=durations, loop=0)
    return buffer.getvalue()


def font_families(first: str) -> list[str]:
    """A font, and those that have what it lacks."""
    return [first, *_other_fonts()]


@cache
def _other_fonts() -> tuple[str, ...]:
    """Those of the usual fonts for other scripts that are installed here."""
    installed = set(get_font_names())
    return tuple(name for name in FONTS_OF_OTHER_SCRIPTS if name in installed)


def plain(text: str, most: int = 40) -> str:
    """A user's text as a label: no dollar sign begins a formula, and no label is longer than the picture."""
    shown = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    return (shown if len(shown) <= most else f"{shown[: most - 1]}…").replace("$", r"\$")


_SIGNS = str.maketrans({"\n": "↵", " ": "␣", "\t": "⇥"})


def visible(text: str) -> str:
    """With a sign for what is white, so that a blank or a line's end can be seen."""
    return text.translate(_SIGNS)
