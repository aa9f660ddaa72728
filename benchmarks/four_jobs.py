"""The four jobs, trained by nettool and by what a user would pick instead: speed, memory, and what was learned."""

from __future__ import annotations

import csv
import json
import shutil
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import environments
import jobs
import numpy as np
import processes
import torch
from contest import Contender, Run, compete
from jobs import Network

import nettool

SCRIPTS = Path(__file__).parent / "peers"


@dataclass(frozen=True)
class Peer:
    """A script of peers/, and the environment and the variables that it runs with."""

    key: str
    name: str
    environment: str
    script: str
    variables: dict[str, str] = field(default_factory=dict)


PEERS = (
    Peer("dataloader", "by hand, DataLoader", "torch", "torch_dataloader.py"),
    Peer("resident", "by hand, resident", "torch", "torch_resident.py"),
    Peer("lightning", "Lightning", "lightning", "with_lightning.py"),
    Peer("skorch", "skorch", "skorch", "with_skorch.py"),
    Peer("keras-torch", "Keras on torch", "keras-torch", "with_keras.py", {"KERAS_BACKEND": "torch"}),
    Peer("keras-jax", "Keras on JAX", "jax", "with_keras.py", {"KERAS_BACKEND": "jax"}),
    Peer("scikit-learn", "scikit-learn", "scikit-learn", "with_sklearn.py"),
    Peer("jax", "JAX, scanned epoch", "jax", "jax_scan.py"),
)


@dataclass(frozen=True)
class Place:
    """Where a job is run. y: the held-out classes. is_quick: no run is longer than a trial."""

    network: Network
    folder: Path
    y: np.ndarray
    is_quick: bool

    def epochs(self, is_trial: bool) -> int:
        """How long a run is."""
        return self.network.trial_epochs if is_trial or self.is_quick else self.network.epochs

    def fresh(self) -> Path:
        """An empty folder for one run."""
        run = self.folder / "run"
        shutil.rmtree(run, ignore_errors=True)
        run.mkdir()
        return run

    def numbers(self, taken: processes.Taken, threads: int, epoch_seconds: Sequence[float], logits: np.ndarray) -> Run:
        """What is said of a run. The first epoch, in which things are compiled and warm up, is no steady state."""
        return {
            "threads": threads,
            "step_us": 1e6 * statistics.median(epoch_seconds[1:]) / self.network.steps,
            "command_s": taken.seconds,
            "peak_mb": taken.peak_mb,
            "loss": cross_entropy(logits, self.y),
        }


def measure(network: Network, peers: Sequence[Peer], rounds: int, is_quick: bool) -> dict[str, Any]:
    """All runs of all contenders at one job."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        place = Place(network, folder, jobs.write_examples(network, folder), is_quick)
        jobs.write_config(network, folder)
        jobs.write_first_weights(network, folder)
        ours = Contender("nettool", partial(run_nettool, place), has_own_threads=True)
        theirs = [Contender(peer.name, partial(run_peer, place, peer)) for peer in peers]
        standings = compete(network.name, [ours, *theirs], rounds, cost="step_us")
    return {"job": f"{network.name}: {network}, {place.epochs(is_trial=False)} epochs", "contenders": standings}


def run_nettool(place: Place, threads: int | None, is_trial: bool) -> Run:
    """`nettool train`, as a user types it."""
    folder = place.fresh()
    epochs = place.epochs(is_trial)
    command = [jobs.NETTOOL, "train", place.folder / "config.yaml", "--epochs", str(epochs), "--run-dir", "run"]
    taken = processes.run(command, folder, threads)
    with (folder / "run" / "metrics.csv").open() as file:
        # The speed of the training alone; the column `seconds` holds validation too.
        seconds = [place.network.rows / float(row["examples_per_second"]) for row in csv.DictReader(file)]
    run = nettool.load(folder / "run")
    with np.load(place.folder / "held_out.npz") as arrays, torch.no_grad():
        logits = run.network(torch.from_numpy(arrays["x"])).numpy()
    return place.numbers(taken, run.record["threads"], seconds, logits)


def run_peer(place: Place, peer: Peer, threads: int | None, is_trial: bool) -> Run:
    """The peer's script, in its own environment."""
    assert threads is not None
    folder = place.fresh()
    result = folder / "result.npz"
    job = {
        "train": str(place.folder / "train.npz"),
        "held_out": str(place.folder / "held_out.npz"),
        "first": str(place.folder / "first.npz"),
        "widths": place.network.widths,
        "batch_size": place.network.batch_size,
        "dropout": place.network.dropout,
        "lr": jobs.LR,
        "epochs": place.epochs(is_trial),
        "result": str(result),
    }
    (folder / "job.json").write_text(json.dumps(job))
    python = environments.bin_of(peer.environment) / "python"
    taken = processes.run([python, SCRIPTS / peer.script, "job.json"], folder, threads, peer.variables)
    with np.load(result) as arrays:
        return place.numbers(taken, threads, arrays["seconds"].tolist(), arrays["logits"])


def cross_entropy(logits: np.ndarray, y: np.ndarray) -> float:
    """Mean over the rows, in nats. logits: float [rows, classes], or log-probabilities. y: int64 [rows]."""
    logits = logits.astype(np.float64)
    normalizers = np.logaddexp.reduce(logits, axis=1)
    return float(np.mean(normalizers - logits[np.arange(len(y)), y]))
