"""nettool eval: how good a trained network is, beside the naive baseline."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from torch import Tensor

from nettool.config.data import DataSpec, SplitName
from nettool.config.signature import NumberTarget
from nettool.data.arrow import from_numpy
from nettool.data.dataset import Dataset
from nettool.data.encode import encode_rows
from nettool.data.examples import Split
from nettool.data.image_encoder import ImageEncoder
from nettool.data.series import SeriesEncoder
from nettool.data.text_encoder import StreamEncoder
from nettool.data.values import codes
from nettool.errors import DataError, UsageError
from nettool.training.metrics import all_metrics
from nettool.workflows import machine
from nettool.workflows.breakdown import Group, parts_of
from nettool.workflows.examples import found_data, has_split, load_examples
from nettool.workflows.trained import Trained, baseline_metrics, baseline_predictions


@dataclass(frozen=True)
class Evaluation:
    """What was measured, on what. loss in the loss's units, metrics in the target's own.

    groups: each value of the column `by`. parts: each of three classes or more, or each of several numbers.
    """

    source: str
    data: str
    num_examples: int
    loss: float
    metrics: dict[str, float]
    baseline: dict[str, float]
    by: str | None
    groups: tuple[Group, ...]
    parts: tuple[Group, ...] = ()
    notes: tuple[str, ...] = ()


def evaluate(
    trained: Trained,
    *,
    split: SplitName | None = None,
    file: Path | None = None,
    data: DataSpec | None = None,
    by: str | None = None,
) -> Evaluation:
    """Measure the best weights on a split, or on another file.

    split: default test, or validation for data without a test split. data: the run's data section with another path,
    for data that moved; it must be the same to the byte. by: a column; its values are measured one by one as well.
    Raises DataError where the data is gone, has changed or does not fit, UsageError for what contradicts itself.
    """
    if file is not None and split is not None:
        raise UsageError("either a split of the run's own data or another file can be evaluated, not both at once.")
    spec = data or trained.experiment.data
    if by is not None and isinstance(trained.encoders.features, StreamEncoder):
        raise UsageError("--by: a text has no columns.")
    if file is not None:
        where = str(file)
        encoded, table = encode_rows(file, trained.encoders, needs_target=True)
    else:
        spec = found_data(spec)
        where = split or ("test" if has_split(spec, "test") else "validation")
        encoded, table = load_examples(trained, spec, where)
    return measure(trained, encoded, where, table, by)


def measure(
    trained: Trained, encoded: Split, where: str, table: pa.Table | None = None, by: str | None = None
) -> Evaluation:
    """The same of examples that are encoded already. table: whose rows they are of, for `by`."""
    features = trained.encoders.features
    if table is not None and isinstance(features, ImageEncoder):
        table = table.drop_columns([features.name])  # which holds a hash of each image
    if not len(encoded):
        raise DataError(f"there is nothing to evaluate: {where} holds no examples.")
    names = all_metrics(trained.target)
    with machine.computing(trained.experiment.runtime, trained.device, trained.threads):
        dataset = Dataset.from_split(encoded, trained.device)
        measured = trained.evaluator(names).measure(trained.network, dataset)
        groups = () if by is None or table is None else _by_column(trained, encoded, table, by, names)
    return Evaluation(
        source=str(trained.source),
        data=where,
        num_examples=len(dataset),
        loss=measured.loss,
        metrics=measured.metrics,
        baseline=baseline_metrics(trained.baseline, trained.encoders, dataset, names),
        by=by,
        groups=groups,
        parts=parts_of(trained.target, measured, dataset.weights, _naive(trained, dataset)),
        notes=_notes(trained),
    )


def _naive(trained: Trained, dataset: Dataset) -> Tensor | None:
    if not isinstance(trained.target, NumberTarget):
        return None
    return baseline_predictions(trained.baseline, trained.encoders, dataset)


def _notes(trained: Trained) -> tuple[str, ...]:
    """Where the bits of the training cannot be expected."""
    if str(trained.device) == trained.trained_on:
        return ()
    return (f"trained on {trained.trained_on}, measured on {trained.device}: the last digits may differ.",)


def _by_column(trained: Trained, encoded: Split, table: pa.Table, by: str, names: tuple[str, ...]) -> tuple[Group, ...]:
    """Each value of the column on its own, the most frequent first."""
    if by not in table.column_names:
        raise UsageError(f"--by: the data has no column {by}. Its columns are {', '.join(table.column_names)}.")
    # A window of a series counts where the first row that it predicts does.
    ahead = int(isinstance(trained.encoders.features, SeriesEncoder))
    values = table.column(by).take(from_numpy(encoded.rows + ahead)).combine_chunks().dictionary_encode()
    levels = ["missing" if value is None else str(value) for value in values.dictionary.to_pylist()]
    found = codes(values)
    groups = []
    for code, level in (*enumerate(levels), (-1, "missing")):
        members = np.flatnonzero(found == code)
        if len(members):
            groups.append(Group(level, len(members), _measure(trained, encoded, members, names)))
    return tuple(sorted(groups, key=lambda group: -group.num_examples))


def _measure(trained: Trained, encoded: Split, members: Any, names: tuple[str, ...]) -> dict[str, float]:
    dataset = Dataset.from_split(encoded.take(members), trained.device)
    return trained.evaluator(names)(trained.network, dataset)[1]
