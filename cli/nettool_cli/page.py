"""A page of prose and calculations on standard output: headings, paragraphs, and sums that are broken between terms."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from itertools import groupby

from nettool.analysis.formulas import Formula
from nettool_cli import console

MOST_COLUMNS = 100
"""Of a line, however wide the terminal is: longer ones are hard to follow."""
MOST_HANGING = 12
"""Columns that the lines of a sum may stand to the right of its first."""
UNBROKEN = "\N{NO-BREAK SPACE}"


def number(value: float) -> str:
    """Four significant digits."""
    return console.number(value + 0.0)  # no -0


def fine(value: float) -> str:
    """Six of them, for what hardly changes."""
    return f"{value + 0.0:.6g}"


class Page:
    """Lines of so many columns at most."""

    def __init__(self) -> None:
        self._out = console.stdout()
        self._width = min(self._out.width, MOST_COLUMNS)

    def heading(self, text: str) -> None:
        """A chapter."""
        self._styled(f"\n{text}", "bold underline")

    def title(self, text: str) -> None:
        """Of a layer."""
        self._styled("\n" + "\n".join(self._wrapped(text, "", "  ")), "bold")

    def say(self, text: str, indent: int = 2) -> None:
        """A paragraph."""
        self.lines(self._wrapped(text, " " * indent, " " * indent))

    def sum(self, name: str, *sides: str, indent: int = 2) -> None:
        """Name = side = side = ...: each side on a line of its own where they do not fit on one."""
        sides = tuple(side for side, _ in groupby(side for side in sides if side))
        text = " = ".join((name, *sides))
        first = " " * indent
        if len(first + text) <= self._width:
            self.lines([first + text])
            return
        hang = first + " " * min(len(name) + 1, MOST_HANGING)
        whole = [f"{name} = {sides[0]}", *(f"= {side}" for side in sides[1:])]
        for index, side in enumerate(whole):
            # A sign stays with the term behind it.
            unbroken = re.sub(r" ([+-]) ", rf" \1{UNBROKEN}", side)
            self.lines(self._wrapped(unbroken, hang if index else first, hang + "  "))

    def formula(self, formula: Formula, symbols: bool = True, indent: int = 2, exact: bool = False) -> None:
        """In symbols, if asked for, with its numbers, and what comes out."""
        show = fine if exact else number
        sides = (formula.symbols if symbols else "", formula.written(show), show(formula.value))
        self.sum(formula.name, *sides, indent=indent)

    def table(self, headers: Sequence[str], rows: Sequence[Sequence[str]], text_columns: int = 1) -> None:
        """As wide as it needs to be."""
        self._out.print()
        self._out.print(console.table(headers, rows, text_columns))

    def lines(self, lines: Sequence[str]) -> None:
        """As they are."""
        for line in lines:
            self._styled(line, "")

    def space(self) -> None:
        """An empty line."""
        self._out.print()

    def _wrapped(self, text: str, first: str, others: str) -> list[str]:
        lines = textwrap.wrap(
            console.printable(text, keep=UNBROKEN), self._width, initial_indent=first, subsequent_indent=others,
            break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip
        return lines or [""]

    def _styled(self, text: str, style: str) -> None:
        from rich.text import Text

        plain = console.printable(text.replace(UNBROKEN, " "), keep="\n")
        self._out.print(Text(plain, style=style), soft_wrap=True)


def some(values: Sequence[float], most: int = 5) -> str:
    """The first of them, and how many more there are."""
    shown = ", ".join(number(float(value)) for value in values[:most])
    left = len(values) - most
    return shown + (f" and {left:,} more" if left > 0 else "")
