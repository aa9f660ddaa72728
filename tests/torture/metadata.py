"""Row 3: weights that a stranger has signed again, with one value of what stands beside them changed.

The checksum keeps accidents out, not attackers: whatever the encoders, the baseline or the fingerprint say, they are
refused by name, or read for what they are.
"""

from __future__ import annotations

import copy
import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nettool.runs import checkpoint
from tests.torture.cases import CASES
from tests.torture.lab import Lab

END = "\nepochs: 1\nlayers: [{dense: 3}, output]\n"
TEXTS = "\nepochs: 1\nlayers: [{embedding: 3}, {lstm: 3}, output]\n"
JOBS = {
    "kinds": "data: {path: all.csv, target: colour, split: {by: place}}\nloss: {name: cross_entropy, class_weights: balanced}"
    + END,
    "yes": "data: {path: all.csv, target: well}\nloss: {name: binary_cross_entropy, class_weights: balanced}" + END,
    "labels": "data: {path: all.csv, target: [well, old]}\nloss: binary_cross_entropy" + END,
    "numbers": "data: {path: all.csv, target: [size, age], weights: weight}\nloss: mse" + END,
    "series": "data: {path: all.csv, target: size, window: {length: 4, horizon: 2}}\nloss: mse"
    + TEXTS.replace("embedding", "dense"),
    "texts": "data: {path: all.csv, target: colour, columns: {said: text}}\nloss: cross_entropy" + TEXTS,
    "images": CASES["cnn"].config,
    "stream": CASES["lstm"].config,
}
"""With every kind of column, of input and of target among them."""

VALUES: list[Any] = [
    None, True, -1, 0, 1, 2, 0.5, 1e-300, 1e308, float("nan"), float("inf"), 10**30, 10**9, "", "x", "number", "date",
    [], {}, [1], ["x"], {"x": 1},
]  # fmt: skip
DATA = ("all.csv", "shapes.npz", "song.txt", "--prompt")
"""What may be at odds with what the file says."""
Path_ = tuple[str | int, ...]


@dataclass(frozen=True)
class Change:
    """What is done to the facts, in words, and the facts after it."""

    what: str
    facts: dict[str, Any]


def changes(facts: dict[str, Any]) -> Iterator[Change]:
    """Every value of the encoders, baseline and fingerprint replaced by each of VALUES, left out, and said twice."""
    for key in ("encoders", "baseline", "fingerprint"):
        for path in _paths(facts[key], (key,)):
            name = ".".join(map(str, path))
            for value in VALUES:
                yield Change(f"{name} is {str(value)[:12]}", _with(facts, path, _setter(value)))
            yield Change(f"{name} is left out", _with(facts, path, lambda parent, at: parent.__delitem__(at)))
            if isinstance(path[-1], int):
                twice = _with(facts, path, lambda parent, at: parent.insert(at, parent[at]))
                yield Change(f"{name} stands twice", twice)


def swaps(facts: dict[str, Any], name: str, other: dict[str, Any]) -> Iterator[Change]:
    """Every part taken from the facts of another job, which are whole."""
    parts: tuple[Path_, ...] = (
        ("config",), ("config", "data"), ("config", "layers"), ("config", "loss"), ("encoders",), ("baseline",),
        ("encoders", "features"), ("encoders", "target"), ("encoders", "columns"), ("fingerprint",),
    )  # fmt: skip
    for path in parts:
        taken: Any = other
        for key in path:
            taken = taken[key]
        yield Change(f"{'.'.join(map(str, path))} is that of {name}", _with(facts, path, _setter(taken)))


def _setter(value: Any) -> Callable[[Any, str | int], object]:
    return lambda parent, at: parent.__setitem__(at, value)


def _paths(value: Any, path: Path_) -> Iterator[Path_]:
    """Of all values in it; of long lists the first, the second and the last."""
    yield path
    items: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = [(index, value[index]) for index in sorted({0, 1, len(value) - 1} & set(range(len(value))))]
    for key, inner in items:
        yield from _paths(inner, (*path, key))


def _with(facts: dict[str, Any], path: Path_, change: Callable[[Any, str | int], object]) -> dict[str, Any]:
    changed = copy.deepcopy(facts)
    parent: Any = changed
    for key in path[:-1]:
        parent = parent[key]
    change(parent, path[-1])
    return changed


def change_metadata(lab: Lab) -> None:
    """Sampled, a fraction of them."""
    share = 0.02 if lab.sample and not lab.bug else 1.0
    folders = {job: _write(lab, job, config) for job, config in JOBS.items()}
    for job, folder in folders.items():
        answer = lab.call("metadata:use_each", job, str(share), folder=folder)
        for what in answer["wrong"]:
            with lab.point(f"{job}, {what}"):
                raise AssertionError(what)
        lab.points += answer["tried"]


def _write(lab: Lab, job: str, config: str) -> Path:
    folder = lab.folder / f"job-{job}"
    folder.mkdir()
    chance = random.Random(1)
    lines = ["size,age,well,old,colour,place,day,said,weight"]
    for row in range(120):
        words = " ".join(chance.choice(["good", "bad", "fair", "grand"]) for _ in range(3))
        day = f"20{10 + row // 12:02}-{1 + row % 12:02}-15"
        size = f"{chance.uniform(1, 9):.3f}"
        age = chance.randrange(90)
        well, old = chance.choice(["yes", "no"]), chance.choice(["true", "false"])
        colour, place = chance.choice(["red", "green", "blue"]), f"p{chance.randrange(40)}"
        lines.append(f"{size},{age},{well},{old},{colour},{place},{day},{words},{chance.randrange(1, 4)}")
    (folder / "all.csv").write_text("\n".join(lines) + "\n")
    for case in ("cnn", "lstm"):
        CASES[case].write_data(folder)
    (folder / "c.yaml").write_text(config)
    result = lab.run(folder, "train", "c.yaml", "--run-dir", "run", "--quiet", "epochs=1")
    assert result.code == 0, result.err
    return folder


def use_each(job: str, share: str) -> dict[str, object]:
    """In the process with the bug: each change, evaluated and predicted with. How many were tried, and what went wrong."""
    whole = {name: checkpoint.load(Path(f"../job-{name}/run/best.safetensors")) for name in JOBS}
    tensors, facts = whole[job]
    others = ((name, other) for name, (_, other) in whole.items() if name != job)
    chance = random.Random(job)
    wrong, tried, path = [], 0, Path("evil.safetensors")
    for change in itertools.chain(changes(facts), *(swaps(facts, *other) for other in others)):
        if chance.random() >= float(share):
            continue
        tried += 1
        checkpoint.save(path, tensors, change.facts)
        for use in (_evaluate, _predict):
            said = _outcome(use, path)
            if said:
                wrong.append(f"{change.what}, {use.__name__[1:]}: {said}")
    return {"wrong": wrong[:200], "tried": tried}


def _outcome(use: Callable[[Path], None], path: Path) -> str:
    """What is wrong with how it ended; nothing where it ended well, or was refused by name."""
    from nettool.errors import NettoolError

    try:
        use(path)
    except NettoolError as error:
        named = any(name in str(error) for name in (str(path), *DATA))
        if error.exit_code != 2:
            return f"exit {error.exit_code}: {error}"
        return "" if named and len(str(error)) < 600 else f"says {str(error)[:300]!r}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def _evaluate(path: Path) -> None:
    from nettool.workflows.evaluate import evaluate
    from nettool.workflows.trained import load_trained

    evaluate(load_trained(path), split="validation")


def _predict(path: Path) -> None:
    from nettool.workflows.generate import generate
    from nettool.workflows.predict import predict, table_bytes
    from nettool.workflows.trained import load_trained

    trained = load_trained(path)
    if trained.experiment.data.is_stream:
        list(generate(trained, "a", 3, 1.0, 0))
        return
    source = Path(trained.experiment.data.path or "")
    table, _ = predict(trained, source)
    table_bytes(table, ".csv")
