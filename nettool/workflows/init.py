"""nettool init TABLE: a config that trains as it stands, with the kind of every column visible."""

from __future__ import annotations

import json
import os
import shlex
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from nettool.config.data import DataSpec
from nettool.config.hints import nearest
from nettool.config.write import dump
from nettool.data.columns import Column, describe_columns
from nettool.data.sources import read_table
from nettool.errors import UsageError
from nettool.runs import durable
from nettool.workflows.check import summarise

MAX_CLASSES = 20
"""A target of whole numbers with at most so many values is taken for classes."""


@dataclass(frozen=True)
class Size:
    """A network that suits a number of rows."""

    max_rows: float
    units: tuple[int, ...]
    batch_size: int
    epochs: int
    patience: int
    lr: float
    schedule: str


SIZES = (
    Size(2_000, (32, 16), 32, 200, 20, 0.001, "constant"),
    Size(20_000, (64, 32), 64, 100, 15, 0.001, "constant"),
    Size(float("inf"), (128, 64), 256, 40, 15, 0.003, "cosine"),
)


def config_for_table(table_path: Path, target: str | None, output: Path | None) -> Path:
    """Write a config for a table and return its path.

    Raises UsageError without a target or where the output exists, DataError for a table that cannot be read.
    """
    if table_path.is_dir():
        raise UsageError(
            f"{table_path} is a folder. For a folder of images begin with an example: `nettool init mnist_cnn`, then "
            f"`nettool train mnist_cnn.yaml data.path={table_path}`."
        )
    if table_path.is_file() and table_path.suffix in (".txt", ".abc", ".md"):
        raise UsageError(
            f"{table_path} is a text. To predict what comes next in it begin with an example: `nettool init "
            f"music_lstm`, then `nettool train music_lstm.yaml data.path={table_path}`."
        )
    table = read_table(table_path)
    names = table.column_names
    if target is None:
        raise UsageError(f"which column is to be predicted? Name it with --target: {', '.join(names)}.")
    if target not in names:
        hint = nearest(target, names) or f" It has {', '.join(names)}."
        raise UsageError(f'--target: {table_path} has no column "{target}".{hint}')
    output = output or Path(table_path.name.partition(".")[0] + ".yaml")
    if output.exists():
        raise UsageError(f"{output} is there already; name another file with --output.")
    if not output.parent.is_dir():
        raise UsageError(f"{output}: there is no folder {output.parent}.")
    columns = describe_columns(table, DataSpec(path=str(table_path), target=(target,)), str(table_path))
    shown_path = os.path.relpath(table_path.resolve(), output.parent.resolve())
    (target_column,) = (column for column in columns if column.name == target)
    loss = _loss_for(target_column, table.column(target))
    text = _text(output.name, shown_path, table.num_rows, target, columns, loss)
    durable.write_file(output, text.encode())
    return output


def _text(name: str, path: str, num_rows: int, target: str, columns: tuple[Column, ...], loss: tuple[str, str]) -> str:
    size = next(size for size in SIZES if num_rows <= size.max_rows)
    kinds = [(f"{_value(column.name)}: {column.kind}", _comment(column)) for column in columns if column.name != target]
    width = max(len(kind) for kind, _ in kinds) if kinds else 0
    lines = [
        f"# {name}: predict {_plain(target)} from {Path(path).name} ({num_rows:,} rows).",
        f"# See what is in the data with `nettool check {shlex.quote(name)} --data`, then `nettool train "
        f"{shlex.quote(name)}`.",
        "data:",
        f"  path: {_value(path)}",
        f"  target: {_value(target)}",
        "  columns:  # how each column is read; change what is wrong: number, category, boolean, date, text, ignore",
        *(f"    {kind.ljust(width)}  # {comment}" for kind, comment in kinds),
        "layers:",
        *(f"  - dense: {units}" for units in size.units),
        "  - output",
        f"loss: {loss[0]}  # {loss[1]}",
        f"optimizer: {{name: adam, lr: {size.lr}}}",
        *([f"schedule: {size.schedule}"] if size.schedule != "constant" else []),
        f"batch_size: {size.batch_size}",
        f"epochs: {size.epochs}",
        f"early_stopping: {{patience: {size.patience}}}",
    ]
    return "\n".join(lines) + "\n"


def _loss_for(column: Column, values: pa.ChunkedArray) -> tuple[str, str]:
    """The loss that suits a target, and why."""
    import pyarrow.compute as pc

    num_distinct = pc.count_distinct(values).as_py()
    if column.kind == "boolean" or (column.kind == "category" and num_distinct == 2):
        return "binary_cross_entropy", "two classes"
    if column.kind == "category":
        return "cross_entropy", f"{num_distinct} classes"
    if pa.types.is_integer(values.type) and num_distinct <= MAX_CLASSES:
        return "cross_entropy", f"{num_distinct} whole numbers, taken for classes; if they are amounts, use mse"
    return "mse", "numbers; mae or huber mind outliers less"


def _comment(column: Column) -> str:
    parts = [summarise(column), f"{column.num_missing:,} missing" if column.num_missing else ""]
    return _plain("; ".join(part for part in parts if part))[:80]


def _plain(text: str) -> str:
    """Text that is safe inside a comment: one line, printable."""
    return "".join(character if character.isprintable() else " " for character in text)


def _value(text: str) -> str:
    """Text as a YAML key or value on one line, quoted where it needs it."""
    shown = dump([text]).strip()[1:-1]
    return shown if shown == text else json.dumps(text, ensure_ascii=not text.isprintable())
