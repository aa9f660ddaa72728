"""Images from the first command to the last: check, train, eval, predict, init, on every kind of source."""

from __future__ import annotations

import csv
import io
import json
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import CONFIGS, Nettool

Array = np.ndarray
NAMES = ("circle", "cross", "square")
CONFIG = """\
data: {path: PATH}
layers:
  - conv2d: {filters: 4, norm: batch_norm}
  - max_pool
  - flatten
  - dropout: 0.1
  - output
loss: cross_entropy
optimizer: {name: adam, lr: 0.03}
batch_size: 8
epochs: 4
"""


def draw(count: int = 75, size: int = 8, colour: bool = False, seed: int = 0) -> tuple[Array, Array]:
    """Circles, crosses and squares in noise, with their classes: uint8 [n, size, size] or [n, size, size, 3]."""
    y, x = np.abs(np.mgrid[:8, :8] - 3.5)
    shapes = np.stack([np.abs(np.hypot(y, x) - 3) < 0.6, np.abs(y - x) < 0.5, np.maximum(y, x) == 2.5])
    labels = np.arange(count, dtype=np.uint8) % 3
    pixels = shapes[labels] * 170 + np.random.default_rng(seed).integers(0, 80, (count, 8, 8))
    pixels = pixels.astype(np.uint8).repeat(-(-size // 8), axis=1).repeat(-(-size // 8), axis=2)[:, :size, :size]
    return (pixels[..., None] * [[1, 0.5, 0]]).astype(np.uint8) if colour else pixels, labels


def save(path: Path, image: Array) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
    return path


def write_folders(root: Path, pixels: Array, labels: Array) -> Path:
    for place, (image, label) in enumerate(zip(pixels, labels, strict=True)):
        save(root / NAMES[label] / f"{place:03}.png", image)
    return root


def write_parts(root: Path, pixels: Array, labels: Array) -> Path:
    for name, part in (("train", slice(45)), ("val", slice(45, 60)), ("test", slice(60, None))):
        write_folders(root / name, pixels[part], labels[part])
    return root


def write_csv(root: Path, pixels: Array, labels: Array) -> Path:
    write_folders(root, pixels, labels)
    rows = [f"{NAMES[label]}/{place:03}.png,{NAMES[label]}" for place, label in enumerate(labels)]
    (root / "list.csv").write_text("\n".join(["file,shape", *rows]) + "\n")
    return root / "list.csv"


def write_idx(root: Path, pixels: Array, labels: Array) -> Path:
    root.mkdir()
    for name, part in (("train", slice(60)), ("t10k", slice(60, None))):
        for what, array in (("images-idx3", pixels[part]), ("labels-idx1", labels[part])):
            header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
            (root / f"{name}-{what}-ubyte").write_bytes(header + array.tobytes())
    return root


def write_npz(root: Path, pixels: Array, labels: Array) -> Path:
    np.savez(root.with_suffix(".npz"), x=pixels, y=labels)
    return root.with_suffix(".npz")


KINDS: dict[str, tuple[Callable[[Path, Array, Array], Path], tuple[str, ...]]] = {
    "class folders": (write_folders, ()),
    "folders of splits": (write_parts, ()),
    "csv of paths": (write_csv, ("data.columns.file=image", "data.target=shape")),
    "idx": (write_idx, ()),
    "npz": (write_npz, ()),
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def write_config(path: str | Path) -> Path:
    config = Path("shapes.yaml")
    config.write_text(CONFIG.replace("PATH", str(path)))
    return config


def train(nettool: Nettool, kind: str = "class folders", *settings: str) -> str:
    """Train on the drawings as this kind of source, called `drawn`; the run."""
    write, needed = KINDS[kind]
    result = nettool("train", write_config(write(Path("drawn"), *draw())), *needed, *settings)
    assert result.code == 0, result.err
    return result.out.strip()


def predicted(nettool: Nettool, *arguments: str | Path) -> list[dict[str, str]]:
    result = nettool("predict", *arguments)
    assert result.code == 0, result.err
    return list(csv.DictReader(io.StringIO(result.out)))


def answer(nettool: Nettool, *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(nettool("eval", *arguments, "--json").out)
    return found


# Training and evaluation


@every_kind
def test_a_small_network_learns_from_every_source_and_is_evaluated(nettool: Nettool, kind: str) -> None:
    run = train(nettool, kind)
    record = json.loads(Path(run, "run.json").read_text())
    validation = answer(nettool, run, "--split", "validation")
    assert validation["loss"] == record["metrics"]["validation_loss"]
    assert validation["metrics"]["accuracy"] == record["metrics"]["accuracy"]
    test = answer(nettool, run)
    assert (test["data"], test["num_examples"]) == ("test", 15 if kind in ("folders of splits", "idx") else 11)
    assert test["metrics"]["accuracy"] > 0.9 > test["baseline"]["accuracy"]
    assert [part["value"] for part in test["parts"]] == list(NAMES if kind not in ("idx", "npz") else "012")
    shown = nettool("eval", run).out
    assert shown.startswith(f"{run}/best.safetensors on test (")
    assert all(re.search(rf"^{part['value']} +{part['num_examples']} ", shown, re.MULTILINE) for part in test["parts"])


@every_kind
def test_check_shows_the_sizes_and_the_shares_of_the_classes(nettool: Nettool, kind: str) -> None:
    write, needed = KINDS[kind]
    result = nettool("check", write_config(write(Path("drawn"), *draw())), "--data", *needed)
    assert result.code == 0, result.err
    sizes = dict(re.findall(r"^(train|validation|test) +(\d+)$", result.out, re.MULTILINE))
    assert int(sizes["train"]) > 40
    shares = re.findall(r"^(?:circle|cross|square|0|1|2) +(\S+)% +(\S+)%$", result.out, re.MULTILINE)
    assert [round(sum(float(pair[side]) for pair in shares)) for side in (0, 1)] == [100, 100]
    assert re.search(r"^input +1 x 8 x 8", result.out, re.MULTILINE)
    assert not re.search(r"\d{12}", result.out), "the hash of an image tells nobody anything"


def test_training_a_runs_config_again_gives_the_same_bytes(nettool: Nettool) -> None:
    run = train(nettool, "class folders", "data.augment={flip: horizontal, shift: 1, noise: 0.05}", "epochs=2")
    again = nettool("train", f"{run}/config.yaml").out.strip()
    assert again != run
    assert Path(again, "best.safetensors").read_bytes() == Path(run, "best.safetensors").read_bytes()


def test_a_last_batch_of_one_image_does_not_stop_batch_norm(nettool: Nettool) -> None:
    write_folders(Path("drawn"), *draw())
    deep = write_config("drawn, split: [1.0, 0, 0], limit: 33")
    deep.write_text(deep.read_text().replace("  - max_pool\n", "  - max_pool: 8\n  - conv2d: 4\n  - batch_norm\n"))
    assert nettool("train", deep, "batch_size=32", "epochs=1").code == 0


@pytest.mark.parametrize("kind", ["class folders", "csv of paths", "npz"])
def test_moved_images_are_found_and_changed_ones_refused(nettool: Nettool, kind: str) -> None:
    run = train(nettool, kind)
    before = answer(nettool, run)
    old, new = (Path(name).with_suffix(".npz" if kind == "npz" else "") for name in ("drawn", "moved"))
    old.rename(new)
    assert nettool("eval", run).code == 2
    moved = f"data.path={new / 'list.csv' if kind == 'csv of paths' else new}"
    assert answer(nettool, run, moved) == before
    if kind == "npz":
        write_npz(new, *draw(seed=1))
    else:
        save(new / "cross" / "001.png", draw(seed=1)[0][0])
    changed = nettool("eval", run, moved)
    assert changed.code == 2
    assert re.search(r"moved\S* is not .*that the run was trained on", changed.err)


# Prediction


def test_one_image_a_folder_a_csv_and_an_npz_are_predicted_alike(nettool: Nettool) -> None:
    run = train(nettool)
    pixels, labels = draw(9, seed=5)
    write_csv(Path("new"), pixels, labels)
    np.savez("new.npz", image=pixels, number=labels)
    columns = ["predicted_class", *(f"probability_{name}" for name in NAMES)]
    folder = predicted(nettool, run, "new")
    assert list(folder[0]) == ["image", *columns]
    assert [row["image"] for row in folder] == [str(path) for path in sorted(Path("new").rglob("*.png"))]
    assert [row["predicted_class"] for row in folder] == sorted(NAMES[label] for label in labels)
    Path("new/list.csv").write_text(Path("new/list.csv").read_text().replace("file,shape", "image,really"))
    table = predicted(nettool, run, "new/list.csv")
    assert list(table[0]) == ["image", "really", *columns]
    assert [row["predicted_class"] for row in table] == [row["really"] for row in table]
    arrays = predicted(nettool, run, "new.npz")
    assert list(arrays[0]) == ["number", *columns]
    assert [row["number"] for row in arrays] == [str(number) for number in range(1, 10)]
    (alone,) = predicted(nettool, run, "new/circle/000.png")
    shown = dict(line.split() for line in nettool("predict", run, "image=new/circle/000.png").out.splitlines())
    for name in columns[1:]:
        for row in (table[0], arrays[0], alone, shown):
            assert float(row[name]) == pytest.approx(float(folder[0][name]), abs=1e-5)
    assert {alone["image"]} == {"new/circle/000.png"}


def test_the_predictions_are_those_that_eval_measures(nettool: Nettool) -> None:
    run = train(nettool, "class folders", "epochs=1")
    write_folders(Path("new"), *draw(30, seed=5))
    measured = answer(nettool, run, "--data", "new")
    rows = predicted(nettool, run, "new")
    right = [row["predicted_class"] == Path(row["image"]).parent.name for row in rows]
    assert measured["metrics"]["accuracy"] == sum(right) / 30
    surprise = [-np.log(float(row[f"probability_{Path(row['image']).parent.name}"])) for row in rows]
    assert measured["metrics"]["log_loss"] == pytest.approx(np.mean(surprise), rel=1e-5)


@pytest.mark.parametrize("kind", ["class folders", "csv of paths", "npz"])
@pytest.mark.parametrize("other", ["class folders", "idx", "npz"])
def test_a_network_predicts_images_of_every_other_kind_of_source(nettool: Nettool, kind: str, other: str) -> None:
    run = train(nettool, kind, "epochs=1")
    path = KINDS[other][0](Path("other"), *draw(66))
    path = path / "t10k-images-idx3-ubyte" if other == "idx" else path
    assert len(predicted(nettool, run, path)) == (6 if other == "idx" else 66)


@pytest.mark.parametrize("kind", ["idx", "npz"])
def test_images_are_predicted_where_nothing_else_is_known_of_them(nettool: Nettool, kind: str) -> None:
    run = train(nettool, kind, "epochs=1")
    path = Path("drawn/t10k-images-idx3-ubyte")
    if kind == "idx":
        Path("drawn/t10k-labels-idx1-ubyte").unlink()
    else:
        path = Path("alone.npz")
        np.savez(path, x=draw(15)[0])
    assert len(predicted(nettool, run, path)) == 15


# The examples


def test_the_example_is_copied_with_its_data_and_trains(nettool: Nettool, folder: Path) -> None:
    result = nettool("init", "mnist_cnn")
    assert (result.code, len(result.out.splitlines())) == (0, 5), result.err
    copied = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert copied[-1] == "mnist_cnn.yaml"
    for name in copied:
        assert Path(name).read_bytes() == (CONFIGS / name).read_bytes()
    result = nettool("train", "mnist_cnn.yaml", "epochs=1", "data.limit=64", "--quiet")
    assert result.code == 0, result.err
    assert json.loads(Path(result.out.strip(), "run.json").read_text())["status"] == "finished"


@pytest.mark.parametrize("kind", ["class folders", "npz"])
@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("example", ["mnist_cnn", "mnist_mlp", "mnist_resnet"])
def test_the_examples_train_on_other_images_by_their_path_alone(
    nettool: Nettool, kind: str, colour: bool, example: str
) -> None:
    path = KINDS[kind][0](Path("drawn"), *draw(60, 28, colour))
    result = nettool("train", CONFIGS / f"{example}.yaml", f"data.path={path}", "epochs=1", "--quiet")
    assert result.code == 0, result.err
    assert answer(nettool, result.out.strip())["data"] == "test"
