"""YAML in colours: which words of a config are keys, texts, numbers and comments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Colour = Literal["", "key", "text", "number", "comment", "sign"]

_PARTS = re.compile(
    r"""(?P<comment>(?:^|(?<=\s))\#.*)
      | (?P<key>(?:"(?:\\.|[^"\\])*"|'(?:''|[^'])*'
            |[^\s{}\[\],:"'\#&*!|>%@`-][^{}\[\],:\#"']*|-[^\s{}\[\],:\#"']+)(?=:(?:\s|$)))
      | (?P<text>"(?:\\.|[^"\\])*"|'(?:''|[^'])*')
      | (?P<number>(?<![\w.+-])[+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.])
            |(?<![\w.])(?:true|false|null)(?![\w.-]))
      | (?P<sign>[{}\[\],]|:(?=\s|$)|-(?=\s))
      | (?P<plain>[\w./+*-]+|.)""",
    re.VERBOSE,
)


_LONGEST = 2000
"""Characters of a line that is looked at: nobody reads a longer one."""


@dataclass(frozen=True)
class Token:
    """A piece of a text. colour: what it is; "" for what is nothing in particular."""

    text: str
    colour: Colour = ""


def yaml_tokens(text: str) -> list[Token]:
    """The text in pieces, which are together what it was."""
    lines = text.split("\n")
    found = [token for line in lines[:-1] for token in (*_of_line(line), Token("\n"))]
    return _joined([*found, *_of_line(lines[-1])])


def _of_line(line: str) -> Iterator[Token]:
    if len(line) > _LONGEST:
        yield Token(line)
        return
    for match in _PARTS.finditer(line):
        colour = match.lastgroup
        yield Token(match[0], "" if colour in (None, "plain") else colour)  # type: ignore[arg-type]


def _joined(tokens: list[Token]) -> list[Token]:
    """With neighbours of one colour as one."""
    found: list[Token] = []
    for token in tokens:
        if found and found[-1].colour == token.colour:
            found[-1] = Token(found[-1].text + token.text, token.colour)
        else:
            found.append(token)
    return found
