"""nettool init NAME: the example configs, copied with their data to where the user works."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nettool.config.hints import nearest
from nettool.config.load import load
from nettool.config.yaml import Place, parse
from nettool.errors import UsageError
from nettool.runs import durable


@dataclass(frozen=True)
class Template:
    """An example config. summary: the first sentence of its comment."""

    name: str
    path: Path
    summary: str


def templates_folder() -> Path:
    """Where the examples are: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "templates"
    return installed if installed.is_dir() else package.parent / "configs"


def list_templates() -> list[Template]:
    """Every example config, by name."""
    templates = []
    for path in sorted(templates_folder().glob("*.yaml")):
        lines = path.read_text(encoding="utf-8").splitlines()
        comment = " ".join(line.lstrip("# ") for line in itertools.takewhile(lambda line: line.startswith("#"), lines))
        sentence = re.split(r"(?<=[.?!])(?<! al\.) ", comment)[0]  # et al. ends no sentence
        templates.append(Template(path.stem, path, sentence.removeprefix(path.name).lstrip(": ")))
    return templates


def copy_template(name: str, folder: Path) -> list[Path]:
    """Copy an example, its bases and its data into `folder`; return the paths written, not those that were there.

    Raises UsageError for an unknown name, and where a file with other content is in the way: nothing is written then.
    """
    templates = {template.name: template for template in list_templates()}
    if name not in templates:
        hint = nearest(name, templates) or f" There are {', '.join(templates)}."
        raise UsageError(f'there is no template "{name}", and no table of that name.{hint}')
    root = templates_folder()
    sources = [*_with_bases(templates[name].path)]
    for source in list(sources):
        data = load(source).experiment.data
        for path in data.files.values():
            sources += sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    targets = {source: folder / source.relative_to(root.resolve()) for source in dict.fromkeys(sources)}
    for source, target in targets.items():
        if target.exists() and target.read_bytes() != source.read_bytes():
            raise UsageError(f"{target} is there already, with other content. Rename it, or work in another folder.")
    missing = {source: target for source, target in targets.items() if not target.exists()}
    for source, target in missing.items():
        durable.make_folders(target.parent)
        durable.write_file(target, source.read_bytes())
    return list(missing.values())


def _with_bases(path: Path) -> Iterator[Path]:
    """A config and those that it builds on."""
    yield path.resolve()
    root = parse(path.read_text(encoding="utf-8"), Place(str(path), line=1, column=1))
    assert isinstance(root.value, dict)
    if "base" in root.value:
        yield from _with_bases(path.parent / str(root.value["base"].value))
