"""Bytes of a file that may be compressed, read as a stream that cannot grow without bound."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from pathlib import Path
from typing import Any

from nettool.config.data import COMPRESSIONS
from nettool.errors import DataError
from nettool.limits import HARMLESS_BYTES, MAX_EXPANSION


def check_expansion(path: Path, stored: int, expanded: int) -> None:
    """Refuse a file of `stored` bytes that unpacks to `expanded`, where that is out of all proportion."""
    if expanded > HARMLESS_BYTES and expanded > MAX_EXPANSION * stored:
        raise DataError(
            f"{path}: {stored:,} bytes unpack to {expanded:,} or more. No table compresses like that; the "
            f"file was made to fill the memory, or is damaged. Cure: unpack it yourself if you trust it."
        )


def check_regular(path: Path) -> None:
    """Refuse a pipe, whose other end may never write, and a device, which may never end."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise DataError(f"{path} is a pipe or a device. Cure: write what comes out of it into a file.")


def open_stream(path: Path) -> io.BufferedReader:
    """The file's bytes, unpacked as its last suffix says. Reading a damaged archive raises DataError."""
    check_regular(path)
    if path.suffix.lower() not in COMPRESSIONS:
        return path.open("rb")
    return io.BufferedReader(_Unpacked(path), buffer_size=1 << 20)


class _Unpacked(io.RawIOBase):
    """A compressed file's content. Counts what comes out against what the file holds."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stored = path.stat().st_size
        self._count = 0
        self._stream = self._open()

    def _open(self) -> Any:
        match self._path.suffix.lower():
            case ".gz":
                return gzip.open(self._path)
            case ".bz2":
                return bz2.open(self._path)
            case ".xz":
                return lzma.open(self._path)
        import pyarrow as pa

        return pa.input_stream(str(self._path), compression="zstd")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            chunk = self._stream.read(len(buffer))
        except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
            raise DataError(
                f"{self._path}: the compressed file is damaged or cut off ({error}). Cure: copy it again."
            ) from error
        self._count += len(chunk)
        check_expansion(self._path, self._stored, self._count)
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()
