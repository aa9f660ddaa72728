"""README and docs/: the reference is what the code says, links lead somewhere, and commands and configs are real."""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer
from nettool_cli.main import app

import nettool
from nettool.config.load import load
from nettool.config.shorthand import expand, fill_names
from nettool.config.yaml import Place, parse
from nettool.errors import ConfigError, Mistake
from nettool.training.metrics import METRICS

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
WRITTEN_BY_HAND = [page for page in PAGES if page.parent.name != "reference"]
COMMANDS = typer.main.get_command(app)

ids = {"ids": lambda page: str(page.relative_to(ROOT))}


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    """docs/generate.py, which is no part of a package."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- the reference -------------------------------------------------------------------------------------------


def test_reference_is_what_the_code_says(generate: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "50")  # it must not depend on the terminal
    generate.write(tmp_path)
    folder = ROOT / "docs" / "reference"
    assert {page.name for page in folder.iterdir()} == {page.name for page in tmp_path.iterdir()}
    for page in tmp_path.iterdir():
        is_stale = page.read_bytes() != (folder / page.name).read_bytes()
        assert not is_stale, f"docs/reference/{page.name} is not what the code says. Run `make docs`."


def test_every_metric_has_a_text(generate: ModuleType) -> None:
    assert list(generate.METRIC_TEXTS) == list(METRICS)


def test_shorthand_is_short_for_what_the_reference_says(generate: ModuleType) -> None:
    for short, full in generate.SHORTHAND:
        assert in_full(short) == in_full(full), f"{short} is not short for {full}"


def in_full(text: str) -> Any:
    mistakes: list[Mistake] = []
    tree = fill_names(expand(parse(text, Place("config.yaml", line=1, column=1)), mistakes)).plain()
    assert not mistakes
    return tree


# --- links ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, **ids)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", without_blocks(page)):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), f"{page.name} links to {link}, which is not there"
        if anchor:
            assert anchor in anchors_of(target), f"{page.name} links to {link}, but there is no such heading"


def anchors_of(page: Path) -> set[str]:
    """The fragments that Markdown renderers give the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", without_blocks(page), re.MULTILINE)
    return {re.sub(r"[^\w-]", "", heading.lower().replace(" ", "-")) for heading in headings}


@pytest.mark.parametrize("page", WRITTEN_BY_HAND, **ids)
def test_configs_that_are_named_exist(page: Path) -> None:
    for name in re.findall(r"\bconfigs/[\w./-]+\.\w+", page.read_text(encoding="utf-8")):
        assert (ROOT / name).is_file(), f"{page.name} names {name}, which is not there"


def test_every_page_of_the_guide_is_in_its_index() -> None:
    index = (ROOT / "docs" / "guide" / "README.md").read_text(encoding="utf-8")
    chapters = [page.name for page in (ROOT / "docs" / "guide").iterdir() if page.name != "README.md"]
    assert [name for name in sorted(chapters) if f"({name})" not in index] == []


# --- commands ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", WRITTEN_BY_HAND, **ids)
def test_commands_that_are_shown_are_understood(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for line in shown_commands(page):
        try:
            words = understood(line)
        except Exception as error:
            pytest.fail(f"{page.name} shows `{line}`: {type(error).__name__}: {getattr(error, 'message', error)}")
        if words[:1] in (["train"], ["check"]):
            load_as_shown(page, line, words[1:])


def understood(line: str) -> list[str]:
    """Parse a command line with the command's own parser; return its words after `nettool`."""
    words = shlex.split(line)[1:]
    command: Any = COMMANDS
    rest = list(words)
    while rest and rest[0] in getattr(command, "commands", {}):
        command = command.commands[rest.pop(0)]
    if rest not in (["--help"], ["--version"]):
        assert not hasattr(command, "commands"), f"there is no command {rest[:1]}"
        command.make_context(command.name, rest)
    return words


def load_as_shown(page: Path, line: str, words: list[str]) -> None:
    """A config of the repository is read with the overrides that are shown."""
    config, *overrides = [word for word in words if not word.startswith("-")]
    if config.startswith("configs/") and "$" not in line:
        try:
            load(ROOT / config, [override for override in overrides if "=" in override])
        except ConfigError as error:
            pytest.fail(f"{page.name} shows `{line}`: {error}")


@pytest.mark.parametrize("page", WRITTEN_BY_HAND, **ids)
def test_commands_in_the_text_exist(page: Path) -> None:
    for span in re.findall(r"`(nettool [^`]+)`", without_blocks(page)):
        command: Any = COMMANDS
        for word in span.split()[1:]:
            if word in getattr(command, "commands", {}):
                command = command.commands[word]
            elif word.startswith("--"):
                known = [option for parameter in command.params for option in parameter.opts]
                assert word.split("=")[0] in [*known, "--help"], f"{page.name}: `{span}` has no {word}"
            else:
                known = sorted(getattr(command, "commands", {}))
                assert not known or word.isupper(), f"{page.name}: `{span}`: there is no {word}"


def shown_commands(page: Path) -> Iterator[str]:
    """The nettool commands of console and shell blocks, without what the shell does around them."""
    for language, block in blocks(page):
        if language == "console":
            lines = [
                line.removeprefix("$ ") for line in block.replace("\\\n", "").splitlines() if line.startswith("$ ")
            ]
        elif language in ("bash", "sh"):
            lines = block.replace("\\\n", "").splitlines()
        else:
            continue
        for line in lines:
            yield from re.findall(r"""(?<![\w./-])nettool (?:'[^']*'|"[^"]*"|[^|;&>)#'"])+""", line)


# --- code ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", WRITTEN_BY_HAND, **ids)
def test_yaml_blocks_are_yaml_and_those_that_name_a_config_are_its_text(page: Path) -> None:
    for language, block in blocks(page):
        if language != "yaml":
            continue
        shown = parse(block, Place(str(page), line=1, column=1)).plain()
        name = re.match(r"# (configs/\S+\.yaml)$", block.partition("\n")[0])
        if name:
            text = (ROOT / name[1]).read_text(encoding="utf-8")
            actual = parse(text, Place(name[1], line=1, column=1)).plain()
            assert shown == actual, f"{page.name} does not show {name[1]} as it is"


@pytest.mark.parametrize("page", WRITTEN_BY_HAND, **ids)
def test_python_blocks_compile_and_use_names_that_nettool_has(page: Path) -> None:
    for language, block in blocks(page):
        if language == "python":
            compile(block, str(page), "exec")
            for name in re.findall(r"\bnettool\.(\w+)", block):
                assert name in nettool.__all__, f"{page.name} uses nettool.{name}"


def blocks(page: Path) -> Iterator[tuple[str, str]]:
    """Language and text of each fenced block."""
    yield from re.findall(r"^```(\w*)\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def without_blocks(page: Path) -> str:
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
