"""A text as a stream: its stretches, its vocabulary, its windows, and the files that it comes from."""

from __future__ import annotations

import bz2
import gzip
import lzma
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from nettool.config.data import DataSpec, SplitName
from nettool.config.losses import CrossEntropy
from nettool.config.signature import NextTarget, Signature, TokenExample
from nettool.data import token_stream
from nettool.data.bundle import Encoders, TrainingData
from nettool.data.dataset import Batching, Dataset
from nettool.data.encode import encode_file, load_split
from nettool.data.examples import Split
from nettool.data.prepare import prepare
from nettool.errors import ConfigError, DataError, NettoolError, UsageError

NAMES: tuple[SplitName, ...] = ("train", "validation", "test")
HALF = {"train": 0.5, "validation": 0.3, "test": 0.2}
ALL = {"train": 1.0, "validation": 0.0, "test": 0.0}
DISTINCT = "".join(map(chr, range(0x4E00, 0x4E00 + 103)))
"""A text whose characters tell their place: their codes are 1, 2, 3, ..."""


def letters(count: int, seed: int = 0, of: str = "abcdef .\n") -> str:
    return "".join(np.random.default_rng(seed).choice(list(of), count))


def write(path: Path, text: str | bytes) -> str:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def spec_of(length: int = 10, unit: Any = "character", **settings: Any) -> DataSpec:
    return DataSpec.model_validate({"target": ("next",), "text": {"length": length, "unit": unit}, **settings})


def read(spec: DataSpec, rows: int | None = None) -> TrainingData:
    return prepare(spec, CrossEntropy(), rows=rows)


def refused(spec: DataSpec, kind: type[NettoolError] = DataError) -> str:
    with pytest.raises(kind) as caught:
        read(spec)
    return str(caught.value)


def codes_of(split: Any) -> Any:
    """The whole stretch that a split's windows lie in."""
    return split.features.source


def text_of(spec: DataSpec, encoders: Any, name: SplitName) -> str:
    return encoders.features.vocabulary.decode(codes_of(load_split(spec, encoders, name)).tolist())


def tensors(split: Split) -> Dataset:
    return Dataset.from_split(split, torch.device("cpu"))


def examples(split: Split) -> tuple[torch.Tensor, torch.Tensor]:
    """Features and targets of all examples, [n, length] each, as the network meets them."""
    (batch,) = tensors(split).chunks(len(split))
    return batch.features.long(), batch.target


# Splits


@pytest.mark.parametrize("count", [200, 201, 337])
@pytest.mark.parametrize("split", [HALF, {"train": 0.7, "validation": 0.3, "test": 0.0}], ids=["three", "two"])
def test_the_stretches_follow_each_other_and_are_together_the_text(tmp_path: Path, count: int, split: Any) -> None:
    text = letters(count)
    spec = spec_of(path=write(tmp_path / "t.txt", text), split=split)
    found = read(spec)
    parts = {name: text_of(spec, found.encoders, name) for name in NAMES if split[name]}
    assert "".join(parts.values()) == text
    assert all(abs(len(part) - split[name] * count) <= 1 for name, part in parts.items())
    assert len(codes_of(found.splits["train"])) == len(parts["train"])


def test_nothing_that_is_fitted_comes_from_validation_or_test(tmp_path: Path) -> None:
    text = letters(300)
    first = read(spec_of(path=write(tmp_path / "a.txt", text), split=HALF))
    other = read(spec_of(path=write(tmp_path / "b.txt", text[:150] + letters(150, of="XYZÄ😀")), split=HALF))
    assert first.encoders.to_json() == other.encoders.to_json()
    assert first.signature == other.signature == Signature(TokenExample(10, 10, padded=False), NextTarget(10))
    assert codes_of(first.splits["train"]).tolist() == codes_of(other.splits["train"]).tolist()
    assert set(codes_of(other.splits["validation"]).tolist()) == {0}
    assert first.notes == ()
    assert other.notes[0].startswith("5 characters of the validation text are not in the training text: ")


# Windows


@pytest.mark.parametrize("unit", ["character", "byte", "word"])
def test_the_target_is_the_features_one_step_ahead(tmp_path: Path, unit: str) -> None:
    found = read(spec_of(path=write(tmp_path / "t.txt", letters(400, of="abcde ,ü")), unit=unit))
    for split in found.splits.values():
        features, target = examples(split)
        assert features.shape == target.shape == (len(split), 10)
        assert torch.equal(target[:, :-1], features[:, 1:])
        assert target[:, -1].tolist() == codes_of(split)[split.rows].tolist()


def test_every_character_of_the_validation_text_is_predicted_at_most_once(tmp_path: Path) -> None:
    spec = spec_of(train=write(tmp_path / "a.txt", DISTINCT), validation=write(tmp_path / "b.txt", DISTINCT))
    validation = read(spec).splits["validation"]
    # All but the first, which nothing comes before, and what is left at the end.
    assert (examples(validation)[1].flatten() - 1).tolist() == list(range(1, 101))
    assert tensors(validation).shifted(0, 5).features.starts.tolist() == list(range(0, 100, 10))  # type: ignore[union-attr]


def test_training_windows_move_from_epoch_to_epoch_and_stay_inside_the_training_text(tmp_path: Path) -> None:
    spec = spec_of(path=write(tmp_path / "t.txt", DISTINCT), split={"train": 0.8, "validation": 0.2, "test": 0.0})
    dataset = tensors(read(spec).splits["train"])
    begins, seen = set(), set()
    for epoch in range(60):
        batches = list(Batching(len(dataset), batch_size=3, seed=7).batches(dataset, epoch))
        places = torch.cat([batch.features.long() for batch in batches]) - 1
        assert (places.diff(dim=1) == 1).all(), "a window is no stretch of consecutive characters"
        assert len(places.unique()) == places.numel(), "two windows overlap"
        assert torch.equal(torch.cat([batch.target for batch in batches]) - 1, places + 1)
        begins.add(int(places.min()))
        seen |= set((places + 1).flatten().tolist())
    assert begins == set(range(10))
    assert max(seen) < 82, "a target lies in the validation text"
    assert len(set(range(1, 82)) - seen) < 10, "some of the training text is never learned"


def test_where_an_epoch_cuts_is_a_function_of_seed_and_epoch(tmp_path: Path) -> None:
    dataset = tensors(read(spec_of(path=write(tmp_path / "t.txt", DISTINCT))).splits["train"])

    def begin(seed: int, epoch: int) -> int:
        return int(dataset.shifted(seed, epoch).features.starts[0])  # type: ignore[union-attr]

    first, second = ([begin(seed, epoch) for epoch in range(30)] for seed in (1, 2))
    assert first != second
    assert [begin(1, epoch) for epoch in reversed(range(30))] == first[::-1]


@pytest.mark.parametrize("count", [11, 12, 20, 21, 29, 30, 31])
def test_the_shortest_texts_have_examples_that_end_before_they_do(tmp_path: Path, count: int) -> None:
    dataset = tensors(read(spec_of(path=write(tmp_path / "t.txt", DISTINCT[:count]), split=ALL)).splits["train"])
    assert len(dataset) == max(count // 10 - 1, 1)
    for epoch in range(30):
        targets = torch.cat([batch.target for batch in Batching(len(dataset), 1, 0).batches(dataset, epoch)])
        assert set(targets.flatten().tolist()) <= set(range(2, count + 1))


def test_a_limit_keeps_the_first_examples_and_leaves_validation_as_it_is(tmp_path: Path) -> None:
    path = write(tmp_path / "t.txt", letters(600))
    whole = read(spec_of(path=path))
    for limit, count in ((5, 5), (0.5, 20), (10**6, 41)):
        limited = read(spec_of(path=path, limit=limit))
        assert torch.equal(examples(limited.splits["train"])[1], examples(whole.splits["train"])[1][:count])
        assert torch.equal(examples(limited.splits["validation"])[1], examples(whole.splits["validation"])[1])
        assert limited.encoders == whole.encoders


def test_a_limit_that_leaves_nothing_out_changes_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "t.txt", letters(600))
    sets = [tensors(read(spec_of(path=path, limit=limit)).splits["train"]) for limit in (None, 1.0, 10**6)]
    for epoch in range(5):
        whole, *others = (dataset.shifted(0, epoch).features[:] for dataset in sets)
        assert all(torch.equal(whole, other) for other in others)


def test_a_limited_training_split_is_loaded_as_training_had_it(tmp_path: Path) -> None:
    spec = spec_of(path=write(tmp_path / "t.txt", letters(600)), limit=5)
    assert len(load_split(spec, read(spec).encoders, "train")) == 5


# Units and files


def test_words_are_counted_one_by_one(tmp_path: Path) -> None:
    spec = spec_of(4, "word", path=write(tmp_path / "t.txt", "The cat sat. " * 30), split=HALF)
    encoders = read(spec).encoders
    parts = [text_of(spec, encoders, name).split() for name in NAMES]
    assert [word for part in parts for word in part] == ["the", "cat", "sat", "."] * 30
    assert [len(part) for part in parts] == [60, 36, 24]


def test_bytes_are_those_of_the_file_whatever_it_is(tmp_path: Path) -> None:
    content = np.random.default_rng(0).bytes(500)
    spec = spec_of(20, "byte", path=write(tmp_path / "t.bin", content), split=HALF)
    found = read(spec)
    parts = [codes_of(load_split(spec, found.encoders, name)) - 1 for name in NAMES]
    assert np.concatenate(parts).astype(np.uint8).tobytes() == content
    assert found.signature.target == NextTarget(257)


@pytest.mark.parametrize("ending", ["gz", "bz2", "xz", "zst"])
def test_a_compressed_text_gives_the_bits_of_the_plain_one(tmp_path: Path, ending: str) -> None:
    content = letters(300).encode()
    pack = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}.get(ending)
    packed = pack(content) if pack else pa.Codec("zstd").compress(content, asbytes=True)
    first = read(spec_of(path=write(tmp_path / "t.txt", content)))
    second = read(spec_of(path=write(tmp_path / f"t.txt.{ending}", packed)))
    assert first.encoders == second.encoders
    assert codes_of(first.splits["train"]).tobytes() == codes_of(second.splits["train"]).tobytes()


def test_each_split_may_be_a_file_of_its_own_and_validation_the_end_of_the_training_text(tmp_path: Path) -> None:
    texts = {name: letters(100 + 50 * place, seed=place) for place, name in enumerate(NAMES)}
    files = {name: write(tmp_path / f"{name}.txt", text) for name, text in texts.items()}
    found = read(spec_of(**files))
    assert {name: text_of(spec_of(**files), found.encoders, name) for name in NAMES} == texts
    assert sorted(found.splits) == ["train", "validation"]
    assert sorted(found.fingerprint) == ["test", "train", "validation"]
    carved = spec_of(train=files["train"], split=HALF)
    encoders = read(carved).encoders
    assert text_of(carved, encoders, "train") == texts["train"][:70]
    assert text_of(carved, encoders, "validation") == texts["train"][70:]


def test_a_split_loaded_later_has_the_bits_that_training_had(tmp_path: Path) -> None:
    spec = spec_of(path=write(tmp_path / "t.txt", letters(400)), split=HALF)
    found = read(spec)
    encoders = Encoders.from_json(found.encoders.to_json())
    again, before = load_split(spec, encoders, "validation"), found.splits["validation"]
    assert codes_of(again).tobytes() == codes_of(before).tobytes()
    assert torch.equal(examples(again)[1], examples(before)[1])
    assert codes_of(load_split(spec, encoders, "train")).tobytes() == codes_of(found.splits["train"]).tobytes()
    other = encode_file(Path(write(tmp_path / "o.txt", letters(95, 3))), encoders, needs_target=True)
    assert (len(other), len(codes_of(other))) == (9, 95)


# The beginning alone, for `nettool check`


@pytest.mark.parametrize("first", [300, 301, 302])
def test_the_beginning_may_end_within_a_character(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: int) -> None:
    spec = spec_of(path=write(tmp_path / "t.txt", "日本語" * 200))
    monkeypatch.setattr(token_stream, "FIRST_BYTES", first)
    assert read(spec, rows=10).signature == read(spec).signature
    assert read(spec, rows=10).fingerprint == {}


def test_a_beginning_too_short_for_an_example_is_not_the_texts_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = spec_of(50, path=write(tmp_path / "t.txt", letters(1000)))
    monkeypatch.setattr(token_stream, "FIRST_BYTES", 300)
    assert read(spec, rows=10).signature == read(spec).signature


# What cannot be


@pytest.mark.parametrize(("unit", "count"), [("character", 140), ("byte", 140), ("word", 70)])
def test_a_text_shorter_than_an_example_is_answered_with_its_place(tmp_path: Path, unit: str, count: int) -> None:
    with pytest.raises(ConfigError) as caught:
        read(spec_of(140, unit, path=write(tmp_path / "t.txt", "a " * 100)))
    (mistake,) = caught.value.mistakes
    assert mistake.path == ("data", "text", "length")
    assert mistake.text == (
        f"the train text has {count} {unit}s, too few for one example of 140, the next one included. "
        "Take a smaller length, a longer text, or another split."
    )
    spec = spec_of(train=write(tmp_path / "a.txt", letters(90)), validation=write(tmp_path / "b.txt", "ten chars."))
    assert refused(spec, ConfigError).startswith("data.text.length: the validation text has 10 characters, too few")


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    empty, tunes = write(tmp_path / "empty.txt", ""), write(tmp_path / "tunes.abc", letters(50))
    damaged = write(tmp_path / "t.txt.gz", gzip.compress(letters(500).encode())[:-20])
    assert refused(spec_of(path=empty)) == f"{empty}: the file is empty."
    assert refused(spec_of(path=str(tmp_path))) == f"{tmp_path} is a folder. A text is one file."
    missing = tunes.replace("tunes", "tune")
    said = " ".join(refused(spec_of(path=missing), ConfigError).split())
    assert said == f"data.path: {missing}: there is no such file. Did you mean tunes.abc?"
    assert refused(spec_of(path=damaged)).startswith(f"{damaged}: the compressed file is damaged or cut off")


def test_a_text_that_is_not_utf_8_is_answered_with_line_and_cure(tmp_path: Path) -> None:
    path = write(tmp_path / "t.txt", ("fine\n" * 30 + "größe\n").encode("latin-1"))
    cure = "Cure: save the file as UTF-8, or set `data.text.unit: byte`."
    assert refused(spec_of(path=path)) == f"{path}: line 31: byte 0xf6 is no UTF-8 text. {cure}"
    assert read(spec_of(unit="byte", path=path)).sizes["train"] > 0


def test_a_missing_split_is_answered_with_the_key_that_makes_it(tmp_path: Path) -> None:
    path = write(tmp_path / "t.txt", letters(300))
    for spec, key in ((spec_of(path=path, split=ALL), "data.split.test is 0."), (spec_of(train=path), "data.test")):
        with pytest.raises(UsageError) as caught:
            load_split(spec, read(spec).encoders, "test")
        assert key in str(caught.value)
