"""`nettool sweep`: what goes wrong, how it goes on, and points in processes of their own."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from nettool.config.load import load
from nettool.runs import checkpoint, directory, durable
from nettool.runs.directory import RunDirectory
from nettool.training import epochs
from nettool.training.history import EpochResult
from nettool.workflows.sweeps import group, shared, training, units
from tests.cli.conftest import Nettool
from tests.cli.sweep_files import RATES, SWEEP, rows, sweep_json
from tests.same_run import assert_same_run, journal


def test_a_point_that_diverges_does_not_end_the_others(nettool: Nettool, config: Path) -> None:
    result = nettool(
        "sweep", config, "optimizer={name: sgd, lr: 0.1},{name: sgd, lr: 1e300}", "activation=softplus", "epochs=3"
    )
    assert (result.code, result.out) == (3, f"{SWEEP}\n")
    assert [row["status"] for row in rows()] == ["finished", "diverged"]
    assert "step 1 had taken the weights of every layer out of the finite numbers" in rows()[1]["why"]
    assert "1 of 2 points diverged (optimizer={name: sgd, lr: 1e300}). The others are complete." in " ".join(
        result.err.split()
    )
    assert sweep_json()["best"] == 1


def stop_after(monkeypatch: pytest.MonkeyPatch, count: int, act: Callable[[], None]) -> None:
    """Act when the members of a group have given so many signs of life."""
    whole = group.fit_together
    monkeypatch.setattr(epochs, "PROGRESS_SECONDS", 0.0)

    def fit_together(*arguments: Any) -> Any:
        signs = 0
        for event in whole(*arguments):
            if event.member is None:
                signs += 1
                if signs == count:
                    act()
            yield event

    monkeypatch.setattr(group, "fit_together", fit_together)


def test_an_interrupted_sweep_goes_on_to_the_same_bits(
    nettool: Nettool, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("sweep", config, RATES, "--seeds", "2", "dropout=0.2", "epochs=4", "--quiet")
    assert nettool(*arguments).code == 0
    with monkeypatch.context() as patch:
        stop_after(patch, 14, lambda: os.kill(os.getpid(), signal.SIGTERM))
        result = nettool(*arguments)
    second = Path("runs/students-sweep-0002")
    assert result.code == 143
    assert "0 of 6 points are done" in result.err
    assert f"nettool sweep --resume {second}" in result.err
    assert {row["status"] for row in rows(second)} == {"interrupted"}
    assert sweep_json(second)["status"] == "interrupted"
    assert nettool("sweep", "--resume", second, "--quiet").code == 0
    for number in range(1, 7):
        assert_same_run(SWEEP / f"{number:04d}", second / f"{number:04d}")
    assert sweep_json(second)["status"] == "finished"


def test_points_that_are_complete_are_left_alone(
    nettool: Nettool, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        stop_after(patch, 25, lambda: os.kill(os.getpid(), signal.SIGTERM))
        result = nettool("sweep", config, "epochs=3,20", "--quiet")
    assert "1 of 2 points are done" in result.err
    before = {path: path.stat().st_mtime_ns for path in (SWEEP / "0001").iterdir()}
    assert nettool("sweep", "--resume", "last", "--quiet").code == 0
    assert {path: path.stat().st_mtime_ns for path in (SWEEP / "0001").iterdir()} == before
    assert [row["epochs_trained"] for row in rows()] == ["3", "20"]


def test_a_full_disk_keeps_what_is_finished_and_says_how_to_go_on(
    nettool: Nettool, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nettool("sweep", config, RATES, "epochs=3", "--quiet")
    whole = Path("runs/whole")
    SWEEP.rename(whole)

    def refuse(operation: durable.Operation) -> None:
        if "0002" in str(operation.path) and operation.path.name.startswith(".last"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(durable, "watch", refuse)
        result = nettool("sweep", config, RATES, "epochs=3", "--quiet")
    assert result.code == 4
    assert "the disk is full; free some space" in result.err
    assert f"nettool sweep --resume {SWEEP}" in result.err
    assert nettool("verify", SWEEP / "0001").code == 0
    assert nettool("sweep", "--resume", SWEEP, "--quiet").code == 0
    assert [row["status"] for row in rows()] == ["finished"] * 3
    for number in (1, 2, 3):  # of other groups now: the last digits may differ
        found, expected = (journal(sweep / f"{number:04d}")[-1] for sweep in (SWEEP, whole))
        assert [float(cell) for cell in found] == pytest.approx([float(cell) for cell in expected], rel=1e-3)


def test_two_cannot_go_on_with_one_sweep_at_once(nettool: Nettool, config: Path) -> None:
    nettool("sweep", config, RATES, "epochs=1", "--quiet")
    with directory.locked(RunDirectory(SWEEP)):
        result = nettool("sweep", "--resume", SWEEP)
    assert result.code == 5


@pytest.mark.parametrize("name", ["runs", "nowhere", "runs/students-0001"])
def test_what_is_no_sweep_is_told(nettool: Nettool, config: Path, name: str) -> None:
    nettool("train", config, "epochs=1", "--quiet")
    result = nettool("sweep", "--resume", name)
    assert result.code == 2
    assert "is no sweep" in result.err


def test_a_directory_that_is_there_is_not_written_to(nettool: Nettool, config: Path) -> None:
    assert nettool("sweep", config, RATES, "epochs=1", "--quiet", "--sweep-dir", "mine").out == "mine\n"
    before = sorted(Path("mine").rglob("*"))
    assert nettool("sweep", config, RATES, "epochs=1", "--quiet", "--sweep-dir", "mine").code in (2, 5)
    assert sorted(Path("mine").rglob("*")) == before


@pytest.mark.parametrize("damage", ["{", "[]", '{"format_version": 2}', '{"points": 3}'])
def test_a_damaged_record_is_told(nettool: Nettool, config: Path, damage: str) -> None:
    nettool("sweep", config, RATES, "epochs=1", "--quiet")
    (SWEEP / "sweep.json").write_text(damage)
    result = nettool("sweep", "--resume", SWEEP)
    assert result.code == 2
    assert "sweep.json is damaged" in result.err


# --- in processes of their own -----------------------------------------------------------------------------


def test_points_of_other_kinds_are_trained_in_processes(
    nettool: Nettool, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(units, "WORTH_PROCESSES", 0.0)
    monkeypatch.setattr("nettool.workflows.machine.num_cores", lambda: 2)
    result = nettool("sweep", config, "runtime.engine=autograd", "layers.0.units=2,4,8", "epochs=2")
    assert (result.code, result.out) == (0, f"{SWEEP}\n")
    assert "3 on their own, in 2 processes of one thread each" in result.err
    assert [row["status"] for row in rows()] == ["finished"] * 3
    nettool("train", config, "runtime.engine=autograd", "layers.0.units=4", "epochs=2", "--quiet")
    assert_same_run(SWEEP / "0002", Path("runs/students-0001"))


def test_a_process_that_is_killed_fails_its_point_alone(
    nettool: Nettool, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(units, "WORTH_PROCESSES", 0.0)
    monkeypatch.setattr("nettool.workflows.machine.num_cores", lambda: 2)
    monkeypatch.setattr("sys.executable", str(Path(__file__).with_name("killed_python.sh")))
    result = nettool("sweep", config, "runtime.engine=autograd", "layers.0.units=2,4", "epochs=2")
    assert result.code == 1
    assert "its process was ended by signal SIGKILL (was memory short?)" in " ".join(result.err.split())
    assert [row["status"] for row in rows()] == ["failed"] * 2
    assert "SIGKILL" in rows()[0]["why"]


TWICE = """
import os, signal, sys
from pathlib import Path
from nettool.workflows.signals import StopSignals
from nettool.workflows.sweeps import worker

def train_unit(*arguments, **settings):
    with StopSignals() as signals:
        os.kill(os.getpid(), signal.SIGTERM)  # from what stops every process of a service
        os.kill(os.getpid(), signal.SIGTERM)  # from the command, which was stopped as well
        assert signals.received == signal.SIGTERM
        Path("saved").touch()

worker.train_unit = train_unit
worker._asked.put([1])
worker._asked.put(None)
worker.main(Path(sys.argv[1]), None, False)
"""


def test_a_process_that_is_stopped_by_two_at_once_saves_all_the_same(nettool: Nettool, config: Path) -> None:
    nettool("sweep", config, "epochs=1,2", "--quiet")
    ended = subprocess.run([sys.executable, "-c", TWICE, SWEEP], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended
    assert json.loads(ended.stdout) == {"done": [1]}
    assert Path("saved").exists()


# --- what looks like one case and is another ---------------------------------------------------------------


def interrupt_after(monkeypatch: pytest.MonkeyPatch, epoch: int) -> None:
    """Send SIGTERM when the second member has ended this epoch."""
    whole = group.fit_together

    def fit_together(*arguments: Any) -> Any:
        for event in whole(*arguments):
            if isinstance(event.what, EpochResult) and (event.member, event.what.epoch) == (1, epoch):
                os.kill(os.getpid(), signal.SIGTERM)
            yield event

    monkeypatch.setattr(group, "fit_together", fit_together)


def test_a_signal_is_heard_however_short_the_epochs_are(
    nettool: Nettool, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_after(monkeypatch, epoch=30)
    result = nettool("sweep", config, RATES, "epochs=500", "--quiet")
    assert result.code == 143
    assert {row["epochs_trained"] for row in rows()} == {"30"}


def test_a_signal_before_a_unit_begins_is_heard(
    nettool: Nettool, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare, calls = training.prepare_training, []

    def interrupted(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 1:  # a second one would end the process at once
            os.kill(os.getpid(), signal.SIGINT)
        return prepare(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(training, "prepare_training", interrupted)
        result = nettool("sweep", config, "epochs=2,400", "--quiet")
    assert result.code == 130
    assert {row["status"] for row in rows()} == {"interrupted"}
    assert all(int(row["epochs_trained"]) <= 1 for row in rows())


def test_a_save_that_finds_ruined_weights_ends_that_point_alone(nettool: Nettool, config: Path) -> None:
    result = nettool(
        "sweep", config, "optimizer={name: sgd, lr: 0.1},{name: sgd, lr: 1e300}", "checkpoint.every=1 steps", "epochs=3"
    )
    assert result.code == 3
    assert [row["status"] for row in rows()] == ["finished", "diverged"]


def test_a_diverged_point_is_not_tried_again(nettool: Nettool, config: Path) -> None:
    nettool(
        "sweep",
        config,
        "optimizer={name: sgd, lr: 0.1},{name: sgd, lr: 1e300}",
        "activation=softplus",
        "epochs=3",
        "--quiet",
    )
    before = {path: path.stat().st_mtime_ns for path in (SWEEP / "0002").iterdir()}
    assert nettool("sweep", "--resume", SWEEP, "--quiet").code == 3
    assert {path: path.stat().st_mtime_ns for path in (SWEEP / "0002").iterdir()} == before


def test_one_that_had_its_last_epoch_is_saved_as_itself(nettool: Nettool, config: Path) -> None:
    """Killed between its last save and its record, a point is complete when it is taken up beside others."""
    arguments = ("sweep", config, "epochs=4,8", "--quiet")
    nettool(*arguments)
    with pytest.MonkeyPatch.context() as patch:
        interrupt_after(patch, epoch=5)
        nettool(*arguments)
    second = Path("runs/students-sweep-0002")
    assert [row["status"] for row in rows(second)] == ["finished", "interrupted"]
    record = json.loads((second / "0001" / "run.json").read_text())
    (second / "0001" / "run.json").write_text(json.dumps({**record, "status": "running"}))
    assert nettool("sweep", "--resume", second, "--quiet").code == 0
    for number in (1, 2):
        found, expected = (
            checkpoint.load(sweep / f"{number:04d}" / "last.safetensors")[0] for sweep in (second, SWEEP)
        )
        for name in (name for name in expected if name.startswith(("optimizer.", "network."))):
            torch.testing.assert_close(found[name], expected[name], rtol=1e-3, atol=1e-5)


def test_one_point_that_cannot_go_on_does_not_keep_the_others_from_it(
    nettool: Nettool, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        stop_after(patch, 14, lambda: os.kill(os.getpid(), signal.SIGTERM))
        nettool("sweep", config, RATES, "epochs=4", "--quiet")
    (SWEEP / "0002" / "last.safetensors").write_bytes(b"no checkpoint")
    with directory.locked(RunDirectory(SWEEP / "0003")):
        result = nettool("sweep", "--resume", SWEEP)
    assert result.code == 5
    assert [row["status"] for row in rows()] == ["finished", "failed", "failed"]
    assert "0002" in rows()[1]["why"]
    assert "in use" in rows()[2]["why"]
    assert "2 of 3 points came to no end" in " ".join(result.err.split())
    assert "The others are complete." in result.err


def test_what_is_held_keeps_its_place_among_what_is_varied(nettool: Nettool, config: Path) -> None:
    nettool("sweep", config, "optimizer=adam,sgd", "optimizer.lr=0.123", "epochs=1", "--quiet")
    for number, name in ((1, "adam"), (2, "sgd")):
        optimizer = load(SWEEP / f"{number:04d}" / "config.yaml").experiment.optimizer
        assert (optimizer.name, optimizer.lr) == (name, 0.123)


def test_each_data_is_read_once_to_be_checked(nettool: Nettool, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[Any] = []
    prepare = shared.prepare
    monkeypatch.setattr(
        shared, "prepare", lambda spec, *rest, **more: reads.append(spec) or prepare(spec, *rest, **more)
    )
    assert nettool("sweep", config, RATES, "--folds", "3", "--dry-run").code == 0
    assert len(reads) == 3


def test_without_validation_the_training_loss_ranks(nettool: Nettool, config: Path) -> None:
    arguments = ("data.split={train: 1, validation: 0, test: 0}", "optimizer.lr=0.0001,0.05", "epochs=4")
    result = nettool("sweep", config, *arguments)
    assert result.code == 0
    assert "train_loss" in result.err
    assert sweep_json()["best"] == 2
    compared = json.loads(nettool("runs", "compare", SWEEP, "--json").out)
    assert [row["run"] for row in compared["runs"]] == [f"{SWEEP}/0002", f"{SWEEP}/0001"]
    assert compared["runs"][0]["train_loss"] < compared["runs"][1]["train_loss"]


def test_a_point_that_was_never_written_down_hides_no_other(nettool: Nettool, config: Path) -> None:
    nettool("sweep", config, RATES, "epochs=2", "--quiet")
    (SWEEP / "0001" / "run.json").unlink()
    (SWEEP / "0001" / "metrics.csv").write_text("no table")
    compared = json.loads(nettool("runs", "compare", SWEEP, "--json").out)
    assert [row["status"] for row in compared["runs"]] == ["finished", "finished", "damaged"]


def test_lists_in_lists_stay_what_they_are(nettool: Nettool, config: Path) -> None:
    config.write_text(
        config.read_text()
        + "sweep:\n  data.features: [[lectures, hours], [hours]]\n  optimizer: [adam, {name: sgd, lr: 0.1}]\n"
    )
    shown = json.loads(nettool("sweep", config, "--dry-run", "--json").out)
    assert shown["points"] == [
        ["data.features=[lectures, hours]", "optimizer=adam"],
        ["data.features=[lectures, hours]", "optimizer={name: sgd, lr: 0.1}"],
        ["data.features=[hours]", "optimizer=adam"],
        ["data.features=[hours]", "optimizer={name: sgd, lr: 0.1}"],
    ]


def test_a_seed_that_is_held_is_the_first_of_several(nettool: Nettool, config: Path) -> None:
    shown = json.loads(nettool("sweep", config, "seed=5", "--seeds", "3", "--dry-run", "--json").out)
    assert shown["points"] == [["seed=5"], ["seed=6"], ["seed=7"]]


def test_an_override_that_undoes_what_is_varied_is_told(nettool: Nettool, config: Path) -> None:
    result = nettool("sweep", config, "optimizer.lr=0.1,0.2", "optimizer=sgd")
    assert result.code == 2
    assert "point 2 (optimizer.lr=0.2): it is the same as point 1 (optimizer.lr=0.1)" in " ".join(result.err.split())
    assert not Path("runs").exists()


def test_a_point_whose_weights_are_gone_is_trained_again(nettool: Nettool, config: Path) -> None:
    nettool("sweep", config, RATES, "epochs=3", "--quiet")
    assert "nothing left to train" in nettool("sweep", "--resume", SWEEP).err
    (SWEEP / "0002" / "best.safetensors").unlink()
    assert nettool("sweep", "--resume", SWEEP, "--quiet").code == 0
    assert (SWEEP / "0002" / "best.safetensors").is_file()


def test_the_newest_may_be_a_sweep(nettool: Nettool, config: Path) -> None:
    nettool("train", config, "epochs=1", "--quiet")
    nettool("sweep", config, "optimizer.lr=0.0001,0.05", "epochs=3", "--quiet")
    assert f"{SWEEP}/0002/best.safetensors" in nettool("eval").out
    assert nettool("train", "--resume", "last", "epochs=2", "--quiet").out == "runs/students-0001\n"
    nettool("train", config, "epochs=1", "--quiet")
    assert "runs/students-0002/best.safetensors" in nettool("eval").out
