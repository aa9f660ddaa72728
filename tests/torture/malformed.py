"""Row 5: configs spoilt in every way. Each mistake has its place, and no message is longer than a screen."""

from __future__ import annotations

import random
import re
import tempfile
from pathlib import Path

from tests.config.test_mutations import CONFIGS, PLACE, mutations
from tests.torture.lab import Lab


def spoil_configs(lab: Lab) -> None:
    """At least 300 that are refused; sampled, a tenth of them; some by way of the command line."""
    for rounds in range(1 if lab.sample and not lab.bug else 3):
        for path in CONFIGS[::4] if lab.sample and not lab.bug else CONFIGS:
            answer = lab.call("malformed:spoil", str(path), str(rounds))
            for what in answer["wrong"]:
                with lab.point(path.stem):
                    raise AssertionError(what)
            lab.points += answer["refused"]
            for text in answer["texts"][:2]:
                (lab.folder / "spoilt.yaml").write_text(text)
                with lab.point(f"{path.stem} on the command line"):
                    result = lab.run(lab.folder, "check", "spoilt.yaml")
                    assert result.code == 2, (result.code, result.err)
                    assert "Traceback" not in result.err
                    assert len(result.err.splitlines()) <= 24, result.err
                    assert re.search(r"spoilt\.yaml:\d+:\d+", result.err), result.err
    if not lab.bug:
        with lab.point("what is not read at all"):
            for text, words in REFUSED.items():
                (lab.folder / "spoilt.yaml").write_text(text)
                result = lab.run(lab.folder, "check", "spoilt.yaml")
                assert result.code == 2, text
                assert words in result.err, result.err


GOOD = CONFIGS[0].read_text(encoding="utf-8")
REFUSED = {
    f"{GOOD}\nseed: &a 1\n": "anchors (`&name`) are not read",
    f"{GOOD}\nseed: *a\n": "aliases (`*name`) are not read",
    f"{GOOD}\nseed: !!int 1\n": "tags (`!!int`) are not read",
    f"{GOOD}\nloss: mse\n": "this key is written twice",
}


def spoil(config: str, rounds: str) -> dict[str, object]:
    """In the process with the bug: every mutation of an example, those refused and those refused badly."""
    from nettool.config.load import load
    from nettool.errors import ConfigError, UsageError

    chance = random.Random(f"{config} {rounds}")
    wrong, texts, refused = [], [], 0
    with tempfile.TemporaryDirectory() as folder:
        for other in CONFIGS:
            (Path(folder) / other.name).write_text(other.read_text(encoding="utf-8"), encoding="utf-8")
        path = Path(folder) / "c.yaml"
        for text in mutations(Path(config).read_text(encoding="utf-8"), chance):
            path.write_text(text, encoding="utf-8")
            has_alias = re.search(r"^[^#'\"]*: [*&]x", text, re.MULTILINE)
            try:
                load(path)
                if has_alias:
                    wrong.append(f"an alias was read: {has_alias[0]}")
            except ConfigError as error:
                refused += 1
                texts += [text] if "base:" not in text else []
                lines = str(error).splitlines()
                if not error.mistakes or len(lines) > 24:
                    wrong.append(f"{len(lines)} lines for {text!r}")
                wrong += [f"no place: {m.text}" for m in error.mistakes if not PLACE.fullmatch(m.place)]
            except UsageError:
                refused += 1
            except Exception as error:
                wrong.append(f"{type(error).__name__}: {error}")
    return {"wrong": wrong, "refused": refused, "texts": texts}


def list_mistakes(lab: Lab) -> None:
    """A hundred mistakes are told on one screen."""
    text = GOOD + "".join(f"key_{number}: {number}\n" for number in range(100))
    (lab.folder / "spoilt.yaml").write_text(text)
    with lab.point("a hundred mistakes"):
        result = lab.run(lab.folder, "check", "spoilt.yaml")
        assert result.code == 2, result.err
        assert len(result.err.splitlines()) <= 24, f"{len(result.err.splitlines())} lines"
        assert "more mistakes" in result.err, result.err
