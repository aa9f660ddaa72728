"""Measure how well-formed the tunes in a file of ABC notation are, real or generated.

    python benchmarks/tunes.py FILE.abc [--first N] [--random SEED N] [--each | --json]

Three questions to each tune: has it the headers that every tune has, does music21 parse it and find notes, and which
share of its inner bars lasts exactly as long as the meter says (see abc_bars.py). A parser takes nearly any characters
for music; with --random, N tunes of characters drawn at random from the file's music show how little it says that a
tune can be parsed.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import random
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

import abc_bars
from music21.abcFormat import ABCHandler, ABCNote

WELL_FILLED = 0.7
"""The share of inner bars that must fill the meter for a tune to count as well filled."""


@dataclass(frozen=True)
class Tune:
    """What was found out about one tune. name: its line X:."""

    name: str
    has_headers: bool
    is_parsed: bool
    num_inner_bars: int
    num_filled_bars: int

    @property
    def is_well_filled(self) -> bool:
        """Whether it has inner bars, and enough of them fill the meter."""
        return self.num_inner_bars > 0 and self.num_filled_bars >= WELL_FILLED * self.num_inner_bars

    @property
    def is_sound(self) -> bool:
        """Whether all three answers are yes."""
        return self.has_headers and self.is_parsed and self.is_well_filled


@dataclass(frozen=True)
class Figures:
    """What was found out about all tunes."""

    num_tunes: int
    num_with_headers: int
    num_parsed: int
    num_well_filled: int
    num_sound: int
    num_inner_bars: int
    num_filled_bars: int


def measure(text: str) -> Tune:
    """Judge one tune."""
    judgement = abc_bars.judge(text)
    name, *_ = text.splitlines()
    return Tune(name, judgement.has_headers, has_notes(text), judgement.num_inner, judgement.num_filled)


def add_up(tunes: list[Tune]) -> Figures:
    """The figures of all tunes."""
    return Figures(
        num_tunes=len(tunes),
        num_with_headers=sum(tune.has_headers for tune in tunes),
        num_parsed=sum(tune.is_parsed for tune in tunes),
        num_well_filled=sum(tune.is_well_filled for tune in tunes),
        num_sound=sum(tune.is_sound for tune in tunes),
        num_inner_bars=sum(tune.num_inner_bars for tune in tunes),
        num_filled_bars=sum(tune.num_filled_bars for tune in tunes),
    )


def has_notes(tune: str) -> bool:
    """Whether music21 parses the tune, and finds a note in it."""
    handler = ABCHandler()
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # where music21 wonders about what it reads
            handler.process(tune)
    except Exception:  # it meets broken notation with whatever error comes of it
        return False
    return any(isinstance(token, ABCNote) and not token.isRest for token in handler.tokens)


def random_tunes(tunes: list[str], seed: int, num: int) -> list[str]:
    """Headers and lengths of real tunes, with characters drawn from the music of all."""
    generator = random.Random(seed)
    music = [abc_bars.split_header(tune)[1] for tune in tunes]
    frequencies = Counter("".join(music))
    made = []
    for index in generator.choices(range(len(tunes)), k=num):
        header = tunes[index].removesuffix(music[index])
        drawn = generator.choices(list(frequencies), list(frequencies.values()), k=len(music[index]))
        made.append(header + "".join(drawn))
    return made


def table(figures: Figures) -> str:
    """The figures for people: a line each, with its share."""
    rows = [
        ("tunes", figures.num_tunes, None),
        ("  with all headers", figures.num_with_headers, figures.num_tunes),
        ("  parsed, with notes", figures.num_parsed, figures.num_tunes),
        (f"  with {WELL_FILLED:.0%} of the inner bars filled", figures.num_well_filled, figures.num_tunes),
        ("  with all of that", figures.num_sound, figures.num_tunes),
        ("inner bars", figures.num_inner_bars, None),
        ("  that fill the meter", figures.num_filled_bars, figures.num_inner_bars),
    ]
    return "\n".join(f"{label:<36}{count:>7,}{_share(count, whole)}" for label, count, whole in rows)


def line(tune: Tune) -> str:
    """One tune for people."""
    headers = "headers" if tune.has_headers else "headers missing"
    parsed = "parsed" if tune.is_parsed else "not parsed"
    bars = f"{tune.num_filled_bars} of {tune.num_inner_bars} inner bars filled"
    return f"{tune.name:<8.20} {headers:<15}  {parsed:<10}  {bars}"


def _share(count: int, whole: int | None) -> str:
    return f"{count / whole:>9.1%}" if whole else ""


def main() -> None:
    """Read the command line, judge, print."""
    summary, *_ = (__doc__ or "").splitlines()
    parser = argparse.ArgumentParser(description=summary)
    parser.add_argument("file", type=Path, metavar="FILE.abc")
    parser.add_argument("--first", type=positive, metavar="N", help="only the first N tunes of the file")
    parser.add_argument(
        "--random", type=int, nargs=2, metavar=("SEED", "N"), help="N tunes of characters drawn at random instead"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--each", action="store_true", help="also a line for each tune")
    form.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    try:
        text = arguments.file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        parser.error(f"cannot read {arguments.file}: {error.strerror}.")
    texts = abc_bars.split_tunes(text)[: arguments.first]
    if not texts:
        parser.error(f"{arguments.file} holds no tune: none of its lines starts with X:.")
    if arguments.random:
        texts = random_tunes(texts, *arguments.random)
    tunes = [measure(text) for text in texts]
    if arguments.each:
        print("\n".join(map(line, tunes)))
    print(json.dumps(asdict(add_up(tunes))) if arguments.json else table(add_up(tunes)))


def positive(text: str) -> int:
    """A number of tunes on the command line."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is no number of tunes; write 1 or more.")
    return number


if __name__ == "__main__":
    main()
