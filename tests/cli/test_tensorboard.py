"""`--log tensorboard`: what TensorBoard reads is what metrics.csv says, and a run is none the worse for it."""

from __future__ import annotations

import csv
import errno
import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nettool.runs import checkpoint, durable
from nettool.workflows.board import has_histograms
from nettool.workflows.sweeps import units
from tests.cli.conftest import Nettool
from tests.same_run import assert_same_run

event_accumulator = pytest.importorskip(
    "tensorboard.backend.event_processing.event_accumulator", reason="needs the extra nettool[tensorboard]"
)

RUN = Path("runs/students-0001")
LOG = ("--log", "tensorboard", "--quiet")
DROPOUT = "dropout=0.3"  # so that a random number that was drawn would be seen


def accumulated(folder: Path) -> Any:
    """What TensorBoard reads there."""
    everything = dict.fromkeys(event_accumulator.DEFAULT_SIZE_GUIDANCE, 0)
    return event_accumulator.EventAccumulator(str(folder), size_guidance=everything).Reload()


def scalars(run: Path, name: str) -> dict[str, list[tuple[int, float]]]:
    """Steps and values by tag."""
    found = accumulated(run / "tensorboard" / name)
    return {tag: [(each.step, each.value) for each in found.Scalars(tag)] for tag in found.Tags()["scalars"]}


def histograms(run: Path) -> dict[str, list[tuple[int, Any]]]:
    found = accumulated(run / "tensorboard" / "train")
    return {
        tag: [(each.step, each.histogram_value) for each in found.Histograms(tag)] for tag in found.Tags()["histograms"]
    }


def journal(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def column(run: Path, name: str) -> list[tuple[int, float]]:
    """Of metrics.csv, in the single precision that TensorBoard has."""
    with np.errstate(over="ignore"):
        return [(int(row["epoch"]), float(np.float32(row[name]))) for row in journal(run)]


def session(run: Path) -> tuple[dict[str, Any], Any]:
    """Hyperparameters, and how the run ended."""
    from tensorboard.plugins.hparams import metadata, plugin_data_pb2  # here: it may not be installed

    content = accumulated(run / "tensorboard" / "best").summary_metadata
    start, end = (
        plugin_data_pb2.HParamsPluginData.FromString(content[tag].plugin_data.content) if tag in content else None
        for tag in (metadata.SESSION_START_INFO_TAG, metadata.SESSION_END_INFO_TAG)
    )
    values = start.session_start_info.hparams.items()
    found = {name: getattr(value, str(value.WhichOneof("kind"))) for name, value in values}
    return found, end and end.session_end_info.status


def assert_as_in_the_journal(run: Path) -> None:
    names = [name for name in journal(run)[0] if name not in ("epoch", "step", "seconds")]
    training = {
        "metrics/loss": "train_loss",
        "training/lr": "lr",
        "training/examples_per_second": "examples_per_second",
    }
    assert scalars(run, "train") == {tag: column(run, name) for tag, name in training.items()}
    measured = {name: name for name in names if name not in training.values()}
    measured["loss"] = measured.pop("validation_loss")
    assert scalars(run, "validation") == {f"metrics/{tag}": column(run, name) for tag, name in measured.items()}


def test_every_scalar_is_that_of_metrics_csv(nettool: Nettool, config: Path) -> None:
    result = nettool("train", config, "--log", "tensorboard", "optimizer.lr=0.01", "metrics=[accuracy, f1, auroc]")
    assert (result.code, result.out) == (0, f"{RUN}\n")
    assert "note: for TensorBoard: tensorboard --logdir runs\n" in result.err
    assert len(journal(RUN)) == 15
    assert_as_in_the_journal(RUN)


def test_the_best_epoch_stands_beside_what_was_set(nettool: Nettool, config: Path) -> None:
    nettool("train", config, *LOG, "optimizer={name: sgd, nesterov: true, momentum: 0.9}", "batch_size=full")
    record = json.loads((RUN / "run.json").read_text())
    best, reached = record["best_epoch"], {**record["metrics"], "loss": record["metrics"]["validation_loss"]}
    assert scalars(RUN, "best") == {
        f"metrics/{name}": [(best, float(np.float32(reached[name])))] for name in ("loss", "accuracy")
    }
    settings, status = session(RUN)
    assert status == 1  # success
    expected = {
        "optimizer.name": "sgd", "optimizer.lr": 0.01, "optimizer.nesterov": True, "batch_size": 140, "epochs": 15,
        "layers.0.units": 8, "data.target": "passed", "loss.name": "binary_cross_entropy", "seed": 0,
        "overrides": "optimizer={name: sgd, nesterov: true, momentum: 0.9} batch_size=full",
    }  # fmt: skip
    assert {name: settings[name] for name in expected} == expected
    assert not [name for name in settings if name.startswith(("runtime.", "checkpoint.", "name", "data.path"))]


def test_histograms_are_those_of_the_weights_at_the_end_of_an_epoch(nettool: Nettool, config: Path) -> None:
    nettool("train", config, *LOG, "epochs=40", "early_stopping=null")
    found = histograms(RUN)
    tensors, _ = checkpoint.load(RUN / "trace.safetensors")
    weights = {name.removeprefix("weights."): each for name, each in tensors.items() if name.startswith("weights.")}
    assert found.keys() == {f"weights/{name}" for name in weights}
    for name, each in weights.items():
        steps = found[f"weights/{name}"]
        assert [step for step, _ in steps] == [*range(32), 32, 34, 36, 38, 40]
        for step, histogram in steps:
            values = each[tensors["epochs"].tolist().index(step)].double()
            assert (histogram.num, sum(histogram.bucket)) == (values.numel(), values.numel())
            assert math.isclose(histogram.sum, float(values.sum()), abs_tol=1e-9)
            assert histogram.min <= values.min() <= values.max() <= histogram.max == histogram.bucket_limit[-1]


def test_epochs_that_have_histograms_grow_rarer_by_their_numbers_alone() -> None:
    shown = [epoch for epoch in range(1025) if has_histograms(epoch)]
    assert shown[:33] == [*range(33)]
    for start in (32, 64, 128, 256, 512):
        assert [epoch for epoch in shown if start <= epoch < 2 * start] == [*range(start, 2 * start, start // 16)]


def test_a_run_has_the_same_bits_with_and_without(nettool: Nettool, config: Path) -> None:
    for engine in ("closed_form", "autograd"):
        nettool("train", config, DROPOUT, f"runtime.engine={engine}", *LOG, "--run-dir", f"{engine}-with")
        nettool("train", config, DROPOUT, f"runtime.engine={engine}", "--quiet", "--run-dir", f"{engine}-without")
        assert_same_run(Path(f"{engine}-with"), Path(f"{engine}-without"))
        assert (Path(f"{engine}-with/tensorboard/train")).is_dir()
        assert not Path(f"{engine}-without/tensorboard").exists()


def test_without_a_validation_split_the_training_loss_is_what_was_reached(nettool: Nettool, config: Path) -> None:
    nettool("train", config, *LOG, "data.split={train: 0.8, validation: 0, test: 0.2}")
    assert not (RUN / "tensorboard/validation").exists()
    assert scalars(RUN, "train")["metrics/loss"] == column(RUN, "train_loss")
    assert scalars(RUN, "best") == {"metrics/loss": column(RUN, "train_loss")[-1:]}


def test_an_untrained_run_shows_its_weights(nettool: Nettool, config: Path) -> None:
    nettool("train", config, *LOG, "epochs=0")
    assert_as_in_the_journal(RUN)
    assert [step for step, _ in histograms(RUN)["weights/layers.0.product.weight"]] == [0]


# --- runs that end otherwise -------------------------------------------------------------------------------


def test_a_run_that_goes_on_has_every_epoch_once(
    nettool: Nettool, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fails when epochs up to 8 are in the event files, and those up to 4 in the checkpoint."""
    saves = []

    def refuse(operation: durable.Operation) -> None:
        if operation.kind == "rename" and operation.target is not None and operation.target.name == "last.safetensors":
            saves.append(operation)
            if len(saves) == 2:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(durable, "watch", refuse)
        result = nettool("train", config, DROPOUT, *LOG, "checkpoint.every=4 epochs")
    assert result.code == 4
    assert [step for step, _ in scalars(RUN, "train")["metrics/loss"]] == [*range(1, 9)]
    (train,) = (RUN / "tensorboard/train").iterdir()
    train.write_bytes(train.read_bytes()[:-3])  # and its last record was cut off
    assert nettool("train", "--resume", RUN, *LOG).code == 0
    nettool("train", config, DROPOUT, *LOG, "checkpoint.every=4 epochs")
    uncut = Path("runs/students-0002")
    assert_same_run(RUN, uncut)
    assert_as_in_the_journal(RUN)
    assert histograms(RUN) == histograms(uncut)
    assert scalars(RUN, "best") == scalars(uncut, "best")
    assert session(RUN) == session(uncut)


def test_a_run_that_had_none_has_all_of_its_epochs_when_it_goes_on_with_them(nettool: Nettool, config: Path) -> None:
    nettool("train", config, "--quiet", "epochs=4")
    nettool("train", "--resume", RUN, "epochs=6", *LOG)
    assert_as_in_the_journal(RUN)
    assert [step for step, _ in histograms(RUN)["weights/layers.0.product.weight"]] == [4, 5, 6]


def test_a_run_that_diverged_shows_how_it_came_there(nettool: Nettool, config: Path) -> None:
    sgd = "optimizer={name: sgd, lr: 3}"
    changes = ("loss=mse", "data.target=hours", sgd, "layers.0.activation=linear", "batch_size=full")
    assert nettool("train", config, *changes, *LOG).code == 3
    assert json.loads((RUN / "run.json").read_text())["status"] == "diverged"
    assert len(journal(RUN)) > 0
    assert_as_in_the_journal(RUN)
    assert session(RUN)[1] == 2  # failure


@pytest.mark.parametrize("moment", ["begin", "append", "end"])
def test_a_full_disk_is_told_in_one_line_and_the_run_goes_on(
    nettool: Nettool, config: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    kind, folder = {"begin": ("write", "train"), "append": ("append", "train"), "end": ("append", "best")}[moment]

    def refuse(operation: durable.Operation) -> None:
        if operation.kind == kind and operation.path.parent.name == folder:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(durable, "watch", refuse)
        result = nettool("train", config, *LOG, "checkpoint.every=4 epochs")
    assert result.code == 4
    assert result.err.startswith("nettool: cannot write ")
    assert f"{folder}/events.out.tfevents.0001: the disk is full" in " ".join(result.err.split())
    assert f"nettool train --resume {RUN}" in " ".join(result.err.split())
    assert nettool("train", "--resume", RUN, *LOG).code == 0
    assert_as_in_the_journal(RUN)
    nettool("train", config, "--quiet", "checkpoint.every=4 epochs")
    assert_same_run(RUN, Path("runs/students-0002"))


# --- sweeps ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["closed_form", "autograd"])
def test_each_point_of_a_sweep_has_its_own(
    nettool: Nettool, config: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    """Trained together, and in processes."""
    monkeypatch.setattr(units, "WORTH_PROCESSES", 0.0)
    monkeypatch.setattr("nettool.workflows.machine.num_cores", lambda: 2)
    sweep = ("sweep", config, "optimizer.lr=0.01,0.1", f"runtime.engine={engine}", "epochs=3")
    assert nettool(*sweep, *LOG).code == 0
    assert nettool(*sweep, "--quiet").code == 0
    for number, lr in ((1, 0.01), (2, 0.1)):
        point = Path(f"runs/students-sweep-0001/{number:04d}")
        assert_same_run(point, Path(f"runs/students-sweep-0002/{number:04d}"))
        assert_as_in_the_journal(point)
        assert session(point)[0]["optimizer.lr"] == lr
        assert [step for step, _ in histograms(point)["weights/layers.0.product.weight"]] == [0, 1, 2, 3]


def test_a_sweep_goes_on_with_them(nettool: Nettool, config: Path) -> None:
    nettool("sweep", config, "optimizer.lr=0.01,0.1", "epochs=3", "--quiet")
    sweep = Path("runs/students-sweep-0001")
    (sweep / "0002/run.json").write_text(
        json.dumps({**json.loads((sweep / "0002/run.json").read_text()), "status": "interrupted"})
    )
    result = nettool("sweep", "--resume", sweep, "--log", "tensorboard")
    assert f"note: for TensorBoard: tensorboard --logdir {sweep}" in result.err
    assert not (sweep / "0001/tensorboard").exists()
    assert_as_in_the_journal(sweep / "0002")
