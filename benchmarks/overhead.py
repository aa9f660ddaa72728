"""What it costs to be safe: lock, journal, log, signals and checkpoints beside the same training without any of them.

    python benchmarks/overhead.py [--seconds 30] [--rounds 3] [--megabytes 100]

First table: one job of so many seconds (20,000 rows, 54-128-64-7, batches of 32, dropout, Adam, the default checkpoint
every 30 seconds), as `nettool train` trains it and as the bare loop of epochs does, which writes nothing; interleaved,
median of the rounds. Second: a network of so many megabytes is saved while it trains; how long training stands still,
beside the bare copy of what is saved, and how fast the steps are meanwhile.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from tables import spread, table

from nettool.config.load import load_mapping
from nettool.runs.directory import RunDirectory, locked
from nettool.training.epochs import Progress
from nettool.training.loop import fit
from nettool.workflows import machine
from nettool.workflows.build import build_job
from nettool.workflows.prepare import Prepared, prepare_training
from nettool.workflows.recorder import Recorder
from nettool.workflows.train import train
from nettool.workflows.watch import Watcher

TITLE = "What safety costs"

ROWS, FEATURES, CLASSES = 20_000, 54, 7
SAVES = 6


def prepared_job(folder: Path, epochs: int, rows: int = ROWS, **changes: object) -> Prepared:
    """A table of noise with something in it, and a network for it."""
    chance = np.random.default_rng(0)
    features = chance.normal(size=(rows, FEATURES)).astype(np.float32)
    scores = features @ chance.normal(size=(FEATURES, CLASSES)) + chance.normal(size=(rows, CLASSES))
    path = folder / f"table-{rows}.npz"
    np.savez(path, x=features, y=scores.argmax(1))
    config = {
        "data": {"path": str(path), "target": "y"},
        "layers": [{"dense": 128}, {"dense": 64}, "output"],
        "loss": "cross_entropy",
        "dropout": 0.2,
        "epochs": epochs,
        "runtime": {"device": "cpu", "threads": 1},
    }
    return prepare_training(load_mapping({**config, **changes}))


def bare(prepared: Prepared) -> float:
    """Seconds of the epochs alone: no directory, no journal, nothing written."""
    with machine.threads(prepared.threads):
        job, state = build_job(prepared)
        began = time.perf_counter()
        for _ in fit(job, state):
            pass
        return time.perf_counter() - began


def whole(prepared: Prepared, folder: Path) -> float:
    """Seconds of the same in a run directory, from its claim to its end."""
    began = time.perf_counter()
    outcome = train(prepared, Watcher(), folder / f"run-{time.monotonic_ns()}")
    assert outcome.error is None
    return time.perf_counter() - began


def measure(rounds: int, seconds: float = 30) -> dict[str, list[float]]:
    """Seconds that both take for a job of about so many, one number a round."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        trial = prepared_job(folder, epochs=4)
        epochs = max(4, round(4 * seconds / bare(trial)))
        prepared = prepared_job(folder, epochs)
        contenders: dict[str, Callable[[], float]] = {
            "nettool train": lambda: whole(prepared, folder),
            "the bare loop": lambda: bare(prepared),
        }
        times: dict[str, list[float]] = {name: [] for name in contenders}
        for number in range(rounds):
            for contender in list(contenders)[:: 1 if number % 2 else -1]:
                times[contender].append(contenders[contender]())
    return times


def percent(measured: Mapping[str, list[float]]) -> float:
    """How much more `nettool train` takes."""
    return 100 * (statistics.median(measured["nettool train"]) / statistics.median(measured["the bare loop"]) - 1)


def section(measured: Mapping[str, list[float]]) -> str:
    """The first table."""
    rows = [(contender, spread(seconds, ".2f")) for contender, seconds in measured.items()]
    more = percent(measured)
    difference = f"{abs(more):.1f} % {'more' if more > 0 else 'less'}"
    return f"{table(('training', 'seconds'), rows)}\n\n`nettool train` takes {difference}, by the medians."


def save_while_training(megabytes: int) -> None:
    """The second table."""
    units = round((megabytes * 1e6 / 4 / 2) ** 0.5)
    layers = [{"dense": units}, {"dense": units}, {"dense": units}, "output"]
    with tempfile.TemporaryDirectory() as name:
        prepared = prepared_job(Path(name), epochs=100, rows=4000, layers=layers)
        run = RunDirectory(Path(name) / "run")
        run.path.mkdir()
        with machine.threads(1), locked(run), Recorder(run, prepared, None) as recorder:
            job, state = build_job(prepared)
            recorder.begin(state)
            stalls, copies = [], []
            steps: dict[bool, list[float]] = {True: [], False: []}  # seconds of a step, by whether a save is under way
            step, last, was_saving = 0, time.perf_counter(), False
            for event in fit(job, state):
                is_saving = recorder._writer.is_busy
                if state.step > step and isinstance(event, Progress):
                    if is_saving == was_saving:
                        steps[is_saving].append((time.perf_counter() - last) / (state.step - step))
                    if not is_saving and len(steps[False]) > 3 * len(stalls):
                        if len(stalls) == SAVES:
                            break
                        began = time.perf_counter()
                        state.to_tensors()
                        copied = time.perf_counter()
                        recorder.save(state)
                        copies.append(copied - began)
                        stalls.append(time.perf_counter() - copied)
                step, last, was_saving = state.step, time.perf_counter(), recorder._writer.is_busy
            recorder.wait()
            size = run.last.stat().st_size / 1e6
    weights = 4 * prepared.plan.num_parameters / 1e6
    print(f"\na network of {weights:,.0f} MB, a checkpoint of {size:,.0f} MB")
    print(f"  training stands still for  {1000 * statistics.median(stalls):6.0f} ms")
    print(f"  the copy alone takes       {1000 * statistics.median(copies):6.0f} ms")
    for is_saving, what in ((False, "a step takes"), (True, "a step takes meanwhile")):
        print(f"  {what:<26} {1000 * statistics.median(steps[is_saving]):6.0f} ms")


def main() -> None:
    """Both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--megabytes", type=int, default=100)
    options = parser.parse_args()
    print(f"torch {machine.versions()['torch']}, {machine.cpu_name()}, 1 thread")
    print(section(measure(options.rounds, options.seconds)))
    save_while_training(options.megabytes)


if __name__ == "__main__":
    main()
