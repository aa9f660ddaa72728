"""The judge of tunes in benchmarks/: it finds the bars that fill the meter, and takes any text without a crash."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).parent.parent
BENCHMARKS = ROOT / "benchmarks"
SAMPLE = ROOT / "configs" / "data" / "irish_sample.abc"

sys.path.insert(0, str(BENCHMARKS))
abc_bars = importlib.import_module("abc_bars")
tunes = importlib.import_module("tunes")
sys.path.remove(str(BENCHMARKS))

HEADER = "X:1\nT:A tune\nM:4/4\nL:1/8\nK:D Major\n"


def lengths(music: str, header: str = HEADER) -> list[Fraction | None]:
    """In units of an eighth."""
    return [bar.length and bar.length * 8 for bar in abc_bars.read_bars(header + music)]


def inner(music: str) -> list[str]:
    return [bar.text for bar in abc_bars.read_bars(HEADER + music) if bar.inner]


@pytest.mark.parametrize(
    ("bar", "length"),
    [
        ("A", 1),
        ("A2 B3/2 c/2 d/ e//", Fraction(19, 4)),
        ("^A _B2 =c __d ^^e,, f''", 7),
        ("z2 x", 3),
        ("[CEG]2 [C2E2]", 4),
        ("A>B c<d e>>f", 6),
        ("A2>B2", 4),
        ("(3ABc d", 3),
        ("(2AB", 3),
        ("(4ABcd", 3),
        ("(5ABcde", 2),
        ("(3:2:4ABcd", Fraction(8, 3)),
        ("(3A2B2c2", 4),
        ("(3A>Bc", 2),
        ("{gf}A {/e}B", 2),
        ('"Am"A !trill!B ~c .d Te uf', 6),
        ("(AB) A-", 3),
        ("A! B % cdef", 2),
        ("A [K:G] B [M:3/4] c [L:1/4] d", 5),
    ],
)
def test_length_of_a_bar_is_that_of_its_notes(bar: str, length: Fraction) -> None:
    assert lengths(bar) == [length]


@pytest.mark.parametrize(
    "bar", ["A ? B", "A h B", "[AB", "A0", "A/0", "A123456", "(3AB", "A>", ">A", "(3(3ABc", '"A', "{A"]
)
def test_bar_that_is_no_notation_has_no_length(bar: str) -> None:
    assert lengths(f"A|{bar}|B") == [1, None, 1]


def test_bar_over_two_lines_is_one() -> None:
    assert lengths("AB\ncd|!\nefga|\n") == [4, 4]


def test_quintuplet_is_longer_in_a_compound_meter() -> None:
    assert lengths("(5ABcde", HEADER.replace("4/4", "6/8")) == [3]
    assert lengths("(5ABcde", HEADER.replace("4/4", "3/4")) == [2]


@pytest.mark.parametrize(
    ("meter", "unit", "bar"),
    [
        ("C", "1/8", "ABcd efga"),
        ("C|", "1/8", "A4 B4"),
        ("6/8", "1/8", "ABc def"),
        ("3/4", "1/4", "ABc"),
        ("9/8", "1/16", "A6 B6 c6"),
        ("4/4", "1/8", "Z"),
    ],
)
def test_bar_that_lasts_as_long_as_the_meter_says_fills_it(meter: str, unit: str, bar: str) -> None:
    tune = f"X:1\nT:A tune\nM:{meter}\nL:{unit}\nK:D\nA|{bar}|{bar}A|B"
    assert [one.fills_meter for one in abc_bars.read_bars(tune)] == [False, True, False, False]


def test_unit_follows_from_the_meter_where_none_is_given() -> None:
    assert abc_bars.read_bars("X:1\nM:2/4\nK:D\nA")[0].length == Fraction(1, 16)
    assert abc_bars.read_bars("X:1\nM:3/4\nK:D\nA")[0].length == Fraction(1, 8)
    assert abc_bars.read_bars("X:1\nK:D\nA")[0].length == Fraction(1, 8)


def test_no_bar_fills_a_meter_that_is_not_given() -> None:
    assert not any(bar.fills_meter for bar in abc_bars.read_bars("X:1\nL:1/8\nK:D\nA|ABcd efga|B"))


def test_changes_of_meter_hold_from_the_next_bar_on() -> None:
    bars = abc_bars.read_bars(HEADER + "A8|[M:3/4]A6|B6|\nM:6/8\nc6|[M:C|]d8|e8")
    assert [bar.fills_meter for bar in bars] == [True] * 6
    bars = abc_bars.read_bars(HEADER + "A8|\nM:3/4 A6|B6| M:4/4 c8")
    assert [bar.fills_meter for bar in bars] == [True] * 4


@pytest.mark.parametrize(
    ("music", "kept"),
    [
        ("A|B|c|d", ["B", "c"]),
        ("A|B|c:|d|e|f:|", ["B", "e"]),
        ("A|B|c|!\nd|e|f|]!\n", ["B", "c", "d", "e"]),
        ("A|B|c||d|e|f", ["B", "e"]),
        ("A|B|c::d|e|f", ["B", "e"]),
        ("A|B|c|1 d|e|f:|2 g|a|b|]", ["B", "e", "a"]),
        ("A|B|c|\n[1 d|e|f:|\n[2 g|a|b|]", ["B", "e", "a"]),
        ("|:A|B|c:|", ["B"]),
    ],
)
def test_bars_beside_anything_but_plain_bar_lines_are_not_inner(music: str, kept: list[str]) -> None:
    assert [text.removeprefix("!").strip() for text in inner(music)] == kept


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("", ""), True),
        (("K:D Major\n", "K:F#m\n"), True),
        (("T:A tune\n", "T:A tune\nT:its other name\nZ:who wrote it down\n"), True),
        (("T:A tune\n", ""), False),
        (("M:4/4\n", ""), False),
        (("L:1/8\n", ""), False),
        (("K:D Major\n", ""), False),
        (("T:A tune", "T: "), False),
        (("M:4/4", "M:4/0"), False),
        (("L:1/8", "L:eighth"), False),
        (("D Major", "H Major"), False),
        (("T:A tune\n", "T:A tune\nno header\n"), False),
    ],
)
def test_headers_are_missing_where_one_is_not_there_or_not_readable(change: tuple[str, str], expected: bool) -> None:
    assert abc_bars.has_headers(HEADER.replace(*change) + "ABcd|") is expected


@given(st.text(st.sampled_from("AbcGz|:[]()123/^_=-><!\"{}%~'\n ,KLMXh²٣é\0"), max_size=80))
def test_any_text_is_judged(music: str) -> None:
    judgement = abc_bars.judge(HEADER + music)
    assert judgement.has_headers
    assert 0 <= judgement.num_filled <= judgement.num_inner
    abc_bars.judge("X:" + music)


def test_bars_of_real_tunes_fill_the_meter() -> None:
    texts = abc_bars.split_tunes(SAMPLE.read_text(encoding="utf-8"))
    figures = tunes.add_up([tunes.measure(text) for text in texts])
    assert (
        figures.num_tunes
        == figures.num_with_headers
        == figures.num_parsed
        == figures.num_well_filled
        == figures.num_sound
        == 66
    )
    assert figures.num_filled_bars == figures.num_inner_bars > 900


def test_bars_of_random_characters_do_not_though_they_parse() -> None:
    texts = abc_bars.split_tunes(SAMPLE.read_text(encoding="utf-8"))
    made = tunes.random_tunes(texts, seed=0, num=30)
    assert made == tunes.random_tunes(texts, seed=0, num=30) != tunes.random_tunes(texts, seed=1, num=30)
    figures = tunes.add_up([tunes.measure(text) for text in made])
    assert figures.num_tunes == figures.num_with_headers == 30
    assert figures.num_parsed > 20
    assert figures.num_well_filled == 0
    assert figures.num_filled_bars < 0.1 * figures.num_inner_bars


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCHMARKS / "tunes.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_script_prints_a_table_or_json(tmp_path: Path) -> None:
    file = tmp_path / "generated.abc"
    file.write_text(f"what came before\n{HEADER}A|B8|B4|c|\nX:2\nT:Cut o", encoding="utf-8")
    assert json.loads(run(str(file), "--json").stdout) == {
        "num_tunes": 2,
        "num_with_headers": 1,
        "num_parsed": 1,
        "num_well_filled": 0,
        "num_sound": 0,
        "num_inner_bars": 2,
        "num_filled_bars": 1,
    }
    assert run(str(file), "--first", "1", "--each").stdout == (
        "X:1      headers          parsed      1 of 2 inner bars filled\n"
        "tunes                                     1\n"
        "  with all headers                        1   100.0%\n"
        "  parsed, with notes                      1   100.0%\n"
        "  with 70% of the inner bars filled       0     0.0%\n"
        "  with all of that                        0     0.0%\n"
        "inner bars                                2\n"
        "  that fill the meter                     1    50.0%\n"
    )


def test_script_says_what_it_cannot_judge(tmp_path: Path) -> None:
    file = tmp_path / "empty.abc"
    file.write_text("", encoding="utf-8")
    assert f"{file} holds no tune: none of its lines starts with X:." in run(str(file)).stderr
    assert "cannot read nowhere.abc: No such file or directory." in run("nowhere.abc").stderr
    assert "0 is no number of tunes; write 1 or more." in run(str(file), "--first", "0").stderr
