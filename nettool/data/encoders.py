"""Feature columns <-> a float32 matrix, fitted on the training split alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pyarrow as pa

from nettool.config.data import Scale
from nettool.config.signature import TableExample
from nettool.data.arrow import empty, pick, stretches
from nettool.data.columns import Column, used
from nettool.data.features import (
    CategoryColumn,
    FeatureColumn,
    Matrix,
    NumberColumn,
    Read,
    Rows,
    column_from_json,
    column_to_json,
    fit_column,
    is_plain,
    write_numbers,
)
from nettool.data.parallel import each
from nettool.data.stored import check_distinct


class _Piece(NamedTuple):
    """Rows of one batch that are to be encoded. chosen: within the batch. place: in what is encoded."""

    batch: pa.RecordBatch
    chosen: Rows
    place: slice


def _pieces(start: int, batches: Iterable[pa.RecordBatch], rows: Rows) -> Iterator[_Piece]:
    """The pieces of batches, the first of which begins at row `start`. rows: of the table, ascending."""
    for batch in batches:
        first, last = np.searchsorted(rows, (start, start + batch.num_rows))
        yield _Piece(batch, rows[first:last] - start, slice(first, last))
        start += batch.num_rows


def _write_numbers(
    columns: Sequence[NumberColumn], pieces: Sequence[_Piece], indices: slice, readers: Sequence[Read], out: Matrix
) -> None:
    """Encode columns of numbers together. indices: which columns of the batches they are. out: [all rows, k]."""
    first, last = pieces[0].place.start, pieces[-1].place.stop
    values = empty((len(columns), last - first), np.float64)
    for batch, chosen, place in pieces:
        rows = values[:, place.start - first : place.stop - first]
        for row, source, read in zip(rows, batch.columns[indices], readers[indices], strict=True):
            pick(read(source), chosen, row)
    write_numbers(columns, values, out[first:last])


@dataclass(frozen=True)
class TableEncoder:
    """All feature columns of a table. Columns of numbers come first, embedded categories last."""

    kind: ClassVar[str] = "table"
    columns: tuple[FeatureColumn, ...]

    def __post_init__(self) -> None:
        check_distinct([column.name for column in self.columns], "columns")
        if not self.feature_names:
            raise ValueError("no column has anything to say")
        embedded = [column.embedded for column in self.columns]
        if embedded != sorted(embedded):
            raise ValueError("an embedded category stands before a column of numbers")

    @classmethod
    def fit(cls, table: pa.Table, columns: Iterable[Column], scale: Scale, rows: Rows | None = None) -> TableEncoder:
        """Fit to the training rows of a conformed table (all rows by default)."""
        rows = np.arange(table.num_rows) if rows is None else rows
        fitted = each(
            lambda column: fit_column(column.kind, column.name, table.column(column.name), rows, scale),
            used(columns, "feature"),
            table.num_rows,
        )
        return cls(tuple(sorted(fitted, key=lambda column: column.embedded)))

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The name of every encoded column."""
        return tuple(name for column in self.columns for name in column.names)

    @property
    def embedded(self) -> tuple[int, ...]:
        """How many codes each embedded category has. Code 0 is for levels that training did not have."""
        return tuple(c.num_codes for c in self.columns if isinstance(c, CategoryColumn) and c.embedded)

    @property
    def example(self) -> TableExample:
        """What an encoded row looks like."""
        return TableExample(len(self.feature_names) - len(self.embedded), self.embedded)

    def encode(self, table: pa.Table, rows: Rows | None = None) -> Matrix:
        """Encode rows of a conformed table, in ascending order (all by default): float32 [n, width]."""
        rows = np.arange(table.num_rows) if rows is None else rows
        out = empty((len(rows), len(self.feature_names)), np.float32)
        table = table.select([column.name for column in self.columns])
        readers = [column.reader(source) for column, source in zip(self.columns, table.columns, strict=True)]
        runs = self._runs()

        def write(stretch: tuple[int, list[pa.RecordBatch]]) -> None:
            pieces = list(_pieces(*stretch, rows))
            for indices, width in runs:
                if numbers := [column for column in self.columns[indices] if is_plain(column)]:
                    _write_numbers(numbers, pieces, indices, readers, out[:, width])
                else:
                    (column,), (read,) = self.columns[indices], readers[indices]
                    for batch, chosen, place in pieces:
                        column.write(read(batch.column(indices.start))[chosen], out[place, width])

        each(write, stretches(table), table.num_rows)
        return out

    def _places(self) -> list[slice]:
        """The encoded columns of each column."""
        ends = np.cumsum([len(column.names) for column in self.columns])
        return [slice(end - len(column.names), end) for column, end in zip(self.columns, ends, strict=True)]

    def _runs(self) -> list[tuple[slice, slice]]:
        """Which columns are encoded together, and where: numbers beside each other, any other column by itself."""
        places = self._places()
        runs = groupby(range(len(self.columns)), lambda index: -1 if is_plain(self.columns[index]) else index)
        ends = [(run[0], run[-1]) for run in (list(run) for _, run in runs)]
        return [(slice(first, last + 1), slice(places[first].start, places[last].stop)) for first, last in ends]

    def decode(self, encoded: Matrix) -> pa.Table:
        """The columns again, from float32 [n, width]: numbers as far as float32 goes, dates to the day."""
        found = (c.read(encoded[:, place]) for c, place in zip(self.columns, self._places(), strict=True))
        return pa.table(list(found), names=[column.name for column in self.columns])

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, exact."""
        return {"columns": [column_to_json(column) for column in self.columns]}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> TableEncoder:
        """The encoder that `to_json` wrote."""
        return cls(tuple(column_from_json(column) for column in data["columns"]))
