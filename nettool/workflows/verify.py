"""nettool verify: is a run what it was when it ended, and does this machine give its numbers again, to the bit?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from nettool.config.load import load
from nettool.config.write import to_plain
from nettool.data.fingerprints import fingerprint_of
from nettool.data.reading import resolve
from nettool.errors import ConfigError, NettoolError, RunError
from nettool.runs import checkpoint
from nettool.runs.directory import RunDirectory, find_run
from nettool.runs.journal import read_metrics, read_record
from nettool.workflows import machine
from nettool.workflows.evaluate import evaluate
from nettool.workflows.findings import Finding
from nettool.workflows.trained import Trained, load_trained

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
    yield from _checkpoints(run)
    try:
        trained = load_trained(run.path, overrides)
        yield _config(run)
        yield _journal(run, trained)
    except NettoolError as error:
        yield Finding("network", str(error), fine=False)
        return
    data = _data(trained)
    yield data
    if data.fine:
        yield from _numbers(trained, run, record)


def _record(run: RunDirectory) -> tuple[dict[str, Any], Finding]:
    try:
        record = read_record(run)
    except RunError as error:
        return {}, Finding("run.json", str(error), fine=False)
    status = str(record.get("status"))
    hint = ", or was killed: nettool train --resume" if status == "running" else ""
    return record, Finding("run.json", f"{status}{hint}")


def _checkpoints(run: RunDirectory) -> Iterator[Finding]:
    """The checksum of every checkpoint. A run that ended before its first epoch has none."""
    for path in (run.best, run.last, run.previous):
        if path.exists():
            try:
                checkpoint.load(path)
                yield Finding(path.name, "whole: its checksum matches")
            except RunError as error:
                yield Finding(path.name, str(error), fine=False)


def _config(run: RunDirectory) -> Finding:
    """Whether the config beside the weights says what the weights say."""
    try:
        written = to_plain(load(run.config).experiment)
    except ConfigError as error:
        return Finding("config.yaml", " ".join(str(error).split()), fine=False)
    _, facts = checkpoint.load(run.best)
    changed = sorted(key for key in written | facts["config"] if written.get(key) != facts["config"].get(key))
    if changed:
        return Finding("config.yaml", f"another than the weights were trained with: {', '.join(changed)}", fine=False)
    return Finding("config.yaml", "the one that the weights were trained with")


def _journal(run: RunDirectory, trained: Trained) -> Finding:
    """Whether the journal holds every epoch once."""
    epochs = [int(row["epoch"] or 0) for row in read_metrics(run)]
    first = 0 if trained.epoch == 0 else 1
    if epochs != list(range(first, first + len(epochs))) or trained.epoch not in epochs:
        return Finding("metrics.csv", f"epochs are missing or stand there twice ({len(epochs):,} rows)", fine=False)
    return Finding("metrics.csv", f"{len(epochs):,} epochs, each once")


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
    elsewhere = dict.fromkeys(
        difference for stay in stays for difference in machine.differences(stay, trained.device, trained.threads)
    )
    why = f"the run was made with {', '.join(elsewhere)}" if elsewhere else ""
    recorded = _recorded(run, trained.epoch)
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
    else:
        yield Finding("this machine", "has its versions, processor and threads: trained again, the same bits")


def _recorded(run: RunDirectory, epoch: int) -> dict[str, float]:
    """What the journal says of the validation split in this epoch, every bit of it."""
    (row,) = (row for row in read_metrics(run) if row["epoch"] == epoch)
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
