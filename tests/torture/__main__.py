"""Everything, exhaustively: `make torture`. Prints what was tried, and which planted bug was noticed by which check.

With names of checks, or of planted bugs, behind it only those: python -m tests.torture kill_everywhere:cnn rows_twice
"""

from __future__ import annotations

import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

from tests.torture import outside
from tests.torture.bugs import BUGS
from tests.torture.checks import ALL_CASES, CHECKS, OUTSIDE, ROWS
from tests.torture.lab import Caught, Lab
from tests.torture.zygote import Misplanted, Zygote

WORKERS = 2
PROMISED = {
    **{f"kill_everywhere:{case}": 150 for case in ALL_CASES},
    "spoil_configs": 300,
    "corrupt:table": 500,
}
"""So many points must have been tried."""


@dataclass(frozen=True)
class Ended:
    """A check that was run to its end, or to the first failure if a bug was planted."""

    name: str
    points: int
    failures: tuple[str, ...]
    seconds: float


@contextmanager
def workers() -> Iterator[Callable[..., Ended]]:
    """What runs a check in a free zygote, in a folder of its own."""
    free: Queue[Zygote] = Queue()
    zygotes = [Zygote() for _ in range(WORKERS)]
    for zygote in zygotes:
        free.put(zygote.__enter__())

    def run(name: str, bug: str = "") -> Ended:
        zygote = free.get()
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            lab = Lab(Path(folder), zygote, sample=False, bug=bug)
            try:
                CHECKS[BUGS[bug].check if bug else name](lab)
            except Caught:
                pass
            except Misplanted as crash:
                print(f"{bug} was planted badly: it crashed.\n{crash}", file=sys.stderr)
                lab.failures.clear()
            except Exception as error:  # the check itself could not go on: that is no bug noticed
                print(f"{name} could not go on.", *traceback.format_exception(error), file=sys.stderr)
                lab.failures = [] if bug else [*lab.failures, f"{type(error).__name__}: {error}"]
            finally:
                free.put(zygote)
        ended = Ended(name, lab.points, tuple(lab.failures), time.monotonic() - began)
        print(
            f"  {ended.name:<45} {ended.points:>6,} {len(ended.failures):>4} {ended.seconds:>8.1f} s", file=sys.stderr
        )
        if bug and ended.failures:
            print(f"      {ended.failures[0][:150]}", file=sys.stderr)
        return ended

    try:
        yield run
    finally:
        for zygote in zygotes:
            zygote.__exit__(None, None, None)


def main() -> int:
    """All of it; 0 if everything holds and every bug is noticed."""
    chosen = sys.argv[1:]
    unknown = [name for name in chosen if name not in CHECKS and name not in BUGS]
    if unknown:
        print(f"No check and no bug is called {', '.join(unknown)}. There are:", *CHECKS, *BUGS, sep="\n  ")
        return 2
    if not chosen and not outside.is_possible():
        print("There is no strace here that may trace: what is seen from outside is left out.")
        for name in ROWS.pop(OUTSIDE):
            del CHECKS[name]
        for name in [name for name, bug in BUGS.items() if bug.check not in CHECKS]:
            del BUGS[name]
    with workers() as run, ThreadPoolExecutor(WORKERS) as pool:
        ended = {one.name: one for one in pool.map(run, [name for name in CHECKS if name in chosen or not chosen])}
        planted = [name for name in BUGS if name in chosen or not chosen]
        controls = {one.name: one for one in pool.map(lambda bug: run(bug, bug), planted)}
    print(f"| {'what must hold':<26} | points tried | failures |\n| {'-' * 26} | {'-' * 12}: | {'-' * 8}: |")
    for row, checks in ROWS.items():
        results = [ended[name] for name in checks if name in ended]
        if results:
            points, failures = sum(one.points for one in results), sum(len(one.failures) for one in results)
            print(f"| {row:<26} | {points:>13,} | {failures:>9,} |")
    failed = [f"{one.name}: {failure}" for one in ended.values() for failure in one.failures]
    failed += [
        f"{name}: {ended[name].points} points, fewer than the {least} that are promised"
        for name, least in PROMISED.items()
        if name in ended and ended[name].points < least
    ]
    print(*[f"\nFAILED {failure}" for failure in failed], sep="")
    unnoticed = [name for name, one in controls.items() if not one.failures]
    if controls:
        print("\n| planted bug | noticed by |\n| --- | --- |")
        for name, one in controls.items():
            noticed = BUGS[name].check if one.failures else "NOBODY"
            print(f"| {BUGS[name].what} | `{noticed}` |")
        print(f"\n{len(controls) - len(unnoticed)} of {len(controls)} bugs noticed")
    return 1 if failed or unnoticed else 0


if __name__ == "__main__":
    sys.exit(main())
