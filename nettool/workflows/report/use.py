"""How to use a run, and how to get it again: what to type, and what it was made with."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nettool.config.signature import NextTarget
from nettool.data.columns import used
from nettool.data.encoders import TableEncoder
from nettool.data.image_encoder import ImageEncoder
from nettool.runs.directory import ROOT, RunDirectory
from nettool.runs.sweeps import is_sweep
from nettool.workflows.examples import has_split
from nettool.workflows.pictures.subject import Subject
from nettool.workflows.report.blocks import whole
from nettool.workflows.trained import Trained
from nettool.workflows.words import plural

MOST_VALUES = 8
"""Of an example that is typed."""
RESUMABLE = ("running", "killed", "interrupted", "failed")


def shown_path(path: Path) -> str:
    """What commands call a run or a sweep, wherever they are typed: in the folder that holds runs/, or anywhere."""
    path = path.resolve()
    folders = (path.parent, path.parent.parent) if is_sweep(path.parent) else (path.parent,)
    home = folders[-1]
    return str(path.relative_to(home.parent)) if home.name == ROOT.name else str(path)


def title_of(path: Path) -> str:
    """What a run is called: its folder, and the sweep's where it is a point of one."""
    path = path.resolve()
    return f"{path.parent.name}/{path.name}" if is_sweep(path.parent) else path.name


def commands(
    run: RunDirectory, record: Mapping[str, Any], trained: Trained | None, example: Mapping[str, str]
) -> list[tuple[str, str]]:
    """What to type, and what it does. example: the values of one, where there are few."""
    name = shlex.quote(shown_path(run.path))
    found = []
    if trained is not None:
        split = "test" if has_split(trained.experiment.data, "test") else "validation"
        found = [(f"nettool eval {name}", f"measure it on the {split} split, beside the baseline")]
        found += [(f"nettool {command}", what) for command, what in _to_use(name, trained, example)]
        found.append((f"nettool plot {name}", "draw the pictures of this page as files"))
        found.append((f"nettool verify {name}", "is it whole, and does this machine give its numbers again?"))
    if record["status"] in RESUMABLE:
        found.append((f"nettool train --resume {name}", "go on with it, as if it had never stopped"))
    again = "train it again: the same data, versions, processor and threads give the same bits"
    return [*found, (f"nettool train {name}/config.yaml", again)]


def _to_use(name: str, trained: Trained, example: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if isinstance(trained.target, NextTarget):
        yield f"generate {name} --length 400", "let it write"
    elif isinstance(trained.encoders.features, ImageEncoder):
        yield f"predict {name} images/", "predict for a folder of images, or for one of them"
    else:
        yield f"predict {name} table.csv --output predicted.csv", "predict for a table, whose columns are kept"
        values = " ".join(shlex.quote(f"{column}={value}") for column, value in example.items())
        if values and values.isprintable():
            yield f"predict {name} {values}", "predict for one example"


def an_example(subject: Subject) -> dict[str, str]:
    """The first of the split, as one types it; nothing where it takes more than a line."""
    if subject.table is None or not isinstance(subject.trained.encoders.features, TableEncoder):
        return {}
    names = [column.name for column in used(subject.trained.encoders.columns, "feature")]
    if len(names) > MOST_VALUES:
        return {}
    (row,) = subject.table.select(names).slice(int(subject.examples.rows[0]), 1).to_pylist()
    texts = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in row.items()}
    return {} if None in row.values() or any("=" in name or name.startswith("-") for name in names) else texts


def made_with(record: Mapping[str, Any], data: Mapping[str, Path]) -> list[tuple[str, str]]:
    """What decides the bits of a run, as it was. data: the path of each file, by its key."""
    rows = [("seed", str(record["seed"]))] if "seed" in record else []
    rows += [(name, str(version)) for name, version in record.get("versions", {}).items()]
    named = {"device": "device", "gpu": "GPU", "cpu": "processor", "threads": "threads", "engine": "step engine"}
    rows += [(label, str(record[key])) for key, label in named.items() if record.get(key) is not None]
    if record.get("deterministic") is False:
        rows.append(("kernels", "may differ each time (runtime.deterministic: false)"))
    if record.get("versions"):
        rows.append(("git commit", str(record.get("git_commit") or "none: not trained in a repository")))
    for key, facts in record.get("data", {}).items():
        label = "data" if key == "path" else f"data, {key}"
        rows += [(label, str(data[key]))] if key in data else []
        sizes = [plural(size, what) for what in ("row", "byte") if (size := whole(facts, f"{what}s")) is not None]
        rows += [(f"{label}: size", ", ".join(sizes))] if sizes else []
        rows.append((f"{label}: sha256", str(facts.get("sha256", "not known"))))
    for stay in record.get("resumed", []):
        overrides = " ".join(stay.get("overrides", []))
        rows.append((f"went on in epoch {stay.get('epoch', 0) + 1}", overrides or str(stay.get("at", ""))))
    rows += [(f"tag {key}", value) for key, value in record.get("tags", {}).items()]
    return rows
