"""The parser: YAML 1.2 scalars, a place for every value, and nothing that executes, shares or explodes."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from refusals import GOOD, Refuse

from nettool.config.yaml import Node, Place, parse, resolve_scalar
from nettool.errors import ConfigError
from nettool.limits import MAX_CONFIG_BYTES, MAX_CONFIG_VALUES


def tree(text: str) -> Node:
    return parse(text, Place("c.yaml", line=1, column=1))


def values(text: str) -> Any:
    return tree(text).plain()


def mistakes(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        tree(text)
    return [f"{mistake.place} {mistake.text}" for mistake in caught.value.mistakes]


SCALARS: dict[str, Any] = {
    "1e-3": 0.001, "1E3": 1000.0, "-.5": -0.5, "1.": 1.0, "+12": 12, "-7": -7, "007": 7, "0o17": 15, "0xFf": 255,
    "true": True, "True": True, "FALSE": False, "null": None, "~": None, "": None, ".inf": math.inf, "-.INF": -math.inf,
    # What YAML 1.1 makes of these has broken many a config.
    "no": "no", "yes": "yes", "on": "on", "off": "off", "y": "y", "NO": "NO", "12:30:45": "12:30:45", "1_000": "1_000",
    "0b11": "0b11", "017_": "017_", "2020-01-01": "2020-01-01", "1e": "1e", "e3": "e3", ".": ".", "0x": "0x", "=": "=",
    "<<": "<<", "tRue": "tRue", "nan": "nan", "inf": "inf", "1e-3x": "1e-3x", "٣": "٣",
}  # fmt: skip


@pytest.mark.parametrize("text", SCALARS)
def test_plain_scalars_mean_what_yaml_1_2_says(text: str) -> None:
    value = values(f"a: {text}")["a"]
    assert (value, type(value)) == (SCALARS[text], type(SCALARS[text]))


def test_not_a_number_is_read_as_one() -> None:
    assert math.isnan(values("a: .nan")["a"])


@pytest.mark.parametrize("text", ["'1e-3'", '"1e-3"', "'null'", '"true"', "'~'", '""'])
def test_quoted_scalars_are_text(text: str) -> None:
    assert values(f"a: {text}")["a"] == text[1:-1]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_that_python_writes_is_read_back(number: float) -> None:
    assert resolve_scalar(repr(number)) == number


@pytest.mark.parametrize("text", ["1" * 5000, "-" + "1" * 5000, "0x" + "f" * 5000, "0o" + "7" * 5000])
def test_absurdly_long_whole_numbers_are_refused(text: str) -> None:
    assert mistakes(f"a: {text}") == [f"c.yaml:1:4 a number of {len(text.strip('-')):,} digits; at most 30 are read."]


def test_long_decimal_numbers_are_read() -> None:
    assert values(f"a: 1.{'0' * 5000}")["a"] == 1.0


def test_every_value_and_key_knows_its_line_and_column() -> None:
    node = tree("data:\n  größe: [1, é]\n  'b': {c: 2}\n").value["data"]  # type: ignore[index, call-overload]
    assert (node.place.line, node.place.column) == (2, 3)
    assert str(node.value["größe"].key_place) == "c.yaml:2:3"
    assert str(node.value["größe"].value[1].place) == "c.yaml:2:14"
    assert str(node.value["b"].value["c"].place) == "c.yaml:3:12"
    assert str(node.value["b"].value["c"].shown_place) == "c.yaml:3:9"


def test_every_repeated_key_is_named_with_its_first_line() -> None:
    assert mistakes("a: 1\nb: {c: 1, c: 2}\na: 3\na: 4\n") == [
        "c.yaml:2:11 c: this key is written twice (first in line 2); keep one.",
        "c.yaml:3:1 a: this key is written twice (first in line 1); keep one.",
        "c.yaml:4:1 a: this key is written twice (first in line 1); keep one.",
    ]


def test_keys_that_differ_in_quotes_alone_are_the_same_key() -> None:
    assert mistakes("1: a\n'1': b\n") == ["c.yaml:2:1 1: this key is written twice (first in line 1); keep one."]


TAGGED = {
    "a: !!python/object/apply:os.system ['touch evil']": "!!python/object/apply:os.system",
    "a: !!python/name:os.system": "!!python/name:os.system",
    "a: !!binary aGk=": "!!binary",
    "a: !!str 5": "!!str",
    "a: !mine {b: 1}": "!mine",
    "a: !!set {b}": "!!set",
    "!!str a: 5": "!!str",
}


@pytest.mark.parametrize("text", TAGGED)
def test_tags_are_refused_on_values_and_keys(text: str) -> None:
    line = f"c.yaml:1:{text.index('!') + 1} tags (`{TAGGED[text]}`) are not read; a config is plain data."
    assert mistakes(text) == [line]


def test_nothing_in_a_config_is_executed(folder: Path) -> None:
    """The audit hook sees every import, compilation, process and socket of the interpreter."""
    Path("harmless.yaml").write_text("a: !none\n")
    Path("c.yaml").write_text("a: !!python/object/apply:os.system ['touch evil']\nb: !!python/module:antigravity\n")
    script = """
import sys
from pathlib import Path
from nettool.config.load import load
from nettool.errors import ConfigError
try: load(Path("harmless.yaml"))  # imports whatever a refusal imports
except ConfigError: pass
seen = []
watched = ("exec", "compile", "import", "os.system", "os.exec", "os.fork", "os.posix_spawn", "subprocess", "socket")
sys.addaudithook(lambda event, arguments: seen.append(event) if event.startswith(watched) else None)
try: load(Path("c.yaml"))
except ConfigError as error: print(len(error.mistakes), seen)
"""
    environment = {**os.environ, "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)
    assert (done.stdout, done.stderr) == ("2 []\n", "")
    assert not Path("evil").exists()


def test_anchors_and_aliases_are_refused_on_values_and_keys() -> None:
    assert mistakes("a: &x 1\nb: *x\n&y c: 2\nd: {<<: *x}\n") == [
        "c.yaml:1:4 anchors (`&name`) are not read; write the value out where it is needed.",
        "c.yaml:2:4 aliases (`*name`) are not read; write the value out.",
        "c.yaml:3:1 anchors (`&name`) are not read; write the value out where it is needed.",
        "c.yaml:4:9 aliases (`*name`) are not read; write the value out.",
    ]


BOMBS = {
    "aliases": "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 30)),
    "flow lists 3,000 deep": "a: " + "[" * 3000 + "]" * 3000,
    "flow mappings 3,000 deep": "{a: " * 3000 + "1" + "}" * 3000,
    "block mappings 400 deep": "".join(" " * depth + "a:\n" for depth in range(400)),
    "block lists 3,000 deep": "- " * 3000 + "1",
    "400,000 items": "[" + "1," * 400_000 + "]",
    "80,000 keys": "".join(f"k{number}: 1\n" for number in range(80_000)),
    "a long number": "a: " + "9" * 900_000,
    "2 MB": "a: " + "x" * 2_000_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_at_once(name: str) -> None:
    start = time.process_time()
    assert mistakes(BOMBS[name])[0].startswith("c.yaml:")
    assert time.process_time() - start < 2


def test_depth_size_and_number_of_values_are_limited() -> None:
    assert values("[" * 50 + "]" * 50)
    assert mistakes("[" * 51 + "]" * 51) == ["c.yaml:1:51 nested more than 50 levels deep."]
    assert values("a: " + "x" * (MAX_CONFIG_BYTES - 3))
    assert mistakes("a: " + "x" * (MAX_CONFIG_BYTES - 2)) == [
        "c.yaml:1:1 is larger than 1,000,000 bytes; is this a config?"
    ]
    assert values("[" + "1," * (MAX_CONFIG_VALUES - 1) + "]")
    assert mistakes("[" + "1," * MAX_CONFIG_VALUES + "]") == [
        "c.yaml:1:40000 more than 20,000 values; numbers belong in a data file."
    ]


def test_a_second_document_is_refused() -> None:
    assert values("---\na: 1\n...\n") == {"a": 1}
    assert mistakes("---\na: 1\n---\nb: 2\n") == [
        "c.yaml:3:1 a second document begins here (`---`); a config is one document."
    ]


CURES = {
    "data:\n\tpath: x\n": "2:1 found character that cannot start any token. Indent with spaces, not with a tab.",
    "a: 1\nepochs:10\nb: 2\n": "2:1 could not find expected ':'. A space is needed after the colon: `key: value`.",
    "a: [1\nb: 2\n": "1:4 did not find expected ',' or ']'. A bracket or brace is not closed.",
    "a: {b: 1 c: 2}\n": "1:11 did not find expected ',' or '}'. Put a comma between two items.",
    'a: 1\nb: "x\nc: 2\n': "2:4 found unexpected end of stream. A quote is not closed.",
    "data:\n  path: x\n target: y\n": (
        "3:2 did not find expected key. Check that lines which belong together are indented by the same number of spaces."
    ),
    "a: b: c\n": (
        "1:5 mapping values are not allowed in this context. "
        "Put text that holds a colon and a space in quotes, or begin a new line."
    ),
    "target: @y\n": "1:9 found character that cannot start any token. Put text that begins with `@` in quotes.",
    "é: 1\nb: \0\n": "2:4 control characters are not allowed.",
}


@pytest.mark.parametrize("text", CURES)
def test_a_syntax_error_has_its_place_and_a_cure(text: str) -> None:
    place, _, problem = CURES[text].partition(" ")
    assert mistakes(text) == [f"c.yaml:{place} not valid YAML: {problem}"]


def test_a_key_that_is_a_list_is_refused() -> None:
    assert mistakes("? [a]\n: 1\n") == ["c.yaml:1:3 a key must be a plain word."]


def test_files_that_are_no_mapping_say_what_they_are(refuse: Refuse) -> None:
    start = "c.yaml:1:1 a config is a mapping of `key: value`, beginning with `data:`; this is"
    assert refuse(b"") == [f"{start} empty."]
    assert refuse(b"# nothing yet\n") == [f"{start} empty."]
    assert refuse(b"- a\n- b\n") == [f"{start} a list."]
    assert refuse(b"epochs:10\n") == [f"{start} only `epochs:10`."]


def test_files_that_are_no_text_or_too_large_are_refused(refuse: Refuse) -> None:
    not_text = "is this a config? Save it as UTF-8."
    assert refuse("data: é\n".encode("utf-16")) == [f"c.yaml:1:1 not UTF-8 text (byte 0xff); {not_text}"]
    assert refuse(b"a: 1\nb: \xe9\n") == [f"c.yaml:2:1 not UTF-8 text (byte 0xe9); {not_text}"]
    too_large = ["c.yaml:1:1 is larger than 1,000,000 bytes; is this a config?"]
    assert refuse(b"# " + b"x" * 2_000_000) == too_large
    assert refuse(b"a: " + "é".encode() * 1_000_000) == too_large
    # The mark at the beginning must not make room for a file whose end would be cut off.
    assert refuse(b"\xef\xbb\xbf" + GOOD.encode().ljust(MAX_CONFIG_BYTES - 2, b"#")) == too_large


def test_a_byte_order_mark_is_ignored(folder: Path) -> None:
    from nettool.config.load import load

    Path("c.yaml").write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert load(Path("c.yaml")).experiment.loss.name == "mse"


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_with_a_place(text: str) -> None:
    try:
        tree(text)
    except ConfigError as error:
        assert all(mistake.place.startswith("c.yaml:") for mistake in error.mistakes)


@given(st.text(alphabet="a:-[]{},&*!|>'\"%@#? \n\t1.e", max_size=60))
def test_any_jumble_of_yaml_signs_is_read_or_refused_with_a_place(text: str) -> None:
    try:
        tree(text)
    except ConfigError as error:
        assert all(mistake.place.startswith("c.yaml:") for mistake in error.mistakes)
