"""From a config to all that training needs: data, plan, loss, device, threads."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from nettool.config.experiment import Experiment
from nettool.config.load import Loaded
from nettool.data.bundle import TrainingData
from nettool.data.dataset import Dataset, Stretches
from nettool.data.prepare import prepare
from nettool.model.losses import Loss
from nettool.model.plans import NetworkPlan
from nettool.training.engines import Engine, choose_engine, departure_note
from nettool.training.metrics import baseline_predictions
from nettool.training.token_metrics import token_shares
from nettool.workflows import machine
from nettool.workflows.check import Read, check_config
from nettool.workflows.trained import baseline_metrics, decoder, make_loss


@dataclass(frozen=True)
class Prepared:
    """All that training needs, checked, before anything is written.

    baseline: what the naive model predicts for every example (see `Trained`). notes: what the user should know. asked:
    the experiment as the config has it, before a learning rate was found.
    """

    loaded: Loaded
    data: TrainingData
    plan: NetworkPlan
    loss: Loss
    baseline: tuple[float, ...]
    device: torch.device
    batch_size: int
    threads: int
    engine: Engine
    notes: tuple[str, ...]
    asked: Experiment

    def baseline_metrics(self) -> dict[str, float]:
        """The naive model's metrics on the validation split, to show beside the network's."""
        split = self.data.splits.get("validation")
        if split is None:
            return {}
        validation = Dataset.from_split(split, torch.device("cpu"))
        names = self.loaded.experiment.metric_names
        return baseline_metrics(self.baseline, self.data.encoders, validation, names)


def prepare_training(loaded: Loaded, read: Read = prepare, threads: int | None = None) -> Prepared:
    """Read the data, fit the encoders, plan the network, choose device and threads. Writes nothing.

    read: how the data are had, where several configs share them. threads: where the config leaves their number open;
    None for the rule.

    Raises ConfigError or DataError for whatever keeps the training from making sense.
    """
    checked = check_config(loaded, all_rows=True, read=read)
    experiment, data, batch_size = loaded.experiment, checked.data, checked.batch_size
    with loaded.located():
        device = machine.choose_device(experiment.runtime)
        engine = choose_engine(experiment.runtime, checked.plan, batch_size, device)
        with machine.threads(1):  # the same bits whatever the shell's number of threads
            baseline = _baseline(data)
        loss = make_loss(experiment, data.encoders, baseline, device)
    if threads is None or experiment.runtime.threads is not None:
        threads = machine.choose_threads(experiment.runtime, checked.plan, batch_size)
    notes = (
        *checked.notes,
        *departure_note(experiment.runtime, checked.plan, device),
        *machine.threads_note(experiment.runtime),
    )
    prepared = Prepared(
        loaded, data, checked.plan, loss, baseline, device, batch_size, threads, engine, notes, experiment
    )
    return prepared if experiment.optimizer.lr != "auto" else _with_found_rate(prepared)


def _with_found_rate(prepared: Prepared) -> Prepared:
    """`lr: auto`: find one, and go on as if the config had it. Raises RunError where there is none to be found."""
    from nettool.workflows.rate import find_rate  # which most trainings have no use for

    found = find_rate(prepared)
    loaded = prepared.loaded.with_rate(found.rate)
    note = f"optimizer.lr is auto: {found.rate:g}, the best of {len(found.laps)} that were tried in short trainings."
    return replace(prepared, loaded=loaded, notes=(*prepared.notes, note))


def _baseline(data: TrainingData) -> tuple[float, ...]:
    """What the naive model predicts, from the training split."""
    train_split = Dataset.from_split(data.splits["train"], torch.device("cpu"))
    if isinstance(train_split.target, Stretches):
        return tuple(token_shares(train_split.target.source, data.signature.target.num_outputs))
    target = decoder(data.encoders)(train_split.target)
    row = baseline_predictions(target, data.signature.target, 1, train_split.weights)
    return tuple(row[0].tolist())
