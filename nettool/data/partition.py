"""The rows of each split of one table, and whether they will do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nettool.config.data import DataSpec, SplitName, SplitSpec
from nettool.data.columns import Column, used
from nettool.data.features import Rows
from nettool.data.series import check_lengths
from nettool.data.splits import (
    NAMES,
    Codes,
    Fractions,
    Keys,
    content_keys,
    cut_in_time,
    limit_rows,
    num_kept,
    row_keys,
    split_rows,
)
from nettool.data.targets import class_codes, class_names
from nettool.data.values import show
from nettool.errors import ConfigError, ConfigPath, Mistake


def partition(table: pa.Table, columns: Sequence[Column], spec: DataSpec, raw: pa.Table) -> dict[SplitName, Rows]:
    """The rows of each split that is made from this conformed table, ascending; empty splits are left out.

    raw: the same rows as they were read, simplified, with all columns.

    Raises ConfigError when a split would be empty, or lack a class.
    """
    fractions = _fractions(spec)
    if spec.window is not None:
        parts = {name: np.arange(*bounds) for name, bounds in cut_in_time(table.num_rows, fractions).items()}
        check_lengths(parts, spec.window)
        return parts if spec.limit is None else {**parts, "train": _latest(parts["train"], spec)}
    features_and_target = used(columns, "feature", "target")
    keys = content_keys(table, features_and_target, raw, spec.split.seed)
    groups = _group_keys(table, columns, spec)
    stratum = _stratum(columns)
    classes = None if stratum is None else class_codes(table, stratum)
    if sum(fraction > 0 for fraction in fractions) == 1:
        sides = np.zeros(table.num_rows, np.int8)
    elif spec.split.folds is not None:
        sides = _sides_of_fold(spec.split, fractions[2], keys, classes, groups)
    else:
        sides = split_rows(keys, fractions, classes=classes, groups=groups)
    parts = {
        name: np.flatnonzero(sides == side)
        for side, (name, fraction) in enumerate(zip(NAMES, fractions, strict=True))
        if fraction > 0
    }
    _check_sizes(parts, keys, groups, spec)
    if stratum is not None and classes is not None:
        names = class_names(raw, table, stratum)
        # Whole groups cannot be dealt out so that every class is everywhere, but what training lacks nobody learns.
        checked: dict[SplitName, Rows] = {"train": parts["train"]} if groups is not None else parts
        _check_classes(checked, classes, names, keys, stratum.name)
    if spec.limit is not None:
        whole = parts["train"]
        chosen = limit_rows(keys[whole], spec.limit, None if classes is None else classes[whole])
        parts["train"] = whole[chosen]
        if classes is not None and len(np.unique(classes[whole])) > len(np.unique(classes[parts["train"]])):
            text = f"{len(chosen)} training examples are fewer than there are classes. Raise the limit."
            raise ConfigError([Mistake(("data", "limit"), text)])
    return parts


def _sides_of_fold(
    split: SplitSpec, test: float, keys: Keys, classes: Codes | None, groups: Keys | None
) -> NDArray[np.int8]:
    """As `split_rows`: first the test is set apart, then one part after another, up to the one that is asked for."""
    assert split.folds is not None

    def parted(rows: Rows, fractions: Fractions) -> NDArray[np.int8]:
        mine = None if classes is None else classes[rows]
        return split_rows(keys[rows], fractions, classes=mine, groups=None if groups is None else groups[rows])

    sides = parted(np.arange(len(keys)), (1 - test, 0.0, test)) if test else np.zeros(len(keys), np.int8)
    left = np.flatnonzero(sides == 0)
    for parts in range(split.folds, split.folds - split.fold, -1):
        chosen = parted(left, (1 - 1 / parts, 1 / parts, 0.0)) if parts > 1 else np.ones(len(left), np.int8)
        fold, left = left[chosen == 1], left[chosen == 0]
    sides[fold] = 1
    return sides


def _latest(rows: Rows, spec: DataSpec) -> Rows:
    """The rows of a series that `data.limit` leaves: the latest, which are nearest to what is to be predicted."""
    assert spec.window is not None
    assert spec.limit is not None
    keep = num_kept(spec.limit, len(rows))
    if keep < spec.window.length + spec.window.horizon:
        one = f"{spec.window.length:,} and {spec.window.horizon:,} after them"
        text = f"{keep:,} training rows are too few for one example of {one}. Raise the limit."
        raise ConfigError([Mistake(("data", "limit"), text)])
    return rows[-keep:]


def _fractions(spec: DataSpec) -> Fractions:
    split = spec.split
    if spec.path is not None:
        return 1 - split.held_out - split.test if split.folds else split.train, split.held_out, split.test
    validation = split.held_out if spec.validation is None else 0.0
    return 1.0 - validation, validation, 0.0


def _stratum(columns: Sequence[Column]) -> Column | None:
    """The target whose classes each split holds its share of; None for a regression and for several labels."""
    targets = used(columns, "target")
    return targets[0] if len(targets) == 1 and targets[0].kind in ("boolean", "category") else None


def _group_keys(table: pa.Table, columns: Sequence[Column], spec: DataSpec) -> Keys | None:
    if spec.split.by is None:
        return None
    column = next(column for column in columns if column.name == spec.split.by)
    return row_keys(table, [column], spec.split.seed)


def _check_sizes(parts: dict[SplitName, Rows], keys: Keys, groups: Keys | None, spec: DataSpec) -> None:
    empty = [name for name, rows in parts.items() if len(rows) == 0]
    if not empty:
        return
    path: ConfigPath = ("data", "split")
    if groups is not None:
        path = ("data", "split", "by")
        text = f"{show(spec.split.by)} has {len(np.unique(groups))} groups, too few to fill every split"
    elif len(np.unique(keys)) < len(keys):
        text = f"the table has {len(np.unique(keys)):,} distinct rows (equal rows stay together), too few to split"
    else:
        text = f"the table has {len(keys):,} rows, too few to split"
    raise ConfigError([Mistake(path, f"{text}: none is left for the {empty[0]} split. Cure: {_cure(empty[0])}")])


def _check_classes(
    parts: Mapping[SplitName, Rows],
    classes: NDArray[np.int64],
    names: Sequence[str],
    keys: Keys,
    target: str,
) -> None:
    for split, rows in parts.items():
        counts = np.bincount(classes[rows], minlength=len(names))
        absent = np.flatnonzero(counts == 0).tolist()
        if not absent:
            continue
        mine = keys[classes == absent[0]]
        distinct = len(np.unique(mine))
        equal = f", of which {distinct} differ (equal rows stay together)" if distinct < len(mine) else ""
        others = f" (and the same goes for {len(absent) - 1} other classes)" if len(absent) > 1 else ""
        text = (
            f"class {show(names[absent[0]])} of {show(target)} has {len(mine):,} row{'s'[: len(mine) != 1]}{equal}, "
            f"too few: none is in the {split} split{others}. Cure: collect more, take the class out, or {_cure(split)}"
        )
        raise ConfigError([Mistake(("data", "split"), text)])


def _cure(split: str) -> str:
    if split == "train":
        return "take another `seed` or a larger `train`."
    return f"set `{split}: 0` and add its share to `train`."
