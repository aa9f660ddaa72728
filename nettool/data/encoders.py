"""Feature columns <-> a float32 matrix, fitted on the training split alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from nettool.config.data import Scale
from nettool.config.signature import TableExample
from nettool.data.arrow import empty, stretches
from nettool.data.columns import Column, used
from nettool.data.features import (
    CategoryColumn,
    FeatureColumn,
    Matrix,
    Rows,
    column_from_json,
    column_to_json,
    fit_column,
)
from nettool.data.parallel import each
from nettool.data.stored import check_distinct

BLOCK = 1 << 16
"""Rows encoded at a time: all columns of a block stay in the cache while they are written."""


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
        ends = np.cumsum([len(column.names) for column in self.columns])
        table = table.select([column.name for column in self.columns])
        readers = [column.reader(source) for column, source in zip(self.columns, table.columns, strict=True)]

        def write(stretch: tuple[int, pa.RecordBatch]) -> None:
            start, batch = stretch
            first, last = np.searchsorted(rows, (start, start + batch.num_rows))
            chosen = rows[first:last] - start
            for column, source, read, end in zip(self.columns, batch.columns, readers, ends, strict=True):
                column.write(read(source)[chosen], out[first:last, end - len(column.names) : end])

        each(write, stretches(table, BLOCK), table.num_rows)
        return out

    def decode(self, encoded: Matrix) -> pa.Table:
        """The columns again, from float32 [n, width]: numbers as far as float32 goes, dates to the day."""
        ends = np.cumsum([len(column.names) for column in self.columns])
        return pa.table(
            {
                column.name: column.read(encoded[:, end - len(column.names) : end])
                for column, end in zip(self.columns, ends, strict=True)
            }
        )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, exact."""
        return {"columns": [column_to_json(column) for column in self.columns]}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> TableEncoder:
        """The encoder that `to_json` wrote."""
        return cls(tuple(column_from_json(column) for column in data["columns"]))
