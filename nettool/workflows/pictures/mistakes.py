"""The worst examples of a run, with what the user knows them by: their image, or their row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nettool.analysis.mistakes import Mistake, worst
from nettool.analysis.outcomes import Array, Classified, Outcome
from nettool.data.arrow import from_numpy
from nettool.data.columns import used
from nettool.data.image_encoder import ImageEncoder
from nettool.workflows.pictures.pixels import images_of
from nettool.workflows.pictures.subject import Subject, Unsuitable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_ROWS, MOST_IMAGES, MOST_COLUMNS = 15, 24, 5


@dataclass(frozen=True)
class WorstExamples:
    """The worst first. title: what they are. numbers: their rows in the data, from 1. columns: some of the features, as
    they stand in the table: the name of each, and its cells. pixels: of images, which have no columns: uint8 [examples,
    channels, height, width].
    """

    title: str
    mistakes: Sequence[Mistake]
    numbers: Sequence[int]
    columns: Sequence[tuple[str, Sequence[str]]]
    pixels: Array | None


def worst_of(subject: Subject, most_columns: int = MOST_COLUMNS) -> WorstExamples:
    """Raises Unsuitable where nothing is wrong."""
    if not subject.outcomes:
        raise Unsuitable(
            "mistakes: the run predicts the next token of a text; look at what it writes: nettool generate"
        )
    name, outcome = max(subject.outcomes.items(), key=lambda each: _num_wrong(each[1]))  # the first of equals
    grid = subject.pixels
    shows_images = grid is not None or isinstance(subject.trained.encoders.features, ImageEncoder)
    found = worst(outcome, MOST_IMAGES if shows_images else MOST_ROWS)
    if not found:
        raise Unsuitable(f"mistakes: all {len(outcome.actual):,} examples of {subject.split} are right.")
    places = np.array([mistake.place for mistake in found])
    rows = subject.examples.rows[places]
    columns = [] if shows_images else _columns(subject, rows, most_columns)
    if grid is not None:
        pixels: Array | None = images_of(subject, grid, rows)
    else:
        features = subject.examples.take(places).features
        pixels = features if shows_images and isinstance(features, np.ndarray) else None
    return WorstExamples(_title(name, outcome), found, (rows + 1).tolist(), columns, pixels)


def worst_examples(subject: Subject) -> Figure:
    """The same as a picture."""
    from nettool.plots.figures import plain
    from nettool.plots.mistakes import mistaken_images, mistaken_rows

    found = worst_of(subject)
    title = plain(found.title, 160)
    if found.pixels is not None:
        return mistaken_images(found.mistakes, found.pixels, title)
    return mistaken_rows(found.mistakes, found.numbers, found.columns, title)


def _title(name: str, outcome: Outcome) -> str:
    if not isinstance(outcome, Classified):
        return f"predicted {outcome.name}, the farthest off first"
    told = f"{_num_wrong(outcome):,} of {len(outcome.actual):,} are wrong; the surest of them first"
    return f"{name}: {told}" if name else told


def _num_wrong(outcome: Outcome) -> int:
    return int((~outcome.is_right).sum()) if isinstance(outcome, Classified) else 0


def _columns(subject: Subject, rows: np.ndarray, most: int) -> list[tuple[str, list[str]]]:
    if subject.table is None:
        return []
    names = [column.name for column in used(subject.trained.encoders.columns, "feature")][:most]
    chosen = subject.table.select(names).take(from_numpy(rows))
    return [(name, ["" if cell is None else str(cell) for cell in chosen.column(name).to_pylist()]) for name in names]
