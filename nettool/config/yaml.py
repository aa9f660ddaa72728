"""Text to a tree in which every value knows its line and column; YAML 1.2 scalars, and nothing that executes.

Built on PyYAML's events, so that tags, aliases, duplicate keys, depth and size are judged while parsing, before
anything is built. What a text may hold is stated in nettool.limits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from nettool.errors import ConfigError, Mistake
from nettool.limits import MAX_CONFIG_BYTES, MAX_CONFIG_DEPTH, MAX_CONFIG_VALUES, MAX_DIGITS

TOO_LARGE = f"is larger than {MAX_CONFIG_BYTES:,} bytes; is this a config?"

Scalar = None | bool | int | float | str

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INF = re.compile(r"[-+]?\.(inf|Inf|INF)")
_NAN = frozenset({".nan", ".NaN", ".NAN"})


@dataclass(frozen=True)
class Place:
    """Where a value was written: a file's line and column (from 1), or an override (line 0)."""

    source: str
    line: int = 0
    column: int = 0
    folder: Path = field(default_factory=Path.cwd)
    """What paths at this place are relative to."""

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source


@dataclass(frozen=True)
class Node:
    """One value of the tree: a scalar, a list of nodes, or a mapping of text to nodes."""

    value: Scalar | list[Node] | dict[str, Node]
    place: Place
    key_place: Place | None = None

    @property
    def shown_place(self) -> Place:
        """Where messages point: at the key, where there is one."""
        return self.key_place or self.place

    def plain(self) -> Any:
        """The same as plain Python values, lists as tuples."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return tuple(node.plain() for node in self.value)
        return self.value


def resolve_scalar(text: str) -> Scalar:
    """What a plain (unquoted) scalar means by the core schema of YAML 1.2. Raises ValueError for absurd numbers."""
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _INT.fullmatch(text) or _OCTAL.fullmatch(text) or _HEX.fullmatch(text):
        if len(text.lstrip("+-")) > MAX_DIGITS:
            raise ValueError(f"a number of {len(text.lstrip('+-')):,} digits; at most {MAX_DIGITS} are read.")
        return int(text) if _INT.fullmatch(text) else int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _INF.fullmatch(text):
        return float(text.replace(".", ""))
    if text in _NAN:
        return float("nan")
    return text


def parse(text: str, place: Place) -> Node:
    """Read one YAML document. `place` names the source and the folder of relative paths.

    Raises ConfigError with every mistake found: one for a syntax error, all for duplicate keys, tags and aliases.
    """
    try:
        num_bytes = len(text.encode())
    except UnicodeEncodeError:
        raise ConfigError([Mistake((), "holds bytes that are not UTF-8 text.", str(place))]) from None
    if num_bytes > MAX_CONFIG_BYTES:
        raise ConfigError([Mistake((), TOO_LARGE, str(place))])
    parser = _Parser(place)
    try:
        node = parser.document(yaml.parse(text, Loader=_LOADER))
    except yaml.YAMLError as error:
        raise ConfigError([*parser.mistakes, _syntax_mistake(error, text, place)]) from None
    if parser.mistakes:
        raise ConfigError(parser.mistakes)
    return node


class _Parser:
    """Builds nodes from events and collects the mistakes that do not keep the rest from being read."""

    def __init__(self, place: Place) -> None:
        self.origin = place
        self.mistakes: list[Mistake] = []
        self.num_nodes = 0

    def document(self, events: Iterator[yaml.Event]) -> Node:
        """The only document of the stream."""
        node = Node(None, replace(self.origin, line=1, column=1) if self.origin.line else self.origin)
        num_documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                num_documents += 1
                if num_documents > 1:
                    self.mistake(event, "a second document begins here (`---`); a config is one document.")
                    break
            elif isinstance(event, yaml.NodeEvent):
                node = self.node(event, events, depth=1)
        return node

    def place(self, event: yaml.Event) -> Place:
        mark = event.start_mark
        if not self.origin.line or mark is None:
            return self.origin
        return Place(self.origin.source, mark.line + 1, mark.column + 1, self.origin.folder)

    def mistake(self, event: yaml.Event, text: str) -> None:
        self.mistakes.append(Mistake((), text, str(self.place(event))))

    def fatal(self, event: yaml.Event, text: str) -> ConfigError:
        self.mistake(event, text)
        return ConfigError(self.mistakes)

    def node(self, event: yaml.Event, events: Iterator[yaml.Event], depth: int) -> Node:
        self.num_nodes += 1
        if self.num_nodes > MAX_CONFIG_VALUES:
            raise self.fatal(event, f"more than {MAX_CONFIG_VALUES:,} values; numbers belong in a data file.")
        if depth > MAX_CONFIG_DEPTH:
            raise self.fatal(event, f"nested more than {MAX_CONFIG_DEPTH} levels deep.")
        place = self.place(event)
        if isinstance(event, yaml.AliasEvent):
            self.mistake(event, "aliases (`*name`) are not read; write the value out.")
            return Node(None, place)
        self.refuse_decoration(event)
        if isinstance(event, yaml.SequenceStartEvent):
            return Node(self.sequence(events, depth), place)
        if isinstance(event, yaml.MappingStartEvent):
            return Node(self.mapping(events, depth), place)
        assert isinstance(event, yaml.ScalarEvent)
        return Node(self.scalar(event), place)

    def refuse_decoration(self, event: Any) -> None:
        if event.anchor is not None:
            self.mistake(event, "anchors (`&name`) are not read; write the value out where it is needed.")
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            self.mistake(event, f"tags (`{tag}`) are not read; a config is plain data.")

    def scalar(self, event: yaml.ScalarEvent) -> Scalar:
        is_plain, _ = event.implicit
        if not is_plain:
            return str(event.value)
        try:
            return resolve_scalar(event.value)
        except ValueError as error:
            self.mistake(event, str(error))
            return None

    def sequence(self, events: Iterator[yaml.Event], depth: int) -> list[Node]:
        items = []
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            items.append(self.node(event, events, depth + 1))
        return items

    def mapping(self, events: Iterator[yaml.Event], depth: int) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            if not isinstance(event, yaml.ScalarEvent):
                raise self.fatal(event, "a key must be a plain word.")
            self.refuse_decoration(event)
            value = self.node(next(events), events, depth + 1)
            if event.value in entries:
                first = entries[event.value].shown_place
                where = f" (first in line {first.line})" if first.line else ""
                self.mistake(event, f"{event.value}: this key is written twice{where}; keep one.")
            else:
                entries[event.value] = Node(value.value, value.place, self.place(event))
        return entries


def _syntax_mistake(error: yaml.YAMLError, text: str, place: Place) -> Mistake:
    """The parser's complaint with its place, and the usual cause where the line shows it."""
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "cannot be read as YAML"
    cure = ""
    mark = _mark_of(error)
    if mark is not None:
        cure = _cure(str(problem), text.splitlines(), mark.line, mark.column)
        if place.line:
            place = replace(place, line=mark.line + 1, column=mark.column + 1)
    elif place.line and isinstance(error, yaml.reader.ReaderError):
        before = text.encode()[: error.position].decode(errors="ignore")
        place = replace(place, line=before.count("\n") + 1, column=len(before) - before.rfind("\n"))
    return Mistake((), f"not valid YAML: {problem}.{cure}", str(place))


def _mark_of(error: yaml.YAMLError) -> Any:
    """Where the mistake is: where the parser stumbled, or where a quote or bracket that never ends was opened."""
    problem, context = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
    if problem is None or context is None or context.line == problem.line:
        return problem
    opened = ("quoted scalar", "simple key", "flow sequence", "flow mapping")
    return context if str(getattr(error, "context", "")).endswith(opened) else problem


def _cure(problem: str, lines: list[str], line: int, column: int) -> str:
    here = lines[line] if line < len(lines) else ""
    around = [*lines[max(line - 1, 0) : line], here]
    if any("\t" in line[: len(line) - len(line.lstrip())] for line in around):
        return " Indent with spaces, not with a tab."
    if "escape character" in problem or "hexdecimal" in problem:
        return " In double quotes a backslash begins a code: use single quotes, or `/` in paths."
    if "cannot start any token" in problem:
        return f" Put text that begins with `{here[column : column + 1]}` in quotes."
    if "mapping values" in problem and here.count(": ") > 1:
        return " Put text that holds a colon and a space in quotes, or begin a new line."
    if any(re.match(r"\s*(- )?[\w.]+:[^\s/]", line) for line in around):
        return " A space is needed after the colon: `key: value`."
    if here.count("{") != here.count("}") or here.count("[") != here.count("]"):
        return " A bracket or brace is not closed."
    if "expected ','" in problem:
        return " Put a comma between two items."
    if here.count('"') % 2 or here.count("'") % 2:
        return " A quote is not closed."
    return " Check that lines which belong together are indented by the same number of spaces."
