import errno
import hashlib
import json
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from nettool.errors import DamagedError, ResourceError, RunError
from nettool.runs import checkpoint
from nettool.runs.directory import FORMAT_VERSION


def test_tensors_and_facts_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "file.safetensors"
    tensors = {
        "weight": torch.randn(3, 4, dtype=torch.float64).T,
        "step": torch.tensor(7),
        "bits": torch.arange(5, dtype=torch.uint8),
    }
    facts = {"nested": {"text": 'é\n"', "number": 0.1, "none": None, "list": [1, 2]}}
    checkpoint.save(path, tensors, facts)
    loaded, loaded_facts = checkpoint.load(path)
    assert loaded.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert torch.equal(loaded[name], tensor)
        assert loaded[name].dtype == tensor.dtype
    assert loaded_facts == {"format_version": FORMAT_VERSION, **facts}


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    tensors = {"a": torch.ones(3), "b": torch.zeros(2)}
    checkpoint.save(tmp_path / "one", tensors, {"x": 1, "y": 2})
    checkpoint.save(tmp_path / "two", dict(reversed(tensors.items())), {"y": 2, "x": 1})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


class Bomb:
    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("exploded"),))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (pickle.dumps(Bomb()), "is a Python pickle"),
        (b"PK\x03\x04 and so on", "is a zip archive, as torch.save writes"),
        (b"", "is no safetensors file"),
        (b'\x08\0\0\0\0\0\0\0{"a":', "is no intact safetensors file: it ends in its header"),
        ((1 << 40).to_bytes(8, "little") + b"{}", "it ends in its header, or that is too long"),
        (safetensors.torch.save({"a": torch.ones(3)}), "was not written by nettool"),
        (safetensors.torch.save({"a": torch.ones(3)}, {"nettool": "{"}), "was not written by nettool"),
        (
            safetensors.torch.save(
                {"a": torch.ones(3)}, {"nettool": json.dumps({"format_version": 99, "nettool": "9.0"})}
            ),
            "was written by nettool 9.0 (format 99); upgrade nettool",
        ),
    ],
)
def test_what_is_no_checkpoint_is_refused_and_never_executed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "best.safetensors"
    path.write_bytes(content)
    with pytest.raises(RunError) as caught:
        checkpoint.load(path)
    assert words in str(caught.value)
    assert not Path("exploded").exists()


def signed(path: Path, facts: dict[str, Any], digest: object = None, **tensors: object) -> None:
    """A file as `save` writes it, with what it would never write, and the right checksum where none is given."""
    table = {"__metadata__": {"sha256": "0" * 64, "nettool": json.dumps(facts)}, **tensors}
    text = json.dumps(table).encode()
    start = len(text).to_bytes(8, "little") + text
    proper = hashlib.sha256(start).hexdigest() if digest is None else digest
    table["__metadata__"]["sha256"] = proper  # type: ignore[index]
    text = json.dumps(table).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text)


def test_a_signed_file_is_read(tmp_path: Path) -> None:
    signed(tmp_path / "x", {"format_version": FORMAT_VERSION})
    assert checkpoint.load(tmp_path / "x") == ({}, {"format_version": FORMAT_VERSION})


@pytest.mark.parametrize("version", ["2", 2.0, True, None, [], 10**400, float("inf")])
def test_a_version_that_is_no_whole_number_is_refused(tmp_path: Path, version: object) -> None:
    signed(tmp_path / "x", {"format_version": version})
    with pytest.raises(DamagedError if version != 10**400 else RunError, match="x was "):
        checkpoint.load(tmp_path / "x")


@pytest.mark.parametrize("digest", ["", "\ud800", "0" * 63, "G" * 64, 7, [], {}])
def test_a_digest_that_is_none_is_refused(tmp_path: Path, digest: object) -> None:
    signed(tmp_path / "x", {"format_version": FORMAT_VERSION}, digest)
    with pytest.raises(DamagedError):
        checkpoint.load(tmp_path / "x")


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [0, 2**63], "data_offsets": [0, 0]},
        {"dtype": "F32", "shape": [-1], "data_offsets": [0, 0]},
        {"dtype": "F32", "shape": [1], "data_offsets": [0, -4]},
        {"dtype": "F32", "shape": [1], "data_offsets": [0]},
        {"dtype": "F32", "shape": [1], "data_offsets": 4},
        {"dtype": "F32", "shape": [1], "data_offsets": [0, 2**70]},
        {"dtype": "F32", "shape": [1], "data_offsets": [0, 1e400]},
        {"dtype": "X", "shape": [0], "data_offsets": [0, 0]},
        [],
    ],
)
def test_a_tensor_that_is_none_is_refused(tmp_path: Path, entry: object) -> None:
    signed(tmp_path / "x", {"format_version": FORMAT_VERSION}, tensor=entry)
    with pytest.raises(DamagedError):
        checkpoint.load(tmp_path / "x")


def test_a_file_is_not_read_further_than_its_header_speaks_of(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "x", {"a": torch.ones(3)}, {})
    os.truncate(tmp_path / "x", 2**42)
    with pytest.raises(DamagedError, match="it has 4,398,046,511,104 bytes, not the "):
        checkpoint.load(tmp_path / "x")


def test_a_file_that_cannot_be_read_now_is_not_called_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint.save(tmp_path / "x", {"a": torch.ones(3)}, {})

    def fail(*arguments: object) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "open", fail)
    with pytest.raises(RunError, match="cannot be read: Input/output error") as caught:
        checkpoint.load(tmp_path / "x")
    assert not isinstance(caught.value, DamagedError)


def test_a_file_that_does_not_fit_into_memory_is_not_begun_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint.save(tmp_path / "x", {"a": torch.ones(1_000_000)}, {})
    monkeypatch.setattr(checkpoint, "free_bytes", lambda: 7_900_000)
    with pytest.raises(ResourceError, match=r"it takes 0\.008 GB of memory, which are not free"):
        checkpoint.load(tmp_path / "x")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no such file"):
        checkpoint.load(tmp_path / "none.safetensors")
