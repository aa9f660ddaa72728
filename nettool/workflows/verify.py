"""nettool verify: is a run what it was when it ended, and does this machine give its numbers again, to the bit?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nettool.config.experiment import Experiment
from nettool.config.load import load
from nettool.config.write import to_plain
from nettool.data.fingerprints import fingerprint_of
from nettool.data.reading import resolve
from nettool.errors import ConfigError, DamagedError, NettoolError, RunError
from nettool.runs import checkpoint
from nettool.runs.directory import FORMAT_VERSION, RunDirectory, find_run
from nettool.runs.journal import read_metrics
from nettool.training.history import History
from nettool.training.schedules import build_schedule
from nettool.workflows import machine
from nettool.workflows.evaluate import evaluate
from nettool.workflows.findings import Finding
from nettool.workflows.recorder import journal_row
from nettool.workflows.resume import COMPLETE, StateFacts
from nettool.workflows.runs import current_record
from nettool.workflows.trained import BestFacts, Trained, check_facts, load_trained

NOT_MEASURED = ("epoch", "step", "train_loss", "lr", "seconds", "examples_per_second")
"""Columns of the journal that are not of the validation split."""


def verify(argument: Path | None, overrides: Sequence[str] = ()) -> Iterator[Finding]:
    """Look at the files, the data and the numbers of a run, in this order; one finding for each.

    overrides: where the data is now, `data.path=...`. Raises RunError where there is no run.
    """
    run = find_run(argument)
    yield Finding("run", str(run.path))
    record, found = _record(run)
    yield found
    ended = record.get("status") in (*COMPLETE, "interrupted")  # in good order: everything is there
    yield from _checkpoints(run, ended)
    if not any(path.exists() for path in (run.best, run.last, run.previous)):
        return
    try:
        trained = load_trained(run.path, overrides)
        yield _config(run)
        yield _journal(run, trained, ended)
    except NettoolError as error:
        yield Finding("network", str(error), fine=False)
        return
    data = _data(trained)
    yield data
    if data.fine:
        yield from _numbers(trained, run, record)


def _record(run: RunDirectory) -> tuple[dict[str, Any], Finding]:
    try:
        record = current_record(run)
    except RunError as error:
        return {}, Finding("run.json", str(error), fine=False)
    hint = f": {record['why']}" if record["status"] == "killed" else ""
    return record, Finding("run.json", f"{record['status']}{hint}")


def _checkpoints(run: RunDirectory, ended: bool) -> Iterator[Finding]:
    """Every checkpoint: its checksum, and whether it is of this run. Before the first save there is none."""
    if not ended and not any(path.exists() for path in (run.best, run.last, run.previous)):
        yield Finding("checkpoints", "none was saved yet; nettool train --resume begins the run again")
        return
    for path in (run.best, run.last, run.previous):
        try:
            if path.exists():
                _check_checkpoint(run, path)
                yield Finding(path.name, "whole: its checksum matches")
            elif ended and path != run.previous:
                yield Finding(path.name, "is missing", fine=False)
        except RunError as error:
            yield Finding(path.name, str(error), fine=False)


def _check_checkpoint(run: RunDirectory, path: Path) -> None:
    """Raise RunError where it is damaged, or of another run."""
    _, facts = checkpoint.load(path)
    if facts["format_version"] < FORMAT_VERSION:
        return  # its facts are other ones
    config = check_facts(BestFacts if path == run.best else StateFacts, facts, path).config
    try:
        written = to_plain(load(run.config).experiment)
    except ConfigError:
        return  # said in its own line
    changed = _differing(written, config)
    if "name" in changed or "seed" in changed or "layers" in changed:
        raise DamagedError(f"{path} is of another run: it differs in {', '.join(changed)}.")


def _differing(written: dict[str, Any], config: dict[str, Any]) -> list[str]:
    return sorted(key for key in written | config if written.get(key) != config.get(key))


def _config(run: RunDirectory) -> Finding:
    """Whether the config beside the weights says what the weights say."""
    try:
        written = to_plain(load(run.config).experiment)
    except ConfigError as error:
        return Finding("config.yaml", " ".join(str(error).split()), fine=False)
    _, facts = checkpoint.load(run.best)
    changed = _differing(written, facts["config"])
    if changed:
        return Finding("config.yaml", f"another than the weights were trained with: {', '.join(changed)}", fine=False)
    return Finding("config.yaml", "the one that the weights were trained with")


def _journal(run: RunDirectory, trained: Trained, ended: bool) -> Finding:
    """Whether the journal holds every epoch once, with the numbers that the checkpoint remembers."""
    rows = read_metrics(run)
    epochs = [int(row.get("epoch") or 0) for row in rows]
    first = 0 if trained.epoch == 0 else 1
    if epochs != list(range(first, first + len(epochs))) or trained.epoch not in epochs:
        return Finding("metrics.csv", f"epochs are missing or stand there twice ({len(epochs):,} rows)", fine=False)
    known = _remembered(run, trained)
    if len(rows) < len(known) or (ended and known and len(rows) > len(known)):
        text = f"{len(rows):,} epochs, but last.safetensors remembers {len(known):,}"
        return Finding("metrics.csv", text, fine=False)
    for number, (row, remembered) in enumerate(zip(rows, known, strict=False), first):
        changed = [name for name in row if repr(row[name]) != repr(remembered.get(name))]
        if changed:
            text = f"{', '.join(changed)} of epoch {number:,} is not what last.safetensors remembers"
            return Finding("metrics.csv", text, fine=False)
    return Finding("metrics.csv", f"{len(epochs):,} epochs, each once")


def _remembered(run: RunDirectory, trained: Trained) -> list[dict[str, float | None]]:
    """The rows that the last checkpoint remembers; none where it is gone or damaged, which is said in its own line."""
    names = trained.experiment.metric_names
    try:
        history = History.from_tensor(names, checkpoint.load(run.last)[0]["history"])
        return [_as_read(journal_row(result, names)) for result in history]
    except (RunError, KeyError, ValueError, OverflowError):
        return []


def _as_read(row: Mapping[str, object]) -> dict[str, float | None]:
    """A row of the journal as it is read again."""
    return {name: None if value is None else float(str(value)) for name, value in row.items()}


def _data(trained: Trained) -> Finding:
    """Whether the data is still what it was."""
    spec = trained.experiment.data
    spec = spec if spec.is_stream else resolve(spec)
    for role, path in spec.files.items():
        known = trained.fingerprint.get(role)
        try:
            found = fingerprint_of(path, spec)["sha256"]
        except NettoolError as error:
            return Finding("data", f"{error} If it was moved: nettool verify RUN data.{role}=...", fine=False)
        if known is not None and found != known["sha256"]:
            return Finding("data", f"{path} is no longer what the run was trained on: its sha256 differs", fine=False)
    return Finding("data", "what the run was trained on: its sha256 matches")


def _numbers(trained: Trained, run: RunDirectory, record: dict[str, Any]) -> Iterator[Finding]:
    """The recorded validation metrics, measured again, and whether another training would give the same bits."""
    stays = [record, *record.get("resumed", [])]
    runtime = trained.experiment.runtime
    elsewhere = dict.fromkeys(
        difference
        for stay in stays
        for difference in machine.differences(stay, runtime, trained.device, trained.threads)
    )
    why = f"the run was made with {', '.join(elsewhere)}" if elsewhere else ""
    recorded = _recorded(run, trained.epoch)
    noted = {name: value for name, value in record.get("metrics", {}).items() if value is not None}
    if any(recorded.get(name) != value for name, value in noted.items()):
        yield Finding("metrics", f"run.json has other ones than metrics.csv in epoch {trained.epoch:,}", fine=False)
    if recorded:
        differing = _measure_again(trained, recorded)
        if differing:
            yield Finding("metrics", f"{'; '.join(differing)}{f': {why}' if why else ''}", fine=bool(why))
        else:
            yield Finding("metrics", f"measured again, {', '.join(recorded)}: the same to the bit")
    else:
        yield Finding("metrics", "there is no validation split to measure again")
    if why:
        yield Finding("this machine", f"may differ in the last digits if it trains the run again: {why}")
    elif _took_other_rates(trained.experiment, read_metrics(run)):
        text = "the run went on to other epochs than it began with, and its schedule spans them all"
        yield Finding("this machine", f"gives other numbers if it trains the run again: {text}")
    else:
        yield Finding("this machine", "has its versions, processor, device and threads: trained again, the same bits")


def _took_other_rates(experiment: Experiment, rows: Sequence[Mapping[str, float | None]]) -> bool:
    """Whether the learning rates in the journal are not those that the config gives."""
    steps_per_epoch = int(rows[0]["step"] or 0) if rows else 0
    schedule = build_schedule(experiment.schedule, experiment.optimizer.lr, steps_per_epoch, experiment.epochs)
    for row in rows:
        loss = row["train_loss"] if row.get("validation_loss") is None else row["validation_loss"]
        assert row["step"] is not None
        assert loss is not None
        if schedule.rate(max(int(row["step"]) - 1, 0)) != row["lr"]:
            return True
        schedule.epoch_ended(loss)
    return False


def _recorded(run: RunDirectory, epoch: int) -> dict[str, float]:
    """What the journal says of the validation split in this epoch, every bit of it."""
    row = next((row for row in read_metrics(run) if row.get("epoch") == epoch), {})
    return {name: value for name, value in row.items() if name not in NOT_MEASURED and value is not None}


def _measure_again(trained: Trained, recorded: dict[str, float]) -> list[str]:
    """The numbers that come out otherwise."""
    again = evaluate(trained, split="validation")
    measured = {"validation_loss": again.loss, **again.metrics}
    return [
        f"{name} is {measured[name]!r}, recorded was {value!r}"
        for name, value in recorded.items()
        if repr(measured[name]) != repr(value)
    ]
