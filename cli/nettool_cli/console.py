"""Where the words go: the answer to standard output, everything else to standard error; tables for both."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


UNWRAPPED_WIDTH = 1000
"""Of what is piped: whoever reads it wraps it, or cuts it into fields."""


def stdout() -> Console:
    """For the answer."""
    return _console(is_stderr=False)


def stderr() -> Console:
    """For progress and messages."""
    return _console(is_stderr=True)


def _console(is_stderr: bool) -> Console:
    from rich.console import Console

    class PlainConsole(Console):
        """Takes text for text, and leaves what a broken pipe means to whoever called."""

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    stream = sys.stderr if is_stderr else sys.stdout
    width = None if stream.isatty() else UNWRAPPED_WIDTH
    return PlainConsole(stderr=is_stderr, highlight=False, markup=False, emoji=False, width=width)


def table(headers: Sequence[str], rows: Iterable[Sequence[str]], text_columns: int = 1) -> Table:
    """A plain table: the first columns are text, the others numbers, set to the right. No cell is read as markup."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for index, header in enumerate(headers):
        justify: Literal["left", "right"] = "left" if index < text_columns else "right"
        grid.add_column(Text(printable(header)), justify=justify, overflow="fold", no_wrap=index == 0)
    for row in rows:
        grid.add_row(*(Text(printable(cell)) for cell in row))
    return grid


def printable(text: str, keep: str = "") -> str:
    """The text without control characters: a name in a data file must not steer the terminal.

    keep: those that may stay.
    """
    return "".join(c if c.isprintable() or c in keep else "\N{REPLACEMENT CHARACTER}" for c in text)


def finding(what: str, value: str, *, fine: bool, width: int) -> None:
    """What was looked at, and how it is: a line on standard output; on a terminal none of its words is broken.

    width: columns of what comes first.
    """
    text = printable(value if fine else f"{value}   <- not as it should be")
    lines = [text]
    if sys.stdout.isatty():
        columns = max(shutil.get_terminal_size().columns - width - 1, 20)
        lines = textwrap.wrap(text, columns, break_long_words=False, break_on_hyphens=False, replace_whitespace=False)
    sys.stdout.write(f"{printable(what):<{width}} " + ("\n" + " " * (width + 1)).join(lines) + "\n")
    sys.stdout.flush()  # the next may take a while


def answer(text: str) -> None:
    """Write what was asked for to standard output: as it is to a pipe, without control characters to a terminal."""
    sys.stdout.write(printable(text, keep="\n\t") if sys.stdout.isatty() else text)
    sys.stdout.flush()


def message(text: str) -> None:
    """Say something on standard error; on a terminal without breaking its words."""
    for line in printable(text, keep="\n").split("\n"):
        if len(line) > message_width():
            line = textwrap.fill(line, message_width(), break_long_words=False, break_on_hyphens=False)
        print(line, file=sys.stderr)


def message_width() -> int:
    """Columns of a line of standard error; what is piped has no end."""
    return shutil.get_terminal_size().columns if sys.stderr.isatty() else sys.maxsize


def number(value: float | None) -> str:
    """A measured number to four significant digits."""
    if value is None or value != value:
        return "-"
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e12 else f"{value:,.4g}"


def print_json(value: Any) -> None:
    """One JSON object on standard output."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
