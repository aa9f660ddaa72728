"""Many trainings as one command, beside as many commands one after another.

    python benchmarks/sweeps.py [--rounds 3]

16 learning rates of two of the jobs, and 64 seeds beside one. All are whole commands, interleaved in one run; a ratio
is the median of those within each round.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import processes
from compare import ratio
from jobs import NETTOOL, NETWORKS, Network, write_config, write_examples
from tables import spread, table

TITLE = "Sweeps"
RATES = [f"{10 ** (-4 + 3 * place / 15):.4g}" for place in range(16)]
SEEDS = 64
JOBS = {"lecture": 20, "table-32": 2}
"""Epochs of each job."""
GOALS = {"lecture": 10.0, "table-32": 5.0}
MOST_FOR_SEEDS = 3.0

Measured = dict[str, dict[str, list[float]]]
"""Seconds of each round, by job and by what was run."""


def measure(rounds: int) -> Measured:
    """Seconds of each, one number a round. A round of one command before them warms the disk's cache."""
    measured: Measured = {}
    for network in NETWORKS:
        if network.name not in JOBS:
            continue
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_examples(network, folder)
            write_config(network, folder)
            _train(folder, network, RATES[0])
            contenders = _contenders(folder, network)
            measured[network.name] = {who: [] for who in contenders}
            for number in range(rounds):
                order = list(contenders.items())
                for who, run in order if number % 2 == 0 else reversed(order):
                    measured[network.name][who].append(run())
    return measured


def _contenders(folder: Path, network: Network) -> dict[str, Callable[[], float]]:
    found = {
        "16 commands": lambda: sum(_train(folder, network, rate) for rate in RATES),
        "sweep of 16 rates": lambda: _sweep(folder, network, f"optimizer.lr={','.join(RATES)}"),
    }
    if network.name == "lecture":
        found["1 command"] = lambda: _train(folder, network, "0.001")
        found[f"sweep of {SEEDS} seeds"] = lambda: _sweep(folder, network, "--seeds", str(SEEDS))
    return found


def _train(folder: Path, network: Network, rate: str) -> float:
    return _run(folder, network, "train", f"optimizer.lr={rate}")


def _sweep(folder: Path, network: Network, *arguments: str) -> float:
    return _run(folder, network, "sweep", *arguments)


def _run(folder: Path, network: Network, verb: str, *arguments: str) -> float:
    command: Sequence[str | Path] = [
        NETTOOL,
        verb,
        "--quiet",
        "config.yaml",
        f"epochs={JOBS[network.name]}",
        *arguments,
    ]
    seconds = processes.run(command, folder).seconds
    shutil.rmtree(folder / "runs")
    return seconds


def ratios(measured: Mapping[str, Mapping[str, list[float]]]) -> dict[str, float]:
    """Of each job, how many times as long 16 commands take as a sweep; and 64 seeds as one command."""
    found = {name: ratio(each["16 commands"], each["sweep of 16 rates"]) for name, each in measured.items()}
    seeds = measured["lecture"]
    return {**found, "seeds": ratio(seeds[f"sweep of {SEEDS} seeds"], seeds["1 command"])}


def section(measured: Measured) -> str:
    """The seconds of all, and the ratios beside what they are to be."""
    rows = [
        (job, who, spread(seconds, ".2f"))
        for job, contenders in measured.items()
        for who, seconds in contenders.items()
    ]
    found = ratios(measured)
    goals = [
        (f"{job}: 16 commands, of a sweep of 16 rates", f"≥ {goal:g}", f"{found[job]:.1f}")
        for job, goal in GOALS.items()
    ]
    goals.append(
        (f"lecture: a sweep of {SEEDS} seeds, of one command", f"≤ {MOST_FOR_SEEDS:g}", f"{found['seeds']:.2f}")
    )
    return "\n\n".join([table(("job", "what", "seconds"), rows), table(("times", "target", "reached"), goals)])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    print(section(measure(parser.parse_args().rounds)))


if __name__ == "__main__":
    main()
