"""Going on with a run: what it may be changed to, whether it still stands on the same data, and where it stands."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, NonNegativeInt
from torch import Tensor

from nettool.config.experiment import Experiment
from nettool.config.load import PATH_KEYS, Loaded, load, load_mapping
from nettool.config.optimization import Cosine, OneCycle
from nettool.config.write import to_plain
from nettool.errors import ConfigError, ConfigPath, DamagedError, DataError, Mistake, RunError
from nettool.runs import checkpoint
from nettool.runs.directory import RunDirectory
from nettool.runs.journal import read_record
from nettool.training.state import TrainingState
from nettool.workflows import machine
from nettool.workflows.prepare import Prepared, prepare_training
from nettool.workflows.trained import Facts, check_facts

CHANGEABLE = ("epochs", "early_stopping", "checkpoint", "runtime", *(f"data.{key}" for key in PATH_KEYS))
"""What a run may be changed to when it goes on: how far, not what has been done already."""
COMPLETE = ("finished", "stopped early")


class Position(BaseModel):
    """How far a run has come, see `TrainingState`."""

    model_config = ConfigDict(strict=True)

    epoch: NonNegativeInt
    step: NonNegativeInt
    update: NonNegativeInt
    epoch_seconds: Annotated[FiniteFloat, Field(ge=0)]


class BestEpoch(BaseModel):
    """What is known of the best weights, see `Best`."""

    model_config = ConfigDict(strict=True)

    epoch: NonNegativeInt
    value: float
    loss: float | None
    metrics: dict[str, float]


class State(BaseModel):
    """What `TrainingState.to_tensors` says beside its tensors."""

    model_config = ConfigDict(strict=True)

    position: Position
    best: BestEpoch | None


class StateFacts(Facts):
    """The facts beside a state of training."""

    elapsed: Annotated[FiniteFloat, Field(ge=0)]
    state: State


@dataclass(frozen=True)
class Saved:
    """Where a run stands. There are no tensors and no facts where it was stopped before its first checkpoint.

    record: of the run so far, empty where it cannot be read. elapsed: seconds that it has taken. notes: for the user.
    """

    tensors: dict[str, Tensor]
    facts: StateFacts | None
    record: dict[str, Any]
    notes: tuple[str, ...] = ()

    @property
    def elapsed(self) -> float:
        """Seconds that the run has taken up to here."""
        return self.facts.elapsed if self.facts else 0.0


def load_run(run: RunDirectory, overrides: Sequence[str]) -> Loaded:
    """The run's config with the changes. Raises ConfigError for one that would make another run of it."""
    loaded = load(run.config, overrides)
    _check_changes(loaded, load(run.config).experiment)
    return loaded


def _check_changes(loaded: Loaded, before: Experiment) -> None:
    old, new = (dict(_flat(experiment.model_dump(mode="json"))) for experiment in (before, loaded.experiment))
    changed = {path for path in old.keys() | new.keys() if old.get(path) != new.get(path)}
    mistakes = [
        Mistake(path, f"cannot change while a run goes on (it was {old.get(path)}): {_RULE}")
        for path in sorted(changed, key=str)
        if not ".".join(map(str, path)).startswith(CHANGEABLE)
    ]
    if _monitor(before) != _monitor(loaded.experiment):
        text = f"the best weights so far were chosen by {_monitor(before)}; that cannot change while a run goes on."
        mistakes.append(Mistake(("early_stopping", "monitor"), text))
    if mistakes:
        with loaded.located():
            raise ConfigError(mistakes)


_RULE = "epochs, early_stopping, checkpoint, runtime and the place of the data can. Train a new run for the rest."


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


def _monitor(experiment: Experiment) -> str:
    """What chooses the best weights, see `Job.monitor`."""
    monitor = experiment.early_stopping.monitor if experiment.early_stopping else "validation_loss"
    return "validation_loss" if monitor == "train_loss" else monitor


def is_complete(run: RunDirectory, loaded: Loaded) -> bool:
    """Whether nothing is left to do: the run ended by itself, and its last state is of this very config."""
    if _record(run).get("status") not in COMPLETE:
        return False
    try:
        written = checkpoint.read_facts(run.last).get("config")
    except RunError:
        return False
    return bool(written == to_plain(loaded.experiment))


def prepare_resumption(run: RunDirectory, loaded: Loaded) -> tuple[Prepared, Saved]:
    """Read the data and the newest checkpoint that is whole, and see that they belong together."""
    record = _record(run)
    tensors, facts, notes = _newest(run)
    prepared = prepare_training(loaded)
    known = facts.fingerprint if facts else record.get("data")
    if isinstance(known, dict):
        _check_data(loaded, prepared.data.fingerprint, known)
    if facts:
        with loaded.located():
            before = _config_of(run, facts)
            _check_checkpoint(run, loaded, prepared, facts, before)
        if loaded.experiment.runtime.threads is None:
            prepared = replace(prepared, threads=facts.threads)
        notes = (*notes, *_schedule_note(loaded.experiment, before))
    notes = (*notes, *_machine_notes(record, prepared))
    return prepared, Saved(tensors, facts, record, notes)


def _record(run: RunDirectory) -> dict[str, Any]:
    try:
        return read_record(run)
    except RunError:  # killed before it was written; nothing that is needed stands in it alone
        return {}


def _newest(run: RunDirectory) -> tuple[dict[str, Tensor], StateFacts | None, tuple[str, ...]]:
    """The newest checkpoint that is whole; nothing where there never was one."""
    if not run.last.exists() and not run.previous.exists():
        return {}, None, ()
    try:
        return *_load(run.last), ()
    except RunError as damage:
        if run.last.exists() and not isinstance(damage, DamagedError):
            raise
        try:
            tensors, facts = _load(run.previous)
        except RunError:
            raise DamagedError(
                f"{damage} There is no whole checkpoint before it either. Train again: nettool train {run.config}"
            ) from None
        checkpoint.restore_previous(run.previous, run.last)
        position = facts.state.position
        where = f"the checkpoint before it, of epoch {position.epoch + 1}, step {position.step}"
        return tensors, facts, (f"warning: {damage} Going on from {where}.",)


def _load(path: Path) -> tuple[dict[str, Tensor], StateFacts]:
    tensors, facts = checkpoint.load(path)
    if facts["format_version"] < 2:
        raise RunError(f"{path} was written by an older nettool, which kept too little to go on. Train a new run.")
    return tensors, check_facts(StateFacts, facts, path)


def _check_data(loaded: Loaded, found: dict[str, Any], known: dict[str, Any]) -> None:
    for role, fingerprint in found.items():
        if fingerprint.get("sha256") != known.get(role, {}).get("sha256"):
            raise DataError(
                f"{getattr(loaded.experiment.data, role, role)} is not the data that the run was trained on (its "
                f"sha256 differs). Bring the old file back with data.{role}=..., or train a new run on this one."
            )


def _config_of(run: RunDirectory, facts: StateFacts) -> Experiment:
    try:
        return load_mapping(facts.config).experiment
    except ConfigError as error:
        raise DamagedError(f"{run.last}: {error}") from None


def _check_checkpoint(
    run: RunDirectory, loaded: Loaded, prepared: Prepared, facts: StateFacts, before: Experiment
) -> None:
    """The config may have been edited by hand, and another version may read the same data otherwise."""
    _check_changes(loaded, before)
    done = facts.state.position.epoch
    if loaded.experiment.epochs < done:
        raise ConfigError([Mistake(("epochs",), f"{done:,} are done already; name as many or more.")])
    if json.loads(json.dumps(prepared.data.encoders.to_json())) != facts.encoders:
        raise RunError(
            f"{run.path}: the same data are read otherwise than when the run began, so its weights no longer fit. "
            "Go on with the versions in its run.json, or train a new run."
        )


def _schedule_note(experiment: Experiment, before: Experiment) -> tuple[str, ...]:
    """Where more epochs change the learning rates of those that are done."""
    if before.epochs == experiment.epochs or not isinstance(experiment.schedule, Cosine | OneCycle):
        return ()
    return (
        f"the schedule {experiment.schedule.name} spans all epochs: up to here it was that of {before.epochs:,}, from "
        f"here on it is that of {experiment.epochs:,}. So many from the beginning end elsewhere.",
    )


def _machine_notes(record: dict[str, Any], prepared: Prepared) -> tuple[str, ...]:
    """Where the bits of an uncut run cannot be promised."""
    differences = machine.differences(record, prepared.device, prepared.threads)
    if not differences:
        return ()
    return (f"the run began on {', '.join(differences)}: the last digits may differ from those of an uncut run.",)


def restore(state: TrainingState, saved: Saved) -> None:
    """Take up the saved state. Raises DamagedError where it is not that of this network."""
    if saved.facts is None or saved.facts.state.position.step == 0:  # nothing was learned: begin at the beginning
        return
    try:
        state.restore(saved.tensors, saved.facts.state.model_dump())
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise DamagedError(f"the checkpoint does not fit the run's config: {error}") from None
