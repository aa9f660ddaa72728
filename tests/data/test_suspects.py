"""Features that know the answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest

from nettool.config.data import ColumnKind, DataSpec
from nettool.config.losses import BinaryCrossEntropy, CrossEntropy, LossSpec, MeanSquaredError
from nettool.data.prepare import prepare
from nettool.data.suspects import find_suspects

RANDOM = np.random.default_rng(0)
NOISE = RANDOM.normal(size=400)
CLASSES = RANDOM.choice(["a", "b", "c"], 400)


def suspects(tmp_path: Path, loss: LossSpec, **columns: Any) -> list[str]:
    pa.csv.write_csv(pa.table({"noise": NOISE, **columns}), tmp_path / "t.csv")
    kinds: dict[str, ColumnKind] = {"names": "category"} if "names" in columns else {}
    data = prepare(DataSpec(path=str(tmp_path / "t.csv"), target=("y",), columns=kinds), loss)
    return [suspect.sentence for suspect in find_suspects(data.splits["train"], data.encoders)]


@pytest.mark.parametrize(
    "leak",
    [
        [{"a": "red", "b": "blue", "c": "green"}[name] for name in CLASSES],
        [{"a": 1.5, "b": 7.0, "c": -3.0}[name] for name in CLASSES],
        [{"a": "2026-01-01", "b": "2026-02-01", "c": None}[name] for name in CLASSES],
        [{"a": 1.5, "b": 7.0, "c": None}[name] for name in CLASSES],
    ],
)
def test_the_target_in_other_words_is_found(tmp_path: Path, leak: list[Any]) -> None:
    assert suspects(tmp_path, CrossEntropy(), leak=leak, y=CLASSES) == [
        '"leak" alone tells "y" in 100.0% of the examples. Is it known before the answer is? If not, set its kind to '
        "`ignore` in data.columns."
    ]


def test_a_number_that_follows_the_target_is_found(tmp_path: Path) -> None:
    target = RANDOM.uniform(size=400)
    (sentence,) = suspects(tmp_path, MeanSquaredError(), leak=target**3 + 1e-4 * NOISE, y=target)
    assert sentence.startswith('"leak" alone explains 99.')
    assert '% of the variance of "y".' in sentence


def test_honest_features_are_no_suspects(tmp_path: Path) -> None:
    good = np.where(CLASSES == "a", 1.0, -1.0) + NOISE
    assert suspects(tmp_path, CrossEntropy(), good=good, y=CLASSES) == []
    assert suspects(tmp_path, MeanSquaredError(), good=good, y=good + NOISE) == []


def test_a_rare_class_makes_no_suspects(tmp_path: Path) -> None:
    rare = np.where(np.arange(400) < 396, "no", "yes")
    assert suspects(tmp_path, BinaryCrossEntropy(), other=RANDOM.normal(size=400), y=rare) == []


def test_a_name_for_nearly_every_row_is_no_suspect(tmp_path: Path) -> None:
    names = [f"name {i % 397}" for i in range(400)]
    assert suspects(tmp_path, CrossEntropy(), names=names, y=CLASSES) == []
    assert suspects(tmp_path, MeanSquaredError(), names=names, y=RANDOM.normal(size=400)) == []
