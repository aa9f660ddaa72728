"""The four jobs: fully connected networks that classify a table of numbers, from tiny to MNIST's size.

The data are drawn: standard normal features, and classes that a random network with one hidden layer gives them, with
noise. So there is something to learn, and something that nobody can.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

HELD_OUT = 4000
LR = 0.001
TEACHER_UNITS = 16

NETTOOL = Path(sys.executable).parent / "nettool"


@dataclass(frozen=True)
class Network:
    """A job. trial_epochs: enough to see how fast it goes."""

    name: str
    rows: int
    widths: tuple[int, ...]
    batch_size: int
    dropout: float
    epochs: int
    trial_epochs: int

    @property
    def steps(self) -> int:
        """Of an epoch; the last batch may be short."""
        return -(-self.rows // self.batch_size)

    def __str__(self) -> str:
        network = "-".join(map(str, self.widths))
        dropout = f"dropout {self.dropout}" if self.dropout else "no dropout"
        return f"{self.rows:,} rows, {network}, batches of {self.batch_size}, {dropout}"


NETWORKS = (
    Network("lecture", 1_000, (2, 3, 2), 32, 0.0, epochs=200, trial_epochs=50),
    Network("table-32", 20_000, (54, 128, 64, 7), 32, 0.2, epochs=8, trial_epochs=3),
    Network("table-256", 60_000, (54, 128, 64, 7), 256, 0.2, epochs=8, trial_epochs=4),
    Network("digits-28", 60_000, (784, 512, 256, 10), 128, 0.2, epochs=4, trial_epochs=3),
)


def draw_examples(network: Network) -> tuple[np.ndarray, np.ndarray]:
    """The training rows, then the held-out ones: float32 [rows, features] and int64 [rows]."""
    chance = np.random.default_rng(0)
    features, classes = network.widths[0], network.widths[-1]
    x = chance.standard_normal((network.rows + HELD_OUT, features), dtype=np.float32)
    hidden = np.tanh(1.5 * x @ chance.standard_normal((features, TEACHER_UNITS)) / np.sqrt(features))
    scores = 6 * hidden @ chance.standard_normal((TEACHER_UNITS, classes)) / np.sqrt(TEACHER_UNITS)
    return x, (scores + chance.gumbel(size=scores.shape)).argmax(axis=1)


def write_examples(network: Network, folder: Path) -> np.ndarray:
    """train.npz and held_out.npz. Returns the held-out y, which nobody who is measured gets to see."""
    x, y = draw_examples(network)
    np.savez(folder / "train.npz", x=x[: network.rows], y=y[: network.rows])
    np.savez(folder / "held_out.npz", x=x[network.rows :])
    return y[network.rows :]


def write_config(network: Network, folder: Path) -> None:
    """config.yaml: the job for nettool."""
    hidden = "\n".join(f"  - dense: {units}" for units in network.widths[1:-1])
    (folder / "config.yaml").write_text(f"""\
data:
  train: train.npz
  target: y
  scale: none
  split: {{train: 1, validation: 0, test: 0}}
layers:
{hidden}
  - output
loss: cross_entropy
optimizer: {{name: adam, lr: {LR}}}
batch_size: {network.batch_size}
dropout: {network.dropout}
""")


def write_first_weights(network: Network, folder: Path) -> None:
    """first.npz: the weights that nettool draws for the job, for all to begin with."""
    command = [NETTOOL, "train", "--quiet", "config.yaml", "--epochs", "0", "--run-dir", "untrained"]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    tensors = load_file(folder / "untrained" / "best.safetensors")
    arrays = {}
    for index in range(len(network.widths) - 1):
        arrays[f"weight{index}"] = tensors[f"layers.{index}.product.weight"].T  # [inputs, units]
        arrays[f"bias{index}"] = tensors[f"layers.{index}.product.bias"]
    np.savez(folder / "first.npz", **arrays)
