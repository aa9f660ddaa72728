"""Rows 13 and 14: what is learned comes from the training split alone, and the split from the rows alone."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from nettool.runs import checkpoint
from tests.torture.lab import Lab

HEADER = "number,category,many,flag,date,words,score,class"
KINDS = "{number: number, category: category, many: category, flag: boolean, date: date, words: ignore}"
LEAKAGE = {
    "numbers, categories, dates": (f"data.columns={KINDS}", "data.target=class", "loss=cross_entropy"),
    "a number as target": (f"data.columns={KINDS}", "data.target=score", "loss=mse", "data.features=[number, many, date]"),
    "minmax": (f"data.columns={KINDS}", "data.target=class", "loss=cross_entropy", "data.scale=minmax"),
    "text": (
        "data.columns={words: text}", "data.target=class", "loss=cross_entropy",
        "layers=[{embedding: 4}, {lstm: 4}, output]", "data.text={unit: word, length: 6}",
    ),
    "a series": (
        "data.columns={number: number, category: category, many: ignore, flag: boolean, date: ignore, words: ignore}",
        "data.target=score", "loss=mse", "data.window={length: 4}", "layers=[flatten, {dense: 4}, output]",
    ),
}  # fmt: skip
SPLITS = ("train", "validation", "test")


def _row(chance: random.Random, spoilt: bool) -> str:
    if spoilt:
        return f"1e9,never seen {chance.randrange(99)},{chance.randrange(10**9)},true,2999-01-01,unheard of {chance.random()},1e9,a"
    number, category = chance.gauss(3, 2), chance.choice("xyz")
    kind = "ab"[number + "xyz".index(category) + chance.gauss(0, 1) > 4]
    words = " ".join(chance.choice(["to", "be", "or", "not", "in", "the", "heart"]) for _ in range(4))
    date = f"20{chance.randrange(10, 24)}-0{chance.randrange(1, 9)}-11"
    many = f"m{chance.randrange(40)}"
    return f"{number:.3f},{category},{many},{chance.choice(['true', 'false'])},{date},{words},{number * 2:.2f},{kind}"


def write_splits(folder: Path, spoilt: bool) -> None:
    """A file for each split; those that training must not look into may be spoilt."""
    for name, count in zip(SPLITS, (90, 30, 30), strict=True):
        chance = random.Random(name)
        is_spoilt = spoilt and name != "train"
        rows = [_row(chance, is_spoilt) for _ in range(count)]
        (folder / f"{name}.csv").write_text("\n".join([HEADER, *rows]) + "\n")


def spoil_other_splits(lab: Lab) -> None:
    """Encoders and weights of a run of fixed length are the same whatever stands in validation and test."""
    folder = lab.folder / "leakage"
    folder.mkdir(exist_ok=True)
    (folder / "c.yaml").write_text(
        "data: {train: train.csv, validation: validation.csv, test: test.csv, target: class}\n"
        "layers:\n  - dense: 6\n  - output\nloss: cross_entropy\nepochs: 4\nbatch_size: 16\n"
    )
    for what, changes in LEAKAGE.items():
        _compare(lab, folder, what, changes, write_splits)
    _compare(lab, folder, "images", IMAGES, write_images)


IMAGES = (
    "data={train: train.npz, validation: validation.npz, test: test.npz, target: y, columns: {x: image}}",
    "layers=[{conv2d: 2}, flatten, output]",
)


def write_images(folder: Path, spoilt: bool) -> None:
    """The same with images."""
    for name, count in zip(SPLITS, (60, 20, 20), strict=True):
        chance = np.random.default_rng(len(name))
        images = chance.integers(0, 200, (count, 6, 6), dtype=np.uint8)
        np.savez(
            folder / f"{name}.npz", x=images * 0 + 255 if spoilt and name != "train" else images, y=np.arange(count) % 2
        )


def _compare(lab: Lab, folder: Path, what: str, changes: Iterable[str], write: Any) -> None:
    learned = []
    for spoilt in (False, True):
        write(folder, spoilt)
        run = lab.new_run(folder)
        result = lab.run(folder, "train", "c.yaml", "--run-dir", run.name, "--quiet", *changes)
        assert result.code == 0, (what, result.err)
        tensors, facts = checkpoint.load(run / "last.safetensors")
        weights = {name: tensor.numpy().tobytes() for name, tensor in tensors.items() if name.startswith("network.")}
        learned.append((weights, facts["encoders"]))
        lab.done_with(run)
    with lab.point(f"weights, {what}"):
        assert learned[0][0] == learned[1][0], "other weights"
    with lab.point(f"encoders, {what}"):
        assert learned[0][1] == learned[1][1], "other encoders"


def shuffle_rows(lab: Lab) -> None:
    """The split depends on nothing but its own seed and what stands in the rows; equal rows stay together."""
    folder = lab.folder / "splits"
    folder.mkdir(exist_ok=True)
    chance = random.Random(1)
    rows = [_row(chance, False) for _ in range(150)]
    rows += chance.sample(rows, 40)  # duplicates
    config = "data: {path: rows.csv, target: class}\nlayers: [output]\nloss: cross_entropy\n"
    (folder / "c.yaml").write_text(config)
    shuffled = chance.sample(rows, len(rows))
    found = {}
    for what, lines, overrides in (
        ("as written", rows, []),
        ("shuffled", shuffled, []),
        ("another seed", rows, ["seed=7"]),
    ):
        (folder / "rows.csv").write_text("\n".join([HEADER, *lines]) + "\n")
        split = lab.call("data:split_rows", *overrides, folder=folder)
        found[what] = {name: sorted(lines[index] for index in indices) for name, indices in split.items()}
    for what in ("shuffled", "another seed"):
        with lab.point(what):
            assert found[what] == found["as written"], "another split"
    for name in SPLITS[:2]:
        with lab.point(f"duplicates of {name}"):
            rest = {row for other in SPLITS if other != name for row in found["as written"].get(other, [])}
            assert not rest & set(found["as written"][name]), "a duplicate on both sides"


def split_rows(*overrides: str) -> dict[str, list[int]]:
    """In the process with the bug: the rows of each split."""
    from nettool.config.load import load
    from nettool.data.encode import load_rows
    from nettool.data.prepare import prepare
    from nettool.data.reading import resolve

    experiment = load(Path("c.yaml"), overrides).experiment
    encoders = prepare(experiment.data, experiment.loss).encoders
    return {name: load_rows(resolve(experiment.data), encoders, name)[0].rows.tolist() for name in SPLITS}  # type: ignore[arg-type]
