"""nettool predict: a table in, the same table with predictions out."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nettool.config.signature import ClassTarget, LabelTarget, NextTarget, NumberTarget
from nettool.data.arrow import from_numpy, from_texts
from nettool.data.columns import used
from nettool.data.encode import encode_all, encode_table, read_other, unseen_levels
from nettool.data.examples import Split
from nettool.data.idx import is_idx
from nettool.data.image_encoder import ImageEncoder
from nettool.data.reading import IMAGE
from nettool.data.series import SeriesEncoder
from nettool.data.sources import as_written, read_table
from nettool.errors import DataError, UsageError
from nettool.runs import durable
from nettool.runs.cells import harmless
from nettool.training.classification_metrics import decide
from nettool.workflows import machine
from nettool.workflows.trained import Trained

PREDICTED = "predicted_"
FORMATS = (".csv", ".tsv", ".parquet", ".jsonl")
"""What predictions can be written as."""


def predict(trained: Trained, path: Path) -> tuple[pa.Table, tuple[str, ...]]:
    """A file's table with columns appended: the prediction of each target, and for classes the probability of each; and
    sentences on what was predicted on thin ice.

    The file's own columns stay as they are written there. Of images without a table the first column is the path of
    each, or its number. Raises DataError where a feature is missing or a value does not read as what training saw.
    """
    check_predicts(trained)
    table, written, encoded = _read(trained, path)
    added = _columns(trained, encoded, table.num_rows)
    check_names(added, table.column_names, str(path))
    for name, column in added.items():
        written = written.append_column(name, column)
    return written, notes(trained, table)


def check_predicts(trained: Trained) -> None:
    """Raise UsageError for a run that writes text instead of predicting a table."""
    if isinstance(trained.target, NextTarget):
        raise UsageError(f"{trained.source} predicts the next token of a text: nettool generate --prompt ...")


def _read(trained: Trained, path: Path) -> tuple[pa.Table, pa.Table, Split]:
    """The table as it is understood, as it is written, which is appended to, and its rows encoded."""
    encoders = trained.encoders
    if isinstance(encoders.features, ImageEncoder) and _holds_images(path):
        examples = read_other(path, encoders, labels=False)
        encoded = encode_all(examples, encoders, needs_target=False, source=str(path))
        if examples.paths is None:
            table = pa.table({"number": from_numpy(np.arange(1, len(encoded) + 1))})
        else:
            names = (os.fsencode(each).decode(errors="replace") for each in examples.paths)
            table = pa.table({IMAGE: from_texts(names)})
        return table, table, encoded
    table = read_table(path)
    encoded = encode_table(table, encoders, needs_target=False, source=str(path), folder=path.parent)
    return table, as_written(path, table), encoded


def _holds_images(path: Path) -> bool:
    from nettool.data.image_files import is_image  # Pillow is needed for images alone

    return path.is_dir() or is_image(path) or is_idx(path) or path.suffix.lower() == ".npz"


def notes(trained: Trained, table: pa.Table) -> tuple[str, ...]:
    """What was predicted on thin ice: categories that training never saw."""
    return tuple(
        f"{name}: {', '.join(found[:5])}{', ...' if len(found) > 5 else ''} "
        f"{'were' if len(found) > 1 else 'was'} not in the training data, and counts as unknown."
        for name, found in unseen_levels(table, trained.encoders).items()
    )


def check_names(added: Iterable[str], names: Iterable[str], source: str) -> None:
    """Raise DataError where a prediction would take the place of a column of the user's."""
    taken = sorted(set(added) & set(names))
    if taken:
        raise DataError(f"{source} already has a column {taken[0]}; rename or remove it. Nothing is overwritten.")


def predicted_columns(trained: Trained, table: pa.Table, source: str = "the table") -> dict[str, pa.Array]:
    """The predictions alone, a column each, in the order of the table's rows."""
    check_predicts(trained)
    return _columns(trained, encode_table(table, trained.encoders, needs_target=False, source=source), table.num_rows)


def _columns(trained: Trained, encoded: Split, num_rows: int) -> dict[str, pa.Array]:
    """A series has a prediction at each row that enough others come before; above them the columns are empty."""
    if not len(encoded):
        needed = getattr(trained.encoders.features, "length", 1)
        raise DataError(f"{num_rows:,} rows are too few to predict from: it takes {needed:,} of them to look back on.")
    with machine.computing(trained.experiment.runtime, trained.device, trained.threads):
        values = trained.predictions(encoded).numpy()
    columns = _named_columns(trained, values)
    if len(encoded) == num_rows:
        return columns
    place = np.full(num_rows, -1)
    place[encoded.rows] = np.arange(len(encoded))
    indices = from_numpy(place, place < 0)
    return {name: column.take(indices) for name, column in columns.items()}


def _named_columns(trained: Trained, values: NDArray[np.float64]) -> dict[str, pa.Array]:
    names = tuple(column.name for column in used(trained.encoders.columns, "target"))
    columns: dict[str, pa.Array] = {}
    match trained.target:
        case ClassTarget(classes, binary):
            probabilities = np.concatenate([1 - values, values], axis=1) if binary else values
            columns[f"{PREDICTED}{names[0]}"] = from_texts(classes).take(from_numpy(decide(values)))
            for index, name in enumerate(classes):
                columns[f"probability_{name}"] = from_numpy(probabilities[:, index].astype(np.float64))
        case LabelTarget(labels):
            for index, name in enumerate(labels):
                columns[f"{PREDICTED}{name}"] = from_numpy(values[:, index] > 0.5)
                columns[f"probability_{name}"] = from_numpy(values[:, index].astype(np.float64))
        case NumberTarget(names=numbers):
            for index, name in enumerate(numbers):
                columns[f"{PREDICTED}{name}"] = from_numpy(values[:, index])
    return columns


def feature_names(trained: Trained) -> tuple[str, ...]:
    """The columns that the network predicts from; of a series also the past of what it predicts."""
    features = trained.encoders.features
    if isinstance(features, SeriesEncoder):
        return tuple(column.name for column in features.rows.columns)
    return tuple(column.name for column in used(trained.encoders.columns, "feature"))


def table_of_values(values: Mapping[str, str]) -> pa.Table:
    """One row, from values as they are typed on a command line; an empty one is missing."""
    return pa.table({name: from_texts([value or None]) for name, value in values.items()})


def write_table(table: pa.Table, path: Path) -> None:
    """Write as csv, tsv, parquet or jsonl, by the ending. Raises UsageError where a file is there already."""
    if path.suffix not in FORMATS:
        raise UsageError(f"{path}: predictions are written as {', '.join(FORMATS)}; name a file with such an ending.")
    if path.exists():
        raise UsageError(f"{path} is there already; name another file, or remove it first.")
    if not path.parent.is_dir():
        raise UsageError(f"{path}: there is no folder {path.parent}.")
    durable.write_file(path, table_bytes(table, path.suffix))


def table_bytes(table: pa.Table, suffix: str) -> bytes:
    """The table in the format of this ending."""
    sink = pa.BufferOutputStream()
    if suffix == ".parquet":
        import pyarrow.parquet

        pyarrow.parquet.write_table(table, sink)
    elif suffix == ".jsonl":
        import json

        for batch in table.to_batches(max_chunksize=10_000):
            lines = (json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in batch.to_pylist())
            sink.write("".join(lines).encode())
    else:
        text = io.StringIO()
        writer = csv.writer(text, delimiter="\t" if suffix == ".tsv" else ",", lineterminator="\n")
        writer.writerow(map(_harmless, table.column_names))
        writer.writerows(zip(*(_cells(table, name) for name in table.column_names), strict=True))
        return text.getvalue().encode()
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _cells(table: pa.Table, name: str) -> Iterable[object]:
    """A column's; of a prediction they are names of classes."""
    return map(_harmless if name.startswith(PREDICTED) else _cell, table.column(name).to_pylist())


def _cell(value: object) -> object:
    """A value as csv holds it: nothing for what is missing, true and false as they are read again."""
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else value


def _harmless(name: object) -> object:
    """The name of a column or a class, with a quotation mark in front where a spreadsheet would execute it: `=cmd()`.

    Cells of the user's own stay as they are written.
    """
    return harmless(name) if isinstance(name, str) and harmless(name) != name else _cell(name)
