"""A whole command on a table: from the csv with numbers and categories to a trained network and its error.

53,940 diamonds, whose price is to be predicted. By default a look-alike of that table is drawn; `--diamonds FILE`
takes the real one, from R's ggplot2. All contenders are given the same rows to train with and the same to validate
with: a few of the real ones are so far off (one is 58.9 mm wide) that the error depends on which side they are.
"""

from __future__ import annotations

import csv
import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import environments
import jobs
import numpy as np
import processes
from contest import Contender, Run, compete

SCRIPT = Path(__file__).parent / "peers" / "diamonds_by_hand.py"
ROWS = 53_940
LEVELS = {
    "cut": ("Fair", "Good", "Very Good", "Premium", "Ideal"),
    "color": ("J", "I", "H", "G", "F", "E", "D"),
    "clarity": ("I1", "SI2", "SI1", "VS2", "VS1", "VVS2", "VVS1", "IF"),
}
"""The worst first, each 5 to 15 % dearer than the one before."""

VALIDATION = 0.15
"""Of the rows, drawn by chance."""

JOB = "53,940 rows, 6 numbers and 3 categories, 128-64, batches of 256, 5 epochs"

NETTOOL_CONFIG = """\
data:
  train: train.csv
  validation: validation.csv
  target: price
  features: [carat, cut, color, clarity, depth, table, x, y, z]
layers:
  - dense: 128
  - dense: 64
  - output
init: xavier
loss: mse
optimizer: {name: adam, lr: 0.001}
batch_size: 256
epochs: 5
"""

LUDWIG_CONFIG = """\
input_features:
  - {name: carat, type: number, preprocessing: {normalization: zscore}}
  - {name: depth, type: number, preprocessing: {normalization: zscore}}
  - {name: table, type: number, preprocessing: {normalization: zscore}}
  - {name: x, type: number, preprocessing: {normalization: zscore}}
  - {name: y, type: number, preprocessing: {normalization: zscore}}
  - {name: z, type: number, preprocessing: {normalization: zscore}}
  - {name: cut, type: category, encoder: {type: onehot}}
  - {name: color, type: category, encoder: {type: onehot}}
  - {name: clarity, type: category, encoder: {type: onehot}}
combiner:
  type: concat
  activation: relu
  fc_layers: [{output_size: 128}, {output_size: 64}]
output_features:
  - {name: price, type: number, preprocessing: {normalization: zscore}}
trainer: {epochs: 5, batch_size: 256, learning_rate: 0.001, optimizer: {type: adam}}
"""


class Peer(NamedTuple):
    """A contender beside nettool. run: once, in a folder with the table, with so many threads."""

    key: str
    name: str
    run: Callable[[Path, int | None], Run]


def draw_diamonds(path: Path) -> None:
    """A csv like that of the real ones: the same columns and levels, prices that follow from them with some noise."""
    chance = np.random.default_rng(0)
    carat = np.clip(np.exp(chance.normal(-0.4, 0.58, ROWS)), 0.2, 5).round(2)
    depth, table = chance.normal(61.7, 1.4, ROWS).round(1), chance.normal(57.5, 2.2, ROWS).round()
    x = 6.46 * carat ** (1 / 3) * chance.normal(1, 0.01, ROWS)
    y, z = x * chance.normal(1, 0.005, ROWS), x * depth / 100
    levels = {name: chance.integers(len(each), size=ROWS) for name, each in LEVELS.items()}
    quality = 0.05 * levels["cut"] + 0.08 * levels["color"] + 0.12 * levels["clarity"]
    price = np.exp(7.3 + 1.7 * np.log(carat) + quality + chance.normal(0, 0.1, ROWS)).round()
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["", "carat", "cut", "color", "clarity", "depth", "table", "price", "x", "y", "z"])
        words = (np.array(LEVELS[name])[drawn] for name, drawn in levels.items())
        sizes = (each.round(2) for each in (x, y, z))
        writer.writerows(zip(range(1, ROWS + 1), carat, *words, depth, table, price.astype(int), *sizes, strict=True))


def part(table: Path, folder: Path) -> None:
    """Write train.csv and validation.csv, each with its rows in an order drawn by chance."""
    header, *rows = table.read_text().splitlines()
    order = np.random.default_rng(0).permutation(len(rows))
    num_validation = round(VALIDATION * len(rows))
    for name, chosen in (("validation", order[:num_validation]), ("train", order[num_validation:])):
        (folder / f"{name}.csv").write_text("\n".join([header, *(rows[row] for row in chosen), ""]))


def measure(file: Path | None, peers: Sequence[Peer], rounds: int) -> dict[str, Any]:
    """All runs of all contenders. file: the real table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if file is None:
            draw_diamonds(folder / "diamonds.csv")
        part(file or folder / "diamonds.csv", folder)
        ours = Contender("nettool", partial(_run_in_fresh_folder, run_nettool, folder), has_own_threads=True)
        theirs = [Contender(peer.name, partial(_run_in_fresh_folder, peer.run, folder)) for peer in peers]
        standings = compete("diamonds", [ours, *theirs], rounds, cost="command_s")
    return {"job": f"{'diamonds' if file else 'diamonds, drawn'}: {JOB}", "contenders": standings}


def _run_in_fresh_folder(run: Callable[[Path, int | None], Run], tables: Path, threads: int | None, _: bool) -> Run:
    """With copies of the tables, so that nobody finds what he wrote beside them the last time."""
    with tempfile.TemporaryDirectory(dir=tables) as folder:
        for name in ("train.csv", "validation.csv"):
            shutil.copy(tables / name, folder)
        return run(Path(folder), threads)


def run_nettool(folder: Path, threads: int | None) -> Run:
    """`nettool train`, as a user types it."""
    (folder / "diamonds.yaml").write_text(NETTOOL_CONFIG)
    taken = processes.run([jobs.NETTOOL, "train", "diamonds.yaml", "--run-dir", "run"], folder, threads)
    record = json.loads((folder / "run" / "run.json").read_text())
    return _numbers(taken, record["threads"], record["metrics"]["rmse"])


def run_by_hand(folder: Path, threads: int | None) -> Run:
    """The script in peers/."""
    python = environments.bin_of("table") / "python"
    taken = processes.run([python, SCRIPT, "train.csv", "validation.csv", "rmse.json"], folder, threads)
    return _numbers(taken, threads, json.loads((folder / "rmse.json").read_text()))


def run_ludwig(folder: Path, threads: int | None) -> Run:
    """`ludwig train`, as its documentation has it."""
    (folder / "ludwig.yaml").write_text(LUDWIG_CONFIG)
    tables = ["--training_set", "train.csv", "--validation_set", "validation.csv"]
    command = ["train", "--config", "ludwig.yaml", *tables, "--output_directory", "results"]
    taken = processes.run([environments.bin_of("ludwig") / "ludwig", *command], folder, threads)
    (run,) = (folder / "results").iterdir()
    statistics = json.loads((run / "training_statistics.json").read_text())
    encoding = json.loads((run / "model" / "training_set_metadata.json").read_text())
    errors = statistics["validation"]["price"]["root_mean_squared_error"]  # of the standardised price
    return _numbers(taken, threads, min(errors) * encoding["price"]["std"])


def _numbers(taken: processes.Taken, threads: int | None, rmse: float) -> Run:
    assert threads is not None
    return {"threads": threads, "command_s": taken.seconds, "peak_mb": taken.peak_mb, "rmse": rmse}


PEERS = (Peer("by-hand", "by hand", run_by_hand), Peer("ludwig", "Ludwig", run_ludwig))
