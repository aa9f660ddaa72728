"""The worst examples of a run, with what the user knows them by: their image, or their row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nettool.analysis.mistakes import Mistake, worst
from nettool.analysis.outcomes import Classified, Outcome
from nettool.data.arrow import from_numpy
from nettool.data.columns import used
from nettool.data.image_encoder import ImageEncoder
from nettool.workflows.pictures.pixels import images_of, pixels_of
from nettool.workflows.pictures.subject import Subject, Unsuitable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_ROWS, MOST_IMAGES, MOST_COLUMNS = 15, 24, 5


def worst_examples(subject: Subject) -> Figure:
    """Raises Unsuitable where nothing is wrong."""
    from nettool.plots.figures import plain
    from nettool.plots.mistakes import mistaken_images, mistaken_rows

    if not subject.outcomes:
        raise Unsuitable(
            "mistakes: the run predicts the next token of a text; look at what it writes: nettool generate"
        )
    name, outcome = max(subject.outcomes.items(), key=lambda each: _num_wrong(each[1]))  # the first of equals
    grid = pixels_of(subject)
    shows_images = grid is not None or isinstance(subject.trained.encoders.features, ImageEncoder)
    found = worst(outcome, MOST_IMAGES if shows_images else MOST_ROWS)
    if not found:
        raise Unsuitable(f"mistakes: all {len(outcome.actual):,} examples of {subject.split} are right.")
    if isinstance(outcome, Classified):
        title = f"{int((~outcome.is_right).sum()):,} of {len(outcome.actual):,} are wrong; the surest of them first"
    else:
        title = f"predicted {plain(outcome.name)}, the farthest off first"
    title = f"{plain(name)}: {title}" if name and isinstance(outcome, Classified) else title
    places = np.array([mistake.place for mistake in found])
    if grid is not None:
        return mistaken_images(found, images_of(subject, grid, subject.examples.rows[places]), title)
    if shows_images:
        pixels = subject.examples.take(places).features
        assert isinstance(pixels, np.ndarray)
        return mistaken_images(found, pixels, title)
    rows = subject.examples.rows[places]
    return mistaken_rows(found, (rows + 1).tolist(), _columns(subject, found, rows), title)


def _num_wrong(outcome: Outcome) -> int:
    return int((~outcome.is_right).sum()) if isinstance(outcome, Classified) else 0


def _columns(subject: Subject, found: list[Mistake], rows: np.ndarray) -> list[tuple[str, list[str]]]:
    """Some of the features, as they stand in the table."""
    if subject.table is None:
        return []
    names = [column.name for column in used(subject.trained.encoders.columns, "feature")][:MOST_COLUMNS]
    chosen = subject.table.select(names).take(from_numpy(rows))
    return [(name, ["" if cell is None else str(cell) for cell in chosen.column(name).to_pylist()]) for name in names]
