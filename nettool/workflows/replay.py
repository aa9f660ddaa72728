"""Whether a run is what its config gives from the beginning: schedule and early stopping are shown its epochs again."""

from __future__ import annotations

from collections.abc import Sequence

from nettool.config.experiment import Experiment
from nettool.training.history import EpochResult
from nettool.training.schedules import build_schedule
from nettool.training.stopping import build_stopper


def took_other_rates(experiment: Experiment, results: Sequence[EpochResult]) -> bool:
    """Whether the learning rates were not those that the config gives."""
    steps_per_epoch = results[0].step if results else 0
    schedule = build_schedule(experiment.schedule, experiment.optimizer.lr, steps_per_epoch, experiment.epochs)
    for result in results:
        if schedule.rate(max(result.step - 1, 0)) != result.lr:
            return True
        schedule.epoch_ended(result.judged_loss)
    return False


def first_stop(experiment: Experiment, results: Sequence[EpochResult]) -> int | None:
    """The epoch after which early stopping ends training, or would have where further epochs were trained."""
    stopper = build_stopper(experiment.early_stopping)
    for result in results:
        if stopper is not None and stopper.update(result.measured(stopper.monitor)):
            return result.epoch
    return None
