"""A run's table whose columns are pixels, as images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nettool.analysis.outcomes import Array
from nettool.analysis.pixels import PixelGrid, grid_of_names, looks_like_images
from nettool.config.convolutions import Reshape
from nettool.data.arrow import from_numpy
from nettool.data.encoders import TableEncoder
from nettool.data.examples import spread
from nettool.data.features import BooleanColumn, NumberColumn
from nettool.data.values import is_numeric, numbers

if TYPE_CHECKING:
    from nettool.workflows.pictures.subject import Subject

MOST_LOOKED_AT = 1000
"""Rows."""
SHORTEST = 4
"""A side, in pixels."""


def pixels_of(subject: Subject) -> PixelGrid | None:
    """The image that the columns of the run's table are; None where they are none. See `nettool.analysis.pixels`."""
    encoder = subject.trained.encoders.features
    if not isinstance(encoder, TableEncoder) or not _all_numbers(encoder):
        return None
    features = [column.name for column in encoder.columns]
    spec = subject.trained.plan.layers[0].spec
    if isinstance(spec, Reshape) and len(spec.shape) == 3:
        channels, height, width = spec.shape
        if channels in (1, 3) and min(height, width) >= SHORTEST:
            return PixelGrid(tuple(features), channels, height, width)
    grid = grid_of_names(_candidates(subject, features))
    return grid if grid is not None and looks_like_images(_values(subject, grid)[:, 0]) else None


def _all_numbers(encoder: TableEncoder) -> bool:
    """Whether every column is a number without gaps; one of 0 and 1 alone is read as a boolean."""
    return all(isinstance(one, NumberColumn | BooleanColumn) and not one.missing for one in encoder.columns)


def _candidates(subject: Subject, features: list[str]) -> list[str]:
    """The features, and columns of such a name that say nothing and were left out: never inked ones, say."""
    table = subject.table
    least, greatest = min(features), max(features)
    num = next((place for place, (a, b) in enumerate(zip(least, greatest, strict=False)) if a != b), len(least))
    prefix = least[:num].rstrip("0123456789")  # what all of them begin with
    others = {column.name for column in subject.trained.encoders.columns if column.role != "feature"}
    names = [] if table is None else [name for name in table.column_names if name.startswith(prefix)]
    found = [name for name in names if name not in others]
    is_whole = table is not None and all(
        is_numeric(table.column(name).type) and not table.column(name).null_count for name in found
    )
    return found if is_whole and set(features) <= set(found) else []


def _values(subject: Subject, grid: PixelGrid, rows: Array | None = None) -> Array:
    """Of these rows, or of some that are spread over the table: float64 [n, channels, height, width]."""
    table = subject.table
    assert table is not None
    rows = spread(table.num_rows, MOST_LOOKED_AT) if rows is None else rows
    chosen = table.select(list(grid.names)).take(from_numpy(rows))
    values = np.stack([numbers(chosen.column(name)) for name in grid.names], axis=1)
    return values.reshape(len(rows), *grid.shape)


def images_of(subject: Subject, grid: PixelGrid, rows: Array) -> Array:
    """Rows of the table as images, black the least and white the greatest: uint8 [n, channels, height, width]."""
    known = _values(subject, grid)
    low, high = float(np.nanmin(known)), float(np.nanmax(known))
    shares = (_values(subject, grid, rows) - low) / ((high - low) or 1.0)
    return (255 * np.nan_to_num(shares).clip(0, 1)).round().astype(np.uint8)
