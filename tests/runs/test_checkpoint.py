import json
import pickle
from pathlib import Path

import pytest
import safetensors.torch
import torch

from nettool.errors import RunError
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


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no such file"):
        checkpoint.load(tmp_path / "none.safetensors")
