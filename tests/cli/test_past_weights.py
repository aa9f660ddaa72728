"""What a run keeps of the weights that it had."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from nettool.runs import checkpoint
from nettool.runs.directory import RunDirectory
from nettool.training.trace import path_of
from nettool.workflows.past_weights import kept_checkpoints
from tests.cli.conftest import Nettool

RUN = Path("runs/students-0001")


def trace(run: Path = RUN) -> tuple[list[int], dict[str, torch.Tensor]]:
    return path_of(checkpoint.load(run / "trace.safetensors")[0])


def test_a_small_run_has_a_trace_without_having_asked(nettool: Nettool, config: Path) -> None:
    assert nettool("train", config, "epochs=4", "--quiet").code == 0
    epochs, weights = trace()
    assert epochs == [0, 1, 2, 3, 4]
    last, _ = checkpoint.load(RUN / "last.safetensors")
    for name, tensor in weights.items():
        assert torch.equal(tensor[-1], last[f"network.{name}"])
        assert not torch.equal(tensor[0], tensor[1])


def test_a_run_that_goes_on_has_the_trace_of_one_that_never_stopped(nettool: Nettool, config: Path) -> None:
    nettool("train", config, "epochs=6", "--quiet")
    nettool("train", config, "epochs=2", "--quiet")
    again = Path("runs/students-0002")
    assert trace(again)[0] == [0, 1, 2]
    nettool("train", "--resume", again, "epochs=6", "--quiet")
    assert (again / "trace.safetensors").read_bytes() == (RUN / "trace.safetensors").read_bytes()


@pytest.mark.parametrize("spoil", [lambda path: path.unlink(), lambda path: path.write_bytes(b"no trace")])
def test_a_trace_that_is_gone_begins_where_the_run_goes_on(nettool: Nettool, config: Path, spoil: object) -> None:
    nettool("train", config, "epochs=2", "--quiet")
    assert callable(spoil)
    spoil(RUN / "trace.safetensors")
    assert nettool("train", "--resume", RUN, "epochs=4", "--quiet").code == 0
    assert trace()[0] == [2, 3, 4]


def test_a_run_that_diverged_has_the_path_up_to_there(nettool: Nettool, config: Path) -> None:
    result = nettool("train", config, "optimizer={name: sgd, lr: 1e20}", "loss=binary_cross_entropy", "--quiet")
    assert result.code == 3
    record = json.loads((RUN / "run.json").read_text())
    assert trace()[0] == list(range(record["epochs"] + 1))


def test_all_checkpoints_are_kept_where_that_is_asked_for_and_each_can_be_evaluated(
    nettool: Nettool, config: Path
) -> None:
    arguments = ("epochs=6", "checkpoint={every: 2 epochs, keep: all}", "--quiet")
    assert nettool("train", config, *arguments).code == 0
    assert not (RUN / "trace.safetensors").exists()
    kept = kept_checkpoints(RunDirectory(RUN))
    assert [(epoch, path.name) for epoch, _, path in kept] == [
        (epoch, f"epoch-{epoch:05d}-step-{epoch * 5:07d}.safetensors") for epoch in (2, 4, 6)
    ]
    found = json.loads(nettool("eval", kept[0][2], "--split", "validation", "--json").out)
    rows = (RUN / "metrics.csv").read_text().splitlines()
    assert found["loss"] == float(rows[2].split(",")[3])


def test_nothing_is_kept_where_that_is_asked_for(nettool: Nettool, config: Path) -> None:
    nettool("train", config, "epochs=2", "checkpoint.keep=none", "--quiet")
    assert not (RUN / "trace.safetensors").exists()
    assert not (RUN / "checkpoints").exists()


def test_points_that_are_trained_together_each_have_theirs(nettool: Nettool, config: Path) -> None:
    assert nettool("sweep", config, "optimizer.lr=0.01,0.1", "epochs=3", "--quiet").code == 0
    for number, rate in ((1, 0.01), (2, 0.1)):
        nettool("train", config, f"optimizer.lr={rate}", "epochs=3", "--quiet")
        epochs, weights = trace(Path(f"runs/students-sweep-0001/{number:04d}"))
        alone, expected = trace(Path(f"runs/students-{number:04d}"))
        assert epochs == alone == [0, 1, 2, 3]
        for name, tensor in weights.items():
            assert torch.allclose(tensor, expected[name], rtol=1e-4, atol=1e-6)
