"""The page of several runs, or of a sweep."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from nettool.config.load import load
from nettool.runs.directory import RunDirectory
from nettool.runs.journal import read_record
from nettool.workflows.compare import Compared, Comparison
from nettool.workflows.pictures.comparison import figures
from nettool.workflows.report.blocks import (
    MOST_OPEN,
    MOST_ROWS,
    Block,
    Cell,
    Code,
    Commands,
    Facts,
    Gallery,
    Page,
    Picture,
    Section,
    Table,
    Text,
    counted,
    duration,
    isolated,
    measured,
    moment,
    number,
    word,
)
from nettool.workflows.report.colours import yaml_tokens
from nettool.workflows.report.missing import Missing
from nettool.workflows.report.pictures import as_picture
from nettool.workflows.report.story import TONES
from nettool.workflows.report.use import made_with, shown_path, title_of
from nettool.workflows.sweeps.results import verdict
from nettool.workflows.words import as_typed, capitalised, listed, plural

MOST_NAMED = 6
"""Runs that are called by their names in the heading."""


def comparison_page(found: Comparison, folder: Path) -> Page:
    """Runs beside each other, the best first. folder: where the page will be; links lead from there."""
    missing = Missing({})
    best = found.runs[0] if _value(found, found.runs[0]) is not None else None
    sections = [
        Section("best", "Which is the best", _best(found, best)),
        Section("runs", "All of them", [_table(found, best, folder)]),
        Section("pictures", "Side by side", _pictures(found, missing)),
        Section("use", "How to use the best, and get it again", _use(best, missing) if best else []),
    ]
    title, status, why = _heading(found)
    return Page(
        title,
        "" if found.sweep is None else shown_path(found.sweep[0].path),
        status,
        "bad" if found.sweep is None else TONES.get(status, "bad"),
        why,
        _answer(found, best),
        _in_short(found),
        [section for section in sections if section.blocks],
        missing.sentences,
    )


def _value(found: Comparison, run: Compared) -> float | None:
    return run.metrics.get(found.monitor)


def _heading(found: Comparison) -> tuple[str, str, str]:
    """The title, the status of a sweep, and why it has it."""
    if found.sweep is None:
        names = [title_of(each.run.path) for each in found.runs]
        told = listed(sorted(names)) if len(names) <= MOST_NAMED else f"{', '.join(sorted(names)[:MOST_NAMED])}, ..."
        return plural(len(names), "run"), "", told
    directory, record, _ = found.sweep
    done = f"{len(found.runs):,} of {plural(len(record.points), 'point')}"
    keys = listed(axis.key for axis in record.axes)
    return directory.path.resolve().name, record.status, f"{done}: {keys} varied. {record.why}".strip()


def _answer(found: Comparison, best: Compared | None) -> str:
    if best is None:
        return f"None of them has measured {found.monitor} yet."
    name = title_of(best.run.path) if found.sweep is None else f"point {best.run.path.name}"
    told = f"The best by {found.monitor.replace('_', ' ')} is {isolated(name)} with {number(_value(found, best))}"
    settings = ", ".join(
        f"{key}={isolated(as_typed(value))}" for key, value in best.settings.items() if value is not None
    )
    others = [value for each in found.runs if (value := _value(found, each)) is not None]
    rest = f"; the worst has {number(others[-1])}" if len(others) > 1 else ""
    return f"{told}{f' ({settings})' if settings else ''}{rest}."


def _in_short(found: Comparison) -> list[tuple[str, str]]:
    facts = []
    if found.sweep is not None:
        record = found.sweep[1]
        facts = [("begun", moment(record.started)), ("took", duration(record.seconds))]
    statuses = [str(each.record["status"]) for each in found.runs]
    return [*facts, *((status, f"{statuses.count(status):,}") for status in dict.fromkeys(statuses))]


def _best(found: Comparison, best: Compared | None) -> list[Block]:
    note = found.note.removeprefix("note: ")
    blocks: list[Block] = [Text(capitalised(note), "warn")] if note else []
    if found.sweep is None:
        if not found.keys:
            return [*blocks, Text("Their configs are the same, apart from their names.")]
        return [*blocks, Text(f"They differ in {listed(isolated(key) for key in found.keys)}.")]
    settings = found.sweep[2]
    said = verdict(settings, found.monitor)
    blocks += [Text(said)] if said else []
    if not any(setting.deviation is not None for setting in settings):
        return blocks
    keys = list(settings[0].settings)
    others = [name for name in found.metrics if name != found.monitor]
    rows = [
        (
            *(word(setting.settings[key]) for key in keys),
            measured(setting.mean), measured(setting.deviation), counted(len(setting.points)),
            *(measured(setting.metrics.get(name)) for name in others), Cell(setting.status),
        )
        for setting in settings
    ]  # fmt: skip
    monitor = found.monitor.replace("_", " ")
    headers = (*keys, monitor, "± (deviation)", "runs", *(name.replace("_", " ") for name in others), "status")
    caption = "Each setting, averaged over seeds and folds, the best first"
    return [*blocks, Table(caption, headers, rows[:MOST_ROWS], best=0 if settings[0].is_whole else None)]


def _table(found: Comparison, best: Compared | None, folder: Path) -> Table:
    names = [found.monitor, *(name for name in found.metrics if name != found.monitor)]
    rows = []
    for each in found.runs[:MOST_ROWS]:
        told = [word(_setting(each, key)) for key in found.keys]
        record = each.record
        rows.append(
            (
                _link(each.run, folder, found.sweep is not None), *told,
                *(measured(each.metrics.get(name)) for name in names),
                counted(_numeric(record, "epochs")), counted(_numeric(record, "best_epoch")),
                measured(_numeric(record, "seconds")), Cell(str(record["status"])),
            )
        )  # fmt: skip
    headers = (
        "run",
        *found.keys,
        *(name.replace("_", " ") for name in names),
        "epochs",
        "best epoch",
        "seconds",
        "status",
    )
    return Table(
        f"The best by {found.monitor.replace('_', ' ')} first; metrics are those of the best epoch",
        headers,
        rows,
        best=0 if best is not None else None,
        note=f"The first {MOST_ROWS:,} of {len(found.runs):,}." if len(found.runs) > MOST_ROWS else "",
        folded=f"All {len(rows):,} runs" if len(rows) > 2 * MOST_OPEN else "",
    )


def _setting(each: Compared, key: str) -> str:
    value = each.settings.get(key)
    return "" if value is None else as_typed(value)


def _link(run: RunDirectory, folder: Path, in_sweep: bool) -> Cell:
    """The run's path, of a point of the sweep its name in it; and a way to its own report where it has one."""
    report = run.path.resolve() / "report.html"
    href = quote(os.path.relpath(report, folder.resolve())) if report.is_file() else ""
    return Cell(run.path.name if in_sweep else shown_path(run.path), href=href, is_code=True)


def _numeric(record: Mapping[str, Any], key: str) -> float | None:
    value = record.get(key)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _pictures(found: Comparison, missing: Missing) -> list[Block]:
    pictures: list[Picture] = []
    with missing.noting("the pictures"):
        for name, figure in figures(found):
            monitor = found.monitor.replace("_", " ")
            if name == "curves":
                told = f"{monitor} of {plural(len(found.runs), 'run')} by epoch"
                pictures.append(as_picture(name, "a line for each run, in the order of what it reached", figure, told))
            else:
                pictures.append(as_picture(f"{monitor} {name}", f"{monitor} against what was varied", figure))
    return [Gallery(pictures)] if pictures else []


def _use(best: Compared, missing: Missing) -> list[Block]:
    name = shlex.quote(shown_path(best.run.path))
    rows = [
        (f"nettool report {name}", "all about the best of them"),
        (f"nettool eval {name}", "measure it on the test split, beside the baseline"),
        (f"nettool train {name}/config.yaml", "train it again"),
    ]
    blocks: list[Block] = [Commands(rows)]
    with missing.noting("the config of the best"):
        text = best.run.config.read_text(encoding="utf-8", errors="replace").rstrip("\n")
        blocks.append(Code(f"The config of {title_of(best.run.path)}", yaml_tokens(text), "Its config, complete"))
    with missing.noting("the record of the best"):
        blocks.append(
            Facts(made_with(read_record(best.run), load(best.run.config).experiment.data.files), is_code=True)
        )
    return blocks
