"""The jobs that are killed, cut and spoilt: small, and with everything in them that a state must hold."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

TABLE = """\
data: {path: people.csv, target: passed, split: [0.6, 0.2, 0.2]}
layers:
  - dense: {units: 12, norm: batch_norm}
  - dense: 8
  - output
loss: binary_cross_entropy
optimizer: {name: adam, lr: 0.05, clip_norm: 5}
schedule: {name: cosine, warmup: 1}
dropout: 0.3
batch_size: 16
epochs: 12
early_stopping: {patience: 4}
checkpoint: {every: 3 steps}
"""
CNN = """\
data: {path: shapes.npz, target: y, columns: {x: image}, augment: {flip: horizontal, shift: 1}}
layers:
  - conv2d: {filters: 4, norm: batch_norm}
  - max_pool
  - flatten
  - dense: 8
  - output
loss: cross_entropy
optimizer: {name: sgd, lr: 0.1, momentum: 0.9}
schedule: {name: plateau, patience: 0, min_delta: 0.5, factor: 0.5}
dropout: 0.2
batch_size: 12
accumulate: 2
epochs: 6
checkpoint: {every: 1 steps}
"""
LSTM = """\
data: {path: song.txt, target: next, text: {length: 20}}
layers:
  - embedding: 6
  - lstm: {units: 10, layers: 2}
  - output
loss: cross_entropy
optimizer: {name: rmsprop, lr: 0.02}
dropout: 0.25
batch_size: 8
epochs: 5
checkpoint: {every: 3 steps}
"""


def _people(folder: Path) -> None:
    chance = random.Random(1)
    lines = ["hours,lectures,group,passed"]
    for _ in range(240):
        hours, lectures = round(chance.uniform(0, 12), 2), chance.randrange(12)
        passed = hours + lectures + chance.gauss(0, 4) > 12
        lines.append(f"{hours if chance.random() > 0.05 else ''},{lectures},{chance.choice('abc')},{passed}")
    (folder / "people.csv").write_text("\n".join(lines) + "\n")


def _shapes(folder: Path) -> None:
    chance = np.random.default_rng(1)
    images = chance.integers(0, 80, (130, 8, 8), dtype=np.uint8)
    classes = chance.integers(0, 3, 130)
    for image, kind in zip(images, classes, strict=True):
        image[2 * kind : 2 * kind + 2] += 120
    np.savez(folder / "shapes.npz", x=images, y=classes)


def _song(folder: Path) -> None:
    chance = random.Random(1)
    bars = ["abc d|", "bcd e|", "gab c|", "age d|"]
    (folder / "song.txt").write_text("".join(chance.choice(bars) for _ in range(260)))


@dataclass(frozen=True)
class Case:
    """A config with its data."""

    name: str
    config: str
    write_data: Callable[[Path], None]

    def write(self, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        self.write_data(folder)
        path = folder / f"{self.name}.yaml"
        path.write_text(self.config)
        return path


CASES = {
    "table": Case("table", TABLE, _people),
    "cnn": Case("cnn", CNN, _shapes),
    "lstm": Case("lstm", LSTM, _song),
}
