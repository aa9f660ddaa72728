"""The page docs/benchmarks.md, from the results that bench.py keeps: numbers of runs, nothing computed from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import compare
import jobs
import overhead
import reading
import report
import startup
import targets
import throughput
from tables import table

SECTIONS: Mapping[str, ModuleType] = {
    "reading": reading,
    "startup": startup,
    "overhead": overhead,
    "throughput": throughput,
}
"""What is measured beside the jobs: modules with TITLE, measure(rounds) -> JSON, and section(of that) -> Markdown."""

INTRODUCTION = """\
# Benchmarks

<!-- Written by benchmarks/bench.py; change that, then run `make bench`, or `benchmarks/bench.py --render`. -->

nettool beside what one would pick instead, on the processor of one machine, in one run that interleaves all of them. Of
graphics cards and other machines it says nothing: `make bench` measures yours, prints these tables and writes this page
anew. Ratios are what to compare; seconds depend on what else the machine does."""

GOALS = """\
What nettool means to reach, and what this run shows. *Times*: how many times as long as nettool the other takes; for
reading, how many times as long as pyarrow nettool takes. Where a goal lies within the spread that a table below
shows, another run may judge otherwise. The fastest tool is picked from those that one would use as they come: PyTorch
with a DataLoader, Lightning, skorch, Keras on both, scikit-learn. What an expert writes for one network (the resident
loop in PyTorch, the scanned epoch in JAX) stands in the tables below; the scanned epoch is the fastest of all where
batches are small."""

HOW = {
    "networks": f"""\
Four fully connected networks with relu, softmax cross-entropy and Adam (learning rate 0.001), in float32. The data are
random: normal features, and classes from a random network with noise; *digits-28* has the size of MNIST. All contenders
begin with the same weights.

- *µs a step*: the time of an epoch's training, without validation, over its steps; median over the epochs after the
  first, in which things are compiled and warm up. Then the median over the rounds, with the least and the greatest.
- *whole, s*: the whole process, from its start to its end, with the reading of the data. *MB*: its peak memory.
- *ratio*: how many times as long as nettool it takes; above 1 nettool is faster. Median over the rounds of the ratio
  within the round, so not the quotient of two medians.
- *threads*: each was tried with one and with all cores in a round that does not count, and keeps what was faster.
  nettool goes by its own rule.
- *loss*: cross-entropy on {jobs.HELD_OUT:,} rows that nobody trained with. Whose lies above the median of the others by
  more than {compare.TOLERANCE:.0%} plus {compare.SLACK} did not do the same work, and is not compared.

Each contender is a script of benchmarks/peers/ with the library's usual way to write it, in an environment of its own;
loggers, progress bars and checkpoints of others are off, those of nettool are on. *By hand, resident* keeps all data in
one tensor and picks each batch from it, with the fused Adam; *JAX, scanned epoch* compiles a whole epoch into one call.
scikit-learn has no dropout, which saves it work and costs it what its loss shows, and trains one output instead of two
for two classes; it is compared all the same.""",
    "diamonds": """\
From the csv to a trained network, validated after each epoch: `nettool train`, a script with pandas and PyTorch as
one writes it by hand, and `ludwig train`, all with the same rows to train with and the same to validate with. Each
draws its own first weights (nettool and Ludwig as Glorot and Bengio 2010, by hand as torch does), and none has
converged after five epochs, so the errors of the best epoch, in the price's unit, differ by some percent; nobody is
left out for them. Half of nettool's time is the import of torch, and a training of many epochs comes nearer to the
ratios of table-256. By hand, the DataLoader picks each row by itself. Ludwig works with a torch of its own.""",
    "reading": """\
A csv of 20 numbers and a category. nettool does all that `nettool train` does before the network is built: it reads,
tells the columns apart, splits, fits the encoders, encodes and takes the file's sha256; once with the category as the
target, once with a number. pyarrow reads with its default options, and does nothing else. Each in a process of its own,
imports left out; the peak is what comes on top of them, in the worst round.""",
    "startup": """\
Whole processes, interleaved: one that imports torch and leaves, and `nettool train` on a table of 1,000 rows, left at
the end of its first step.""",
    "overhead": """\
A job of about 30 seconds as `nettool train` trains it, and its bare epochs, which write nothing. It is saved when it
ends; longer ones are saved every 30 seconds too, while they go on.""",
    "throughput": """\
Resident data, the same network, batch and dropout, in one process; by hand with the fused Adam.""",
}
"""How each part is measured."""


def render(results: Mapping[str, Any]) -> str:
    """The whole page."""
    return "\n\n".join([INTRODUCTION, _about(results), *_parts(results, HOW), _versions(results)]) + "\n"


def tables(results: Mapping[str, Any]) -> str:
    """All that was measured, for the terminal."""
    return "\n\n".join(_parts(results, {}))


def _parts(results: Mapping[str, Any], how: Mapping[str, str]) -> Iterator[str]:
    yield from _part("Targets", GOALS if how else None)
    yield targets.section(results)
    if results["networks"]:
        yield from _part("Four jobs", how.get("networks"))
        yield from map(report.networks_section, results["networks"].values())
    if "diamonds" in results:
        yield from _part("A table, from the csv to the trained network", how.get("diamonds"))
        yield report.diamonds_section(results["diamonds"])
    for name, section in SECTIONS.items():
        if name in results:
            yield from _part(section.TITLE, how.get(name))
            yield section.section(results[name])


def _part(title: str, how: str | None) -> Iterator[str]:
    yield f"## {title}"
    if how:
        yield how


def _about(results: Mapping[str, Any]) -> str:
    here = results["machine"]
    return (
        f"Measured on {here['date']} with `{results['command']}` ({results['rounds']} rounds): {here['cpu']}, "
        f"{here['cores']} cores, {here['memory_gb']:.0f} GB of memory, {here['system']}."
    )


def _versions(results: Mapping[str, Any]) -> str:
    rows = [
        (name, ", ".join(f"{package} {version}" for package, version in versions.items()))
        for name, versions in results["versions"].items()
    ]
    return f"## Versions\n\n{table(('environment', 'versions'), rows)}"
