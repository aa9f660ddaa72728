"""The columns of encoded features: what is shuffled or varied is a column of the user's, not one of the matrix."""

from __future__ import annotations

from dataclasses import dataclass

from nettool.data.encoders import TableEncoder
from nettool.data.inputs import FeatureEncoder
from nettool.data.series import SeriesEncoder


@dataclass(frozen=True)
class EncodedColumn:
    """A feature and where its numbers stand, along the last axis of the encoded features."""

    name: str
    place: slice


def encoded_columns(encoder: FeatureEncoder) -> list[EncodedColumn]:
    """Of a table, or of a series of rows; [] of images and texts."""
    rows = encoder.rows if isinstance(encoder, SeriesEncoder) else encoder
    if not isinstance(rows, TableEncoder):
        return []
    columns, start = [], 0
    for column in rows.columns:
        columns.append(EncodedColumn(column.name, slice(start, start + len(column.names))))
        start += len(column.names)
    return columns
