"""Text to codes and back: characters, bytes and words, and what has no code."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nettool.data.vocabulary import MOST_WORDS, Unit, Vocabulary, read_text, split_units
from nettool.errors import DataError

TEXTS = st.text(max_size=60)
EVERY_UNIT = pytest.mark.parametrize("unit", ["character", "byte", "word"])
PADDED = pytest.mark.parametrize("padded", [False, True], ids=["stream", "padded"])
FAMILY = "👨\u200d👩\u200d👧"
"""One picture on a screen: three people and the two joiners between them."""


def fit(unit: Unit, *texts: str, most: int | None = None, padded: bool = False) -> Vocabulary:
    return Vocabulary.fit(unit, texts, most, padded)


# There and back


@PADDED
@given(TEXTS)
def test_characters_come_back(padded: bool, text: str) -> None:
    vocabulary = fit("character", text, padded=padded)
    codes = vocabulary.encode(text)
    assert len(codes) == len(text)
    assert vocabulary.decode(codes.tolist()) == text


@PADDED
@given(TEXTS)
def test_bytes_come_back_from_any_text_without_having_seen_it(padded: bool, text: str) -> None:
    vocabulary = fit("byte", "whatever", padded=padded)
    codes = vocabulary.encode(text)
    assert len(codes) == len(text.encode())
    assert vocabulary.decode(codes.tolist()) == text


@given(st.binary(max_size=60))
def test_bytes_of_any_file_have_codes(content: bytes) -> None:
    vocabulary = fit("byte")
    codes = vocabulary.encode_bytes(content)
    assert bytes((codes - vocabulary.first).astype(np.uint8)) == content


@given(TEXTS)
def test_words_come_back_in_small_letters_parted_by_blanks(text: str) -> None:
    vocabulary = fit("word", text, padded=True)
    written = vocabulary.decode(vocabulary.encode(text).tolist())
    assert written == " ".join(split_units(text, "word"))
    assert vocabulary.encode(written).tolist() == vocabulary.encode(text).tolist()


@given(TEXTS)
def test_words_that_were_split_once_are_split_the_same_again(text: str) -> None:
    words = split_units(text, "word")
    assert split_units(" ".join(words), "word") == words


@EVERY_UNIT
@PADDED
@given(TEXTS, TEXTS)
def test_codes_lie_between_unknown_and_the_vocabularys_size(unit: Unit, padded: bool, known: str, text: str) -> None:
    vocabulary = fit(unit, known, padded=padded)
    codes = vocabulary.encode(text)
    assert codes.dtype == vocabulary.dtype
    assert ((codes >= vocabulary.first - 1) & (codes < vocabulary.size)).all()
    assert (codes < vocabulary.first).any() == bool(vocabulary.unknown(text))


@EVERY_UNIT
@PADDED
@given(TEXTS)
def test_json_brings_the_same_vocabulary_back(unit: Unit, padded: bool, text: str) -> None:
    vocabulary = fit(unit, text, padded=padded)
    stored = json.loads(json.dumps(vocabulary.to_json()))
    assert Vocabulary.from_json(stored, padded=padded) == vocabulary


# Units


def test_the_units_are_numbered_in_their_order_behind_unknown_and_padding() -> None:
    assert fit("character", "cab").encode("abc").tolist() == [1, 2, 3]
    assert fit("character", "cab", padded=True).encode("abc").tolist() == [2, 3, 4]
    assert [fit("byte", padded=padded).encode("\0").tolist() for padded in (False, True)] == [[1], [2]]


def test_a_word_is_letters_and_digits_and_a_mark_stands_alone() -> None:
    assert split_units("It's  3.5 naïve_Words,\n\tno?!", "word") == [
        "it", "'", "s", "3", ".", "5", "naïve_words", ",", "no", "?", "!",
    ]  # fmt: skip
    assert split_units(" \n ", "word") == []


def test_a_word_keeps_the_marks_that_combine_with_its_letters() -> None:
    assert split_units("cafe\u0301 नमस्ते", "word") == ["cafe\u0301", "नमस्ते"]


def test_emoji_and_combining_characters_are_what_unicode_takes_them_for() -> None:
    text = f"e\u0301{FAMILY}"
    characters, in_bytes = fit("character", text), fit("byte", text)
    assert characters.units == tuple(sorted({"e", "\u0301", *FAMILY}))
    assert len(characters.encode(text)) == 7
    assert len(in_bytes.encode(text)) == len(text.encode()) == 21
    assert characters.decode(characters.encode(text).tolist()) == text
    assert in_bytes.decode(in_bytes.encode(text).tolist()) == text


def test_half_a_character_of_bytes_is_decoded_as_a_replacement() -> None:
    vocabulary = fit("byte")
    assert vocabulary.decode(vocabulary.encode("ü").tolist()[:1]) == "\N{REPLACEMENT CHARACTER}"


# What is unknown


def test_an_unknown_unit_has_the_code_before_the_first_and_no_text() -> None:
    for padded, code in ((False, 0), (True, 1)):
        vocabulary = fit("character", "abc", padded=padded)
        codes = vocabulary.encode("a?😀b")
        assert codes.tolist() == [vocabulary.first, code, code, vocabulary.first + 1]
        assert vocabulary.decode(codes.tolist()) == "ab"
    assert fit("word", "one two").encode("two three").tolist() == [2, 0]


def test_unknown_units_are_listed_once_in_their_order() -> None:
    assert fit("character", "abc").unknown("zab zq") == ("z", " ", "q")
    assert fit("word", "one two").unknown("Three one, three!") == ("three", ",", "!")
    assert fit("byte").unknown("anything ☃") == ()


def test_a_vocabulary_of_nothing_knows_nothing() -> None:
    vocabulary = fit("character")
    assert (vocabulary.size, vocabulary.encode("ab").tolist(), vocabulary.decode([0, 0])) == (1, [0, 0], "")


# Its size


def test_the_most_frequent_units_are_kept_and_of_equals_the_first_in_order() -> None:
    assert fit("character", "aabbbcd", most=2).units == ("a", "b")
    assert fit("character", "dcba", most=2).units == ("a", "b")
    assert fit("character", "dcbab", most=2).units == ("a", "b")
    assert fit("word", "z y z", "x y", most=2).units == ("y", "z")


@given(st.lists(TEXTS, max_size=4), st.integers(1, 9), st.randoms(use_true_random=False))
def test_the_order_of_the_texts_has_no_part_in_the_vocabulary(texts: list[str], most: int, random: Any) -> None:
    shuffled = texts[:]
    random.shuffle(shuffled)
    assert fit("character", *texts, most=most) == fit("character", *shuffled, most=most)


def test_words_are_limited_by_default_and_characters_are_not() -> None:
    numbers = [str(number) for number in range(MOST_WORDS + 5)]
    assert len(fit("word", *numbers).units) == MOST_WORDS
    assert len(fit("word", *numbers, most=MOST_WORDS + 1).units) == MOST_WORDS + 1
    letters = "".join(map(chr, range(0x4E00, 0x4E00 + 12_000)))
    assert len(fit("character", letters).units) == 12_000


@pytest.mark.parametrize(
    ("size", "dtype"), [(2**8, np.uint8), (2**8 + 1, np.int16), (2**15, np.int16), (2**15 + 1, np.int32)]
)
def test_the_smallest_type_that_holds_every_code_is_taken(size: int, dtype: type) -> None:
    units = tuple(map(chr, range(0x20000, 0x20000 + size - 1)))
    vocabulary = Vocabulary("character", units, padded=False)
    assert (vocabulary.size, vocabulary.dtype) == (size, dtype)
    assert vocabulary.encode(units[-1]).tolist() == [size - 1]


def test_all_bytes_fit_with_and_without_padding() -> None:
    for padded in (False, True):
        vocabulary = fit("byte", padded=padded)
        assert vocabulary.size == 257 + padded
        assert vocabulary.encode_bytes(b"\xff").tolist() == [vocabulary.size - 1]


# Files


def test_line_ends_of_every_system_become_one_and_a_byte_order_mark_nothing() -> None:
    assert read_text(b"a\r\nb\rc\nd\r\n", "t.txt") == "a\nb\nc\nd\n"
    assert read_text(b"\xef\xbb\xbfabc", "t.txt") == "abc"


def refused(content: bytes) -> str:
    with pytest.raises(DataError) as caught:
        read_text(content, "t.txt")
    return str(caught.value)


def test_a_file_that_is_not_utf_8_is_answered_with_line_and_byte() -> None:
    cure = "Cure: save the file as UTF-8, or set `data.text.unit: byte`."
    assert refused(b"fine\ngr\xf6\xdfe\n") == f"t.txt: line 2: byte 0xf6 is no UTF-8 text. {cure}"
    assert refused("zwölf".encode("utf-16")) == f"t.txt: line 1: byte 0xff is no UTF-8 text. {cure}"
    assert refused("ü".encode()[:1]) == f"t.txt: line 1: byte 0xc3 is no UTF-8 text. {cure}"


def test_a_byte_order_mark_does_not_move_the_place_of_a_bad_byte() -> None:
    assert "t.txt: line 2: byte 0xff is no UTF-8 text." in refused(b"\xef\xbb\xbfab\n\xffc\n")
