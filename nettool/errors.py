"""Every error that a user of nettool can meet, with the exit code of the command it ends.

    NettoolError              1   a bug in nettool, or the base of the others
    ├── UsageError            2   a command or call that makes no sense as written
    ├── ConfigError           2   mistakes in a config or an override, all at once, each with its place
    ├── DataError             2   a data file that cannot be read, or that does not fit the config
    ├── RunError              2   a run directory or weights file that is missing or does not fit
    │   └── DamagedError      2   a file of a run that is not what was written
    ├── DivergedError         3   training left the finite numbers
    ├── ResourceError         4   out of memory or disk, or a file system that refuses to write
    ├── BusyError             5   the run directory is in use
    └── InterruptedRun      130   a signal ended training; what was learned is saved

A message says what was written, where, why it can't work and what to do. The library raises; the CLI prints the
message and exits with the code.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MAX_WIDTH = 118
"""Columns of a message about a config."""

ConfigPath = tuple[str | int, ...]
"""Where a value stands in a config whose shorthand is expanded: ("layers", 0, "units")."""


class NettoolError(Exception):
    """Base of all errors that nettool raises on purpose."""

    exit_code = 1


class UsageError(NettoolError):
    """A command or call that makes no sense as written."""

    exit_code = 2


@dataclass(frozen=True)
class Mistake:
    """One mistake in a config: where it stands, what is wrong and how to mend it.

    path: the value's place in the expanded config. text: the explanation, a full sentence. place:
    "file:line:column" or the override as typed; empty until the mistake is matched with the text that the user
    wrote. label: how the value is called in messages, where that is not simply its path.
    """

    path: ConfigPath
    text: str
    place: str = ""
    label: str = ""

    @property
    def name(self) -> str:
        """The value's name in messages: its label, else its dotted path."""
        return self.label or ".".join(str(part) for part in self.path)


class ConfigError(NettoolError):
    """Mistakes in a config or its overrides, all that were found."""

    exit_code = 2

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes: tuple[Mistake, ...] = tuple(mistakes)
        super().__init__(self.text())

    def text(self, width: int = MAX_WIDTH) -> str:
        """The mistakes, in lines of so many columns at most, and no more than can be read with ease."""
        return format_mistakes(self.mistakes, min(width, MAX_WIDTH))


class DataError(NettoolError):
    """A data file that cannot be read, or whose content does not fit the config."""

    exit_code = 2


class RunError(NettoolError):
    """A run directory or a weights file that is missing, unfinished or does not fit."""

    exit_code = 2


class DamagedError(RunError):
    """A file of a run that is cut off, changed, or was never written by nettool."""


class DivergedError(NettoolError):
    """Training left the finite numbers."""

    exit_code = 3


class ResourceError(NettoolError):
    """Out of memory or disk, or a file system that refuses to write."""

    exit_code = 4


class BusyError(NettoolError):
    """The run directory is in use by another process."""

    exit_code = 5


class InterruptedRun(NettoolError):
    """A signal ended training; what was learned is saved."""

    exit_code = 130


def format_mistakes(mistakes: Sequence[Mistake], width: int = MAX_WIDTH, max_lines: int = 24) -> str:
    """Lay the mistakes out in two columns, place and explanation, in at most `max_lines` lines."""
    indent = max((len(_printable(mistake.place)) for mistake in mistakes), default=0)
    indent = min(indent, 48) + 2 if indent else 0
    lines: list[str] = []
    for index, mistake in enumerate(mistakes):
        num_left = len(mistakes) - index
        block = _format_mistake(mistake, indent, width)[: max_lines - (num_left > 1)]
        if lines and len(lines) + len(block) > max_lines - (num_left > 1):
            lines.append(f"... and {num_left} more {'mistakes' if num_left > 1 else 'mistake'}.")
            break
        lines += block
    return "\n".join(lines)


def _format_mistake(mistake: Mistake, indent: int, width: int) -> list[str]:
    place = _printable(mistake.place)
    text = _printable(f"{mistake.name}: {mistake.text}" if mistake.name else mistake.text)
    wrapped = textwrap.wrap(text, max(width - indent, 40), break_long_words=False, break_on_hyphens=False)
    if len(place) + 2 > indent > 0:
        return [place, *(" " * indent + line for line in wrapped)]
    return [place.ljust(indent) + wrapped[0], *(" " * indent + line for line in wrapped[1:])]


def _printable(text: str) -> str:
    """With escapes for control characters: what a stranger wrote into a config must not steer the terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
