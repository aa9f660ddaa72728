"""What all figures have in common."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.font_manager import findfont, get_font
from matplotlib.text import Text

from nettool.plots import figures
from nettool.plots.figures import DEFAULT_FONT, as_bytes, as_frame, as_png, new_figure

OTHER = "STIXGeneral"
"""Comes with matplotlib, so that it is there on every machine."""


@pytest.fixture
def another_font(monkeypatch: pytest.MonkeyPatch) -> str:
    """A letter that only the other font has."""
    monkeypatch.setattr(figures, "FONTS_OF_OTHER_SCRIPTS", (OTHER,))
    monkeypatch.setattr(figures, "_other_fonts", figures._other_fonts.__wrapped__)
    known, others = (set(get_font(findfont(name)).get_charmap()) for name in (DEFAULT_FONT, OTHER))
    return chr(min(code for code in others - known if chr(code).isprintable()))


def picture(letter: str) -> bytes:
    figure, axes = new_figure(4, 2)
    axes.set_yticks([0, 1], [letter, "b"])
    axes.set_title(letter)
    return as_png(figure)


def test_what_the_default_font_lacks_is_drawn_in_another(another_font: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with_font = picture(another_font)
    assert with_font == picture(another_font)
    monkeypatch.setattr(figures, "FONTS_OF_OTHER_SCRIPTS", ())
    assert picture(another_font) != with_font
    assert picture("b") == picture("b")


def test_every_text_is_looked_up_in_all_fonts_and_those_with_a_font_of_their_own_keep_it(another_font: str) -> None:
    figure, axes = new_figure(4, 2)
    axes.set_yticks([0], ["a"])
    axes.text(0, 0, "fixed", family="monospace")
    as_bytes(figure, "svg")
    families = {text.get_text(): text.get_fontfamily() for text in figure.findobj(Text) if isinstance(text, Text)}
    assert families["a"] == [DEFAULT_FONT, OTHER]
    assert families["fixed"] == ["monospace"]


def test_a_frame_has_the_pixels_of_its_figure() -> None:
    figure, _ = new_figure(4, 2)
    assert np.asarray(as_frame(figure)).shape == (180, 360, 3)
