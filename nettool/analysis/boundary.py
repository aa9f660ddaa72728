"""What a network says over a plane of two features, the others held at their middle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from nettool.analysis.columns import encoded_columns
from nettool.analysis.outcomes import Array, Classified
from nettool.data.encoders import TableEncoder
from nettool.data.features import (
    DATE_PARTS,
    FIRST_LEVEL,
    BooleanColumn,
    CategoryColumn,
    DateColumn,
    FeatureColumn,
    NumberColumn,
)
from nettool.data.values import numbers
from nettool.training.classification_metrics import decide

Predict = Callable[[Array], Array]
"""Encoded features, float32 [n, width], to what is predicted: float64 [n, outputs]."""

RESOLUTION = 160
"""Places along an axis of numbers."""
NUMBERS_AT_ONCE = 2**24
"""Of encoded examples."""
MOST_LEVELS = 60
MARGIN = 0.06
"""Of the range of the data, beyond it on either side."""


@dataclass(frozen=True)
class Axis:
    """One of the two features. places: where the surface is known, float64 [k], ascending. points: where the examples
    lie, float64 [n], NaN where it is missing. levels: what the places 0, 1, ... mean; none of numbers. is_date: places
    are days since 1970.
    """

    name: str
    places: Array
    points: Array
    levels: tuple[str, ...] = ()
    is_date: bool = False


@dataclass(frozen=True)
class Plane:
    """surface: what is predicted, float64 [places of y, places of x, outputs]. held: the other features as text."""

    x: Axis
    y: Axis
    surface: Array
    held: Mapping[str, str]


def share_shown(plane: Plane, outcome: Classified) -> float:
    """Of the examples in the plane, how many lie where it shows what is predicted of them; NaN where there are none.

    In the plane the other features are held, and the examples have values of their own.
    """
    x, y = (axis.points[outcome.places] for axis in (plane.x, plane.y))
    known = np.isfinite(x) & np.isfinite(y)
    if not known.any():
        return float("nan")
    across, up = (np.abs(axis.places - at[known, None]).argmin(axis=1) for axis, at in ((plane.x, x), (plane.y, y)))
    return float((decide(plane.surface[up, across]) == outcome.predicted[known]).mean())


class PlaneOfFeatures:
    """A grid over two features of a table, to be shown to a network, or to the same one at several times."""

    def __init__(self, encoder: TableEncoder, features: Array, names: tuple[str, str]) -> None:
        """features: float32 [n, width], the encoded examples that lie in the plane."""
        places = {each.name: each.place for each in encoded_columns(encoder)}
        columns = {column.name: column for column in encoder.columns}
        middle = np.concatenate([_middle(column, features[:, places[name]]) for name, column in columns.items()])
        first, second = names
        self.x, self.y = (_axis(columns[name], features[:, places[name]]) for name in names)
        self._row = np.tile(middle, (len(self.x.places), 1))
        self._row[:, places[first]] = _encoded(columns[first], self.x.places)
        self._down, self._heights = places[second], _encoded(columns[second], self.y.places)
        held = encoder.decode(middle[None]).to_pylist()[0]
        self.held = {name: _shown(held[name]) for name in columns if name not in names}

    def show(self, predict: Predict) -> Plane:
        """What the network says there."""
        at_once = max(1, NUMBERS_AT_ONCE // self._row.size)
        parts = [self._heights[start : start + at_once] for start in range(0, len(self._heights), at_once)]
        surface = np.concatenate([predict(self._encoded(part)) for part in parts])
        return Plane(self.x, self.y, surface.reshape(len(self.y.places), len(self.x.places), -1), self.held)

    def _encoded(self, heights: Array) -> Array:
        """Some rows of the grid as examples. heights: what is encoded of the second feature, [rows, width]."""
        grid = np.tile(self._row, (len(heights), 1, 1))
        grid[:, :, self._down] = heights[:, None]
        return grid.reshape(-1, self._row.shape[1])


def can_be_axis(column: FeatureColumn) -> bool:
    """Whether a feature has so few levels, if any, that they can be told apart along an axis."""
    return not isinstance(column, CategoryColumn) or len(column.levels) <= MOST_LEVELS


def _axis(column: FeatureColumn, encoded: Array) -> Axis:
    values = column.read(encoded)
    if isinstance(column, CategoryColumn | BooleanColumn):
        levels = column.levels if isinstance(column, CategoryColumn) else (False, True)
        place = {level: float(number) for number, level in enumerate(levels)}
        points = np.array([place.get(value, np.nan) for value in values.to_pylist()])
        return Axis(column.name, np.arange(float(len(levels))), points, tuple(map(_shown, levels)))
    is_date = isinstance(column, DateColumn)
    points = numbers(values)  # of dates the days since 1970
    known = points[np.isfinite(points)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    room = MARGIN * (high - low) or 1.0
    return Axis(column.name, np.linspace(low - room, high + room, RESOLUTION), points, is_date=is_date)


def _encoded(column: FeatureColumn, places: Array) -> Array:
    """Places along an axis as the network sees them: float32 [k, width of the column]."""
    out = np.zeros((len(places), len(column.names)), np.float32)
    match column:
        case CategoryColumn():
            column.write((places + FIRST_LEVEL).astype(np.int32), out)
        case DateColumn():
            column.write(np.rint(places).astype("datetime64[D]").astype("datetime64[us]"), out)
        case NumberColumn() | BooleanColumn():
            column.write(places, out)
    return out


def _middle(column: FeatureColumn, encoded: Array) -> Array:
    """What is encoded of the median number or date, or of the most frequent level: that of an example which has it."""
    if isinstance(column, NumberColumn | DateColumn):
        known = encoded[encoded[:, -1] < 0.5] if column.missing else encoded
        known = known if len(known) else encoded
        by = known[:, 0] if isinstance(column, NumberColumn) else known[:, len(DATE_PARTS) - 1]
        middle: Array = known[np.argsort(by, kind="stable")[len(known) // 2]]
        return middle
    rows, counts = np.unique(encoded, axis=0, return_counts=True)
    frequent: Array = rows[counts.argmax()]
    return frequent


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return "missing" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
