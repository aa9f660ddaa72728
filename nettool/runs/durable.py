"""Every write to a run directory goes through here: atomic, synced, and answered in one line where the disk refuses.

A write is made of operations (create, write, sync, rename, ...), each a single request to the system, numbered in the
order in which they begin. `watch` sees each of them before it happens and may raise or leave instead: tests kill the
process, or fail it, at every one.
"""

from __future__ import annotations

import errno
import fcntl
import itertools
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from nettool.errors import ResourceError

CHUNK = 1 << 20
"""Bytes of one write at most, so that a large file is many operations."""

Kind = Literal["make", "create", "open", "write", "append", "sync", "rename", "sync folder", "remove"]
Buffer = bytes | memoryview
Result = TypeVar("Result")


@dataclass(frozen=True)
class Operation:
    """One request to the system. target: the new name of a rename. content: the bytes of a write or an append."""

    number: int
    kind: Kind
    path: Path
    target: Path | None = None
    content: Buffer = b""


_numbers = itertools.count(1)
watch: Callable[[Operation], None] | None = None
"""Called with every operation before it happens, in whichever thread it happens."""

_CAUSES = {
    errno.ENOSPC: "the disk is full; free some space",
    errno.EDQUOT: "the disk quota is used up; free some space",
    errno.EROFS: "the file system is read-only; make it writable, or write to another folder",
    errno.EACCES: "permission denied; write to another folder",
    errno.EPERM: "permission denied; write to another folder",
    errno.EEXIST: "a file of that name is in the way; rename it, or work in another folder",
    errno.ENOTDIR: "a file of that name is in the way; rename it, or work in another folder",
    errno.ELOOP: "a link or a pipe stands in its place, which a run never makes; remove it",
    errno.ENXIO: "a link or a pipe stands in its place, which a run never makes; remove it",
    errno.EIO: "the disk reports an input/output error",
    errno.ENOLCK: "the file system has no locks; write to another folder",
    errno.ENOSYS: "the file system has no locks; write to another folder",
    errno.EOPNOTSUPP: "the file system has no locks; write to another folder",
}


@contextmanager
def one_line_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals to write into a ResourceError that names file, cause and cure."""
    try:
        yield
    except OSError as error:
        cause = _CAUSES.get(error.errno or 0, os.strerror(error.errno or 0) if error.errno else str(error))
        raise ResourceError(f"cannot write {path}: {cause}.") from error


def _operate(
    kind: Kind, path: Path, request: Callable[[], Result], target: Path | None = None, content: Buffer = b""
) -> Result:
    """One operation, announced and carried out."""
    operation = Operation(next(_numbers), kind, path, target, content)
    if watch is not None:
        watch(operation)
    return request()


def _open(path: Path, flags: int) -> int:
    """Open a file, or make it. A link in its place would lead to another file, a pipe would be waited for: OSError.

    Whoever sent a run directory may have put one there, and the user's own file would be written.
    """
    descriptor = os.open(path, flags | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.ENXIO, os.strerror(errno.ENXIO))
    return descriptor


# --- whole files -------------------------------------------------------------------------------------------


def write_file(path: Path, content: Buffer | Iterable[Buffer], previous: Path | None = None) -> None:
    """Replace a file as a whole: after a crash at any instant it holds its old content or the new, never a mixture.

    previous: a name that the old content keeps. One of the two names then holds a whole file at any instant, from the
    first replacement on. Raises ResourceError; the old content is then still there, under one of its names.
    """
    temporary = temporary_of(path)
    pieces = (content,) if isinstance(content, bytes | memoryview) else content
    with one_line_errors(path):
        try:
            _write_new(temporary, pieces)
            if previous is not None and path.exists():
                _operate("rename", path, lambda: path.replace(previous), target=previous)
            _operate("rename", temporary, lambda: temporary.replace(path), target=path)
        except BaseException:
            remove(temporary)
            raise
        sync_folder(path.parent)


def temporary_of(path: Path) -> Path:
    """The name under which this process writes a file before it is whole."""
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def _write_new(path: Path, pieces: Iterable[Buffer]) -> None:
    descriptor = _operate("create", path, lambda: _open(path, os.O_WRONLY | os.O_TRUNC))
    try:
        for chunk in _chunks(pieces):
            _write_all("write", descriptor, path, chunk)
        _operate("sync", path, lambda: _sync(descriptor))
    finally:
        os.close(descriptor)


def _chunks(pieces: Iterable[Buffer]) -> Iterator[Buffer]:
    """The same bytes in pieces of CHUNK: small ones are put together, large ones cut without copying them."""
    waiting = bytearray()
    for piece in pieces:
        view = memoryview(piece)
        if len(waiting) + len(view) <= CHUNK:
            waiting += view
            continue
        yield bytes(waiting)
        waiting.clear()
        for start in range(0, len(view), CHUNK):
            yield view[start : start + CHUNK]
    yield bytes(waiting)


def _sync(descriptor: int) -> None:
    """Wait until the disk has it. macOS hands fsync's data to the disk's cache only, and has a request of its own."""
    if hasattr(fcntl, "F_FULLFSYNC"):
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    else:
        os.fsync(descriptor)


def _write_all(kind: Kind, descriptor: int, path: Path, view: Buffer) -> None:
    """Write every byte; the system may take fewer than it is offered."""
    while len(view):
        written = _operate(kind, path, lambda rest=view: os.write(descriptor, rest), content=view)  # type: ignore[misc]
        view = view[written:]


def rename(path: Path, target: Path) -> None:
    """Give a whole file another name, in the same folder, durably."""
    with one_line_errors(target):
        _operate("rename", path, lambda: path.replace(target), target=target)
        sync_folder(path.parent)


def remove(path: Path) -> None:
    """Remove a file that nobody will miss, or an empty folder, if it is there and the system lets us."""
    try:
        if path.exists():
            _operate("remove", path, path.rmdir if path.is_dir() else path.unlink)
    except OSError:
        return


# --- folders -----------------------------------------------------------------------------------------------


def claim_folder(path: Path) -> bool:
    """Make the folder, and say whether it was this process that made it."""
    with one_line_errors(path):
        try:
            _operate("make", path, path.mkdir)
        except FileExistsError:
            return False
        try:
            sync_folder(path.parent)
        except BaseException:
            remove(path)
            raise
    return True


def make_folders(path: Path) -> None:
    """Make a folder and those above it, where they are missing, each durably."""
    missing = [folder for folder in (path, *path.parents) if not folder.is_dir()]
    for folder in reversed(missing):
        if not claim_folder(folder) and not folder.is_dir():
            with one_line_errors(folder):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable; some network file systems do so by themselves, and know no such request."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        _operate("sync folder", path, lambda: _sync(descriptor))
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


# --- files that grow, and the lock -------------------------------------------------------------------------


class Appender:
    """A file that grows by whole lines or records. `append` hands them to the system, `sync` to the disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with one_line_errors(path):
            self._descriptor = _operate("open", path, lambda: _open(path, os.O_WRONLY | os.O_APPEND))
        self._is_open = True

    def append(self, content: str | bytes) -> None:
        """Add text or bytes; readers see them at once."""
        with one_line_errors(self.path):
            data = content.encode() if isinstance(content, str) else content
            _write_all("append", self._descriptor, self.path, data)

    def sync(self) -> None:
        """Make all that was appended durable."""
        with one_line_errors(self.path):
            _operate("sync", self.path, lambda: _sync(self._descriptor))

    def close(self) -> None:
        """Sync and close."""
        if self._is_open:
            self._is_open = False
            try:
                self.sync()
            finally:
                os.close(self._descriptor)


def lock(path: Path, holder: str) -> int | None:
    """Lock a file for this process (flock: the system frees it when the process ends, however it ends).

    holder: who holds it, written into the file for others to read. Returns a descriptor to close when done, or None
    where another process holds the lock.
    """
    with one_line_errors(path):
        descriptor = _operate("open", path, lambda: _open(path, os.O_RDWR))
        if not _flock(descriptor, fcntl.LOCK_EX):
            time.sleep(0.05)  # somebody may only be looking, see is_locked
            if not _flock(descriptor, fcntl.LOCK_EX):
                os.close(descriptor)
                return None
        try:
            _operate("write", path, lambda: _overwrite(descriptor, holder.encode()), content=holder.encode())
        except BaseException:
            os.close(descriptor)
            raise
    return descriptor


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock of this file. Locks it for the instant that it takes to see it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        return not _flock(descriptor, fcntl.LOCK_SH)
    except OSError:
        return False
    finally:
        os.close(descriptor)


def _flock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _overwrite(descriptor: int, content: bytes) -> None:
    os.truncate(descriptor, 0)
    os.pwrite(descriptor, content, 0)
