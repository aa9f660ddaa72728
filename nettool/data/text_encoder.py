"""Texts as codes: a stream that is cut into stretches, or a text for each row of a table, padded to one length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nettool.config.inputs import TextSpec
from nettool.config.signature import TokenExample
from nettool.data.examples import Examples
from nettool.data.features import Rows
from nettool.data.stored import Length, from_stored
from nettool.data.values import codes, levels
from nettool.data.vocabulary import Vocabulary
from nettool.memory import check_memory


@dataclass(frozen=True)
class StreamEncoder:
    """Stretches of `length` tokens of one long text."""

    kind: ClassVar[str] = "stream"
    vocabulary: Vocabulary
    length: Length

    @property
    def example(self) -> TokenExample:
        """What a stretch looks like."""
        return TokenExample(self.length, self.vocabulary.size, padded=False)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"vocabulary": self.vocabulary.to_json(), "length": self.length}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> StreamEncoder:
        """The encoder that `to_json` wrote. Raises ValueError or KeyError for anything else."""
        return from_stored(cls, {**data, "vocabulary": Vocabulary.from_json(data["vocabulary"], padded=False)})


@dataclass(frozen=True)
class TextEncoder:
    """The texts of a column: the first `length` tokens of each, code 0 behind the end."""

    kind: ClassVar[str] = "text"
    name: str
    vocabulary: Vocabulary
    length: Length

    @classmethod
    def fit(cls, table: pa.Table, name: str, spec: TextSpec, rows: Rows) -> TextEncoder:
        """Number what the training texts are made of; no example is longer than the longest of them."""
        column = table.column(name)
        known, found = levels(column), codes(column)[rows]
        texts = [known[code] for code in found if code >= 0]
        vocabulary = Vocabulary.fit(spec.unit, texts, spec.vocabulary, padded=True)
        longest = max((len(vocabulary.encode(text)) for text in set(texts)), default=1)
        return cls(name, vocabulary, max(min(spec.length, longest), 1))

    @property
    def example(self) -> TokenExample:
        """What a text looks like."""
        return TokenExample(self.length, self.vocabulary.size, padded=True)

    def encode(self, examples: Examples, rows: Rows) -> NDArray[Any]:
        """The texts of these rows: codes [n, length]. A missing text is an empty one."""
        column = examples.table.column(self.name)
        texts, found = levels(column), codes(column)[rows]
        dtype = self.vocabulary.dtype
        num_bytes = 2 * len(rows) * self.length * dtype.itemsize
        check_memory(num_bytes, f"{len(rows):,} texts of {self.length:,} tokens", "a smaller `data.text.length`")
        encoded = np.zeros((len(texts) + 1, self.length), dtype)  # the last row is for what is missing
        for place in np.unique(found[found >= 0]):
            tokens = self.vocabulary.encode(texts[place])[: self.length]
            encoded[place, : len(tokens)] = tokens
        return encoded[found]

    def num_cut(self, table: pa.Table) -> int:
        """How many of its texts are longer than `length`."""
        column = table.column(self.name)
        known, found = levels(column), codes(column)
        long = {
            place for place in np.unique(found[found >= 0]) if len(self.vocabulary.encode(known[place])) > self.length
        }
        return sum(int(code) in long for code in found)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"name": self.name, "vocabulary": self.vocabulary.to_json(), "length": self.length}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> TextEncoder:
        """The encoder that `to_json` wrote. Raises ValueError or KeyError for anything else."""
        return from_stored(cls, {**data, "vocabulary": Vocabulary.from_json(data["vocabulary"], padded=True)})
