"""Going on with a run: where it stands, and whether that is still the same data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, NonNegativeInt
from torch import Tensor

from nettool.config.experiment import Experiment
from nettool.config.load import Loaded, load, load_mapping
from nettool.config.write import to_plain
from nettool.data.prepare import prepare
from nettool.errors import ConfigError, DamagedError, DataError, Mistake, RunError
from nettool.runs import checkpoint
from nettool.runs.directory import RunDirectory
from nettool.runs.journal import read_metrics, read_record
from nettool.training.state import TrainingState
from nettool.workflows import machine
from nettool.workflows.changes import check_changes, schedule_note
from nettool.workflows.check import Read
from nettool.workflows.done import COMPLETE
from nettool.workflows.prepare import Prepared, prepare_training
from nettool.workflows.trained import Facts, check_facts, check_files, in_short, stays_of

ANYHOW: dict[str, None] = {"runtime": None, "checkpoint": None}
"""What says how a run is trained, and leaves nothing to train where it is complete."""


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

    record: of the run so far, empty where it cannot be read. is_previous: this is the checkpoint before the last one,
    which is no use. notes: for the user.
    """

    tensors: dict[str, Tensor]
    facts: StateFacts | None
    record: dict[str, Any]
    is_previous: bool = False
    notes: tuple[str, ...] = ()

    @property
    def elapsed(self) -> float:
        """Seconds that the run has taken up to here."""
        return self.facts.elapsed if self.facts else 0.0


def load_run(run: RunDirectory, overrides: Sequence[str]) -> Loaded:
    """The run's config with the changes. Raises ConfigError for one that would make another run of it."""
    loaded = load(run.config, overrides)
    check_changes(loaded, load(run.config).experiment)
    return loaded


def is_complete(run: RunDirectory, loaded: Loaded) -> bool:
    """Whether nothing is left to do: the run ended by itself, and its last state is of this very config."""
    if _record(run).get("status") not in COMPLETE:
        return False
    try:
        checkpoint.read_facts(run.best)  # where it is damaged, going on writes it again; so it does the journal
        facts = check_facts(StateFacts, checkpoint.read_facts(run.last), run.last)
        epochs = [row["epoch"] for row in read_metrics(run)]
    except RunError:
        return False
    then, now = ({**config, **ANYHOW} for config in (facts.config, to_plain(loaded.experiment)))
    return then == now and epochs[-1:] == [facts.state.position.epoch]


def prepare_resumption(
    run: RunDirectory, loaded: Loaded, read: Read = prepare, threads: int | None = None
) -> tuple[Prepared, Saved]:
    """Read the data and the newest checkpoint that is whole, and see that they belong together. Writes nothing.

    read, threads: see `prepare_training`.
    """
    check_files(loaded.experiment.data)
    saved = _newest(run, _record(run))
    facts, notes = saved.facts, saved.notes
    prepared = prepare_training(loaded, read, threads)
    if facts:
        _check_data(loaded, prepared.data.fingerprint, {role: file.sha256 for role, file in facts.fingerprint.items()})
    elif "data" in saved.record:
        known = {role: file.get("sha256") for role, file in saved.record["data"].items()}
        _check_data(loaded, prepared.data.fingerprint, known)
    if facts:
        with loaded.located():
            before = _config_of(run, facts)
            _check_checkpoint(run, loaded, prepared, facts, before)
        if loaded.experiment.runtime.threads is None:
            prepared = replace(prepared, threads=facts.threads)
        notes = (*notes, *schedule_note(loaded.experiment, before))
    return prepared, replace(saved, notes=(*notes, *_machine_notes(saved, prepared)))


def _record(run: RunDirectory) -> dict[str, Any]:
    if not run.record.exists():  # killed before it was written
        return {}
    try:
        return read_record(run)
    except DamagedError:  # nothing that is needed stands in it alone
        return {}


def _newest(run: RunDirectory, record: dict[str, Any]) -> Saved:
    """The newest checkpoint that is whole, and what to say of it; nothing where there never was one."""
    if not run.last.exists() and not run.previous.exists():
        if record.get("status") in (*COMPLETE, "interrupted") or (not record and run.best.exists()):
            raise DamagedError(
                f"{run.path} holds no checkpoint to go on from: it has no last.safetensors. "
                f"Train again: nettool train {run.config}"
            )
        return Saved({}, None, record, notes=("the run had saved nothing yet: it begins again.",))
    try:
        tensors, facts = _load(run.last)
        return Saved(tensors, facts, record, notes=(f"resumed in {_place(facts)}.",))
    except RunError as damage:
        if run.last.exists() and not isinstance(damage, DamagedError):  # it may be whole, and readable tomorrow
            raise
        try:
            tensors, facts = _load(run.previous)
        except RunError as worse:
            if run.previous.exists() and not isinstance(worse, DamagedError):
                raise
            raise DamagedError(
                f"{damage} There is no whole checkpoint before it either. Train again: nettool train {run.config}"
            ) from None
        note = f"warning: {damage} Going on from the checkpoint before it, in {_place(facts)}."
        return Saved(tensors, facts, record, is_previous=True, notes=(note,))


def _place(facts: StateFacts) -> str:
    position = facts.state.position
    return f"epoch {position.epoch + 1} at step {position.step}"


def _load(path: Path) -> tuple[dict[str, Tensor], StateFacts]:
    tensors, facts = checkpoint.load(path)
    if facts["format_version"] < 2:
        raise RunError(f"{path} was written by an older nettool, which kept too little to go on. Train a new run.")
    return tensors, check_facts(StateFacts, facts, path)


def _check_data(loaded: Loaded, found: dict[str, Any], known: dict[str, Any]) -> None:
    """The same files, and the same in them. known: the sha256 of each."""
    for role in sorted(found.keys() ^ known.keys()):
        text = f"cannot {'come' if role in found else 'go'} while a run goes on. Train a new run for that."
        with loaded.located():
            raise ConfigError([Mistake(("data", role), text)])
    for role, fingerprint in found.items():
        if fingerprint.get("sha256") != known[role]:
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
    check_changes(loaded, before)
    done = facts.state.position.epoch
    if loaded.experiment.epochs < done:
        raise ConfigError([Mistake(("epochs",), f"{done:,} are done already; name as many or more.")])
    if json.loads(json.dumps(prepared.data.encoders.to_json())) != facts.encoders:
        raise RunError(
            f"{run.path}: the same data are read otherwise than when the run began, so its weights no longer fit. "
            "Go on with the versions in its run.json, or train a new run."
        )


def _machine_notes(saved: Saved, prepared: Prepared) -> tuple[str, ...]:
    """Where the bits of an uncut run cannot be promised."""
    runtime = prepared.loaded.experiment.runtime
    stays = stays_of(saved.record, saved.facts)
    differences = machine.differences(stays, runtime, prepared.device, prepared.threads, str(prepared.engine))
    if not differences:
        return ()
    made = ", ".join(differences)
    return (f"the run was made with {made} so far: the last digits may differ from those of an uncut run.",)


def restore(state: TrainingState, saved: Saved, source: Path) -> None:
    """Take up the saved state. source: the file that it is from. Raises DamagedError where it is of another network."""
    if saved.facts is None or saved.facts.state.position.step == 0:  # nothing was learned: begin at the beginning
        return
    try:
        state.restore(saved.tensors, saved.facts.state.model_dump())
    except (KeyError, TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise DamagedError(f"{source} does not fit the run's config: {in_short(error)}.") from None
    saved.tensors.clear()  # they take as much memory as the network and what its optimizer keeps
