"""nettool verify: is a run what it was when it ended, and does this machine give its numbers again, to the bit?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from nettool.config.experiment import Experiment
from nettool.config.load import load
from nettool.config.write import to_plain
from nettool.data.fingerprints import fingerprint_of
from nettool.data.reading import resolve
from nettool.errors import ConfigError, DamagedError, NettoolError, RunError
from nettool.runs import checkpoint
from nettool.runs.directory import FORMAT_VERSION, RunDirectory
from nettool.runs.find import find_run
from nettool.runs.journal import read_metrics
from nettool.training.engines import choose_engine
from nettool.training.history import EpochResult, History
from nettool.workflows import machine
from nettool.workflows.done import COMPLETE
from nettool.workflows.evaluate import evaluate
from nettool.workflows.findings import Finding
from nettool.workflows.past_weights import kept_checkpoints
from nettool.workflows.replay import first_stop
from nettool.workflows.resume import StateFacts
from nettool.workflows.rows import columns, epoch_result, journal_row
from nettool.workflows.runs import current_record
from nettool.workflows.trained import BestFacts, Facts, Trained, check_facts, load_trained, stays_of


@dataclass
class _Kept:
    """What the run says of itself: its record, its journal, and, by their names, the facts of whole checkpoints.

    history: of the last checkpoint.
    """

    record: dict[str, Any]
    facts: dict[str, Facts] = field(default_factory=dict)
    history: Tensor | None = None
    rows: list[dict[str, float | None]] = field(default_factory=list)

    @property
    def stays(self) -> list[dict[str, Any]]:
        """All machines that are known of."""
        return stays_of(self.record, *self.facts.values())

    def has(self, epoch: int) -> bool:
        """Whether a row of the journal is this epoch's."""
        return any(row["epoch"] == epoch for row in self.rows)


def verify(argument: Path | None, overrides: Sequence[str] = ()) -> Iterator[Finding]:
    """Look at the files, the data and the numbers of a run, in this order; one finding for each.

    overrides: where the data is now, `data.path=...`. Raises RunError where there is no run.
    """
    run = find_run(argument)
    yield Finding("run", str(run.path))
    record, found = _record(run)
    yield found
    kept = _Kept(record)
    ended = record.get("status") in (*COMPLETE, "interrupted")  # in good order: everything is there
    yield from _checkpoints(run, ended, kept)
    yield from _past(run)
    if not any(path.exists() for path in (run.best, run.last, run.previous)):
        return
    try:
        trained = load_trained(run.path, overrides)
        yield _config(run, trained, kept)
    except NettoolError as error:
        yield Finding("network", str(error), fine=False)
        return
    yield _journal(run, trained, ended, kept)
    if not kept.has(trained.epoch):
        kept.rows = _remembered(trained, kept)
    data = _data(trained)
    yield data
    if data.fine:
        yield from _numbers(trained, kept)


def _record(run: RunDirectory) -> tuple[dict[str, Any], Finding]:
    try:
        record = current_record(run)
    except RunError as error:
        return {}, Finding("run.json", str(error), fine=False)
    hint = f": {record['why']}" if record["status"] == "killed" else ""
    return record, Finding("run.json", f"{record['status']}{hint}")


def _checkpoints(run: RunDirectory, ended: bool, kept: _Kept) -> Iterator[Finding]:
    """Every checkpoint: its checksum, and whether it is of this run. Before the first save there is none."""
    if not ended and not any(path.exists() for path in (run.best, run.last, run.previous)):
        yield Finding("checkpoints", "none was saved yet; nettool train --resume begins the run again")
        return
    for path in (run.best, run.last, run.previous):
        try:
            if path.exists():
                _check_checkpoint(run, path, kept)
                yield Finding(path.name, "whole: its checksum matches")
            elif ended and path != run.previous:
                yield Finding(path.name, "is missing", fine=False)
        except NettoolError as error:
            yield Finding(path.name, str(error), fine=False)


def _past(run: RunDirectory) -> Iterator[Finding]:
    """What was kept of earlier weights, where something was."""
    for path in [run.trace, *(path for _, _, path in kept_checkpoints(run))]:
        if path.exists():
            try:
                checkpoint.read_facts(path)
                yield Finding(path.name, "whole: its checksum matches")
            except NettoolError as error:
                yield Finding(path.name, str(error), fine=False)


def _check_checkpoint(run: RunDirectory, path: Path, kept: _Kept) -> None:
    """Keep what it says. Raises RunError where it is damaged, or of another run."""
    tensors, written = checkpoint.load(path)
    if written["format_version"] < FORMAT_VERSION:
        return  # its facts are other ones
    facts = check_facts(BestFacts if path == run.best else StateFacts, written, path)
    try:
        config = to_plain(load(run.config).experiment)
    except ConfigError:
        config = facts.config  # said in its own line
    changed = _differing(config, facts.config)
    if "name" in changed or "seed" in changed or "layers" in changed:
        raise DamagedError(f"{path} is of another run: it differs in {', '.join(changed)}.")
    kept.facts[path.name] = facts
    if path == run.last:
        kept.history = tensors.get("history")


def _differing(written: dict[str, Any], config: dict[str, Any]) -> list[str]:
    return sorted(key for key in written | config if written.get(key) != config.get(key))


def _config(run: RunDirectory, trained: Trained, kept: _Kept) -> Finding:
    """Whether the config beside the weights says what the weights say."""
    try:
        written = to_plain(load(run.config).experiment)
    except ConfigError as error:
        return Finding("config.yaml", " ".join(str(error).split()), fine=False)
    facts = kept.facts.get(trained.source.name)  # not there, and said so, where they are of another run
    changed = _differing(written, facts.config if facts else checkpoint.read_facts(trained.source)["config"])
    if changed:
        return Finding("config.yaml", f"another than the weights were trained with: {', '.join(changed)}", fine=False)
    return Finding("config.yaml", "the one that the weights were trained with")


def _rows(run: RunDirectory, trained: Trained) -> list[dict[str, float | None]]:
    """The journal. Raises DamagedError for rows that are not those of the config."""
    rows = read_metrics(run)
    names = columns(trained.experiment.metric_names)
    stopping = trained.experiment.early_stopping
    needed = stopping.monitor if stopping else "train_loss"
    if any(tuple(row) != names or row[needed] is None or _gaps(row) != _gaps(rows[0]) for row in rows):
        raise DamagedError(f"{run.metrics} is damaged: its columns are not {', '.join(names)}, or cells are empty.")
    return rows


def _gaps(row: Mapping[str, float | None]) -> list[str]:
    """What is empty: in each row what is measured on a validation split, where there is none."""
    return [name for name, value in row.items() if value is None]


def _journal(run: RunDirectory, trained: Trained, ended: bool, kept: _Kept) -> Finding:
    """Whether the journal holds every epoch once, with the numbers that the checkpoint remembers. Keeps its rows."""
    try:
        rows = kept.rows = _rows(run, trained)
    except NettoolError as error:
        return Finding("metrics.csv", str(error), fine=False)
    epochs = [int(row["epoch"] or 0) for row in rows]
    first = 0 if trained.epoch == 0 else 1
    if epochs != list(range(first, first + len(epochs))) or trained.epoch not in epochs:
        return Finding("metrics.csv", f"epochs are missing or stand there twice ({len(epochs):,} rows)", fine=False)
    known = _remembered(trained, kept)
    if len(rows) < len(known) or (ended and known and len(rows) > len(known)):
        text = f"{len(rows):,} epochs, but last.safetensors remembers {len(known):,}"
        return Finding("metrics.csv", text, fine=False)
    for number, (row, remembered) in enumerate(zip(rows, known, strict=False), first):
        changed = [name for name in row if repr(row[name]) != repr(remembered.get(name))]
        if changed:
            text = f"{', '.join(changed)} of epoch {number:,} is not what last.safetensors remembers"
            return Finding("metrics.csv", text, fine=False)
    return Finding("metrics.csv", f"{len(epochs):,} epochs, each once")


def _remembered(trained: Trained, kept: _Kept) -> list[dict[str, float | None]]:
    """The rows that the last checkpoint remembers; none where it is gone or damaged, which is said in its own line."""
    names = trained.experiment.metric_names
    try:
        results = () if kept.history is None else History.from_tensor(names, kept.history)
        return [_as_read(journal_row(result, names)) for result in results]
    except (ValueError, OverflowError):
        return []


def _as_read(row: Mapping[str, object]) -> dict[str, float | None]:
    """A row of the journal as it is read again."""
    return {name: None if value is None else float(str(value)) for name, value in row.items()}


def _data(trained: Trained) -> Finding:
    """Whether the data is still what it was."""
    spec = trained.experiment.data
    spec = spec if spec.is_stream else resolve(spec)
    for role, path in spec.files.items():
        try:
            found = fingerprint_of(path, spec)["sha256"]
        except NettoolError as error:
            return Finding("data", f"{error} If it was moved: nettool verify RUN data.{role}=...", fine=False)
        known = trained.fingerprint.get(role)
        if known is None or found != known.sha256:
            return Finding("data", f"{path} is no longer what the run was trained on: its sha256 differs", fine=False)
    return Finding("data", "what the run was trained on: its sha256 matches")


def _numbers(trained: Trained, kept: _Kept) -> Iterator[Finding]:
    """The recorded validation metrics, measured again, and whether another training would give the same bits."""
    recorded = _recorded(trained, kept.rows)
    noted = {name: value for name, value in kept.record.get("metrics", {}).items() if value is not None}
    if any(recorded.get(name) != value for name, value in noted.items()):
        yield Finding("metrics", f"run.json has other ones than metrics.csv in epoch {trained.epoch:,}", fine=False)
    if recorded:
        differing = _measure_again(trained, recorded)
        elsewhere = machine.differences(kept.stays, trained.experiment.runtime, trained.device, trained.threads)
        if differing:
            why = f": the run was made with {', '.join(elsewhere)}" if elsewhere else ""
            yield Finding("metrics", f"{'; '.join(differing)}{why}", fine=bool(elsewhere))
        else:
            yield Finding("metrics", f"measured again, {', '.join(recorded)}: the same to the bit")
    elif kept.has(trained.epoch):
        yield Finding("metrics", "there is no validation split to measure again")
    yield _training_again(trained, kept)


def _training_again(trained: Trained, kept: _Kept) -> Finding:
    """Whether its config, trained on this machine, would give the same bits."""
    runtime = trained.experiment.runtime
    sizes = [facts.batch_size for facts in kept.facts.values() if facts.batch_size is not None]
    threads = machine.choose_threads(runtime, trained.plan, sizes[0]) if sizes else trained.threads
    try:
        engine = str(choose_engine(runtime, trained.plan, sizes[0], trained.device)) if sizes else None
    except ConfigError as error:
        return Finding("this machine", f"cannot train the run again: {error}")
    elsewhere = machine.differences(kept.stays, runtime, trained.device, threads, engine)
    if not kept.stays:
        text = "may differ in the last digits if it trains the run again: nothing says any more what it was made with"
    elif elsewhere:
        made = f"the run was made with {', '.join(elsewhere)}"
        text = f"may differ in the last digits if it trains the run again: {made}"
    elif not kept.rows:
        text = "may give other numbers if it trains the run again: nothing says any more which epochs there were"
    elif departure := _departure(trained.experiment, kept):
        text = f"gives other numbers if it trains the run again: {departure}"
    else:
        text = "has its versions, processor, device, threads and engine: to train again would give the same bits"
    return Finding("this machine", text)


def _departure(experiment: Experiment, kept: _Kept) -> str:
    """What was changed while the run went on, so that its config does not give it from the beginning."""
    results: list[EpochResult] = [epoch_result(row, experiment.metric_names) for row in kept.rows]
    spans = {epochs for facts in kept.facts.values() for epochs in facts.spans}
    if spans - {experiment.epochs}:
        return "the run went on to other epochs than it began with, and its schedule spans them all"
    stop = first_stop(experiment, results)
    if stop is not None and stop != results[-1].epoch:
        return f"early_stopping was changed on the way: as it is now, it ends the run with epoch {stop:,}"
    return ""


def _recorded(trained: Trained, rows: Sequence[Mapping[str, float | None]]) -> dict[str, float]:
    """What the journal says of the validation split in the best epoch, every bit of it."""
    row = next((row for row in rows if row.get("epoch") == trained.epoch), {})
    names = ("validation_loss", *trained.experiment.metric_names)
    return {name: value for name in names if (value := row.get(name)) is not None}


def _measure_again(trained: Trained, recorded: dict[str, float]) -> list[str]:
    """The numbers that come out otherwise."""
    again = evaluate(trained, split="validation")
    measured = {"validation_loss": again.loss, **again.metrics}
    return [
        f"{name} is {measured[name]!r}, recorded was {value!r}"
        for name, value in recorded.items()
        if repr(measured[name]) != repr(value)
    ]
