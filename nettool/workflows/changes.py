"""What a run may be changed to when it goes on: how far, not what has been done already."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from nettool.config.experiment import Experiment
from nettool.config.load import PATH_KEYS, Loaded
from nettool.config.optimization import Cosine, OneCycle, chooser
from nettool.errors import ConfigError, ConfigPath, Mistake
from nettool.training.history import EpochResult
from nettool.workflows.replay import first_stop

CHANGEABLE: tuple[ConfigPath, ...] = (
    ("epochs",), ("early_stopping",), ("checkpoint",), ("runtime",), *(("data", key) for key in PATH_KEYS),
)  # fmt: skip


def check_changes(loaded: Loaded, before: Experiment) -> None:
    """Raise ConfigError for what is another setting now and would make another run of it."""
    old, new = (flat_settings(experiment) for experiment in (before, loaded.experiment))
    changed = {path for path in old.keys() | new.keys() if old.get(path) != new.get(path)}
    refused = [path for path in sorted(changed, key=str) if not _may_change(path)]
    # Another kind of layer or optimizer has other settings: what kind it is says it all.
    others = {path[:-1] for path in refused if len(path) > 1 and path[-1] in ("name", "layer")}
    refused = [path for path in refused if path[:-1] not in others or path[-1] in ("name", "layer")]
    mistakes = [
        Mistake(path, f"cannot change {'either' if index else 'while a run goes on'} (it was {_shown(old.get(path))}).")
        for index, path in enumerate(refused)
    ]
    if mistakes:
        mistakes[0] = replace(mistakes[0], text=f"{mistakes[0].text} {_RULE}")
    chosen_by = chooser(before.early_stopping)
    if chosen_by != chooser(loaded.experiment.early_stopping):
        text = f"the best weights so far were chosen by {chosen_by}; that cannot change while a run goes on."
        mistakes.append(Mistake(("early_stopping", "monitor"), text))
    if mistakes:
        with loaded.located():
            raise ConfigError(mistakes)


_RULE = "Epochs, early_stopping, checkpoint, runtime and the place of the data can. Train a new run for the rest."


def _may_change(path: ConfigPath) -> bool:
    return any(path[: len(key)] == key for key in CHANGEABLE)


def _shown(value: Any) -> str:
    return "not set" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def flat_settings(experiment: Experiment) -> dict[ConfigPath, Any]:
    """Every setting by its path."""
    return dict(_flat(experiment.model_dump(mode="json")))


def _flat(value: Any, path: ConfigPath = ()) -> Iterator[tuple[ConfigPath, Any]]:
    """Every setting by its path."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _flat(item, (*path, key))
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for index, item in enumerate(value):
            yield from _flat(item, (*path, index))
    else:
        yield path, value


def spans_epochs(experiment: Experiment) -> bool:
    """Whether the learning rate at a step depends on how many epochs there are in all."""
    return isinstance(experiment.schedule, Cosine | OneCycle)


def schedule_note(experiment: Experiment, before: Experiment) -> tuple[str, ...]:
    """Where more epochs change the learning rates of those that are done."""
    if before.epochs == experiment.epochs or not spans_epochs(experiment):
        return ()
    return (
        f"the schedule {experiment.schedule.name} spans all epochs: so far it was that of {before.epochs:,}, from here "
        f"on it is that of {experiment.epochs:,}. So the learning rate jumps here, and the run ends with other weights "
        f"than one of {experiment.epochs:,} epochs from the beginning.",
    )


def stop_note(experiment: Experiment, history: Iterable[EpochResult]) -> tuple[str, ...]:
    """Where early stopping, as it is now, would have ended the run before."""
    results = list(history)
    stop = first_stop(experiment, results)
    if stop is None:
        return ()
    if stop < results[-1].epoch:
        return (
            f"early_stopping as it is now would have ended this run with epoch {stop:,}. One from the beginning does.",
        )
    if experiment.early_stopping is None or stop >= experiment.epochs:
        return ()
    patience = experiment.early_stopping.patience
    return (
        f"its patience of {patience:,} epochs is used up, so that no epoch is added. Give it more, with "
        f"early_stopping.patience={2 * patience}, or early_stopping=off.",
    )
