"""From a data section and a loss to arrays: read, tell the columns apart, split, fit the encoders, encode.

Nothing here knows torch. What is fitted is fitted on the training split. Rows of the test split are read to find out
that they are in it, and not looked at again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import pyarrow as pa

from nettool.config.data import DataSpec, SplitName
from nettool.config.inputs import ImageSpec
from nettool.config.losses import LossSpec
from nettool.data.bundle import Encoders, TrainingData
from nettool.data.columns import (
    Column,
    check_target,
    conform,
    describe_columns,
    input_column,
    named,
    notes,
    scattered,
)
from nettool.data.encode import Encodable, encode_examples, encode_file, weights_of
from nettool.data.encoders import TableEncoder
from nettool.data.examples import Examples, Split
from nettool.data.features import Rows
from nettool.data.fingerprints import fingerprint_of
from nettool.data.image_encoder import ImageEncoder
from nettool.data.inputs import FeatureEncoder
from nettool.data.partition import partition
from nettool.data.reading import read_examples, resolve, training_file
from nettool.data.series import SeriesEncoder, check_order, dates_of, settle_series, tell_horizon
from nettool.data.sources import check_source, no_such_file
from nettool.data.targets import fit_target
from nettool.data.tasks import settle_target
from nettool.data.text_encoder import TextEncoder
from nettool.data.values import show
from nettool.errors import ConfigError, Mistake, NettoolError


def prepare(spec: DataSpec, loss: LossSpec, *, rows: int | None = None) -> TrainingData:
    """Read the data that training needs, fit the encoders and encode.

    rows: read so many rows only, to know columns and widths; files are then not fingerprinted. If they cannot be
    used, the reason may lie in the rows left out (a file sorted by class), so all are read before that is said.

    Raises DataError for a file, ConfigError for a key of the config that does not fit it.
    """
    missing = {key: path for key, path in spec.files.items() if not path.exists()}
    if missing:
        raise ConfigError([Mistake(("data", key), str(no_such_file(path))) for key, path in missing.items()])
    read: Callable[[int | None], TrainingData]
    if spec.is_stream:
        from nettool.data.token_stream import prepare_stream

        read = partial(prepare_stream, spec)
    else:
        for path in spec.files.values():
            check_source(path)
        read = partial(_prepare, resolve(spec), loss)
    if rows is not None:
        with suppress(NettoolError):
            return read(rows)
    return read(None)


def _prepare(spec: DataSpec, loss: LossSpec, limit: int | None) -> TrainingData:
    source = str(training_file(spec))
    examples = read_examples(training_file(spec), spec, limit)
    with ThreadPoolExecutor() as pool:
        # What follows leaves a core idle now and then, which reading a csv does not.
        hashed = {key: pool.submit(fingerprint_of, path, spec) for key, path in spec.files.items() if limit is None}
        described, columns = _columns(examples.table, spec, loss, source)
        table = conform(examples.table.select([column.name for column in columns]), columns, source)
        parts = partition(table, columns, spec, examples.table)
        conformed = replace(examples, table=table)
        features = _fit_features(conformed, columns, spec, parts["train"], dates_of(described))
        target = tell_horizon(
            fit_target(examples.table, table, named(columns, spec.target), parts["train"], loss), spec
        )
        encoders = Encoders(features, tell_horizon(target, spec), columns)
        encodable = Encodable(conformed, weights_of(table, columns, source), source)
        splits: dict[SplitName, Split] = {}
        for name in ("train", "validation"):
            if name in parts:
                splits[name] = encode_examples(encodable, encoders, parts[name], needs_target=True)
        if spec.validation is not None:
            splits["validation"] = encode_file(Path(spec.validation), encoders, needs_target=True, limit=limit)
        fingerprints = {key: {**future.result()} for key, future in hashed.items()}
    if "path" in fingerprints or "train" in fingerprints:
        fingerprints["path" if spec.path is not None else "train"]["rows"] = table.num_rows
    sizes = {name: len(rows) for name, rows in parts.items()}
    sizes |= {name: len(split) for name, split in splits.items()}
    said = _notes(described, conformed, features, spec, limit)
    return TrainingData(splits, sizes, encoders, described, said, fingerprints)


def _columns(
    raw: pa.Table, spec: DataSpec, loss: LossSpec, source: str
) -> tuple[tuple[Column, ...], tuple[Column, ...]]:
    """All columns of the table, and those that play a part, the target's read as the loss reads it."""
    if not spec.target:
        text = f"is required: the column to predict. The data has {', '.join(raw.column_names[:20])}."
        raise ConfigError([Mistake(("data", "target"), text)])
    if spec.augment is not None and input_column(spec, "image") is None:
        raise ConfigError([Mistake(("data", "augment"), "is for images, but the data is a table. Remove it.")])
    described = describe_columns(raw, spec, source)
    if spec.window is not None:
        check_order(raw, dates_of(described), source)
        described = settle_series(described, spec)
    columns = tuple(c for c in settle_target(raw, described, spec.target, loss, source) if c.role != "unused")
    check_target(raw, columns, source)
    return described, columns


def _fit_features(
    examples: Examples, columns: Sequence[Column], spec: DataSpec, rows: Rows, dates: tuple[str, ...]
) -> FeatureEncoder:
    """Fit what suits the input to the training rows. dates: columns that say when a row of a series was."""
    if spec.window is not None:
        return SeriesEncoder.fit(examples.table, columns, spec, rows, dates)
    for column in columns:
        if column.kind == "image" and column.role == "feature":
            assert examples.pixels is not None
            return ImageEncoder.fit(column.name, examples.pixels, rows, spec.image or ImageSpec())
        if column.kind == "text" and column.role == "feature":
            return TextEncoder.fit(examples.table, column.name, spec.text_settings, rows)
    return TableEncoder.fit(examples.table, columns, spec.scale, rows)


def _left_out(described: Sequence[Column]) -> str:
    """A sentence on the columns that stand beside an image or a text, which alone is the network's input."""
    names = [show(column.name) for column in described if column.role == "unused"]
    (used_one,) = (show(column.name) for column in described if column.role == "feature")
    if not names:
        return ""
    listed = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return f"{listed} {'is' if len(names) == 1 else 'are'} left out: the network takes {used_one} alone."


def _notes(
    described: Sequence[Column], examples: Examples, features: FeatureEncoder, spec: DataSpec, limit: int | None
) -> tuple[str, ...]:
    said = [*notes(described), *scattered(described, examples.table.num_rows)]
    if spec.features is None and input_column(spec, "image", "text") and (left_out := _left_out(described)):
        said = [left_out, *said]
    length = spec.text_settings.length
    # A smaller length than that is the one of the longest text in training.
    if isinstance(features, TextEncoder) and features.length == length and (cut := features.num_cut(examples.table)):
        said.append(f"{cut:,} texts are longer than data.text.length ({length:,}) and end there.")
    if examples.num_left_out:
        num_all = examples.table.num_rows + examples.num_left_out
        said.append(f"Only {examples.table.num_rows:,} of the {num_all:,} images were decoded for this.")
    if limit is not None and examples.table.num_rows == limit:
        said.append(f"Only the first {limit:,} rows were read; the others may hold more classes and levels.")
    return tuple(said)
