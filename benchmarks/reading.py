"""Reading a table for training beside pyarrow's own reading of the same file: seconds, and memory at the peak.

    python benchmarks/reading.py [--rows 1000000] [--rounds 5]

A csv of 20 numbers and a category of six levels, from a fixed seed. nettool does all that `nettool train` does before
the network is built: it reads, tells the columns apart, splits, fits the encoders, encodes and takes the file's sha256;
once with the category as the target (stratified), once with a number (with the category as six columns of 0 and 1).
pyarrow reads with its default options, and does nothing else.

Each runs in a process of its own, in alternating order. Seconds are from inside the process, imports and start-up left
out; those of the processor, of all cores together, depend less on what else the machine does. The peak is that of the
resident memory, less what the imports took; `in all` is the whole of it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from tables import table

NUM_NUMBERS = 20
TARGETS = {"classification": ("level", "cross_entropy"), "regression": ("n0", "mse")}
CONTENDERS = ("pyarrow", *TARGETS)
TITLE = "Reading a table of a million rows"
LABELS = {name: name if name == "pyarrow" else f"nettool, {name}" for name in CONTENDERS}


def measure(rounds: int, rows: int = 1_000_000) -> dict[str, Any]:
    """Seconds and bytes of every contender in every round, and what comes of them beside pyarrow's.

    `file` holds the file's bytes. Of each contender: `seconds`, `processor` (seconds of all cores), `peak` (bytes above
    those after the imports) and `total` (with them), medians; `seconds_of_rounds`; `ratio`, the median over the rounds
    of its seconds to pyarrow's in the same round, `ratios` of each; `files`, the peak as a multiple of the file, the
    largest of all rounds.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        _in_process("write", path, rows)
        size = path.stat().st_size
        found: dict[str, list[dict[str, float]]] = {name: [] for name in CONTENDERS}
        for number in range(rounds):
            for name in CONTENDERS if number % 2 == 0 else CONTENDERS[::-1]:
                found[name].append(_in_process(name, path, rows))
    measured: dict[str, Any] = {"rows": rows, "rounds": rounds, "file": size}
    for name, stays in found.items():
        seconds = [stay["seconds"] for stay in stays]
        ratios = [mine / stay["seconds"] for mine, stay in zip(seconds, found["pyarrow"], strict=True)]
        measured[name] = {
            "seconds": statistics.median(seconds),
            "seconds_of_rounds": seconds,
            "ratio": statistics.median(ratios),
            "ratios": ratios,
            "processor": statistics.median(stay["processor"] for stay in stays),
            "peak": statistics.median(stay["peak"] for stay in stays),
            "total": statistics.median(stay["total"] for stay in stays),
            "files": max(stay["peak"] for stay in stays) / size,
        }
    return measured


def _in_process(what: str, path: Path, rows: int) -> Any:
    """What a process of its own has to say."""
    command = [sys.executable, __file__, "--rows", str(rows), "--inside", what, str(path)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def _inside(what: str, path: Path, rows: int) -> dict[str, float]:
    match what:
        case "write":
            return _write(path, rows)
        case "pyarrow":
            return _read_with_pyarrow(path)
        case _:
            return _read_with_nettool(path, *TARGETS[what])


def _write(path: Path, rows: int) -> dict[str, float]:
    import numpy as np
    import pyarrow as pa
    import pyarrow.csv

    chance = np.random.default_rng(0)
    numbers = {f"n{index}": chance.normal(size=rows).round(5) for index in range(NUM_NUMBERS)}
    level = (numbers["n1"] + numbers["n2"] > 0) * 3 + chance.integers(0, 3, rows)
    names = np.array(["red", "green", "blue", "black", "white", "yellow"])
    table = pa.table({**numbers, "level": names[level]})
    with path.open("wb") as file:  # as most programs write it: nothing stands in quotation marks
        file.write((",".join(table.column_names) + "\n").encode())
        pa.csv.write_csv(table, file, pa.csv.WriteOptions(include_header=False, quoting_style="none"))
    return {}


def _read_with_pyarrow(path: Path) -> dict[str, float]:
    import pyarrow.csv

    watch = _Watch()
    table = pyarrow.csv.read_csv(path)
    measured = watch.read()
    assert table.num_columns == NUM_NUMBERS + 1
    return measured


def _read_with_nettool(path: Path, target: str, loss: str) -> dict[str, float]:
    from nettool.config.load import load_mapping
    from nettool.workflows.prepare import prepare_training

    for module in ("pyarrow.compute", "pyarrow.csv", "nettool.data.delimited"):  # which are loaded where they are used
        import_module(module)
    loaded = load_mapping({"data": {"path": str(path), "target": target}, "layers": ["output"], "loss": loss})
    watch = _Watch()
    prepared = prepare_training(loaded)
    measured = watch.read()
    assert len(prepared.data.splits) == 2
    return measured


class _Watch:
    """Seconds and memory from here on."""

    def __init__(self) -> None:
        import time

        self._now, self._spent = time.perf_counter, time.process_time
        self._used, self._began, self._spent_before = _peak(), self._now(), self._spent()

    def read(self) -> dict[str, float]:
        """What it was up to now."""
        seconds, processor, used = self._now() - self._began, self._spent() - self._spent_before, _peak()
        return {"seconds": seconds, "processor": processor, "peak": used - self._used, "total": used}


def _peak() -> int:
    """The most bytes of memory that this process has had.

    Not by `getrusage` on Linux, where the peak of the process that started this one counts too.
    """
    status = Path("/proc/self/status")
    if status.exists():
        return 1024 * int(status.read_text().partition("VmHWM:")[2].split()[0])
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def section(measured: Mapping[str, Any]) -> str:
    """A row for each contender."""
    rows = []
    for name in CONTENDERS:
        of = measured[name]
        least, most = min(of["ratios"]), max(of["ratios"])
        times = f"{of['ratio']:.2f} ({least:.2f}–{most:.2f})"
        memory = f"{of['peak'] / 1e6:,.0f}", f"{of['files']:.2f}", f"{of['total'] / 1e6:,.0f}"
        seconds = f"{of['seconds']:.3f}", f"{of['processor']:.3f}"
        rows.append((LABELS[name], *seconds, times, *memory))
    what = f"{measured['rows']:,} rows, {measured['file'] / 1e6:.0f} MB"
    return table((what, "seconds", "processor, s", "times pyarrow's", "peak, MB", "times the file", "in all, MB"), rows)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--inside", nargs=2, metavar=("WHAT", "PATH"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        what, path = arguments.inside
        print(json.dumps(_inside(what, Path(path), arguments.rows)))
    else:
        print(section(measure(arguments.rounds, arguments.rows)))


if __name__ == "__main__":
    main()
