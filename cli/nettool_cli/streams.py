"""Standard input, output and error, which a shell may have closed, or whose reader may leave."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import TextIO, cast


def open_all() -> None:
    """Put /dev/null where a stream was closed: the next file that is opened would take its place and its output.

    Where the terminal or the pipe cannot take a character, a question mark takes its place.
    """
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(descriptor, "r" if descriptor == 0 else "w", closefd=False))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def drop(stream: TextIO) -> None:
    """What waits in the stream, and what is written from here on, goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@contextlib.contextmanager
def forgiving_messages() -> Iterator[None]:
    """Inside, standard error that cannot be written is no error: a training goes on where nobody can watch it."""
    with contextlib.redirect_stderr(cast("TextIO", _Messages(sys.stderr))):
        yield


class _Messages:
    """A stream that goes nowhere from the moment on that it cannot be written."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with _or_drop(self._stream):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with _or_drop(self._stream):
            self._stream.flush()

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


@contextlib.contextmanager
def _or_drop(stream: TextIO) -> Iterator[None]:
    try:
        yield
    except OSError:  # the reader of a pipe left, the disk of a file is full, the terminal is gone
        drop(stream)
