"""Contenders that do the same thing, in rounds: each round takes them in the opposite order of the one before.

A round that does not count comes first. In it each contender is tried with one thread and with all, and keeps what was
faster; nettool, which chooses by a rule of its own, is left alone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from processes import PeerFailure, thread_counts

Run = dict[str, float]
"""The numbers of one run; `threads` is among them."""


@dataclass(frozen=True)
class Contender:
    """One of those compared.

    run: does it once, with so many threads (None: by its own rule), shorter where it is only a trial; raises
    PeerFailure.
    """

    name: str
    run: Callable[[int | None, bool], Run]
    has_own_threads: bool = False


def compete(title: str, contenders: Sequence[Contender], rounds: int, cost: str) -> dict[str, Any]:
    """The runs of each contender, or the error that kept it from running. cost: the number that chooses the threads.

    Raises PeerFailure where the first one fails, which the others are compared with.
    """
    standings: dict[str, dict[str, Any]] = {each.name: {"runs": []} for each in contenders}
    threads: dict[str, int | None] = {}
    for number in range(rounds + 1):
        for contender in contenders[:: -1 if number % 2 else 1]:
            name, standing = contender.name, standings[contender.name]
            if "error" in standing:
                continue
            try:
                if number == 0:
                    costs = _trials(title, contender, cost)
                    threads[name] = min(costs, key=costs.__getitem__)
                    continue
                run = contender.run(threads[name], False)
                standing["runs"].append(run)
                _report(f"{title}, round {number} of {rounds}", name, run)
            except PeerFailure as failure:
                if contender is contenders[0]:
                    raise
                standing["error"] = str(failure)
                print(f"{title}: {name}: {failure}", file=sys.stderr)
    return standings


def _trials(title: str, contender: Contender, cost: str) -> dict[int | None, float]:
    """The cost with each number of threads."""
    costs: dict[int | None, float] = {}
    for count in [None] if contender.has_own_threads else thread_counts():
        run = contender.run(count, True)
        costs[count] = run[cost]
        _report(f"{title}, trial", contender.name, run)
    return costs


def _report(title: str, name: str, run: Run) -> None:
    numbers = ", ".join(f"{key} {value:,.4g}" for key, value in run.items())
    print(f"{title}: {name}: {numbers}", file=sys.stderr)
