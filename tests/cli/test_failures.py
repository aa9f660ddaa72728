"""What goes wrong while a run is under way: one line, the right exit code, and a record of it."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from nettool.runs import checkpoint, durable
from nettool.training.step import Step
from tests.cli.conftest import Nettool


def fail_from(monkeypatch: pytest.MonkeyPatch, first: int, error: Exception) -> None:
    """Let every step from number `first` on fail."""
    step, count = Step.__call__, 0

    def failing(self: Step, *arguments: object) -> object:
        nonlocal count
        count += 1
        if count >= first:
            raise error
        return step(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Step, "__call__", failing)


def record_of(folder: Path) -> dict[str, object]:
    record: dict[str, object] = json.loads((folder / "runs/students-0001/run.json").read_text())
    return record


def test_out_of_memory_exits_4_with_what_was_asked_for(
    nettool: Nettool, config: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_from(
        monkeypatch,
        3,
        RuntimeError(
            "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 4096000000 bytes."
        ),
    )
    result = nettool("train", config, "--quiet")
    assert (result.code, result.out) == (4, "runs/students-0001\n")
    assert result.err == (
        "nettool: out of memory in a backward pass or an update, 4.1 GB more: 49 parameters and batches of 32 "
        "examples. Try `batch_size: 16`, which fits by arithmetic, or fewer units.\n"
    )
    assert record_of(folder)["status"] == "failed"


@pytest.mark.parametrize(
    ("error", "amount"),
    [
        (RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory: you tried to "
                      "allocate 512000000 bytes. Error code 12"), ", 0.51 GB more"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of"), ", 2.1 GB more"),
        (MemoryError(), ""),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), ""),
        (RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported"), ""),
    ],
)  # fmt: skip
def test_out_of_memory_names_the_layer_at_work_and_a_batch_that_fits(
    nettool: Nettool, config: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, amount: str
) -> None:
    def forward(self: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
        raise error

    monkeypatch.setattr(torch.nn.ReLU, "forward", forward)
    monkeypatch.setattr("nettool.workflows.exhaustion.free_bytes", lambda: 3000)
    result = nettool("train", config, "--quiet")
    assert (result.code, result.out) == (4, "runs/students-0001\n")
    assert result.err == (
        f"nettool: out of memory in layers.0 (dense){amount}: 49 parameters and batches of 32 examples. "
        "Try `batch_size: 16`, which fits by arithmetic, or fewer units.\n"
    )
    monkeypatch.setattr("nettool.workflows.exhaustion.free_bytes", lambda: 10)
    assert (
        "Not even a batch of one example fits beside them: try fewer units." in nettool("train", config, "--quiet").err
    )


def test_memory_that_runs_out_before_training_begins_is_not_put_down_to_a_step(
    nettool: Nettool, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(prepared: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr("nettool.workflows.train.build_job", build)
    result = nettool("train", config, "--quiet")
    assert (result.code, result.err) == (
        4,
        "nettool: out of memory as the network was built and the data brought to it, 2.1 GB more: 49 parameters and "
        "batches of 32 examples. Try fewer units, or less data at once (data.limit).\n",
    )


def test_the_batch_that_fits_is_counted_without_what_the_failed_one_left_behind(
    nettool: Nettool, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Activation:
        """In the frame of the layer that failed, until somebody clears it."""

        is_alive = True

        def __del__(self) -> None:
            Activation.is_alive = False

    def forward(self: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
        kept = Activation()
        raise MemoryError(kept.is_alive)

    monkeypatch.setattr(torch.nn.ReLU, "forward", forward)
    monkeypatch.setattr("nettool.workflows.exhaustion.free_bytes", lambda: 10 if Activation.is_alive else 3000)
    assert "in layers.0 (dense): " in (said := nettool("train", config, "--quiet").err)
    assert "Try `batch_size: 16`" in said


@pytest.mark.parametrize("command", ["eval", "verify", "predict"])
def test_out_of_memory_is_no_bug_in_any_command(
    nettool: Nettool, config: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    assert nettool("train", config, "--quiet", "epochs=1").code == 0

    def forward(self: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4096000000 bytes.")

    monkeypatch.setattr(torch.nn.ReLU, "forward", forward)
    result = nettool(command, "runs/students-0001", *(["students.csv"] if command == "predict" else []))
    assert (result.code, result.err) == (
        4,
        "nettool: out of memory in layers.0 (dense), 4.1 GB more. Close what else takes memory, or ask for less data.\n",
    )


def test_an_operation_without_a_deterministic_kernel_is_no_bug_in_any_command(
    nettool: Nettool, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert nettool("train", config, "--quiet", "epochs=1").code == 0

    def forward(self: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("put_ does not have a deterministic implementation, but you set ...")

    monkeypatch.setattr(torch.nn.ReLU, "forward", forward)
    result = nettool("eval")
    assert (result.code, "runtime.deterministic=false" in result.err) == (2, True)


def test_an_answer_that_nobody_reads_hides_no_error(config: Path) -> None:
    command = [sys.executable, "-m", "nettool_cli", "train", str(config), "--quiet", "optimizer={name: sgd, lr: 1e38}"]
    for options in ([], ["--json"]):
        with open("/dev/full", "w") as full:  # noqa: PTH123
            training = subprocess.run([*command, *options], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        assert (training.returncode, "Training diverged" in training.stderr) == (3, True), training.stderr


def test_a_failed_background_write_ends_training_soon_with_the_last_checkpoint_whole(
    nettool: Nettool, config: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(operation: durable.Operation) -> None:
        if operation.path.name.startswith(".last") and (folder / "runs/students-0001/last.safetensors").exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(durable, "watch", fail)
    result = nettool("train", config, "--quiet", "epochs=100000000", "checkpoint.every=0.05 seconds")
    assert (result.code, result.out) == (4, "")
    why = "cannot write runs/students-0001/last.safetensors: the disk is full; free some space."
    assert result.err == f"nettool: {why} Then go on with: nettool train --resume runs/students-0001\n"
    record = record_of(folder)
    assert (record["status"], record["why"]) == ("failed", why)
    _, facts = checkpoint.load(folder / "runs/students-0001/last.safetensors")
    assert 0 < facts["state"]["position"]["epoch"] <= record["epochs"]


def test_a_bug_exits_1_with_its_traceback_in_the_log(
    nettool: Nettool, config: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_from(monkeypatch, 3, ValueError("nobody foresaw this"))
    result = nettool("train", config, "--quiet")
    assert (result.code, result.out) == (1, "")
    assert "a bug in nettool, not in what you did: ValueError: nobody foresaw this" in result.err
    assert "Traceback" not in result.err
    assert "Traceback" in (folder / "runs/students-0001/log.txt").read_text()
    assert record_of(folder)["why"] == "ValueError: nobody foresaw this"


@pytest.mark.parametrize("first", [1, 4, 8])
def test_a_full_disk_exits_4_in_one_line(
    nettool: Nettool, config: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, first: int
) -> None:
    fsync, count = os.fsync, 0

    def full(descriptor: int) -> None:
        nonlocal count
        count += 1
        if count >= first:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    result = nettool("train", config, "--quiet")
    assert (result.code, result.out) == (4, "")
    assert result.err.startswith("nettool: cannot write runs")
    assert "the disk is full; free some space." in result.err
    assert result.err.count("\n") == 1
    run = folder / "runs/students-0001"
    can_go_on = (run / "config.yaml").exists()
    assert result.err.endswith(" Then go on with: nettool train --resume runs/students-0001\n") == can_go_on
    assert run.exists() == can_go_on  # a name in which nothing began is free again
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    again = ("--resume", "last") if can_go_on else (config, "--run-dir", run)
    assert nettool("train", *again, "--quiet").code == 0
    assert result.err.count("\n") == 1
    assert not list(folder.rglob("*.tmp"))


def test_a_signal_that_is_ignored_when_training_begins_stays_ignored(config: Path, folder: Path) -> None:
    command = [sys.executable, "-m", "nettool_cli", "train", str(config), "--quiet", "epochs=40000"]
    training = subprocess.Popen(["nohup", *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not list(folder.glob("runs/*/metrics.csv")):
        assert training.poll() is None
        time.sleep(0.02)
    training.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert training.poll() is None
    training.send_signal(signal.SIGTERM)
    assert training.wait(60) == 143


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_place_that_is_the_users_is_no_run_directory(nettool: Nettool, config: Path, folder: Path, kind: str) -> None:
    mine = folder / "mine"
    if kind == "file":
        mine.write_text("mine")
    else:
        mine.mkdir()
        (mine / "notes.txt").write_text("mine")
    result = nettool("train", config, "--run-dir", mine)
    assert (result.code, "it is no run's" in result.err) == (2, True)
    assert (mine if kind == "file" else mine / "notes.txt").read_text() == "mine"


def test_a_name_that_is_empty_is_not_the_newest_run(nettool: Nettool, config: Path) -> None:
    nettool("train", config, "--quiet", "epochs=1")
    for command in (("eval", ""), ("predict", "", "students.csv"), ("verify", ""), ("train", "--resume", "")):
        result = nettool(*command)
        assert (result.code, "is a variable of the shell empty?" in result.err) == (2, True), result
