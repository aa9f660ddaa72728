"""What nettool is to reach, beside what a run of the benchmarks shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import overhead
import reading
import startup
import throughput
from compare import Standing, finished, ratio, values
from report import OURS, behind_in
from tables import table

TOOLS = ("by hand, DataLoader", "Lightning", "skorch", "Keras on torch", "Keras on JAX", "scikit-learn")
"""What a user would pick instead. The other contenders take an expert."""

JAX = "JAX, scanned epoch"
LEVEL_WITH_JAX = ("table-256", "digits-28")


class Target(NamedTuple):
    """One row. goal, reached: as the table shows them."""

    what: str
    goal: str
    reached: str
    is_met: bool


def targets(results: Mapping[str, Any]) -> Iterator[Target]:
    """All of them, as far as they were measured."""
    for name, result in results["networks"].items():
        yield from _network_targets(name, result["contenders"])
    if "diamonds" in results:
        standings = results["diamonds"]["contenders"]
        ratios = _ratios(standings, "command_s")
        for tool, goal in (("Ludwig", 5), ("by hand", 1.2)):
            what = f"diamonds, whole command: {tool}"
            if tool in ratios:
                yield _at_least(what, goal, ratios[tool])
            elif tool in standings:
                yield Target(what, f"≥ {goal}", "it did not run", False)
    for name in reading.TARGETS if "reading" in results else ():
        of = results["reading"][name]
        yield _at_most(f"reading a million rows, {name}: pyarrow's own reading", 1.5, of["ratio"], "times")
        yield _at_most(f"reading a million rows, {name}: peak, of the file", 2.5, of["files"], "times")
    if "startup" in results:
        yield _at_most("`import torch` to the end of the first step", 0.6, startup.difference(results["startup"]), "s")
    if "overhead" in results:
        yield _at_most(
            "a job of 30 s: lock, journal, log, signals, checkpoint", 3, overhead.percent(results["overhead"]), "%"
        )
    for name, speeds in results.get("throughput", {}).items():
        yield _at_least(f"{name}: by hand, resident", 1.0, throughput.ratio(speeds))


def _network_targets(name: str, standings: Mapping[str, Standing]) -> Iterator[Target]:
    behind = behind_in(standings)
    if OURS in behind:
        yield Target(f"{name}: as much learned as by the others", "yes", "no", False)
        return
    comparable = {who: each for who, each in standings.items() if who not in behind}
    for what, key in (("steady state", "step_us"), ("whole command", "command_s")):
        ratios = _ratios(comparable, key)
        tool = min((tool for tool in TOOLS if tool in ratios), key=ratios.__getitem__, default=None)
        if tool:
            yield _at_least(f"{name}, {what}: the fastest tool ({tool})", 1.2, ratios[tool])
        if name in LEVEL_WITH_JAX and key == "step_us" and JAX in ratios:
            yield _at_least(f"{name}, {what}: {JAX}", 0.95, ratios[JAX])


def _ratios(standings: Mapping[str, Standing], key: str) -> dict[str, float]:
    """How many times as long as nettool each takes."""
    done = finished(standings)
    return {name: ratio(values(each, key), values(done[OURS], key)) for name, each in done.items() if name != OURS}


def _at_least(what: str, goal: float, reached: float) -> Target:
    return Target(what, f"≥ {goal}", f"{reached:.2f} times", reached >= goal)


def _at_most(what: str, goal: float, reached: float, unit: str) -> Target:
    return Target(what, f"≤ {goal:g}", f"{reached:.2f} {unit}", reached <= goal)


def section(results: Mapping[str, Any]) -> str:
    """The targets as a table."""
    rows = [(each.what, each.goal, each.reached, "yes" if each.is_met else "no") for each in targets(results)]
    return table(("nettool beside", "target", "reached", "met"), rows)
