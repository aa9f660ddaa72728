"""The page of one run."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from nettool.errors import RunError
from nettool.runs.directory import ROOT, RunDirectory
from nettool.workflows.diagnosis.diagnose import Looked, examine
from nettool.workflows.generate import generate
from nettool.workflows.pictures.mistakes import worst_of
from nettool.workflows.pictures.subject import Subject, Unsuitable, Wishes
from nettool.workflows.report.blocks import (
    Block,
    Code,
    Commands,
    Facts,
    Finding,
    Gallery,
    Page,
    Section,
    Text,
    duration,
    moment,
    whole,
)
from nettool.workflows.report.colours import Token, yaml_tokens
from nettool.workflows.report.gathered import Gathered, gather
from nettool.workflows.report.pictures import AS_A_TABLE
from nettool.workflows.report.story import Judged, answer_of, ending_of, status_of
from nettool.workflows.report.tables import (
    checks_table,
    epochs_table,
    metrics_table,
    mistakes_table,
    network_table,
    parts_table,
    recorded_table,
)
from nettool.workflows.report.use import an_example, commands, made_with, shown_path, title_of
from nettool.workflows.words import capitalised, plural

LONG_CONFIG = 60
"""Lines of a config that is folded."""
MOST_MISTAKEN_COLUMNS = 8
WRITTEN = 400
"""Characters of what a network writes that was trained on a text."""


def run_page(run: RunDirectory, wishes: Wishes, overrides: Sequence[str] = ()) -> Page:
    """Everything about a run. overrides: where its data is now, `data.path=...`.

    What cannot be had is left out, and named in `missing`. Raises UsageError for a split that the data have not, and
    for another override.
    """
    run = RunDirectory(run.path.resolve())
    found = gather(run, Subject(run, wishes, overrides))
    sections = [
        Section("diagnosis", "What is the matter", _diagnosis(found)),
        Section("asked", "What was asked", _asked(found)),
        Section("happened", "What happened", _happened(found)),
        Section("quality", "How good it is", _quality(found)),
        Section("mistakes", "What it writes" if found.is_of_text else "Where it is wrong", _mistakes(found)),
        Section("inside", "What goes on inside", _gallery(found, "inside")),
        Section("use", "How to use it, and get it again", _use(found)),
    ]
    status, tone = status_of(found.record)
    return Page(
        title_of(run.path),
        shown_path(run.path),
        status,
        tone,
        ending_of(found.record, len(found.rows)),
        _answer(found),
        _in_short(found),
        [section for section in sections if section.blocks],
        found.missing.sentences,
    )


def _answer(found: Gathered) -> str:
    evaluation, trained, record = found.evaluation, found.trained, found.record
    if evaluation is not None and trained is not None:
        examples = found.subject.examples
        return answer_of(
            Judged(
                evaluation.metrics,
                evaluation.baseline,
                evaluation.data,
                evaluation.num_examples,
                trained.target,
                is_series=examples.naive is not None,
                is_weighted=examples.weights is not None,
            )
        )
    target = None if trained is None else trained.target
    return answer_of(Judged(record.get("metrics", {}), record.get("baseline", {}), "validation", target=target))


def _in_short(found: Gathered) -> list[tuple[str, str]]:
    record, facts = found.record, []
    if record.get("started"):
        facts.append(("trained", moment(str(record["started"]))))
    if isinstance(record.get("seconds"), float | int):
        facts.append(("took", duration(record["seconds"])))
    if found.rows:
        facts.append(("epochs", f"{int(found.rows[-1]['epoch'] or 0):,}"))
    if (best := whole(record, "best_epoch")) is not None:
        facts.append(("best epoch", f"{best:,}"))
    if found.plan is not None:
        facts.append(("parameters", f"{found.plan.num_parameters:,}"))
    if found.evaluation is not None:
        facts.append((f"{found.evaluation.data} examples", f"{found.evaluation.num_examples:,}"))
    return facts


# --- the sections ------------------------------------------------------------------------------------------


def _gallery(found: Gathered, section: str) -> list[Block]:
    pictures = found.gallery_of.get(section)
    return [Gallery(pictures)] if pictures else []


def _diagnosis(found: Gathered) -> list[Block]:
    looked: list[Looked] = []
    with found.missing.noting("what may be the matter"):
        looked += examine(found.subject)
    verdicts = [each.verdict for each in looked if each.verdict is not None]
    blocks: list[Block] = [
        Finding(each.name, each.text, each.evidence, yaml_tokens(each.cure.strip("\n"))) for each in verdicts
    ]
    told = sum(each.is_told for each in looked)
    if not verdicts and told:
        rest = "" if told == len(looked) else f" {len(looked) - told} more cannot be told."
        blocks.append(Text(f"Nothing: {plural(told, 'check')} found all well.{rest}", "plain" if rest else "good"))
    return [*blocks, checks_table(looked)] if looked else blocks


def _asked(found: Gathered) -> list[Block]:
    blocks: list[Block] = []
    if found.record["overrides"]:
        blocks.append(
            Facts(
                [("changed on the command line", " ".join(map(shlex.quote, found.record["overrides"])))], is_code=True
            )
        )
    with found.missing.noting("the config"):
        text = _text_of(found.run.config)
        long = text.count("\n") > LONG_CONFIG
        blocks.append(
            Code("config.yaml: complete, every default filled in", yaml_tokens(text), "config.yaml" if long else "")
        )
    if found.plan is not None:
        blocks.append(network_table(found.plan))
    return blocks + _gallery(found, "asked")


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").rstrip("\n")
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror}.") from None


def _happened(found: Gathered) -> list[Block]:
    blocks = _gallery(found, "happened")
    if found.rows:
        blocks.append(epochs_table(found.rows, whole(found.record, "best_epoch")))
    return blocks


def _quality(found: Gathered) -> list[Block]:
    blocks: list[Block] = []
    if found.evaluation is not None:
        blocks.append(metrics_table(found.evaluation))
        if found.evaluation.parts:
            blocks.append(parts_table(found.evaluation.parts))
    elif found.record.get("metrics"):
        blocks.append(recorded_table(found.record["metrics"], found.record.get("baseline", {})))
    return blocks + _gallery(found, "quality")


def _mistakes(found: Gathered) -> list[Block]:
    trained = found.trained
    if trained is None:
        return []
    if found.is_of_text:
        with found.missing.noting("what it writes"):
            written = "".join(generate(trained, "", WRITTEN, temperature=1.0, seed=0))
            return [Code(f"What it writes by itself: {WRITTEN} tokens, seed 0", [Token(written)], is_prose=True)]
        return []
    with found.missing.noting(AS_A_TABLE):
        try:
            return [mistakes_table(worst_of(found.subject, MOST_MISTAKEN_COLUMNS))]
        except Unsuitable as error:
            return [Text(capitalised(str(error).removeprefix(f"{AS_A_TABLE}: ")), "good")]
    return []


def _use(found: Gathered) -> list[Block]:
    files = found.experiment.data.files if found.experiment else {}
    path = shown_path(found.run.path)
    where = "" if Path(path).is_absolute() else f" Type them in the folder that holds {ROOT}/."
    example: dict[str, str] = {}
    if found.trained is not None and found.evaluation is not None:
        example = an_example(found.subject)
    return [
        Text(f"The commands for this run.{where}"),
        Commands(commands(found.run, found.record, found.trained, example)),
        Facts(made_with(found.record, files), is_code=True),
    ]
