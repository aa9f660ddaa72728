"""Hundreds of spoilt examples: each loads or is refused, every mistake with its file, line and column."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from nettool.config.load import load
from nettool.errors import ConfigError, UsageError

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))
PLACE = re.compile(r".+\.yaml:\d+:\d+")
VALUES = [
    "", "null", "true", "no", "-1", "0", "1.5", "1e999", ".nan", "text", "'3'", "[]", "{}", "[1, 2]", "{a: 1}", "{name: 3}", "{name: [1]}",
    "{layer: [1]}", "[[1], [2]]", "{a: {b: {c: 1}}}", "!!python/name:os.system x", "*x", "&x 1", "9" * 40, '"\\0"', "- a", "@", "'", "{",
]  # fmt: skip
NOISE = ["\t", ":", "-", "}", "]", '"', "#", "\0", "\x1b", "é", "*x", "!x ", "? ", "---\n", "|\n", "<<: 3\n", " "]


def mutations(text: str, chance: random.Random) -> Iterator[str]:
    """One of each kind, at a random place."""
    lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    keys = [index for index, line in enumerate(lines) if ":" in line]

    def with_line(index: int, *changed: str) -> str:
        return "\n".join([*lines[:index], *changed, *lines[index + 1 :]]) + "\n"

    index = chance.choice(keys)
    line = lines[index]
    key, _, value = line.partition(":")
    yield with_line(index)
    yield with_line(index, line, line)
    yield with_line(index, f"{key}{chance.choice('abcxyz')}:{value}")
    yield with_line(index, f"{key[:-1]}:{value}")
    yield with_line(index, f"{key}: {chance.choice(VALUES)}")
    yield with_line(index, f"{key}: {chance.choice(VALUES)}", *(f"  {line}" for line in lines[index + 1 :]))
    yield with_line(index, f"{key}: {{{key.strip(' -')}:{value}}}")
    yield with_line(index, f"{key}: [{value}]")
    yield with_line(index, f"{key}:{value.strip()}")
    yield with_line(index, f" {line}")
    yield with_line(index, f"\t{line}")
    yield with_line(index, line.replace(" ", "  ", 1).replace("{", "["))
    yield with_line(index, f"{line}\n{chance.choice(lines)}")
    yield re.sub(r"[\d.]+", lambda match: chance.choice(["x", "-1", "1e999", match[0]]), text)
    yield text.replace("- ", chance.choice(["-", "* ", "  "]))
    place = chance.randrange(len(text))
    yield text[:place] + chance.choice(NOISE) + text[place:]
    yield text[:place]
    yield text[place:]
    yield "".join(character for character in text if chance.random() > 0.02)
    yield "outer:\n" + "".join(f"  {line}\n" for line in lines)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_spoilt_example_is_read_or_refused_with_places(path: Path, folder: Path) -> None:
    for other in CONFIGS:  # bases
        (folder / other.name).write_text(other.read_text(encoding="utf-8"), encoding="utf-8")
    chance = random.Random(path.stem)
    num_refused = 0
    for _ in range(3):
        for text in mutations(path.read_text(encoding="utf-8"), chance):
            (folder / "c.yaml").write_text(text, encoding="utf-8")
            try:
                load(Path("c.yaml"), chance.choice([(), ("epochs=3",), ("layers.0.units=3",)]))
            except ConfigError as error:
                num_refused += 1
                assert error.mistakes, text
                overridden = {mistake.place for mistake in error.mistakes} & {"epochs=3", "layers.0.units=3"}
                places = {mistake.place for mistake in error.mistakes} - overridden
                assert all(PLACE.fullmatch(place) for place in places), text
                assert len(str(error).splitlines()) <= 24, text
                assert all(mistake.text.endswith((".", "?", ")")) for mistake in error.mistakes), (text, str(error))
            except UsageError:
                num_refused += 1
    assert num_refused > 20
