"""Text <-> tokens: characters, bytes or words, each with a number."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nettool.data.stored import from_stored
from nettool.errors import DataError

Unit = Literal["character", "byte", "word"]
Codes = NDArray[np.integer[Any]]

MOST_WORDS = 10_000


@dataclass(frozen=True)
class Vocabulary:
    """The units that have a number. Codes below `first` are for what has none: 0 is padding or unknown.

    units: what has the codes first, first + 1, ...; of bytes all 256, each as the character of its number.
    """

    unit: Unit
    units: tuple[str, ...]
    padded: bool

    def __post_init__(self) -> None:
        if len(set(self.units)) < len(self.units):
            raise ValueError("a unit of the vocabulary stands there twice")
        if self.unit != "word" and any(len(unit) != 1 for unit in self.units):
            raise ValueError(f"a unit of the vocabulary is no single {self.unit}")

    @classmethod
    def fit(cls, unit: Unit, texts: Iterable[str], most: int | None, padded: bool) -> Vocabulary:
        """Number the units of the training texts; only the `most` frequent ones, if there are more."""
        return cls.fit_units(unit, (split_units(text, unit) for text in texts), most, padded)

    @classmethod
    def fit_units(cls, unit: Unit, parts: Iterable[Sequence[str]], most: int | None, padded: bool) -> Vocabulary:
        """The same of texts that are split already."""
        if unit == "byte":
            return cls(unit, tuple(map(chr, range(256))), padded)
        counts: Counter[str] = Counter()
        for units in parts:
            counts.update(units)
        most = most or (MOST_WORDS if unit == "word" else None)
        ranked = sorted(counts, key=lambda token: (-counts[token], token))[:most]
        return cls(unit, tuple(sorted(ranked)), padded)

    @property
    def first(self) -> int:
        """The code of the first unit: behind padding, where there is any, and unknown."""
        return 1 + self.padded

    @property
    def size(self) -> int:
        """Codes in all."""
        return self.first + len(self.units)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The smallest type that holds every code."""
        return np.dtype(np.uint8 if self.size <= 2**8 else np.int16 if self.size <= 2**15 else np.int32)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {token: code for code, token in enumerate(self.units, self.first)}

    def encode(self, text: str) -> Codes:
        """The codes of a text, one for each unit; unknown ones have the code before the first."""
        if self.unit == "byte":
            return self.encode_bytes(text.encode())
        return self.encode_units(split_units(text, self.unit))

    def encode_units(self, units: Sequence[str]) -> Codes:
        """The codes of a text that is split already. units: a list of words, or a text as it is for its characters."""
        if isinstance(units, str):
            return self._encode_characters(units)
        places, unknown = self._places, self.first - 1
        return np.fromiter((places.get(word, unknown) for word in units), self.dtype, len(units))

    def encode_bytes(self, content: bytes) -> Codes:
        """The codes of bytes, which need not be text."""
        codes: Codes = np.frombuffer(content, np.uint8).astype(self.dtype) + self.dtype.type(self.first)
        return codes

    def _encode_characters(self, text: str) -> Codes:
        """By way of a table over code points, so that a book takes no loop."""
        points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
        table = np.full(max((ord(token) for token in self.units), default=0) + 2, self.first - 1, self.dtype)
        for token, code in self._places.items():
            table[ord(token)] = code
        return table[np.minimum(points, len(table) - 1)]

    def unknown(self, text: str) -> tuple[str, ...]:
        """The units of a text that have no code, each once, in their order."""
        return () if self.unit == "byte" else self.unknown_units(split_units(text, self.unit))

    def unknown_units(self, units: Sequence[str]) -> tuple[str, ...]:
        """The same of a text that is split already."""
        return tuple(token for token in dict.fromkeys(units) if token not in self._places)

    def decode(self, codes: Sequence[int]) -> str:
        """The text of these codes; nothing for those that stand for no unit. Words are parted by blanks."""
        tokens = [self.units[code - self.first] for code in codes if code >= self.first]
        if self.unit == "byte":
            return bytes(map(ord, tokens)).decode(errors="replace")
        return (" " if self.unit == "word" else "").join(tokens)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"unit": self.unit, "units": [] if self.unit == "byte" else list(self.units), "padded": self.padded}

    @classmethod
    def from_json(cls, data: dict[str, Any], *, padded: bool) -> Vocabulary:
        """What `to_json` wrote of one that is padded, or is not. Raises ValueError or KeyError for anything else."""
        if data["unit"] == "byte":
            data = {**data, "units": tuple(map(chr, range(256)))}
        vocabulary = from_stored(cls, data)
        if vocabulary.padded != padded:
            raise ValueError(f"the vocabulary is {'not ' if padded else ''}padded")
        return vocabulary


def split_units(text: str, unit: Unit) -> Sequence[str]:
    """The units of a text: its characters, or its words and punctuation marks in small letters."""
    if unit != "word":
        return text
    return (_WORDS if text.isascii() else _words_with_marks()).findall(text.lower())


_WORDS = re.compile(r"\w+|[^\w\s]")


@cache
def _words_with_marks() -> re.Pattern[str]:
    """Letters and digits with the marks that combine with them, or one mark of punctuation."""
    marks = "".join(c for c in map(chr, range(0x300, 0x20000)) if unicodedata.category(c).startswith("M"))
    return re.compile(rf"\w[\w{marks}]*|[^\w\s]")


def read_text(content: bytes, source: str, *, is_whole: bool = True) -> str:
    """UTF-8 text, its line ends made equal. Raises DataError with the line where it is none.

    is_whole: whether the text ends here; else the last character may be cut in two, and is left out then.
    """
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        text, _ = codecs.utf_8_decode(content, "strict", is_whole)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{source}: line {line:,}: byte {content[error.start]:#04x} is no UTF-8 text. "
            "Cure: save the file as UTF-8, or set `data.text.unit: byte`."
        ) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")
