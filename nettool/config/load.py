"""A config file and its overrides to an Experiment, or to all their mistakes at once, each with its place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from nettool.config import yaml
from nettool.config.checks import check_experiment
from nettool.config.experiment import Experiment
from nettool.config.explain import explain, label_of, node_at, owner_of
from nettool.config.hints import nearest
from nettool.config.overrides import apply_override
from nettool.config.schema import NAMED_SECTIONS, spec_at
from nettool.config.shorthand import expand, fill_names
from nettool.config.yaml import Node, Place
from nettool.errors import ConfigError, ConfigPath, Mistake, UsageError
from nettool.limits import MAX_BASES, MAX_CONFIG_BYTES

TABLE_SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".npz", ".xlsx", ".gz")
"""Of files that newcomers hand to a command that wants a config."""
PATH_KEYS = ("path", "train", "validation", "test")
"""Keys of `data` that are paths, relative to the file they stand in."""


@dataclass(frozen=True)
class Loaded:
    """An experiment and the text it came from."""

    experiment: Experiment
    root: Node
    overrides: tuple[str, ...] = ()

    def with_rate(self, lr: float) -> Loaded:
        """With this learning rate."""
        return replace(self, experiment=self.experiment.with_rate(lr))

    @contextmanager
    def located(self) -> Iterator[None]:
        """Give the mistakes of a ConfigError raised inside their places in the user's text."""
        try:
            yield
        except ConfigError as error:
            raise ConfigError(_locate(error.mistakes, self.root)) from None


@dataclass(frozen=True)
class Source:
    """A config as it was read, its bases merged and its shorthand expanded, before any override.

    mistakes: found on the way. default_name: what the experiment is called where the config does not say it.
    """

    root: Node
    default_name: str
    mistakes: tuple[Mistake, ...] = ()

    def load(self, overrides: Sequence[str] = ()) -> Loaded:
        """With these overrides, `key.path=value`. Raises ConfigError with every mistake of both."""
        return _finish(self.root, overrides, list(self.mistakes), self.default_name)

    def without(self, key: str) -> Source:
        """Without one of its sections."""
        assert isinstance(self.root.value, dict)
        rest = {name: node for name, node in self.root.value.items() if name != key}
        return replace(self, root=replace(self.root, value=rest))

    def plain(self) -> dict[str, Any]:
        """As nested dicts and lists, its paths absolute, which `source_of_mapping` takes."""
        plain: dict[str, Any] = _absolute_paths(self.root, []).plain()
        return plain


def read_source(path: Path) -> Source:
    """Read a config file. Raises ConfigError for what is no mapping, UsageError where there is no such file."""
    mistakes: list[Mistake] = []
    root = _mapping(_read_with_base(path, mistakes, seen=()))
    return Source(root, _default_name(path), tuple(mistakes))


def source_of_mapping(values: Mapping[str, Any], name: str = "experiment") -> Source:
    """The same of a config given from Python as nested dicts and lists, shorthand allowed."""
    mistakes: list[Mistake] = []
    root = _mapping(expand(_node_of(values, Place(name)), mistakes))
    return Source(root, name, tuple(mistakes))


def load(path: Path, overrides: Sequence[str] = ()) -> Loaded:
    """Read a config file and apply overrides of the form `key.path=value`.

    Raises ConfigError with every mistake of both.
    """
    return read_source(path).load(overrides)


def load_mapping(values: Mapping[str, Any], overrides: Sequence[str] = (), name: str = "experiment") -> Loaded:
    """The same for a config given from Python as nested dicts and lists, shorthand allowed."""
    return source_of_mapping(values, name).load(overrides)


def _finish(root: Node, overrides: Sequence[str], mistakes: list[Mistake], default_name: str) -> Loaded:
    for override in overrides:  # expanded each time: `optimizer=adam optimizer.lr=0.1`
        root = expand(apply_override(root, override, mistakes), mistakes)
    assert isinstance(root.value, dict)
    if "name" not in root.value:
        root = replace(root, value={"name": Node(default_name, root.place), **root.value})
    root = _absolute_paths(fill_names(root), mistakes)
    experiment = None
    try:
        experiment = Experiment.model_validate(root.plain())
    except ValidationError as error:
        found = explain(error, root, _known_keys(root))
        reported = {mistake.path for mistake in mistakes}
        mistakes += [mistake for mistake in found if not _below(mistake.path, reported)]
    mistakes += check_experiment(root.plain(), {mistake.path for mistake in mistakes})
    if mistakes or experiment is None:
        raise ConfigError(_locate(dict.fromkeys(mistakes), root))
    return Loaded(experiment, root, tuple(overrides))


def _mapping(root: Node) -> Node:
    """The tree, if it is a mapping."""
    if isinstance(root.value, dict):
        return root
    what = {type(None): "empty", list: "a list"}.get(type(root.value), f"only `{root.value}`")
    text = f"a config is a mapping of `key: value`, beginning with `data:`; this is {what}."
    raise ConfigError([Mistake((), text, str(root.place))])


def _below(path: ConfigPath, reported: set[ConfigPath]) -> bool:
    return any(path[:length] in reported for length in range(1, len(path) + 1))


def _locate(mistakes: Any, root: Node) -> list[Mistake]:
    located = []
    for mistake in mistakes:
        place = mistake.place or str(node_at(mistake.path, root).shown_place)
        located.append(replace(mistake, place=place, label=mistake.label or label_of(mistake.path, root)))
    return sorted(located, key=_reading_order)


def _reading_order(mistake: Mistake) -> tuple[str, int, int]:
    match = re.fullmatch(r"(.*):(\d+):(\d+)", mistake.place)
    return (match[1], int(match[2]), int(match[3])) if match else (mistake.place, 0, 0)


def _default_name(path: Path) -> str:
    """The file's stem, with what a run's name may not hold replaced."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).strip("-._")[:100] or "experiment"


# --- files and bases ---------------------------------------------------------------------------------------


def read_config_text(path: Path) -> str:
    """The text of a config file; UsageError where there is none, ConfigError where it is no text."""
    if path.suffix.lower() in TABLE_SUFFIXES:
        raise UsageError(
            f"{path} is a table, not a config. Write a config for it first: nettool init {path} --target COLUMN"
        )
    if "=" in path.name and not path.exists():
        raise UsageError(f"{path} is an override; the config comes first, then its overrides.")
    try:
        with path.open("rb") as file:
            content = file.read(MAX_CONFIG_BYTES + 1)
    except FileNotFoundError:
        folder = path.parent if path.parent.is_dir() else Path()
        names = sorted(str(other) for other in folder.glob("*") if other.suffix in (".yaml", ".yml"))
        listed = f" There are {', '.join(names[:8])}." if names else " `nettool init` writes one."
        raise UsageError(f"{path}: no such file.{nearest(str(path), names) or listed}") from None
    except IsADirectoryError:
        raise UsageError(f"{path} is a folder; name the config file in it.") from None
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}.") from None
    if len(content) > MAX_CONFIG_BYTES:
        raise ConfigError([Mistake((), yaml.TOO_LARGE, f"{path}:1:1")])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        text = f"not UTF-8 text (byte {content[error.start]:#04x}); is this a config? Save it as UTF-8."
        raise ConfigError([Mistake((), text, f"{path}:{line}:1")]) from None


def _read_with_base(path: Path, mistakes: list[Mistake], seen: tuple[Path, ...]) -> Node:
    place = Place(str(path), line=1, column=1, folder=path.resolve().parent)
    root = expand(yaml.parse(read_config_text(path), place), mistakes)
    if not isinstance(root.value, dict) or "base" not in root.value:
        return root
    base = root.value["base"]
    if not isinstance(base.value, str) or not base.value or "\0" in base.value:
        raise ConfigError([Mistake(("base",), "must be the path of another config.", str(base.place))])
    base_path = base.place.folder / base.value
    chain = (*seen, path.resolve())
    if base_path.resolve() in chain or len(chain) > MAX_BASES:
        text = f"{base.value} leads back to this file" if base_path.resolve() in chain else "more than 10 bases"
        raise ConfigError([Mistake(("base",), f"{text}.", str(base.place))])
    is_beside = path.parent.resolve() == base.place.folder  # else `path` is a link to a file elsewhere
    try:
        parent = _mapping(_read_with_base(path.parent / base.value if is_beside else base_path, mistakes, chain))
    except UsageError as error:
        raise ConfigError([Mistake(("base",), str(error), str(base.place))]) from None
    rest = {key: node for key, node in root.value.items() if key != "base"}
    return _merge(parent, replace(root, value=rest))


def _merge(base: Node, change: Node, section: str = "") -> Node:
    """`change` over `base`: mappings merge key by key, unless they name different things; the rest is replaced."""
    if not isinstance(base.value, dict) or not isinstance(change.value, dict):
        return change
    merged = dict(base.value)
    name, other = merged.get("name"), change.value.get("name")
    if section in NAMED_SECTIONS and name is not None and other is not None and name.value != other.value:
        return change
    for key, node in change.value.items():
        merged[key] = _merge(merged[key], node, f"{section}.{key}" if section else key) if key in merged else node
    return replace(change, value=merged)


def _absolute_paths(root: Node, mistakes: list[Mistake]) -> Node:
    assert isinstance(root.value, dict)
    data = root.value.get("data")
    if data is None or not isinstance(data.value, dict):
        return root
    entries = dict(data.value)
    for key in PATH_KEYS:
        node = entries.get(key)
        if node is not None and isinstance(node.value, str):
            try:
                path = str((node.place.folder / Path(node.value).expanduser()).resolve())
                entries[key] = replace(node, value=path)
            except (ValueError, RuntimeError) as error:  # a NUL byte, an unknown `~user`, links in a circle
                reason = str(error).rstrip(".")
                mistakes.append(Mistake(("data", key), f"is no path that can be followed: {reason}."))
    return replace(root, value={**root.value, "data": replace(data, value=entries)})


# --- values from Python ---------------------------------------------------------------------------------------


def _node_of(value: Any, place: Place) -> Node:
    """Plain Python values as a tree."""
    if isinstance(value, Mapping):
        return Node({str(key): replace(_node_of(item, place), key_place=place) for key, item in value.items()}, place)
    if isinstance(value, (list, tuple)):
        return Node([_node_of(item, place) for item in value], place)
    if value is None or isinstance(value, (bool, int, float, str)):
        return Node(value, place)
    return Node(str(value), place)


# --- names for "did you mean" ------------------------------------------------------------------------------


def _known_keys(root: Node) -> dict[ConfigPath, Sequence[str]]:
    """The keys that a mapping at each path may hold."""
    known: dict[ConfigPath, Sequence[str]] = {}
    waiting: list[tuple[ConfigPath, Node]] = [((), root)]
    while waiting:
        path, node = waiting.pop()
        if isinstance(node.value, list):
            waiting += [((*path, index), item) for index, item in enumerate(node.value)]
        elif isinstance(node.value, dict):
            waiting += [((*path, key), item) for key, item in node.value.items()]
            spec = spec_at(path, owner_of((*path, "name"), root))
            if spec is not None:
                known[path] = [key for key in spec.model_fields if key != "layer"]
    known[()] = [*known[()], "base"]
    return known
