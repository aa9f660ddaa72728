"""Whether two run directories hold the same bits: everything but the times."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import torch

from nettool.runs import checkpoint

TIMES = slice(4, 6)
"""Of an epoch in the history of a checkpoint: its seconds, and examples a second."""
RECORDED = ("status", "epochs", "best_epoch", "metrics", "baseline", "seed", "data", "device", "threads", "engine")
"""What run.json says that neither the clock nor the way there has a part in."""


def assert_same_run(first: Path, second: Path) -> None:
    """The same config, journal, record, best weights, trace and state of training."""
    assert journal(first) == journal(second)
    assert record(first) == record(second)
    assert_same_state(first / "last.safetensors", second / "last.safetensors")
    for name in ("config.yaml", "best.safetensors", "trace.safetensors"):
        assert content(first / name) == content(second / name), name


def content(path: Path) -> bytes | None:
    """Of a file; None where there is none: a large network has no trace."""
    return path.read_bytes() if path.exists() else None


def journal(run: Path) -> list[list[str]]:
    """metrics.csv without the times, which are its last two columns."""
    with (run / "metrics.csv").open() as file:
        return [row[:-2] for row in csv.reader(file)]


def record(run: Path) -> dict[str, Any]:
    """Of run.json what two runs of the same bits say alike."""
    content = json.loads((run / "run.json").read_text())
    return {name: content[name] for name in RECORDED}


def assert_same_state(first: Path, second: Path) -> None:
    """The same weights, optimizer, generators, position, best and history."""
    tensors, facts = timeless(*checkpoint.load(first))
    other_tensors, other_facts = timeless(*checkpoint.load(second))
    assert facts == other_facts
    assert tensors.keys() == other_tensors.keys()
    for name, tensor in tensors.items():
        same = tensor.dtype == other_tensors[name].dtype and tensor.shape == other_tensors[name].shape
        assert same, name
        assert tensor.numpy().tobytes() == other_tensors[name].numpy().tobytes(), name


def timeless(tensors: dict[str, torch.Tensor], facts: dict[str, Any]) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """A state without its times."""
    history = tensors["history"].clone()
    history[:, TIMES] = 0
    state = facts["state"]
    position = {**state["position"], "epoch_seconds": 0}
    return {**tensors, "history": history}, {**facts, "elapsed": 0, "state": {**state, "position": position}}
