"""A made-up table with columns of every kind, and what is asked about it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from nettool.config.data import DataSpec
from nettool.config.losses import LossSpec
from nettool.data.examples import Split
from nettool.data.prepare import prepare
from nettool.errors import NettoolError


def people(count: int = 200, seed: int = 0) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    return {
        "age": np.where(random.random(count) < 0.1, np.nan, random.normal(40, 9, count).round(2)),
        "town": random.choice(["Bern", "Graz", "Lviv"], count),
        "member": random.random(count) < 0.4,
        "since": random.integers(15_000, 20_000, count).astype("datetime64[D]"),
        "house": random.integers(0, count // 4, count),
        "weight": random.integers(1, 5, count),
        "label": random.choice(["a", "b", "c"], count, p=[0.6, 0.3, 0.1]),
        "score": random.normal(3, 2, count),
    }


def write(path: Path, values: dict[str, Any]) -> str:
    if path.suffix == ".csv":
        pa.csv.write_csv(pa.table(values), path)
    else:
        pq.write_table(pa.table(values), path)
    return str(path)


def bits(split: Split) -> tuple[bytes, ...]:
    assert split.target is not None
    weights = b"" if split.weights is None else split.weights.tobytes()
    return split.features.tobytes(), split.target.tobytes(), weights, split.rows.tobytes()


def refusal(spec: DataSpec, loss: LossSpec) -> str:
    with pytest.raises(NettoolError) as caught:
        prepare(spec, loss)
    return str(caught.value)
