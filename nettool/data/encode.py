"""Encoding with encoders that are fitted already: a split of the run's own data, or other data of its kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nettool.config.data import DataSpec, SplitName
from nettool.config.inputs import ImageSpec
from nettool.data.bundle import Encoders
from nettool.data.columns import Column, Role, check_target, check_weights, conform, near_names, used
from nettool.data.encoders import TableEncoder
from nettool.data.examples import Examples, Split
from nettool.data.features import CategoryColumn, Rows
from nettool.data.image_encoder import ImageEncoder
from nettool.data.partition import partition
from nettool.data.reading import decoded, no_such_split, one_part, read_examples, resolve, training_file
from nettool.data.series import SeriesEncoder, check_length, check_order, cut_windows
from nettool.data.text_encoder import StreamEncoder, TextEncoder
from nettool.data.values import levels, numbers, show, simplify
from nettool.errors import DataError


@dataclass(frozen=True)
class Encodable:
    """Conformed examples with what each weighs. weights: float64 [n]; None where all weigh the same."""

    examples: Examples
    weights: NDArray[np.float64] | None
    source: str


def load_split(spec: DataSpec, encoders: Encoders, name: SplitName) -> Split:
    """Encode a split with stored encoders: the rows and the bits that training had.

    Raises UsageError when the config has no such split.
    """
    return load_rows(spec, encoders, name)[0]


def load_rows(spec: DataSpec, encoders: Encoders, name: SplitName) -> tuple[Split, pa.Table | None]:
    """The split, and the table that its `rows` are of, with all columns; None of a text, which has none."""
    if isinstance(encoders.features, StreamEncoder):
        from nettool.data.token_stream import load_stream_split

        return load_stream_split(spec, encoders.features, name), None
    spec = resolve(spec)
    path, whole = _file_of(spec, name)
    if whole:
        return encode_rows(path, encoders, needs_target=True)
    raw = read_other(path, encoders)
    encodable = _conformed(raw, encoders, str(path), ("feature", "target", "weights", "group"))
    rows = _rows_of(encodable.examples.table, raw.table, spec, encoders, name)
    return encode_examples(encodable, encoders, rows, needs_target=True), raw.table


def encode_file(path: Path, encoders: Encoders, *, needs_target: bool, limit: int | None = None) -> Split:
    """Encode all examples of another file or folder."""
    return encode_rows(path, encoders, needs_target=needs_target, limit=limit)[0]


def encode_rows(
    path: Path, encoders: Encoders, *, needs_target: bool, limit: int | None = None
) -> tuple[Split, pa.Table | None]:
    """The same, and the table as it was read, as `load_rows` gives it."""
    if isinstance(encoders.features, StreamEncoder):
        from nettool.data.token_stream import encode_stream

        return encode_stream(path, encoders.features), None
    raw = read_other(path, encoders, limit, labels=needs_target)
    return encode_all(raw, encoders, needs_target=needs_target, source=str(path)), raw.table


def encode_table(
    table: pa.Table, encoders: Encoders, *, needs_target: bool, source: str = "the table", folder: Path = Path()
) -> Split:
    """Encode all rows of a table. Columns that training did not use are passed over.

    needs_target: whether the target is read (to evaluate) or left alone (to predict). folder: what paths of images are
    relative to.

    Raises DataError when a column is missing, or a cell does not hold what its column's kind says.
    """
    examples = Examples(table)
    if isinstance(encoders.features, ImageEncoder):
        examples = decoded(table, encoders.features.name, folder, _image_spec(encoders.features), source)
    return encode_all(examples, encoders, needs_target=needs_target, source=source)


def encode_all(raw: Examples, encoders: Encoders, *, needs_target: bool, source: str) -> Split:
    """Encode all of these examples, see `encode_table`."""
    if isinstance(encoders.features, SeriesEncoder):
        check_order(simplify(raw.table), encoders.features.dates, source)
        if needs_target:
            check_length(raw.table.num_rows, encoders.features, source)
    encodable = _conformed(raw, encoders, source, ("feature", "target") if needs_target else ("feature",))
    if not needs_target:
        encodable = replace(encodable, weights=None)
    return encode_examples(encodable, encoders, np.arange(raw.table.num_rows), needs_target=needs_target)


def unseen_levels(table: pa.Table, encoders: Encoders) -> dict[str, tuple[str, ...]]:
    """The levels of each category in this table that training did not have, and that are therefore read as unknown."""
    if not isinstance(encoders.features, TableEncoder | SeriesEncoder):
        return {}
    rows = encoders.features.rows if isinstance(encoders.features, SeriesEncoder) else encoders.features
    conformed = _conformed(Examples(table), encoders, "the table", ("feature",)).examples.table
    found = {}
    for column in rows.columns:
        if isinstance(column, CategoryColumn) and column.name in conformed.column_names:
            unseen = sorted(set(levels(conformed.column(column.name))) - set(column.levels))
            if unseen:
                found[column.name] = tuple(unseen)
    return found


def encode_examples(encodable: Encodable, encoders: Encoders, rows: Rows, *, needs_target: bool) -> Split:
    """Encode rows, ascending, of conformed examples."""
    examples, weights, source = encodable.examples, encodable.weights, encodable.source
    if needs_target and weights is not None and not weights[rows].any():
        raise DataError(f"{source}: the weights of all {len(rows):,} examples of a split are 0; none would count.")
    target = encoders.target.encode(examples.table, rows, source) if needs_target else None
    chosen = None if weights is None else weights[rows].astype(np.float32)
    match encoders.features:
        case TableEncoder() as encoder:
            return Split(encoder.encode(examples.table, rows), target, chosen, rows)
        case SeriesEncoder() as encoder:
            first = int(rows[0]) if len(rows) else 0
            return cut_windows(encoder.rows.encode(examples.table, rows), target, chosen, encoder, first)
        case ImageEncoder() | TextEncoder() as encoder:
            return Split(encoder.encode(examples, rows), target, chosen, rows)
        case StreamEncoder():
            raise DataError(f"{source} is a table, but the network was trained on a text.")


def weights_of(table: pa.Table, columns: Sequence[Column], source: str) -> NDArray[np.float64] | None:
    """What each example weighs: float64 [n]; None without a column for it. Raises DataError for a bad weight."""
    for column in used(columns, "weights"):
        if column.name in table.column_names:
            weights = numbers(table.column(column.name))
            check_weights(weights, column.name, source)
            return weights
    return None


def read_other(path: Path, encoders: Encoders, limit: int | None = None, *, labels: bool = True) -> Examples:
    """Read a file or folder as the training's was read. labels: see `read_examples`."""
    features = encoders.features
    if isinstance(features, ImageEncoder):
        path = one_part(path)
        target = tuple(column.name for column in used(encoders.columns, "target"))
        spec = DataSpec(path=str(path), target=target, image=_image_spec(features), columns={features.name: "image"})
        return read_examples(path, spec, limit, labels=labels)
    return read_examples(path, DataSpec(path=str(path), target=("-",)), limit)


def _image_spec(encoder: ImageEncoder) -> ImageSpec:
    channels = encoder.channels
    assert channels in (1, 3)
    return ImageSpec(size=(encoder.height, encoder.width), channels=3 if channels == 3 else 1)


def _conformed(raw: Examples, encoders: Encoders, source: str, roles: tuple[Role, ...]) -> Encodable:
    """The columns of these roles, all of which must be there; weights come along with a target if there are any."""
    needed, names = used(encoders.columns, *roles), raw.table.column_names
    if isinstance(encoders.features, SeriesEncoder) and "target" not in roles:
        past = [column.name for column in encoders.features.rows.columns]
        needed += tuple(column for column in used(encoders.columns, "target") if column.name in past)
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
    packed = simplify(raw.table.select([column.name for column in needed]))
    check_target(packed, needed, source)
    table = conform(packed, needed, source)
    return Encodable(replace(raw, table=table), weights_of(table, encoders.columns, source), source)


def _all(names: Sequence[str], most: int = 20) -> str:
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(show(name) for name in names[:most]) + rest


# Which file, and which of its rows


def _file_of(spec: DataSpec, name: SplitName) -> tuple[Path, bool]:
    """The file that a split comes from, and whether it is the whole of it."""
    files = spec.files
    if name != "train" and name in files:
        return files[name], True
    if name == "test" and spec.path is None:
        raise no_such_split(spec, name)
    return training_file(spec), False


def _rows_of(table: pa.Table, raw: pa.Table, spec: DataSpec, encoders: Encoders, name: SplitName) -> Rows:
    parts = partition(table, encoders.columns, spec, raw)
    if name not in parts:
        raise no_such_split(spec, name)
    return parts[name]
