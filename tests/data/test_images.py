"""Images of every kind of source: read, split, standardised, encoded, and recognised when they change."""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from people import bits
from PIL import Image

from nettool.config.data import DataSpec
from nettool.config.losses import CrossEntropy, MeanSquaredError
from nettool.config.signature import ClassTarget, ImageExample, NumberTarget
from nettool.data.bundle import Encoders, TrainingData
from nettool.data.encode import encode_file, load_split
from nettool.data.prepare import prepare
from nettool.data.reading import resolve, training_file

Array, Settings = np.ndarray, dict[str, Any]
MANY, SPLITS, COUNT = CrossEntropy(), ("train", "validation", "test"), 40
GREY = np.random.default_rng(0).integers(0, 256, (COUNT, 8, 8), np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (COUNT, 8, 8, 3), np.uint8)
LABELS = np.arange(COUNT, dtype=np.uint8) % 2
NAMES = np.array(["cat", "dog"])


def save(path: Path, image: Array) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def write_folders(root: Path, pixels: Array, labels: Array) -> Settings:
    for place, (image, label) in enumerate(zip(pixels, labels, strict=True)):
        save(root / NAMES[label] / f"{place:03}.png", image)
    return {"path": str(root)}


def write_parts(root: Path, pixels: Array, labels: Array) -> Settings:
    for name, part in (("train", slice(24)), ("val", slice(24, 32)), ("test", slice(32, 40))):
        write_folders(root / name, pixels[part], labels[part])
    return {"path": str(root)}


def write_csv(root: Path, pixels: Array, labels: Array) -> Settings:
    lines = ["age,file,animal,cage,weight,brightness"]
    for place, (image, label) in enumerate(zip(pixels, labels, strict=True)):
        save(root / "pictures" / f"{place}.png", image)
        age, cage, weight = (image.sum() % number for number in (7, 11, 3))
        lines.append(f"{age},pictures/{place}.png,{NAMES[label]},{cage},{weight},{image.mean()}")
    (root / "list.csv").write_text("\n".join(lines) + "\n")
    return {"path": str(root / "list.csv"), "columns": {"file": "image"}, "target": ("animal",)}


def write_idx(root: Path, pixels: Array, labels: Array, ending: str = "", num_train: int = 32) -> Settings:
    for name, part in (("train", slice(num_train)), ("t10k", slice(num_train, COUNT))):
        for what, array in (("images-idx3", pixels[part]), ("labels-idx1", labels[part])):
            content = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()
            if len(array):
                (root / f"{name}-{what}-ubyte{ending}").write_bytes(gzip.compress(content) if ending else content)
    return {"path": str(root)}


def write_npz(root: Path, pixels: Array, labels: Array) -> Settings:
    np.savez(root / "all.npz", x=pixels, y=labels)
    return {"path": str(root / "all.npz")}


def write_named_npz(root: Path, pixels: Array, labels: Array) -> Settings:
    np.savez(root / "all.npz", pictures=pixels / 255, animal=NAMES[labels])
    return {"path": str(root / "all.npz"), "features": ("pictures",), "target": ("animal",)}


Kind = tuple[Callable[..., Settings], Array, str, tuple[str, ...], tuple[int, ...]]
CAT, DIGIT, WHOLE = ("cat", "dog"), ("0", "1"), (28, 6, 6)
KINDS: dict[str, Kind] = {
    "class folders": (write_folders, GREY, "class", CAT, WHOLE),
    "folders of splits": (write_parts, COLOUR, "class", CAT, (24, 8, 8)),
    "csv of paths": (write_csv, COLOUR, "animal", CAT, WHOLE),
    "idx": (write_idx, GREY, "label", DIGIT, (27, 5, 8)),
    "packed idx": (partial(write_idx, ending=".gz"), GREY, "label", DIGIT, (27, 5, 8)),
    "idx without t10k": (partial(write_idx, num_train=COUNT), GREY, "label", DIGIT, WHOLE),
    "npz": (write_npz, GREY, "y", DIGIT, WHOLE),
    "npz in colour": (write_npz, COLOUR, "y", DIGIT, WHOLE),
    "npz with other names": (write_named_npz, GREY, "animal", CAT, WHOLE),
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def spec_of(root: Path, kind: str, order: Any = slice(None), **settings: Any) -> DataSpec:
    write, pixels, *_ = KINDS[kind]
    root.mkdir(exist_ok=True)
    return DataSpec(**{**write(root, pixels[order], LABELS[order]), **settings})


def channels_first(pixels: Array) -> Array:
    return pixels[:, None] if pixels.ndim == 3 else pixels.transpose(0, 3, 1, 2)


def shape_of(data: TrainingData) -> tuple[int, ...]:
    example = data.signature.example
    assert isinstance(example, ImageExample)
    return example.channels, example.height, example.width


def pictures(spec: DataSpec, encoders: Encoders) -> list[list[tuple[bytes, int]]]:
    """What is in each split, in an order of its own: every image with its label."""
    splits = [load_split(spec, encoders, name) for name in SPLITS]
    return [sorted((x.tobytes(), int(y)) for x, y in zip(s.features, s.target, strict=True)) for s in splits]


@every_kind
def test_images_of_every_source_become_bytes_and_classes_in_three_splits(tmp_path: Path, kind: str) -> None:
    _, source, target, classes, sizes = KINDS[kind]
    spec, pixels = spec_of(tmp_path, kind), channels_first(source)
    found = prepare(spec, MANY)
    assert [column.name for column in found.encoders.columns if column.role == "target"] == [target]
    assert found.signature.target == ClassTarget(classes, binary=False)
    assert shape_of(found) == pixels.shape[1:]
    stored = Encoders.from_json(json.loads(json.dumps(found.encoders.to_json())))
    assert (stored.features, stored.target) == (found.encoders.features, found.target)
    for name, split in found.splits.items():
        assert (split.features.dtype, split.target.dtype) == (np.uint8, np.int64)
        assert bits(split) == bits(load_split(spec, stored, name))
    splits = pictures(spec, stored)
    assert tuple(map(len, splits)) == sizes
    everything = sorted((image.tobytes(), int(label)) for image, label in zip(pixels, LABELS, strict=True))
    assert sorted(pair for split in splits for pair in split) == everything


@every_kind
def test_neither_the_order_nor_the_names_of_files_decide_the_splits(tmp_path: Path, kind: str) -> None:
    first = {"folders of splits": 24, "idx": 32, "packed idx": 32}.get(kind, COUNT)
    order = np.concatenate([np.random.default_rng(3).permutation(first), np.arange(first, COUNT)])
    specs = spec_of(tmp_path / "one", kind), spec_of(tmp_path / "two", kind, order)
    one, two = (pictures(spec, prepare(spec, MANY).encoders) for spec in specs)
    assert one == two


@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if kind[4] == WHOLE])
def test_equal_images_are_on_one_side(tmp_path: Path, kind: str) -> None:
    spec = spec_of(tmp_path, kind, np.tile(np.arange(20), 2))
    sides = [set(split) for split in pictures(spec, prepare(spec, MANY).encoders)]
    assert len(set.union(*sides)) == sum(map(len, sides)) == 20


@pytest.mark.parametrize("kind", ["class folders", "idx", "npz"])
def test_another_size_or_number_of_channels_meets_the_same_split(tmp_path: Path, kind: str) -> None:
    changes: tuple[Settings, ...] = ({}, {"image": {"size": 4}}, {"image": {"channels": 3}})
    sides = [prepare(spec_of(tmp_path, kind, **change), MANY).splits["validation"].rows.tolist() for change in changes]
    assert sides[0] == sides[1] == sides[2]


@every_kind
def test_channels_are_standardised_by_what_the_training_images_show(tmp_path: Path, kind: str) -> None:
    for normalise in ("standard", "unit", "none"):
        found = prepare(spec_of(tmp_path, kind, image={"normalise": normalise}), MANY)
        train = found.splits["train"].features.astype(float)
        expected: Any = train.mean(axis=(0, 2, 3)), train.std(axis=(0, 2, 3))
        if normalise != "standard":
            expected = [[0.0] * train.shape[1], [255.0 if normalise == "unit" else 1.0] * train.shape[1]]
        fitted = found.encoders.features
        np.testing.assert_allclose([fitted.means, fitted.deviations], expected, rtol=1e-12)


@pytest.mark.parametrize("kind", ["folders of splits", "idx", "packed idx"])
def test_nothing_is_fitted_to_images_of_the_other_splits(tmp_path: Path, kind: str) -> None:
    spec, white = spec_of(tmp_path, kind), KINDS[kind][1].copy()
    one = prepare(spec, MANY)
    white[24 if kind == "folders of splits" else 32 :] = 255
    KINDS[kind][0](tmp_path, white, LABELS)
    two = prepare(spec, MANY)
    assert (one.encoders, bits(one.splits["train"])) == (two.encoders, bits(two.splits["train"]))
    assert (load_split(spec, two.encoders, "test").features == 255).all()


def test_the_test_files_of_mnist_are_not_even_decoded_while_training(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, "idx")
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(b"no images at all")
    assert len(prepare(spec, MANY).splits["train"]) == 27


@every_kind
@pytest.mark.parametrize("channels", [1, 3])
def test_every_source_is_scaled_and_gets_the_channels_asked_for(tmp_path: Path, kind: str, channels: int) -> None:
    spec = spec_of(tmp_path, kind, image={"size": (4, 6), "channels": channels})
    found, mode = prepare(spec, MANY), "L" if channels == 1 else "RGB"
    assert found.splits["train"].features.shape[1:] == (channels, 4, 6)
    images = [Image.fromarray(image).convert(mode).resize((6, 4), Image.Resampling.BICUBIC) for image in KINDS[kind][1]]
    expected = channels_first(np.stack([np.asarray(image) for image in images]))
    assert {x for split in pictures(spec, found.encoders) for x, _ in split} == {x.tobytes() for x in expected}


@every_kind
def test_a_limit_leaves_fewer_training_images_and_the_other_splits_alone(tmp_path: Path, kind: str) -> None:
    whole, limited = (prepare(spec_of(tmp_path, kind, limit=limit), MANY) for limit in (None, 10))
    assert len(limited.splits["train"]) == 10
    assert set(limited.splits["train"].rows.tolist()) < set(whole.splits["train"].rows.tolist())
    assert bits(limited.splits["validation"]) == bits(whole.splits["validation"])


def change(path: Path) -> None:
    if path.suffix == ".png":
        Image.open(path).rotate(180).save(path)
    elif path.suffix == ".npz":
        np.savez(path, **{name: array[::-1] for name, array in np.load(path).items()})
    elif path.suffix == ".csv":
        path.write_text(path.read_text() + path.read_text().splitlines()[-1])
    else:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        content = content[:-1] + bytes([content[-1] ^ 1])
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


@every_kind
def test_every_file_has_a_part_in_the_fingerprint(tmp_path: Path, kind: str) -> None:
    spec = spec_of(tmp_path, kind)
    before = prepare(spec, MANY).fingerprint
    files = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    for path in files if len(files) < COUNT else files[::13]:
        old = path.read_bytes()
        change(path)
        assert prepare(spec, MANY).fingerprint != before, path
        path.write_bytes(old)


@every_kind
def test_a_quick_look_finds_the_same(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = spec_of(tmp_path, kind)
    whole = prepare(spec, MANY)
    monkeypatch.setattr("nettool.data.reading.FIRST_IMAGES", 30)
    look = prepare(spec, MANY, rows=30)
    assert (shape_of(look), look.signature.target) == (shape_of(whole), whole.signature.target)


def test_a_quick_look_does_not_miss_the_one_image_in_colour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nettool.data.reading.FIRST_IMAGES", 20)
    spec = spec_of(tmp_path, "class folders")
    save(sorted(tmp_path.glob("cat/*"))[1], COLOUR[0])
    assert shape_of(prepare(spec, MANY)) == shape_of(prepare(spec, MANY, rows=30)) == (3, 8, 8)


@every_kind
def test_another_source_of_the_same_kind_is_scaled_to_the_size_trained_with(tmp_path: Path, kind: str) -> None:
    write, pixels, *_ = KINDS[kind]
    encoders = prepare(spec_of(tmp_path / "one", kind), MANY).encoders
    (tmp_path / "two").mkdir()
    doubled = pixels.repeat(2, axis=1).repeat(2, axis=2)
    path = training_file(resolve(DataSpec(**write(tmp_path / "two", doubled, LABELS))))
    split = encode_file(path, encoders, needs_target=True)
    assert split.features.shape[1:] == channels_first(pixels).shape[1:]
    assert set(split.target.tolist()) == {0, 1}
    assert encode_file(path, encoders, needs_target=False).target is None


def test_the_column_of_paths_is_named_by_its_kind_or_as_the_single_feature(tmp_path: Path) -> None:
    declared = prepare(spec_of(tmp_path, "csv of paths"), MANY)
    featured = spec_of(tmp_path, "csv of paths", columns={}, features=("file",), image={})
    assert bits(prepare(featured, MANY).splits["train"]) == bits(declared.splits["train"])
    assert all(f'"{name}"' in "".join(declared.notes) for name in ("age", "cage", "weight", "brightness"))


def test_beside_the_paths_stand_weights_and_groups_and_numbers_to_predict(tmp_path: Path) -> None:
    settings: Settings = {"target": ("brightness",), "weights": "weight", "split": {"by": "cage"}}
    spec = spec_of(tmp_path, "csv of paths", **settings)
    found = prepare(spec, MeanSquaredError())
    assert found.signature.target == NumberTarget(("brightness",))
    cages = []
    for name in SPLITS:
        split = load_split(spec, found.encoders, name)
        cages.append({int(COLOUR[row].sum() % 11) for row in split.rows})
        assert split.weights.tolist() == [COLOUR[row].sum() % 3 for row in split.rows]
        brightness = found.target.decode(split.target)[:, 0]
        np.testing.assert_allclose(brightness, COLOUR[split.rows].mean(axis=(1, 2, 3)), rtol=1e-6)
    assert len(set.union(*cages)) == sum(map(len, cages)) == 11
