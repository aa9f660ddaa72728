import errno
import os
from pathlib import Path

import pytest

from nettool.errors import ResourceError
from nettool.runs import durable


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    durable.write_file(path, b"old")
    durable.write_file(path, b"new")
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_file_and_folder_are_synced_in_that_order_around_the_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    fsync, replace = os.fsync, Path.replace
    folders = {tmp_path.stat().st_ino: "fsync folder"}

    def record_sync(descriptor: int) -> None:
        calls.append(folders.get(os.fstat(descriptor).st_ino, "fsync file"))
        fsync(descriptor)

    def record_replace(self: Path, target: Path) -> Path:
        calls.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", record_sync)
    monkeypatch.setattr(Path, "replace", record_replace)
    durable.write_file(tmp_path / "file", b"content")
    assert calls == ["fsync file", "rename", "fsync folder"]


@pytest.mark.parametrize(
    ("number", "cause"),
    [
        (errno.ENOSPC, "the disk is full; free some space."),
        (errno.EROFS, "the file system is read-only"),
        (errno.EIO, "the disk reports an input/output error."),
        (errno.EACCES, "permission denied"),
        (errno.EMFILE, "Too many open files."),
    ],
)
def test_a_refused_write_is_one_line_and_leaves_the_old_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, cause: str
) -> None:
    path = tmp_path / "file"
    durable.write_file(path, b"old")

    def refuse(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(ResourceError) as caught:
        durable.write_file(path, b"new")
    assert str(caught.value).startswith(f"cannot write {path}: {cause}")
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 4
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_folder_is_claimed_by_one(tmp_path: Path) -> None:
    assert durable.claim_folder(tmp_path / "run")
    assert not durable.claim_folder(tmp_path / "run")


def test_appended_lines_are_there_before_the_file_is_closed(tmp_path: Path) -> None:
    appender = durable.Appender(tmp_path / "log")
    appender.append("one\n")
    assert (tmp_path / "log").read_text() == "one\n"
    appender.append("two\n")
    appender.close()
    appender.close()
    assert (tmp_path / "log").read_text() == "one\ntwo\n"
