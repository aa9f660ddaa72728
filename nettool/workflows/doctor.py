"""nettool doctor: does this installation work? Versions, device, a training that proves it, and engines that agree."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from nettool.config.load import load
from nettool.errors import InterruptedRun
from nettool.runs.journal import read_metrics
from nettool.workflows import machine
from nettool.workflows.done import COMPLETE
from nettool.workflows.findings import Finding
from nettool.workflows.prepare import prepare_training
from nettool.workflows.templates import templates_folder
from nettool.workflows.train import train
from nettool.workflows.watch import Watcher

EXAMPLE = "circles"
"""What is trained."""
REACHED = ("accuracy", 0.95)
"""What it must reach on its validation split."""
PLAIN = ("epochs=5", "dropout=0", "optimizer={name: sgd, lr: 0.1}")
"""No random numbers, which every device draws its own of, and not Adam, which would hide a gradient too long."""
CLOSE = 1e-3
"""How far losses may be apart where only the rounding differs, as a share of them."""


def examine() -> Iterator[Finding]:
    """Look at everything, the cheap first."""
    for name, version in machine.versions().items():
        yield Finding(name, version)
    yield Finding("processor", f"{machine.cpu_name()}, {machine.num_cores()} cores")
    yield Finding("threads", f"torch may use {torch.get_num_threads()}")
    yield Finding("device", _devices())
    yield _proof()
    wanted = _trained(*PLAIN, "runtime.device=cpu", "runtime.engine=autograd").losses
    closed_form = _trained(*PLAIN, "runtime.device=cpu", "runtime.engine=closed_form").losses
    yield _agreement("engine", "closed_form", closed_form, wanted)
    for device in ("cuda", "mps"):
        if machine.is_available(device):
            yield _agreement(device, device, _trained(*PLAIN, f"runtime.device={device}").losses, wanted)


def _devices() -> str:
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
        return f"cuda: {', '.join(names)}"
    return "mps" if torch.backends.mps.is_available() else "cpu (no cuda device, or a build of torch without cuda)"


def _proof() -> Finding:
    metric, least = REACHED
    record = _trained().record
    reached, seconds = record["metrics"].get(metric, 0.0), record["seconds"]
    text = f"{EXAMPLE}.yaml trained in {seconds:.1f} s to {metric} {reached:.3f} (at least {least} is expected)"
    return Finding("training", text, fine=record["status"] in COMPLETE and reached >= least)


def _agreement(name: str, other: str, losses: Sequence[float], wanted: Sequence[float]) -> Finding:
    """Whether another way to compute gives autograd's losses on the cpu, which are wanted, up to rounding."""
    if len(losses) != len(wanted):
        text = f"{other} does not learn what autograd learns on the cpu: it ended after {len(losses)} epochs"
        return Finding(name, f"{text} of {EXAMPLE}.yaml instead of {len(wanted)}", fine=False)
    apart = max(abs(loss - want) / abs(want) for loss, want in zip(losses, wanted, strict=True))
    verb = "learns" if apart < CLOSE else "does not learn"
    text = f"{other} {verb} what autograd learns on the cpu: over {len(losses)} epochs of {EXAMPLE}.yaml the losses "
    return Finding(name, f"{text}differ by {apart:.0e} of themselves at most", fine=apart < CLOSE)


@dataclass(frozen=True)
class _Trained:
    record: dict[str, Any]
    losses: list[float]


def _trained(*overrides: str) -> _Trained:
    """The example, trained in a folder that is gone afterwards."""
    loaded = load(templates_folder() / f"{EXAMPLE}.yaml", overrides)
    with tempfile.TemporaryDirectory() as folder:
        outcome = train(prepare_training(loaded), Watcher(), Path(folder) / "run")
        if isinstance(outcome.error, InterruptedRun):
            raise InterruptedRun("interrupted.")
        losses = [row["train_loss"] for row in read_metrics(outcome.run)]
    return _Trained(outcome.record, [loss for loss in losses if loss is not None])
