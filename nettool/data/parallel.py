"""The same work on each of several pieces, by as many threads as there are cores.

numpy and Arrow leave the interpreter free while they compute. What comes of a piece depends on that piece alone, so the
number of threads changes no bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pyarrow as pa

Piece = TypeVar("Piece")
Result = TypeVar("Result")

MANY_ROWS = 50_000
"""Fewer are done before a second thread has begun."""


def each(work: Callable[[Piece], Result], pieces: Iterable[Piece], num_rows: int) -> list[Result]:
    """What `work` gives for each piece, in their order. Raises what the first one in that order raises.

    num_rows: of the table that all of this is about.
    """
    if num_rows < MANY_ROWS:
        return [work(piece) for piece in pieces]
    with ThreadPoolExecutor(pa.cpu_count()) as pool:
        return list(pool.map(work, pieces))
