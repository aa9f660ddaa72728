"""What nettool is to reach, beside what a run of the benchmarks shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import overhead
import startup
import throughput
from compare import finished, ratio, values
from report import OURS, behind_in
from tables import table

TOOLS = ("by hand, DataLoader", "Lightning", "skorch", "Keras on torch", "Keras on JAX", "scikit-learn")
"""What a user would pick instead. The other contenders take an expert."""

LEVEL_WITH_JAX = ("table-256", "digits-28")


class Target(NamedTuple):
    """reached: as the table shows it, "" where it was not measured."""

    what: str
    goal: str
    reached: str
    is_met: bool


def targets(results: Mapping[str, Any]) -> Iterator[Target]:
    """All of them, as far as they were measured."""
    for name, result in results["networks"].items():
        for what, key in (("steady state", "step_us"), ("whole command", "command_s")):
            ratios = _ratios(result["contenders"], key)
            tool = min((tool for tool in TOOLS if tool in ratios), key=ratios.__getitem__, default=None)
            if tool:
                yield _at_least(f"{name}, {what}: the fastest tool ({tool})", 1.2, ratios[tool])
        if name in LEVEL_WITH_JAX and "JAX, scanned epoch" in (ratios := _ratios(result["contenders"], "step_us")):
            yield _at_least(f"{name}, steady state: JAX, scanned epoch", 0.95, ratios["JAX, scanned epoch"])
    if "diamonds" in results:
        ratios = _ratios(results["diamonds"]["contenders"], "command_s")
        for tool, goal in (("Ludwig", 5), ("by hand", 1.2)):
            if tool in ratios:
                yield _at_least(f"diamonds, whole command: {tool}", goal, ratios[tool])
    if "startup" in results:
        yield _at_most("`import torch` to the end of the first step", 0.6, startup.difference(results["startup"]), "s")
    if "overhead" in results:
        yield _at_most("lock, journal, checkpoints, progress", 3, overhead.percent(results["overhead"]), "%")
    for name, speeds in results.get("throughput", {}).items():
        yield _at_least(f"{name}: by hand, resident", 1, throughput.ratio(speeds))


def _ratios(standings: Mapping[str, Any], key: str) -> dict[str, float]:
    """How many times as long as nettool each takes, of those who did the same work."""
    done = finished(standings)
    behind = behind_in(standings)
    ours = values(done[OURS], key)
    return {name: ratio(values(each, key), ours) for name, each in done.items() if name not in (OURS, *behind)}


def _at_least(what: str, goal: float, reached: float) -> Target:
    return Target(what, f"{goal:g} times", f"{reached:.2f} times", reached >= goal)


def _at_most(what: str, goal: float, reached: float, unit: str) -> Target:
    return Target(what, f"{goal:g} {unit}", f"{reached:.2f} {unit}", reached <= goal)


def section(results: Mapping[str, Any]) -> str:
    """The targets as a table."""
    rows = [(each.what, each.goal, each.reached, "yes" if each.is_met else "no") for each in targets(results)]
    return table(("nettool beside", "target", "reached", "met"), rows)
