"""Whether the target is what the loss needs. The loss decides the task; a target that contradicts it is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from nettool.config.data import ColumnKind
from nettool.config.losses import BinaryCrossEntropy, CrossEntropy, LossSpec
from nettool.data.columns import Column, named
from nettool.data.kinds import TRUTHS, as_kind, declare
from nettool.data.targets import listed, sort_classes
from nettool.data.values import describe_type, is_text, levels, numbers, one_array, show
from nettool.errors import ConfigError, ConfigPath, Mistake

MANY_CLASSES = 100
"""A number with more distinct values than this, in more than a tenth of the rows, is hardly a class."""


def settle_target(
    raw: pa.Table, columns: Sequence[Column], names: Sequence[str], loss: LossSpec, source: str
) -> tuple[Column, ...]:
    """Give target columns the kind that the loss reads them as; a ConfigError where it cannot.

    raw: the table as read (packed). names: the targets as data.target has them.
    """
    targets = named(columns, names)
    kinds: dict[str, ColumnKind] = {}
    for index, column in enumerate(targets):
        path: ConfigPath = ("data", "target", index) if len(targets) > 1 else ("data", "target")
        values = raw.column(column.name)
        if not isinstance(loss, CrossEntropy | BinaryCrossEntropy):
            kinds[column.name] = _settle_number(values, column, loss)
        elif len(targets) > 1:
            kinds[column.name] = _settle_label(column, loss, path)
        else:
            kinds[column.name] = _settle_class(values, column, loss, source)
    return tuple(replace(column, kind=kinds.get(column.name, column.kind)) for column in columns)


def _refuse(text: str, path: ConfigPath = ("loss",)) -> ConfigError:
    return ConfigError([Mistake(path, text)])


def _settle_number(values: pa.ChunkedArray, column: Column, loss: LossSpec) -> ColumnKind:
    name = show(column.name)
    digits = not is_text(values.type) or set(one_array(values).dictionary.to_pylist()) <= {"0", "1"}
    if column.kind == "number" or (column.kind == "boolean" and digits):
        return "number"
    other = "binary_cross_entropy" if column.kind == "boolean" else "cross_entropy"
    what = {"boolean": "yes or no", "category": describe_type(values.type), "date": "dates"}[column.kind]
    raise _refuse(f"{loss.name} needs a number to predict, but the target {name} holds {what}. Use {other}.")


def _settle_label(column: Column, loss: LossSpec, path: ConfigPath) -> ColumnKind:
    name = show(column.name)
    if isinstance(loss, CrossEntropy):
        raise _refuse(
            "cross_entropy has one target, but data.target names several. Use binary_cross_entropy if each of "
            "them is a yes/no label, mse if they are numbers, or keep one."
        )
    if column.kind != "boolean":
        raise _refuse(
            f"several targets with binary_cross_entropy are yes/no labels, but {name} is a {column.kind}. Keep "
            f"one target, or {declare(column.name, 'boolean')} if it is one.",
            path,
        )
    return "boolean"


def _settle_class(values: pa.ChunkedArray, column: Column, loss: LossSpec, source: str) -> ColumnKind:
    name = show(column.name)
    if column.kind == "boolean":
        found = levels(as_kind(values, "category", column.name, source))
        if len({TRUTHS[text.lower()] for text in found if text.lower() in TRUTHS}) == 1:
            raise _one_class(name, found[0])
        return "boolean"
    if column.kind == "number":
        numeric = numbers(as_kind(values, "number", column.name, source))
        known = np.unique(numeric[~np.isnan(numeric)])
        whole = bool((known == np.floor(known)).all())
        many = len(known) > MANY_CLASSES and len(known) > len(numeric) / 10
        if not whole or many:
            why = f"{len(known):,} distinct values" if whole else "values that are not whole"
            raise _refuse(f"the target {name} looks like a number: it has {why}. Use mse.")
    classes = sort_classes(levels(as_kind(values, "category", column.name, source)))
    if len(classes) == 1:  # none at all is a target that is missing everywhere, which is found elsewhere
        raise _one_class(name, classes[0])
    if isinstance(loss, BinaryCrossEntropy) and len(classes) > 2:
        raise _refuse(
            f"binary_cross_entropy has two classes, but the target {name} has {len(classes)}: "
            f"{listed(classes)}. Use cross_entropy."
        )
    return "category"


def _one_class(name: str, only: str) -> ConfigError:
    text = f"{name} is {show(only)} in every row: one class only, so there is nothing to tell apart."
    return _refuse(text, ("data", "target"))
