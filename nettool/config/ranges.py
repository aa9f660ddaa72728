"""What a sweep varies: `optimizer.lr=1e-4..1e-1:log:16` to the overrides of its points.

A range is `LOW..HIGH:COUNT`, evenly spaced, or `LOW..HIGH:log:COUNT`, each value the same multiple of the one before.
Anything else is a list, split at the commas that stand outside of brackets, braces and quotes. Each value is then an
override like any other.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from nettool.errors import UsageError

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_RANGE = re.compile(rf"({_NUMBER})\.\.({_NUMBER})((?::[^:]*)*)")
_KEY = re.compile(r"[A-Za-z_][\w-]*(?:\.[^.=]+)*")
_PAIRS = {"[": "]", "{": "}"}
DIGITS = 4
"""Significant digits of a value between the ends of a range: enough for any rate, and few enough to be read."""
Overrides = tuple[str, ...]


@dataclass(frozen=True)
class Axis:
    """One key and the values that it takes. is_log: whether they are spread by multiplication.

    span: the ends of a range, for values drawn at random from it.
    """

    key: str
    values: tuple[str, ...]
    is_log: bool = False
    span: tuple[float, float] | None = None
    is_whole: bool = False

    @property
    def overrides(self) -> Overrides:
        """One for each value."""
        return tuple(f"{self.key}={value}" for value in self.values)

    def draw(self, generator: np.random.Generator) -> str:
        """An override drawn at random: from the whole span of a range, or one of the list."""
        if self.span is None:
            return self.overrides[generator.integers(len(self.values))]
        low, high = self.span
        if self.is_log:
            value = math.exp(generator.uniform(math.log(low), math.log(high)))
        else:
            value = generator.uniform(low, high)
        return f"{self.key}={_written(value, self.is_whole)}"


def parse_axis(text: str, needs_count: bool = True) -> Axis:
    """From `KEY=RANGE` as it was typed. needs_count: whether a range has to say of how many values it is.

    Raises UsageError, with what was typed, for an empty, reversed or impossible one.
    """
    key, equals, values = text.partition("=")
    if not equals or not _KEY.fullmatch(key):
        raise UsageError(
            f"{text}: what is varied is written KEY=RANGE, without spaces, such as optimizer.lr=1e-4..1e-1:log:16."
        )
    match = _RANGE.fullmatch(values.strip())
    if match:
        return _range(key, text, match, needs_count)
    parts = split_list(values, text)
    twice = sorted({part for part in parts if parts.count(part) > 1})
    if twice:
        raise UsageError(f"{text}: {', '.join(twice)} is there twice. Name each value once.")
    return Axis(key, tuple(parts))


def split_list(values: str, text: str) -> list[str]:
    """The parts between the commas outside of brackets, braces and quotes. text: what was typed, for messages."""
    parts, start, waiting, quote = [], 0, [], ""
    for place, char in enumerate(values):
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'" and not values[start:place].strip():  # else it is an apostrophe
            quote = char
        elif char in _PAIRS:
            waiting.append(_PAIRS[char])
        elif waiting and char == waiting[-1]:
            waiting.pop()
        elif char == "," and not waiting:
            parts.append(values[start:place].strip())
            start = place + 1
    parts.append(values[start:].strip())
    if waiting or quote:
        missing = waiting[-1] if waiting else quote
        raise UsageError(f"{text} lacks a {missing} at its end. In a shell, put the whole of it in quotes.")
    if not all(parts):
        what = "there is no value" if len(parts) == 1 else "a value is missing beside a comma"
        raise UsageError(f"{text}: {what}. Values are separated by commas, without spaces: 0,0.2,0.5")
    return parts


def _range(key: str, text: str, match: re.Match[str], needs_count: bool) -> Axis:
    low_text, high_text, rest = match.groups()
    low, high = float(low_text), float(high_text)
    words = rest.split(":")[1:]
    is_log = "log" in words[:1]
    counts = words[1:] if words[:1] in (["log"], ["lin"]) else words
    if len(counts) > 1 or (counts and not re.fullmatch(r"\d{1,9}", counts[0])):
        raise UsageError(f"{text}: a range is LOW..HIGH:COUNT or LOW..HIGH:log:COUNT, such as 1e-4..1e-1:log:16.")
    if not counts and needs_count:
        how = ":log" if is_log else ""
        most = 8 if not _are_whole(low_text, high_text) else int(max(2, min(8, high - low + 1)))
        raise UsageError(f"{text}: how many values? {low_text}..{high_text}{how}:{most} makes {most} of them.")
    if not (math.isfinite(low) and math.isfinite(high)):
        raise UsageError(f"{text}: one of its ends is too large for a number.")
    if low >= high:
        what = "is empty" if low == high else "is reversed"
        raise UsageError(f"{text}: the range {what}. It goes from the smaller to the larger: {high_text}..{low_text}.")
    if is_log and low <= 0:
        raise UsageError(
            f"{text}: a log range cannot touch 0, where no multiple leads away from. Begin above it: "
            f"{_written(high / 1000, False)}..{high_text}."
        )
    count = int(counts[0]) if counts else 2
    if count < 2:
        raise UsageError(f"{text}: a range has two values at least; for one write {key}={low_text}.")
    if count > 10**6:
        raise UsageError(f"{text}: {count:,} values are too many.")
    numbers = _spread(low, high, count, is_log)
    is_whole = _are_whole(low_text, high_text) and bool(np.diff(numbers).min() >= 1)
    inner = (_written(number, is_whole) for number in numbers[1:-1])
    ends = (low_text, high_text) if is_whole else (repr(low), repr(high))  # as they are, however many digits they have
    values = (ends[0], *inner, ends[1])
    if len(set(values)) < count:
        raise UsageError(f"{text}: some of the {count:,} values are the same to {DIGITS} digits. Take fewer.")
    return Axis(key, values, is_log, (low, high), is_whole)


def _spread(low: float, high: float, count: int, is_log: bool) -> list[float]:
    inner = np.geomspace(low, high, count) if is_log else np.linspace(low, high, count)
    return [low, *inner[1:-1].tolist(), high]


def _are_whole(*texts: str) -> bool:
    return all(re.fullmatch(r"[-+]?\d+", text) for text in texts)


def _written(number: float, is_whole: bool) -> str:
    """As it stands in an override. Where whole numbers are meant they have no point, and others have one."""
    if is_whole:
        return str(round(number))
    return repr(float(f"{number:.{DIGITS}g}"))


def grid(axes: Sequence[Axis]) -> Iterator[Overrides]:
    """Every combination, the last axis moving fastest."""
    yield from product(*(axis.overrides for axis in axes))


def num_combinations(axes: Iterable[Axis]) -> int:
    """How many there are."""
    return math.prod(len(axis.values) for axis in axes)


def draws(axes: Sequence[Axis], count: int, seed: int = 0) -> list[Overrides]:
    """So many different combinations drawn at random, a function of the seed; fewer where there are no more."""
    generator = np.random.default_rng(seed)
    found: dict[Overrides, None] = {}
    for _ in range(100 * count):
        if len(found) == count:
            break
        found[tuple(axis.draw(generator) for axis in axes)] = None
    return list(found)
