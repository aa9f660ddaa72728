import errno
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nettool.errors import ResourceError
from nettool.runs import durable


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    durable.write_file(path, b"old")
    durable.write_file(path, b"new")
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


@pytest.fixture
def operations(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Kind and file of every operation from here on."""
    seen: list[tuple[str, str]] = []
    monkeypatch.setattr(durable, "watch", lambda operation: seen.append((operation.kind, operation.path.name)))
    return seen


def test_a_file_is_synced_before_it_has_its_name_and_the_folder_afterwards(
    tmp_path: Path, operations: list[tuple[str, str]]
) -> None:
    durable.write_file(tmp_path / "file", b"content")
    temporary = durable.temporary_of(tmp_path / "file").name
    assert operations == [
        ("create", temporary), ("write", temporary), ("sync", temporary), ("rename", temporary),
        ("sync folder", tmp_path.name),
    ]  # fmt: skip


def test_every_byte_is_written_though_the_system_takes_a_few_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, content: write(descriptor, content[:3]))
    durable.write_file(tmp_path / "file", bytes(range(256)))
    journal = durable.Appender(tmp_path / "journal")
    journal.append("1,2,3,4,5\n")
    journal.append("6,7,8,9,10\n")
    journal.close()
    assert (tmp_path / "file").read_bytes() == bytes(range(256))
    assert (tmp_path / "journal").read_text() == "1,2,3,4,5\n6,7,8,9,10\n"


def test_the_old_content_may_keep_a_name(tmp_path: Path, operations: list[tuple[str, str]]) -> None:
    path, previous = tmp_path / "last", tmp_path / "previous"
    durable.write_file(path, b"one", previous)
    assert not previous.exists()
    durable.write_file(path, b"two", previous)
    durable.write_file(path, b"three", previous)
    assert (path.read_bytes(), previous.read_bytes()) == (b"three", b"two")
    assert [kind for kind, _ in operations[-3:]] == ["rename", "rename", "sync folder"]
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["last", "previous"]


def test_folders_are_made_one_by_one_and_each_is_durable(tmp_path: Path, operations: list[tuple[str, str]]) -> None:
    durable.make_folders(tmp_path / "a/b")
    assert operations == [("make", "a"), ("sync folder", tmp_path.name), ("make", "b"), ("sync folder", "a")]
    durable.make_folders(tmp_path / "a/b")
    assert len(operations) == 4
    (tmp_path / "file").touch()
    for path in ("file", "file/c"):
        with pytest.raises(ResourceError, match=r"cannot write .*/file: a file of that name is in the way"):
            durable.make_folders(tmp_path / path)


def test_operations_are_numbered_without_a_gap_in_every_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers: list[int] = []
    monkeypatch.setattr(durable, "watch", lambda operation: numbers.append(operation.number))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: durable.write_file(tmp_path / str(name), b"x"), range(40)))
    assert sorted(numbers) == list(range(min(numbers), min(numbers) + 40 * 5))


@given(st.lists(st.binary(max_size=30), max_size=12), st.integers(1, 20))
def test_pieces_are_written_whole_whatever_their_sizes(pieces: list[bytes], chunk: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(durable, "CHUNK", chunk)
        chunks = list(durable._chunks(pieces))
    assert b"".join(chunks) == b"".join(pieces)
    assert all(len(piece) <= chunk for piece in chunks)


def test_a_lock_is_held_by_one_and_tells_who(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    descriptor = durable.lock(path, "me")
    assert descriptor is not None
    assert durable.lock(path, "you") is None
    assert path.read_text() == "me"
    os.close(descriptor)
    again = durable.lock(path, "you, who have a shorter story")
    assert again is not None
    assert path.read_text() == "you, who have a shorter story"
    os.close(again)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_said_to_be_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(ResourceError, match="the file system has no locks; write to another folder"):
        durable.lock(tmp_path / ".lock", "me")


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


@pytest.mark.parametrize("name", ["log.txt", ".lock"])
def test_a_link_or_a_pipe_in_the_place_of_a_file_is_refused(tmp_path: Path, name: str) -> None:
    path, victim = tmp_path / name, tmp_path / "victim"
    victim.write_text("precious")
    write = durable.Appender if name == "log.txt" else lambda path: durable.lock(path, "me")
    path.symlink_to(victim)
    with pytest.raises(ResourceError, match="a link or a pipe stands in its place, which a run never makes; remove it"):
        write(path)
    path.unlink()
    os.mkfifo(path)
    assert not durable.is_locked(path)
    with pytest.raises(ResourceError, match="a link or a pipe"):
        write(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(ResourceError, match="a link or a pipe"):
        write(path)
    os.close(reader)
    assert victim.read_text() == "precious"


def test_a_file_system_that_cannot_sync_folders_is_written_to_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = os.fsync

    def refuse_folders(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", refuse_folders)
    durable.write_file(tmp_path / "file", b"content")
    assert (tmp_path / "file").read_bytes() == b"content"
