"""The error tree and its exit codes, and how mistakes are laid out for the eye."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nettool import errors
from nettool.errors import ConfigError, Mistake, NettoolError, format_mistakes

EXIT_CODES = {
    "NettoolError": 1, "UsageError": 2, "ConfigError": 2, "DataError": 2, "RunError": 2, "DamagedError": 2, "DivergedError": 3,
    "ResourceError": 4, "BusyError": 5, "InterruptedRun": 130,
}  # fmt: skip

CLASSES = {
    name: value for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, NettoolError)
}


def test_every_error_has_the_exit_code_that_the_docstring_draws() -> None:
    assert {name: kind.exit_code for name, kind in CLASSES.items()} == EXIT_CODES
    for name, code in EXIT_CODES.items():
        (line,) = [line for line in str(errors.__doc__).splitlines() if name in line]
        assert line.split(name)[1].split()[0] == str(code)


@pytest.mark.parametrize("name", sorted(set(EXIT_CODES) - {"NettoolError"}))
def test_every_error_is_caught_as_a_nettool_error(name: str) -> None:
    assert CLASSES[name].__mro__[1] in (NettoolError, errors.RunError)


def test_mistakes_stand_in_two_columns() -> None:
    mistakes = [
        Mistake(
            ("layers", 3),
            "needs an image. " + "Move it before the flatten. " * 5,
            "digits.yaml:12:5",
            "layers.3 (conv2d)",
        ),
        Mistake(("optimzer",), 'no such key. Did you mean "optimizer"?', "digits.yaml:9:1"),
        Mistake((), "an override is written key=value.", "lr"),
    ]
    assert str(ConfigError(mistakes)) == (
        "digits.yaml:12:5  layers.3 (conv2d): needs an image. Move it before the flatten. Move it before the flatten. Move it\n"
        "                  before the flatten. Move it before the flatten. Move it before the flatten.\n"
        'digits.yaml:9:1   optimzer: no such key. Did you mean "optimizer"?\n'
        "lr                an override is written key=value."
    )


def test_a_place_too_long_for_its_column_has_a_line_of_its_own() -> None:
    place = "a" * 60 + ".yaml:1:1"
    assert format_mistakes([Mistake(("epochs",), "is wrong.", place)]) == f"{place}\n{' ' * 50}epochs: is wrong."


def test_mistakes_without_places_are_not_indented() -> None:
    assert format_mistakes([Mistake(("epochs",), "is wrong.")]) == "epochs: is wrong."


@pytest.mark.parametrize("num", [24, 25, 26, 100])
def test_what_does_not_fit_in_24_lines_is_counted(num: int) -> None:
    lines = format_mistakes([Mistake((f"key{index}",), "is wrong.", "c.yaml:1:1") for index in range(num)]).splitlines()
    assert len(lines) == 24
    assert lines[-1] == ("c.yaml:1:1  key23: is wrong." if num == 24 else f"... and {num - 23} more mistakes.")


def test_one_mistake_left_over_is_counted_in_the_singular() -> None:
    short, long = Mistake(("a",), "is wrong.", "c.yaml:1:1"), Mistake(("b",), "word " * 30, "c.yaml:1:1")
    assert format_mistakes([short] * 23 + [long]).splitlines()[-1] == "... and 1 more mistake."


@given(st.lists(st.integers(1, 800), max_size=40), st.sampled_from(["", "c.yaml:1:1", "x" * 70]))
def test_there_are_never_more_than_24_lines(sizes: list[int], place: str) -> None:
    mistakes = [Mistake(("a",), "word " * size, place) for size in sizes]
    assert len(format_mistakes(mistakes).splitlines()) <= 24


def test_control_characters_do_not_reach_the_terminal() -> None:
    text = format_mistakes([Mistake(("\x1b[31m",), "is \x9b wrong\u202e.", "x=\n\x07")])
    assert text == r"x=\n\x07  \x1b[31m: is \x9b wrong\u202e."
