"""What a run keeps of the weights that it had: a trace of them, or those of every checkpoint, or none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from nettool.config.runtime import Checkpoint
from nettool.errors import RunError
from nettool.runs import checkpoint, durable
from nettool.runs.directory import RunDirectory
from nettool.training.state import TrainingState
from nettool.training.trace import Trace
from nettool.workflows import machine

_NAME = re.compile(r"epoch-(\d+)-step-(\d+)\.safetensors")


class PastWeights:
    """Sees every epoch of one run, and writes with every checkpoint."""

    def __init__(self, run: RunDirectory, spec: Checkpoint, state: TrainingState) -> None:
        self.run, self._keeps_all = run, spec.keep == "all"
        self._trace = Trace(state.network) if spec.keep == "trace" else None
        self._written = -1
        if self._trace is not None:
            if state.step:
                self._take_up(self._trace, state.epoch)
            if not state.update:
                self._trace.see(state.epoch)

    def _take_up(self, trace: Trace, epoch: int) -> None:
        """What was kept before the run was cut; without it, the path begins here."""
        try:
            tensors, _ = checkpoint.load(self.run.trace)
            trace.restore(tensors, epoch)
        except (RunError, ValueError):
            return

    def see(self, epoch: int) -> None:
        """An epoch has ended."""
        if self._trace is not None:
            self._trace.see(epoch)

    def prepare(self) -> dict[str, Tensor]:
        """A copy of the trace, where it has grown since the last."""
        if self._trace is None or self._trace.newest == self._written:
            return {}
        self._written = self._trace.newest
        return self._trace.to_tensors()

    def write_trace(self, trace: Mapping[str, Tensor]) -> None:
        """Make it durable; nothing for nothing."""
        if trace:
            checkpoint.save(self.run.trace, trace, {"nettool": machine.versions()["nettool"]})

    def keep(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """The weights of a checkpoint, if all are to be kept. tensors, facts: its content."""
        if self._keeps_all:
            position = facts["state"]["position"]
            durable.make_folders(self.run.kept)
            network = {name.removeprefix("network."): tensors[name] for name in tensors if name.startswith("network.")}
            beside = {name: value for name, value in facts.items() if name not in ("state", "elapsed")}
            path = self.run.kept / f"epoch-{position['epoch']:05d}-step-{position['step']:07d}.safetensors"
            checkpoint.save(path, network, {**beside, "epoch": position["epoch"]})


def kept_checkpoints(run: RunDirectory) -> list[tuple[int, int, Path]]:
    """Epochs that were complete, steps that were made, and the file of each, in order."""
    found = [(match, path) for path in run.kept.glob("*.safetensors") if (match := _NAME.fullmatch(path.name))]
    return sorted((int(match[1]), int(match[2]), path) for match, path in found)
