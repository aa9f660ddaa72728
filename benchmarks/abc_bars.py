"""How well-formed tunes in ABC notation are: their headers, and whether their bars last as long as the meter says.

The bars are read with a tokenizer of its own instead of a music library's, because it must also judge text that a
model has generated. It never raises: a bar that isn't ABC counts as one that doesn't fill the meter.

The notation is that of https://abcnotation.com/wiki/abc:standard:v2.1, for one voice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction

REQUIRED = {
    "X": re.compile(r"\s*\d+\s*"),
    "T": re.compile(r".*\S.*"),
    "M": re.compile(r"\s*(?:C\|?|\d{1,4}/[1-9]\d{0,3})\s*"),
    "L": re.compile(r"\s*\d{1,4}/[1-9]\d{0,3}\s*"),
    "K": re.compile(r"\s*[A-G][#b]?\s*(?i:m|(?:maj|min|ion|dor|phr|lyd|mix|aeo|loc)[a-z]*)?\s*"),
}
"""The header lines that a tune must have, with what they may say. All tunes of the book judged first have them."""

_LENGTH = r"\d{0,4}(?:/{1,4}\d{0,4})?"
_NOTE = rf"(?:\^\^?|__?|=)?[A-Ga-g][,']*{_LENGTH}"

_TOKEN = re.compile(
    rf"""
      (?P<meter> (?:^|(?<=\s)) M: [ ]* (?P<new_meter> C\|? | \d{{1,4}}/\d{{1,4}} ) )
    | (?P<field> ^ (?P<name> [A-Za-z] ) : (?![|:]) (?P<value> [^\n]* ) )
    | (?P<inline> \[ (?P<inline_name> [A-Za-z] ) : (?P<inline_value> [^\]\n]* ) \] )
    | (?P<bar> (?: :*\.?\|[|\]:]* | \[\|[|\]:]* | ::+ ) (?P<ending> [ ]*\[?[1-9](?:[-,][1-9])* )? )
    | (?P<bracket> \[[1-9](?:[-,][1-9])* )
    | (?P<chord> \[ (?: {_NOTE} )+ \] {_LENGTH} )
    | (?P<note> (?: {_NOTE} | [zx]{_LENGTH} ) )
    | (?P<long_rest> Z )
    | (?P<tuplet> \( (?P<p> [2-9] ) (?: : (?P<q> [1-9]? ) )? (?: : (?P<r> [1-9]? ) )? )
    | (?P<broken> >{{1,3}} | <{{1,3}} )
    | (?P<silent>                    # what takes no time
          \s+ | %[^\n]* | [\\`]      # space, comments, continued lines
        | "[^"\n]*"                  # chord names and annotations
        | ![A-Za-z0-9.()<>+]+!       # decorations by name
        | !                          # the line break of old books
        | \{{ /? (?: {_NOTE} )+ \}}  # grace notes
        | [.~HLMOPSTuv] | [()-]      # decorations, slurs, ties
      )
    """,
    re.VERBOSE | re.MULTILINE,
)


@dataclass(frozen=True)
class Bar:
    """What stands between two bar lines.

    length: in whole notes; None where the text isn't ABC. meter: how long the bar should be; None where none is given.
    inner: whether both its bar lines are plain ones. A bar beside a repeat sign, a double bar, an ending or either end
    of the tune may be incomplete in good music.
    """

    text: str
    length: Fraction | None
    meter: Fraction | None
    inner: bool

    @property
    def fills_meter(self) -> bool:
        """Whether the notes and rests last exactly as long as the meter says."""
        return self.length is not None and self.length == self.meter


@dataclass(frozen=True)
class Judgement:
    """What is to be said about one tune. num_filled: of its inner bars, those that fill the meter."""

    has_headers: bool
    num_inner: int
    num_filled: int


def judge(tune: str) -> Judgement:
    """Judge one tune, from its line X: on."""
    inner = [bar for bar in read_bars(tune) if bar.inner]
    return Judgement(has_headers(tune), len(inner), sum(bar.fills_meter for bar in inner))


def split_tunes(text: str) -> list[str]:
    """The tunes of a book, each from its line X: to the next one's. What stands before the first is left out."""
    return [part for part in re.split(r"^(?=X:)", text, flags=re.MULTILINE) if part.startswith("X:")]


def split_header(tune: str) -> tuple[list[tuple[str, str]], str]:
    """A tune's header lines, as pairs of letter and text, and its music: what follows the first K:."""
    fields: list[tuple[str, str]] = []
    lines = tune.split("\n")
    for index, line in enumerate(lines):
        match = re.match(r"([A-Za-z]):(?![|:])(.*)", line)
        if not match:
            return fields, "\n".join(lines[index:])
        fields.append((match[1], match[2]))
        if match[1] == "K":
            return fields, "\n".join(lines[index + 1 :])
    return fields, ""


def has_headers(tune: str) -> bool:
    """Whether the required headers are there and readable: X the first, K the last."""
    fields, _ = split_header(tune)
    names = [name for name, _ in fields]
    return (
        names[:1] == ["X"]
        and names[-1] == "K"
        and REQUIRED.keys() <= set(names)
        and all(REQUIRED[name].fullmatch(value) for name, value in fields if name in REQUIRED)
    )


def read_bars(tune: str) -> list[Bar]:
    """The bars of a tune that have anything in them."""
    fields, music = split_header(tune)
    reader = _Reader(music)
    for name, value in fields:
        reader.read_field(name, value)
    if reader.unit is None:
        # The standard's rule for a tune without L:.
        reader.unit = Fraction(1, 16) if reader.meter is not None and reader.meter < Fraction(3, 4) else Fraction(1, 8)
    position = 0
    while position < len(music):
        match = _TOKEN.match(music, position)
        if match:
            reader.read(match)
        else:
            reader.spoil()
        position = match.end() if match else position + 1
    reader.close(len(music), len(music), special=True)
    return reader.bars


class _Reader:
    """Takes the tokens of a tune one by one, and collects its bars."""

    def __init__(self, music: str) -> None:
        self.bars: list[Bar] = []
        self.unit: Fraction | None = None
        self.meter: Fraction | None = None
        self._is_compound = False
        self._music = music
        self._after_special = True
        self._begin(0)

    def _begin(self, position: int) -> None:
        self._start = position
        self._lengths: list[Fraction] = []
        self._bar_meter = self.meter
        self._spoilt = False
        self._long_rest = False
        self._waiting: Fraction | None = None  # what the mark > or < makes of the note to come
        self._tuplet = (Fraction(1), 0)  # how much shorter, and how many notes are still to come

    def read(self, match: re.Match[str]) -> None:
        """Take the next token."""
        text = match[0]
        match match.lastgroup or "":
            case "meter" | "new_meter":
                self.read_field("M", match["new_meter"])
            case "field":
                self.read_field(match["name"], match["value"])
            case "inline":
                self.read_field(match["inline_name"], match["inline_value"])
            case "bar":
                self.close(match.start(), match.end(), special=text not in ("|", ".|"))
            case "bracket":
                self.close(match.start(), match.end(), special=True)
            case "chord":
                self._add(_chord_length(text))
            case "note":
                self._add(_length(text))
            case "long_rest":
                self._long_rest = True
            case "tuplet":
                self._open_tuplet(match["p"], match["q"], match["r"])
            case "broken":
                self._break_rhythm(text)

    def read_field(self, name: str, value: str) -> None:
        """Take M: and L:; the other fields change nothing about lengths."""
        if name == "M":
            self.meter = _meter(value)
            self._is_compound = re.match(r"\s*(?:6|9|12)/", value) is not None
            if not self._lengths:
                self._bar_meter = self.meter
        elif name == "L":
            self.unit = _fraction(value) or self.unit

    def spoil(self) -> None:
        """A character that isn't ABC: the bar cannot be measured."""
        self._spoilt = True

    def close(self, start: int, end: int, *, special: bool) -> None:
        """A bar line from start to end. special: a repeat sign, a double bar, an ending, the end of the tune."""
        if self._lengths or self._spoilt or self._long_rest:
            text = self._music[self._start : start].strip()
            inner = not (self._after_special or special)
            self.bars.append(Bar(text, self._measured(), self._bar_meter, inner))
            self._after_special = special
        elif special:
            # Nothing but space since the last bar line: the two stand for one.
            self._after_special = True
            if self.bars:
                self.bars[-1] = replace(self.bars[-1], inner=False)
        self._begin(end)

    def _measured(self) -> Fraction | None:
        _, num_missing = self._tuplet
        if self._spoilt or num_missing or self._waiting is not None:
            return None
        if self._long_rest:
            return None if self._lengths else self._bar_meter
        return sum(self._lengths, Fraction(0))

    def _add(self, multiple: Fraction | None) -> None:
        if not multiple or self.unit is None:
            self._spoilt = True
            return
        factor, num_left = self._tuplet
        if num_left:
            multiple *= factor
            self._tuplet = (factor, num_left - 1)
        self._lengths.append(multiple * self.unit * (self._waiting or 1))
        self._waiting = None

    def _open_tuplet(self, p: str, q: str | None, r: str | None) -> None:
        _, num_missing = self._tuplet
        if num_missing:
            self._spoilt = True
            return
        usual = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}.get(int(p), 3 if self._is_compound else 2)
        self._tuplet = (Fraction(int(q or usual), int(p)), int(r or p))

    def _break_rhythm(self, marks: str) -> None:
        if not self._lengths or self._waiting is not None:
            self._spoilt = True
            return
        short = Fraction(1, 2 ** len(marks))
        before, self._waiting = (2 - short, short) if marks[0] == ">" else (short, 2 - short)
        self._lengths[-1] *= before


def _length(note: str) -> Fraction | None:
    """By how much a note is longer than the unit: A3/2 is 3/2, A/ is 1/2, A// is 1/4. None for no length at all."""
    match = re.search(r"(\d*)(/*)(\d*)$", note)
    if match is None:
        return None
    divisor = int(match[3]) if match[3] else 2 ** len(match[2])
    return Fraction(int(match[1] or 1), divisor) if divisor else None


def _chord_length(chord: str) -> Fraction | None:
    """A chord lasts as long as its first note, times what stands behind the bracket."""
    first = re.match(_NOTE, chord[1:])
    inner, outer = _length(first[0]) if first else None, _length(chord)
    return inner * outer if inner and outer else None


def _meter(value: str) -> Fraction | None:
    """How long a bar is by the text of M:, in whole notes."""
    return Fraction(1) if value.strip() in ("C", "C|") else _fraction(value)


def _fraction(value: str) -> Fraction | None:
    match = re.fullmatch(r"\s*(\d{1,4})/(\d{1,4})\s*", value)
    return Fraction(int(match[1]), int(match[2])) if match and int(match[1]) and int(match[2]) else None
