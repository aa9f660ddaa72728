"""Whether an array fits into memory, asked before it is allocated: the system would kill the process, not explain."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path

from nettool.errors import DataError

MEMINFO = Path("/proc/meminfo")
OWN_GROUPS = Path("/proc/self/cgroup")
GROUPS = Path("/sys/fs/cgroup")
OWN_SIZE = Path("/proc/self/statm")
"""Its first number: pages of memory that this process has asked for."""


def check_memory(num_bytes: int, what: str, cure: str) -> None:
    """Raise DataError when `num_bytes` are more than the memory that is free now.

    what: the file and what is to be read from it, as the message calls it. cure: what the user can do.
    """
    free = free_bytes()
    if num_bytes > free:
        raise DataError(
            f"{what}: needs {gigabytes(num_bytes)} of memory, but {gigabytes(free)} are free. Cure: {cure}."
        )


def gigabytes(num_bytes: int) -> str:
    """`12.3 GB`, as messages say it."""
    count = num_bytes / 1e9
    return f"{count:,.1f} GB" if count >= 1 else f"{count:.2g} GB"


def free_bytes() -> int:
    """Memory that this process can still be given."""
    return max(0, min([_machine_bytes(), *_group_bytes(), *_limit_bytes()]))


def _machine_bytes() -> int:
    """What the kernel would hand out without swapping; where it does not say, all the memory there is."""
    available = _field(MEMINFO, "MemAvailable:")
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if available is None else 1024 * available


def _group_bytes() -> Iterator[int]:
    """What each control group (version 2) that this process is in has left: containers and job schedulers set them."""
    own = next((line[3:] for line in _lines(OWN_GROUPS) if line.startswith("0::")), "/")
    folder = GROUPS / own.strip("/")
    for group in (folder, *folder.parents):
        limit = "".join(_lines(group / "memory.max"))
        used = "".join(_lines(group / "memory.current"))
        if limit.isdigit() and used.isdigit():
            # Files that were read stay cached and count as used, yet make room as soon as someone asks.
            yield int(limit) - int(used) + (_field(group / "memory.stat", "inactive_file") or 0)


def _limit_bytes() -> Iterator[int]:
    """What a limit on this process (`ulimit -v`) has left."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    used = "".join(_lines(OWN_SIZE)).split()
    if limit != resource.RLIM_INFINITY and used:
        yield limit - int(used[0]) * resource.getpagesize()


def _field(path: Path, name: str) -> int | None:
    """The number behind this word, where a line begins with it."""
    return next((int(line.split()[1]) for line in _lines(path) if line.split()[:1] == [name]), None)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []


def is_out_of_memory(failure: Exception) -> bool:
    """Whether memory ran out, in whatever class and words a library has for it. A thread takes some, too."""
    is_of_torch = type(failure).__name__ == "OutOfMemoryError"
    return isinstance(failure, MemoryError) or is_of_torch or any(text in str(failure) for text in _TEXTS)


_TEXTS = (
    "can't allocate memory",  # torch on the cpu has no class of its own for it
    "failed to map segment",  # a library that is loaded when it is needed
    "Failed to launch worker thread",  # Arrow's, whose stack found no room
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)
