"""nettool beside what a user would pick instead: `make bench`.

    python benchmarks/bench.py [--jobs JOB ...] [--contenders WHO ...] [--rounds 3] [--diamonds FILE] [--quick]
    python benchmarks/bench.py --render

Measures, prints the tables, and writes docs/benchmarks.md; a part of it, named or quick, is only printed. The numbers
are kept in results.json beside this file, from which --render writes the page anew; those of a part, or of what was cut
off, in results.partial.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import diamonds
import environments
import four_jobs
import page
from jobs import NETWORKS
from processes import cores

from nettool.workflows import machine

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
PARTIAL = HERE / "results.partial.json"
PAGE = HERE.parent / "docs" / "benchmarks.md"

JOBS = (*(network.name for network in NETWORKS), "diamonds", *page.SECTIONS)
CONTENDERS = (*(peer.key for peer in four_jobs.PEERS), *(peer.key for peer in diamonds.PEERS))


def measure(given: argparse.Namespace, command: str) -> dict[str, Any]:
    """Everything asked for. What there is so far is kept after each job."""
    rounds = 1 if given.quick else given.rounds
    results: dict[str, Any] = {"command": command, "rounds": rounds, "machine": this_machine(), "networks": {}}
    for network in NETWORKS:
        if network.name in given.jobs:
            peers = [peer for peer in four_jobs.PEERS if peer.key in given.contenders]
            results["networks"][network.name] = four_jobs.measure(network, peers, rounds, given.quick)
            _write(results, PARTIAL)
    if "diamonds" in given.jobs:
        peers = [peer for peer in diamonds.PEERS if peer.key in given.contenders]
        results["diamonds"] = diamonds.measure(given.diamonds, peers, rounds)
        _write(results, PARTIAL)
    for name, section in page.SECTIONS.items():
        if name in given.jobs:
            print(f"{name}: rounds: {rounds}", file=sys.stderr)
            results[name] = section.measure(rounds)
            _write(results, PARTIAL)
    results["versions"] = {"nettool": machine.versions()} | environments.all_versions()
    return results


def this_machine() -> dict[str, Any]:
    """What the numbers were measured on, and when."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "date": date.today().isoformat(),
        "cpu": machine.cpu_name(),
        "cores": len(cores()),
        "memory_gb": memory / 1e9,
        "system": platform.platform(),
    }


def _write(results: dict[str, Any], file: Path) -> None:
    file.write_text(json.dumps(results, indent=1))


def main() -> None:
    """Read the command line, measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", nargs="+", choices=JOBS, default=JOBS, metavar="JOB", help=", ".join(JOBS))
    parser.add_argument(
        "--contenders", nargs="+", choices=CONTENDERS, default=CONTENDERS, metavar="WHO", help=", ".join(CONTENDERS)
    )
    parser.add_argument("--rounds", type=int, default=3, help="that count; one more comes before them")
    parser.add_argument("--diamonds", type=Path, metavar="FILE", help="the real diamonds.csv")
    parser.add_argument("--quick", action="store_true", help="one round, with few epochs")
    parser.add_argument("--no-write", action="store_true", help="leave docs/benchmarks.md and results.json as they are")
    parser.add_argument("--render", action="store_true", help="measure nothing; write the page from results.json")
    given = parser.parse_args()
    if given.render:
        PAGE.write_text(page.render(json.loads(RESULTS.read_text())))
        return
    results = measure(given, _command(given, sys.argv[1:]))
    print(page.tables(results))
    is_whole = not given.quick and set(given.jobs) == set(JOBS) and set(given.contenders) == set(CONTENDERS)
    if is_whole and not given.no_write:
        _write(results, RESULTS)
        PARTIAL.unlink()
        PAGE.write_text(page.render(results))
    else:
        _write(results, PARTIAL)


def _command(given: argparse.Namespace, arguments: Sequence[str]) -> str:
    """What was typed, without the folder in which somebody keeps the diamonds."""
    shown = [given.diamonds.name if given.diamonds and each == str(given.diamonds) else each for each in arguments]
    return shlex.join(["python", "benchmarks/bench.py", *shown]) if arguments else "make bench"


if __name__ == "__main__":
    main()
