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
            except UsageError:  # of the file as a whole, which has no place
                continue
            except Exception as error:
                wrong.append(f"{type(error).__name__}: {error}")
        for text, words in REFUSED.items():
            path.write_text(text, encoding="utf-8")
            try:
                load(path)
                wrong.append(f"this was read: {text!r}")
            except ConfigError as error:
                wrong += [] if words in str(error) else [f"{words!r} is not said of {text!r}"]
    return {"wrong": wrong, "refused": refused, "texts": texts}


KNOWN = """\
data:
  path: people.csv
  target: passed
  split: [0.6, 0.2, 0.2]
layers:
  - dense: {units: 12, norm: batch_norm}
  - dense: 8
  - output
loss: binary_cross_entropy
optimizer: {name: adam, lr: 0.05, clip_norm: 5}
schedule: {name: cosine, warmup: 1}
dropout: 0.3
batch_size: 16
epochs: 12
early_stopping: {patience: 4}
checkpoint: {every: 3 steps}
seed: 1
"""
MISTAKES: list[tuple[int, str, dict[str, str]]] = [
    (2, "  path: 3", {"2:3": "Put it in quotes"}),
    (2, "  path: [a]", {"2:3": "must be text"}),
    (3, "  target: [passed, passed]", {"3:3": "named twice"}),
    (3, "  target: 3", {"3:11": "Put it in quotes"}),
    (4, "  split: [0.6, 0.6, 0.2]", {"4:3": "add up to 1.4"}),
    (4, "  split: {by: group, train: 2}", {"4:22": "must be at most 1"}),
    (6, "  - dense: {units: -12}", {"6:13": "must be at least 1"}),
    (6, "  - dens: 12", {"6:5": 'Did you mean "dense"?'}),
    (6, "  - dense: {unit: 12}", {"6:5": "is required", "6:13": 'Did you mean "units"?'}),
    (7, "  - dense: {units: 8, activation: rellu}", {"7:23": 'Did you mean "relu"?'}),
    (7, "  - dense: 8.5", {"7:5": "must be a whole number"}),
    (8, "  - outputt", {"8:5": 'Did you mean "output"?'}),
    (9, "loss: hinge", {"9:1": 'there is no loss "hinge"'}),
    (9, "loss: {name: huber, delta: -1}", {"9:21": "must be above 0"}),
    (10, "optimizer: {name: adm, lr: 0.05}", {"10:1": 'Did you mean "adam"?'}),
    (10, "optimizer: {name: adam, lr: fast}", {"10:25": "must be a number"}),
    (10, "optimizer: {name: adam, momentum: 0.9}", {"10:25": "adam has no momentum"}),
    (11, "schedule: {name: cosine, warmup: -1}", {"11:26": "must be at least 0"}),
    (12, "dropout: 1.3", {"12:1": "must be below 1"}),
    (12, "drop_out: 0.3", {"12:1": 'Did you mean "dropout"?'}),
    (13, "batch_size: sixteen", {"13:1": "must be a whole number or full"}),
    (14, "epoch: 12", {"14:1": 'Did you mean "epochs"?'}),
    (14, "epochs: -1", {"14:1": "must be at least 0"}),
    (15, "early_stopping: {patience: -4}", {"15:18": "must be at least 1"}),
    (15, "early_stopping: {patiense: 4}", {"15:1": "is required", "15:18": 'Did you mean "patience"?'}),
    (16, "checkpoint: {every: 3 stepps}", {"16:14": "seconds, epochs or steps"}),
    (17, "seed: one", {"17:1": "must be a whole number"}),
]  # fmt: skip
"""The line of KNOWN, what it is spoilt to, and what must be said where."""


def find_every_mistake(lab: Lab) -> None:
    """One to five known mistakes in a config: exactly these are told, each at its place and with its cure."""
    chance = random.Random(1)
    chosen = [[mistake] for mistake in MISTAKES]
    while len(chosen) < (60 if lab.sample and not lab.bug else 400):
        lines = chance.sample(sorted({line for line, _, _ in MISTAKES}), chance.randint(2, 5))
        chosen.append([chance.choice([one for one in MISTAKES if one[0] == line]) for line in sorted(lines)])
    found = lab.call("malformed:tell", *(_spoilt(mistakes) for mistakes in chosen))
    for mistakes, told in zip(chosen, found, strict=True):
        expected = {place: words for _, _, places in mistakes for place, words in places.items()}
        with lab.point(", ".join(text.strip() for _, text, _ in mistakes)):
            assert sorted(place for place, _ in told) == sorted(expected), (told, expected)
            for place, text in told:
                assert expected[place] in text, (place, text)


def _spoilt(mistakes: list[tuple[int, str, dict[str, str]]]) -> str:
    lines = KNOWN.splitlines()
    for line, text, _ in mistakes:
        lines[line - 1] = text
    return "\n".join(lines) + "\n"


def tell(*texts: str) -> list[list[tuple[str, str]]]:
    """In the process with the bug: line and column of every mistake in each config, and what is said of it."""
    from nettool.config.load import load
    from nettool.errors import ConfigError

    told = []
    for text in texts:
        Path("known.yaml").write_text(text)
        try:
            load(Path("known.yaml"))
            told.append([("", "it was read")])
        except ConfigError as error:
            told.append([(one.place.removeprefix("known.yaml:"), one.text) for one in error.mistakes])
    return told


def list_mistakes(lab: Lab) -> None:
    """A hundred mistakes are told on one screen."""
    text = GOOD + "".join(f"key_{number}: {number}\n" for number in range(100))
    (lab.folder / "spoilt.yaml").write_text(text)
    with lab.point("a hundred mistakes"):
        result = lab.run(lab.folder, "check", "spoilt.yaml")
        assert result.code == 2, result.err
        assert len(result.err.splitlines()) <= 24, f"{len(result.err.splitlines())} lines"
        assert "more mistakes" in result.err, result.err
