"""What a page is made of: plain values, none of them HTML. The template knows how each of them looks."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal

from nettool.workflows.report.colours import Token

Tone = Literal["good", "warn", "bad", "plain"]
MOST_ROWS = 500
"""Of a table: what is beyond stands in a file of the run, and would only make the page slow."""
MOST_OPEN = 30
"""Rows of a table that are shown at once; a longer one is folded."""


@dataclass(frozen=True)
class Cell:
    """One of a table. value: what it is sorted by; None where it is text. empty: nothing was measured: it sorts last.
    image: a data: URI, of which the text is the description. code: set as what one types.
    """

    text: str
    value: float | None = None
    is_empty: bool = False
    image: str = ""
    href: str = ""
    is_code: bool = False


@dataclass(frozen=True)
class Table:
    """Rows under headers; the first cell of a row names it.

    best: the row that is marked. note: what is to be said of it. folded: what it is called while it is folded; "" where
    it is open.
    """

    kind: ClassVar[str] = "table"
    caption: str
    headers: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    best: int | None = None
    note: str = ""
    folded: str = ""

    @property
    def numeric(self) -> tuple[bool, ...]:
        """Of each column whether it holds numbers, which are set to the right."""
        columns = zip(*self.rows, strict=True)
        return tuple(
            all(cell.value is not None or cell.is_empty for cell in cells)
            and any(cell.value is not None for cell in cells)
            for cells in columns
        )


@dataclass(frozen=True)
class Picture:
    """A figure. title: what it is called. headline: what it says, with its numbers. what: what is drawn there. uri: its
    bytes, as a data: URI. width, height: in pixels of CSS.
    """

    title: str
    headline: str
    what: str
    uri: str
    width: int
    height: int

    @property
    def is_wide(self) -> bool:
        """Whether it needs the whole width of the page."""
        return self.width > 800

    @property
    def alt(self) -> str:
        """For who does not see it."""
        return f"{self.title}: {self.headline or self.what}"


@dataclass(frozen=True)
class Gallery:
    """Pictures, one below the other, or beside it where there is room."""

    kind: ClassVar[str] = "gallery"
    pictures: Sequence[Picture]

    @property
    def is_alone(self) -> bool:
        """Whether no picture has another one to stand beside it."""
        return sum(not picture.is_wide for picture in self.pictures) < 2


@dataclass(frozen=True)
class Facts:
    """Names and what they are. A text, or what one types."""

    kind: ClassVar[str] = "facts"
    rows: Sequence[tuple[str, str]]
    is_code: bool = False


@dataclass(frozen=True)
class Text:
    """A paragraph. tone: whether it is good news."""

    kind: ClassVar[str] = "text"
    text: str
    tone: Tone = "plain"


@dataclass(frozen=True)
class Code:
    """A file or a piece of one, coloured. folded: as of a table. is_prose: whether its lines may be broken."""

    kind: ClassVar[str] = "code"
    caption: str
    tokens: Sequence[Token]
    folded: str = ""
    is_prose: bool = False


@dataclass(frozen=True)
class Commands:
    """What to type, each with what it does."""

    kind: ClassVar[str] = "commands"
    rows: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Finding:
    """What is the matter. cure: what to change in the config, coloured."""

    kind: ClassVar[str] = "finding"
    name: str
    text: str
    evidence: Sequence[str]
    cure: Sequence[Token]


Block = Table | Gallery | Facts | Text | Code | Commands | Finding


@dataclass(frozen=True)
class Section:
    """A part of the page. anchor: its name in links."""

    anchor: str
    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Page:
    """All of it. status: in a word; tone: whether that is good. why: how it came to that. answer: what came of it, in a
    sentence. missing: what could not be had, and why.
    """

    title: str
    subtitle: str
    status: str
    tone: Tone
    why: str
    answer: str
    facts: Sequence[tuple[str, str]]
    sections: Sequence[Section]
    missing: Sequence[str] = field(default=())


_UNSHOWN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066\u2067\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_ISOLATES = re.compile("[\u2066-\u2069]")


def shown(text: str) -> str:
    """The text without what steers how it is shown: control characters, other directions for what comes after it."""
    return _UNSHOWN.sub("\N{REPLACEMENT CHARACTER}", text)


def isolated(name: str) -> str:
    """A user's name inside of a sentence, whose words and numbers stay in order whatever way the name is written."""
    inside = _ISOLATES.sub("", shown(name))
    return f"\N{FIRST STRONG ISOLATE}{inside}\N{POP DIRECTIONAL ISOLATE}" if not inside.isascii() else inside


def number(value: float | None) -> str:
    """A measured number to four digits; a dash for what is none."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e12 else f"{value:,.4g}"


def measured(value: float | None) -> Cell:
    """A cell with a measured number."""
    is_number = value is not None and not math.isnan(value)
    return Cell(number(value), value if is_number else None, not is_number)


def counted(value: float | None) -> Cell:
    """A cell with a whole number."""
    return Cell(f"{value:,.0f}", float(value)) if value is not None and math.isfinite(value) else measured(value)


def word(text: str) -> Cell:
    """A cell with what a user wrote; it sorts as a number where it is one."""
    try:
        value = float(text) if len(text) < 40 and "_" not in text else math.nan
    except ValueError:
        value = math.nan
    return Cell(text, value if math.isfinite(value) else None, text == "")


def whole(record: Mapping[str, Any], key: str) -> int | None:
    """A whole number of a record, if it is there: a stranger may have written it."""
    value = record.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def share(value: float) -> str:
    """`97.3 %`; what is not all, or not nothing, is never called so."""
    if value < 1 and f"{value:.1%}" == "100.0%":
        return "over 99.9\N{NO-BREAK SPACE}%"
    return f"{100 * value:.1f}\N{NO-BREAK SPACE}%" if 0 < value < 1 else f"{100 * value:.0f}\N{NO-BREAK SPACE}%"


def duration(seconds: float) -> str:
    """`0.4 s`, `3 min 12 s`, `2 h 5 min`, `3 days 2 h`."""
    if seconds < 60:
        return f"{seconds:.3g} s" if seconds < 59.95 else "60 s"
    whole = round(seconds)
    for size, unit, rest, smaller in ((86400, "days", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            count, left = divmod(whole, size)
            name = "day" if unit == "days" and count == 1 else unit
            return f"{count:,} {name} {left // rest} {smaller}" if left // rest else f"{count:,} {name}"
    raise AssertionError


def moment(text: str) -> str:
    """A time as run.json has it, to the minute: `2026-07-28 09:30 UTC`."""
    try:
        return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    except (ValueError, OverflowError):
        return text
