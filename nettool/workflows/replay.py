"""Whether a run is what its config gives from the beginning: early stopping is shown its epochs again."""

from __future__ import annotations

from collections.abc import Sequence

from nettool.config.experiment import Experiment
from nettool.training.history import EpochResult
from nettool.training.stopping import build_stopper


def first_stop(experiment: Experiment, results: Sequence[EpochResult]) -> int | None:
    """The epoch after which early stopping ends training, or would have where further epochs were trained."""
    stopper = build_stopper(experiment.early_stopping)
    for result in results:
        if stopper is not None and stopper.update(result.measured(stopper.monitor)):
            return result.epoch
    return None
