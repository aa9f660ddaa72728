"""From a data section and a loss to arrays: read, tell the columns apart, split, fit the encoders, encode.

Nothing here knows torch. What is fitted is fitted on the training split. Rows of the test split are read to find out
that they are in it, and not looked at again.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nettool.config.data import DataSpec, SplitName
from nettool.config.losses import LossSpec
from nettool.data.arrow import from_numpy
from nettool.data.bundle import Encoders, Split, TableData
from nettool.data.columns import (
    Column,
    Role,
    check_target,
    check_weights,
    conform,
    describe_columns,
    named,
    near_names,
    notes,
    scattered,
    used,
)
from nettool.data.encoders import TableEncoder
from nettool.data.features import CategoryColumn, Rows
from nettool.data.partition import partition
from nettool.data.sources import check_file, fingerprint, read_table
from nettool.data.targets import fit_target
from nettool.data.tasks import settle_target
from nettool.data.values import levels, numbers, show, simplify
from nettool.errors import DataError, NettoolError, UsageError


def prepare(spec: DataSpec, loss: LossSpec, *, rows: int | None = None) -> TableData:
    """Read the data that training needs, fit the encoders and encode.

    rows: read so many rows only, to know columns and widths; files are then not fingerprinted. If they cannot be
    used, the reason may lie in the rows left out (a file sorted by class), so all are read before that is said.

    Raises DataError for a file, ConfigError for a key of the config that does not fit it.
    """
    if rows is None:
        return _prepare(spec, loss, None)
    try:
        return _prepare(spec, loss, rows)
    except NettoolError:
        return _prepare(spec, loss, None)


def _prepare(spec: DataSpec, loss: LossSpec, limit: int | None) -> TableData:
    for path in _files(spec).values():
        check_file(path)
    with ThreadPoolExecutor() as pool:
        # Hashing a file takes as long as reading it, and leaves the interpreter free.
        hashed = {key: pool.submit(fingerprint, path) for key, path in _files(spec).items() if limit is None}
        path = _training_file(spec)
        source = str(path)
        raw = simplify(read_table(path, limit=limit))
        described = describe_columns(raw, spec, source)
        columns = tuple(c for c in settle_target(raw, described, spec.target, loss, source) if c.role != "unused")
        check_target(raw, columns, source)
        table = conform(raw.select([column.name for column in columns]), columns, source)
        weights = _weights(table, columns, source)
        parts = partition(table, columns, spec, raw)
        features = TableEncoder.fit(table, columns, spec.scale, parts["train"])
        target = fit_target(raw, table, named(columns, spec.target), parts["train"], loss)
        encoders = Encoders(features, target, columns)
        splits: dict[SplitName, Split] = {}
        for name in ("train", "validation"):
            if name in parts:
                splits[name] = _encode(table, encoders, parts[name], weights, source, needs_target=True)
        if spec.validation is not None:
            splits["validation"] = encode_file(Path(spec.validation), encoders, needs_target=True, limit=limit)
        said = [*notes(described), *scattered(described, table.num_rows)]
        if limit is not None and table.num_rows == limit:
            said.append(f"Only the first {limit:,} rows were read; the others may hold more classes and levels.")
        fingerprints = {key: {**future.result()} for key, future in hashed.items()}
    if "path" in fingerprints or "train" in fingerprints:
        fingerprints["path" if spec.path is not None else "train"]["rows"] = table.num_rows
    sizes = {name: len(rows) for name, rows in parts.items()}
    sizes |= {name: len(split.features) for name, split in splits.items()}
    return TableData(splits, sizes, encoders, described, tuple(said), fingerprints)


def load_split(spec: DataSpec, encoders: Encoders, name: SplitName) -> Split:
    """Encode a split with stored encoders: the rows and the bits that training had.

    Raises UsageError when the config has no such split.
    """
    path, whole = _file_of(spec, name)
    if whole:
        return encode_file(path, encoders, needs_target=True)
    source = str(path)
    raw = simplify(read_table(path))
    table = _conformed(raw, encoders, source, ("feature", "target", "weights", "group"))
    rows = _rows_of(table, raw, spec, encoders, name)
    return _encode(table, encoders, rows, _weights(table, encoders.columns, source), source, needs_target=True)


def split_table(spec: DataSpec, encoders: Encoders, name: SplitName) -> pa.Table:
    """The raw rows of a split, with all columns, in the order of `load_split`."""
    path, whole = _file_of(spec, name)
    raw = read_table(path)
    if whole:
        return raw
    table = _conformed(raw, encoders, str(path), ("feature", "target", "group"))
    return raw.take(from_numpy(_rows_of(table, simplify(raw), spec, encoders, name)))


def encode_file(path: Path, encoders: Encoders, *, needs_target: bool, limit: int | None = None) -> Split:
    """Encode all rows of another file."""
    return encode_table(read_table(path, limit=limit), encoders, needs_target=needs_target, source=str(path))


def encode_table(table: pa.Table, encoders: Encoders, *, needs_target: bool, source: str = "the table") -> Split:
    """Encode all rows of a table. Columns that training did not use are passed over.

    needs_target: whether the target is read (to evaluate) or left alone (to predict).

    Raises DataError when a column is missing, or a cell does not hold what its column's kind says.
    """
    table = _conformed(table, encoders, source, ("feature", "target") if needs_target else ("feature",))
    weights = _weights(table, encoders.columns, source) if needs_target else None
    return _encode(table, encoders, np.arange(table.num_rows), weights, source, needs_target=needs_target)


def unseen_levels(table: pa.Table, encoders: Encoders) -> dict[str, tuple[str, ...]]:
    """The levels of each category in this table that training did not have, and that are therefore read as unknown."""
    conformed = _conformed(table, encoders, "the table", ("feature",))
    found = {}
    for column in encoders.features.columns:
        if isinstance(column, CategoryColumn):
            unseen = sorted(set(levels(conformed.column(column.name))) - set(column.levels))
            if unseen:
                found[column.name] = tuple(unseen)
    return found


def _conformed(table: pa.Table, encoders: Encoders, source: str, roles: tuple[Role, ...]) -> pa.Table:
    """The columns of these roles, all of which must be there; weights come along with a target if there are any."""
    needed, names = used(encoders.columns, *roles), table.column_names
    if "target" in roles and "weights" not in roles:
        needed += tuple(column for column in used(encoders.columns, "weights") if column.name in names)
    for column in needed:
        if names.count(column.name) > 1:
            raise DataError(f"{source}: two columns are called {show(column.name)}. Cure: rename one of them.")
    absent = [column.name for column in needed if column.name not in names]
    if absent:
        what, verb = ("the column", "is") if len(absent) == 1 else ("the columns", "are")
        hint = f" It has {_all(names)}."
        if len(absent) == 1:
            hint = near_names(absent[0], names).replace("Did you mean", "Is it what is called")
        raise DataError(f"{source}: {what} {_all(absent)}, which the network was trained with, {verb} missing.{hint}")
    packed = simplify(table.select([column.name for column in needed]))
    check_target(packed, needed, source)
    return conform(packed, needed, source)


def _all(names: Sequence[str], most: int = 20) -> str:
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(show(name) for name in names[:most]) + rest


def _encode(
    table: pa.Table,
    encoders: Encoders,
    rows: Rows,
    weights: NDArray[np.float64] | None,
    source: str,
    *,
    needs_target: bool,
) -> Split:
    features = encoders.features.encode(table, rows)
    if needs_target and weights is not None and not weights[rows].any():
        raise DataError(f"{source}: the weights of all {len(rows):,} examples of a split are 0; none would count.")
    target = encoders.target.encode(table, rows, source) if needs_target else None
    chosen = None if weights is None else weights[rows].astype(np.float32)
    return Split(features, target, chosen, rows)


def _weights(table: pa.Table, columns: Sequence[Column], source: str) -> NDArray[np.float64] | None:
    for column in used(columns, "weights"):
        if column.name in table.column_names:
            weights = numbers(table.column(column.name))
            check_weights(weights, column.name, source)
            return weights
    return None


# Which file, and which of its rows


def _files(spec: DataSpec) -> dict[str, Path]:
    named = {"path": spec.path, "train": spec.train, "validation": spec.validation, "test": spec.test}
    return {key: Path(path) for key, path in named.items() if path is not None}


def _training_file(spec: DataSpec) -> Path:
    return _files(spec)["path" if spec.path is not None else "train"]


def _file_of(spec: DataSpec, name: SplitName) -> tuple[Path, bool]:
    """The file that a split comes from, and whether it is the whole of it."""
    files = _files(spec)
    if name != "train" and name in files:
        return files[name], True
    if name == "test" and spec.path is None:
        raise UsageError("the config has no test table. Cure: set data.test, or evaluate the validation split.")
    return _training_file(spec), False


def _rows_of(table: pa.Table, raw: pa.Table, spec: DataSpec, encoders: Encoders, name: SplitName) -> Rows:
    parts = partition(table, encoders.columns, spec, raw)
    if name not in parts:
        raise UsageError(f"the config has no {name} split: data.split.{name} is 0.")
    return parts[name]
