"""Batches of images: only training is augmented, and each batch is a function of seed, epoch and its number."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from batches import copies
from torch import Tensor

from nettool.config.data import DataSpec
from nettool.config.inputs import AugmentSpec
from nettool.config.load import load_mapping
from nettool.config.losses import CrossEntropy
from nettool.data.augment import Augmenter
from nettool.data.bundle import TrainingData
from nettool.data.dataset import Batching, Dataset
from nettool.data.encode import load_split
from nettool.data.prepare import prepare
from nettool.model.spatial import ImageInput
from nettool.workflows.evaluate import evaluate
from nettool.workflows.prepare import prepare_training
from nettool.workflows.train import train
from nettool.workflows.trained import load_trained
from nettool.workflows.watch import Watcher

PIXELS = np.random.default_rng(0).integers(0, 256, (60, 8, 8, 3), np.uint8)
EVERYTHING = AugmentSpec(flip="both", shift=1, rotate=10, crop=0.1, noise=0.05)
CPU = torch.device("cpu")


@pytest.fixture
def path(tmp_path: Path) -> str:
    np.savez(tmp_path / "t.npz", x=PIXELS, y=np.arange(60) % 2)
    return str(tmp_path / "t.npz")


@pytest.fixture
def data(path: str) -> TrainingData:
    return prepare(DataSpec(path=path, augment=EVERYTHING), CrossEntropy())


@pytest.fixture
def dataset(data: TrainingData) -> Dataset:
    return Dataset.from_split(data.splits["train"], CPU)


def batching(spec: AugmentSpec | None = EVERYTHING, seed: int = 0, batch_size: int = 8) -> Batching:
    return Batching(42, batch_size, seed, augment=None if spec is None else Augmenter(spec))


def pixels_of(dataset: Dataset, *arguments: int, **settings: Any) -> list[Tensor]:
    return [batch.features for batch in copies(batching(**settings).batches(dataset, *arguments))]


def same(first: list[Tensor], second: list[Tensor]) -> bool:
    return len(first) == len(second) and all(map(torch.equal, first, second))


# What a batch is a function of


def test_without_augmentation_batches_are_the_bytes_of_the_source(data: TrainingData, dataset: Dataset) -> None:
    order = batching().order(3, CPU)
    batches = pixels_of(dataset, 3, spec=None)
    assert {batch.dtype for batch in batches} == {torch.uint8}
    source = torch.from_numpy(np.moveaxis(PIXELS, 3, 1)[data.splits["train"].rows])
    assert torch.equal(torch.cat(batches), source[order])


def test_an_epoch_entered_in_the_middle_has_the_same_images_as_an_uncut_one(dataset: Dataset) -> None:
    whole = pixels_of(dataset, 4)
    for first in (1, 3, len(whole) - 1):
        assert same(pixels_of(dataset, 4, first), whole[first:])


@pytest.mark.parametrize("batch_size", [8, 42, 100])
def test_every_epoch_and_every_seed_changes_the_images_in_another_way(dataset: Dataset, batch_size: int) -> None:
    epochs = [
        pixels_of(dataset, epoch, seed=seed, batch_size=batch_size)[0] for seed, epoch in ((0, 0), (0, 1), (1, 0))
    ]
    assert same(epochs[:1], pixels_of(dataset, 0, batch_size=batch_size)[:1])
    assert not any(torch.equal(epochs[a], epochs[b]) for a, b in ((0, 1), (0, 2), (1, 2)))


def test_every_batch_of_an_epoch_is_changed_in_another_way() -> None:
    alike = Dataset(torch.from_numpy(PIXELS[:1]).expand(42, -1, -1, -1), torch.zeros(42), None)
    first, second, *_ = pixels_of(alike, 0, spec=AugmentSpec(noise=0.1))
    assert not torch.equal(first, second)


def test_augmentation_leaves_order_targets_and_weights_as_they_are(dataset: Dataset) -> None:
    weighted = Dataset(dataset.features, dataset.target, torch.rand(42))
    plain, changed = (copies(batching(spec).batches(weighted, 2)) for spec in (None, AugmentSpec(flip="horizontal")))
    for one, other in zip(plain, changed, strict=True):
        assert torch.equal(one.target, other.target)
        assert torch.equal(one.weights, other.weights)  # type: ignore[arg-type]
        mirrored = (one.features != other.features).flatten(1).any(dim=1)
        assert torch.equal(other.features[mirrored], one.features[mirrored].flip(3).float())


def test_the_images_in_memory_stay_as_they_are(dataset: Dataset) -> None:
    before = dataset.features[:].clone()  # type: ignore[index]
    for batch_size in (8, 42):
        pixels_of(dataset, 0, batch_size=batch_size)
    assert torch.equal(dataset.features[:], before)  # type: ignore[index]


# What the network sees


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[bool, Tensor]]]:
    """Every batch that a network is given, and whether it is in training."""
    batches: list[tuple[bool, Tensor]] = []
    forward = ImageInput.forward

    def spy(self: ImageInput, x: Tensor) -> Tensor:
        batches.append((self.training, x.detach().clone()))
        return forward(self, x)

    monkeypatch.setattr(ImageInput, "forward", spy)
    return batches


def trained_on(path: str, tmp_path: Path, **settings: Any) -> Path:
    config = {
        "data": {"path": path, **settings},
        "layers": [{"conv2d": 4}, "global_avg_pool", "output"],
        "loss": "cross_entropy",
        "batch_size": 8,
        "epochs": 2,
    }
    outcome = train(prepare_training(load_mapping(config)), Watcher(), tmp_path / "run")
    assert outcome.error is None
    return outcome.run.path


def split_tensor(path: str, data: TrainingData, name: Any) -> Tensor:
    return torch.from_numpy(load_split(DataSpec(path=path), data.encoders, name).features)


def test_only_training_is_augmented(
    path: str, tmp_path: Path, data: TrainingData, seen: list[tuple[bool, Tensor]]
) -> None:
    augment = {"shift": 1.0, "noise": 0.1}
    run = trained_on(path, tmp_path, augment=augment)
    training = [batch for is_training, batch in seen if is_training]
    validation = [batch for is_training, batch in seen if not is_training]
    assert [len(training), len(validation)] == [2 * 6, 2]
    source = split_tensor(path, data, "train")
    for epoch, start in enumerate((0, 6)):
        images = torch.cat(training[start : start + 6])
        untouched = source[Batching(42, 8, 0).order(epoch, CPU)].float()
        assert not (images == untouched).flatten(1).all(dim=1).any()
    for batch in validation:
        assert batch.dtype == torch.uint8
        assert torch.equal(batch, split_tensor(path, data, "validation"))
    seen.clear()
    evaluate(load_trained(run))
    ((is_training, batch),) = seen
    assert not is_training
    assert torch.equal(batch, split_tensor(path, data, "test"))


def test_without_augmentation_training_sees_the_bytes_of_the_source(
    path: str, tmp_path: Path, data: TrainingData, seen: list[tuple[bool, Tensor]]
) -> None:
    trained_on(path, tmp_path)
    first = torch.cat([batch for is_training, batch in seen if is_training][:6])
    assert first.dtype == torch.uint8
    assert torch.equal(first, split_tensor(path, data, "train")[Batching(42, 8, 0).order(0, CPU)])
