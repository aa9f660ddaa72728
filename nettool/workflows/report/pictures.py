"""Figures as pictures of a page: their bytes in it, and words for who does not see them."""

from __future__ import annotations

import base64
import io
import struct
from typing import TYPE_CHECKING

from nettool.analysis.outcomes import Array
from nettool.workflows.pictures.kinds import KINDS
from nettool.workflows.pictures.subject import Subject
from nettool.workflows.report.blocks import Picture
from nettool.workflows.report.missing import Missing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AS_A_TABLE = "mistakes"
"""The kind that a page shows as a table."""
_TITLES = {"roc": "ROC curve", "pr": "Precision and recall"}
_SHARPNESS = 150 / 96
"""Pixels of a figure for each of CSS, which has 96 to an inch."""


def pictures_of(subject: Subject, missing: Missing) -> dict[str, Picture]:
    """Every kind that suits the run, by its name."""
    found = {}
    for kind in KINDS.values():
        if kind.name == AS_A_TABLE:
            continue
        with missing.noting(kind.name):
            found[kind.name] = as_picture(kind.name, kind.what, kind.draw(subject))
    return found


def as_picture(name: str, what: str, figure: Figure, headline: str | None = None) -> Picture:
    """As pixels: the letters of an svg are those of the reader's machine, and would not keep their places."""
    from nettool.plots.figures import as_png, headline_of

    content = as_png(figure)
    width, height = struct.unpack(">II", content[16:24])
    title = _TITLES.get(name, name.replace("-", " ").replace("_", " ").capitalize())
    told = headline_of(figure) if headline is None else headline
    return Picture(
        title, told or what, "" if told else what, _uri(content), round(width / _SHARPNESS), round(height / _SHARPNESS)
    )


def image_uri(pixels: Array) -> str:
    """An example, uint8 [channels, height, width]."""
    import numpy as np
    from PIL import Image

    shown = np.moveaxis(pixels, 0, -1)
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(shown[:, :, 0] if shown.shape[2] == 1 else shown)).save(buffer, "PNG")
    return _uri(buffer.getvalue())


def _uri(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
