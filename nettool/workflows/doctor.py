"""nettool doctor: does this installation work? Versions, device, and a training that proves it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch

from nettool.config.load import load
from nettool.errors import InterruptedRun
from nettool.workflows import machine
from nettool.workflows.findings import Finding
from nettool.workflows.prepare import prepare_training
from nettool.workflows.templates import templates_folder
from nettool.workflows.train import train
from nettool.workflows.watch import Watcher

PROOF = ("circles", "accuracy", 0.95)
"""The example that is trained, and what it must reach on its validation split."""


def examine() -> Iterator[Finding]:
    """Look at everything, the cheap first."""
    for name, version in machine.versions().items():
        yield Finding(name, version)
    yield Finding("processor", f"{machine.cpu_name()}, {machine.num_cores()} cores")
    yield Finding("threads", f"torch may use {torch.get_num_threads()}")
    yield Finding("device", _devices())
    yield _proof()


def _devices() -> str:
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
        return f"cuda: {', '.join(names)}"
    return "mps" if torch.backends.mps.is_available() else "cpu (no cuda device, or a build of torch without cuda)"


def _proof() -> Finding:
    name, metric, least = PROOF
    loaded = load(templates_folder() / f"{name}.yaml")
    with tempfile.TemporaryDirectory() as folder:
        outcome = train(prepare_training(loaded), Watcher(), Path(folder) / "run")
    if isinstance(outcome.error, InterruptedRun):
        raise InterruptedRun("interrupted.")
    reached = outcome.record["metrics"].get(metric, 0.0)
    seconds = outcome.record["seconds"]
    text = f"{name}.yaml trained in {seconds:.1f} s to {metric} {reached:.3f} (at least {least} is expected)"
    return Finding("training", text, fine=outcome.error is None and reached >= least)
