"""What goes wrong while a run is under way: one line, the right exit code, and a record of it."""

import errno
import json
import os
from pathlib import Path

import pytest

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
    assert result.err.startswith("nettool: cannot write runs/")
    assert result.err.endswith("the disk is full; free some space.\n")
    assert result.err.count("\n") == 1
    assert not list(folder.rglob("*.tmp"))
