"""Every write to a run directory goes through here: atomic, synced, and answered in one line where the disk refuses."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from nettool.errors import ResourceError

_CAUSES = {
    errno.ENOSPC: "the disk is full; free some space",
    errno.EDQUOT: "the disk quota is used up; free some space",
    errno.EROFS: "the file system is read-only; write to another folder",
    errno.EACCES: "permission denied; write to another folder",
    errno.EPERM: "permission denied; write to another folder",
    errno.EEXIST: "a file of that name is in the way; rename it, or work in another folder",
    errno.ENOTDIR: "a file of that name is in the way; rename it, or work in another folder",
    errno.EIO: "the disk reports an input/output error",
}


@contextmanager
def one_line_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals to write into a ResourceError that names file, cause and cure."""
    try:
        yield
    except OSError as error:
        cause = _CAUSES.get(error.errno or 0, os.strerror(error.errno or 0) if error.errno else str(error))
        raise ResourceError(f"cannot write {path}: {cause}.") from error


def write_file(path: Path, content: bytes) -> None:
    """Replace a file as a whole: after a crash at any instant it holds its old content or the new, never a mixture."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with one_line_errors(path):
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def claim_folder(path: Path) -> bool:
    """Make the folder, and say whether it was this process that made it."""
    with one_line_errors(path):
        try:
            path.mkdir()
        except FileExistsError:
            return False
        sync_folder(path.parent)
    return True


def make_folders(path: Path) -> None:
    """Make a folder and those above it, where they are missing."""
    with one_line_errors(path):
        path.mkdir(parents=True, exist_ok=True)


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Appender:
    """A text file that grows by whole lines. `append` hands them to the system, `sync` to the disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with one_line_errors(path):
            self._file: IO[str] = path.open("a", encoding="utf-8", newline="")

    def append(self, text: str) -> None:
        """Add text; readers see it at once."""
        with one_line_errors(self.path):
            self._file.write(text)
            self._file.flush()

    def sync(self) -> None:
        """Make all that was appended durable."""
        with one_line_errors(self.path):
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Sync and close."""
        if not self._file.closed:
            self.sync()
            self._file.close()
