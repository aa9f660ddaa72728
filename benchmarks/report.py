"""From the results of a whole run of the benchmarks to the tables on the terminal and the page docs/benchmarks.md.

Results are what bench.py keeps as JSON: numbers of runs, nothing that was computed from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from compare import Standing, finished, lagging, median, ratio, values
from tables import spread, table

LENIENT = "scikit-learn"
"""Not judged by what it learned: it has no dropout, and trains one output instead of two for two classes."""

OURS = "nettool"


def networks_section(result: Mapping[str, Any]) -> str:
    """One of the four jobs."""
    standings = result["contenders"]
    behind = behind_in(standings)
    rows = [
        _network_row(name, standing, standings[OURS], bool({name, OURS} & behind))
        for name, standing in finished(standings).items()
    ]
    header = ("contender", "threads", "µs a step", "ratio", "whole, s", "ratio", "MB", "loss")
    notes = [f"{name}: the loss lies too far above the others' for a comparison." for name in sorted(behind)]
    return _section(f"{result['job']}", table(header, rows), [*notes, *_errors(standings)])


def behind_in(standings: Mapping[str, Standing]) -> set[str]:
    """Those of a job who did not learn as much as the others."""
    return lagging({name: median(each, "loss") for name, each in finished(standings).items() if name != LENIENT})


def _network_row(name: str, standing: Standing, ours: Standing, is_apart: bool) -> tuple[str, ...]:
    ratios = (ratio(values(standing, key), values(ours, key)) for key in ("step_us", "command_s"))
    steady, whole = ("-" if is_apart else f"{each:.2f}" for each in ratios)
    return (
        name,
        _threads(standing),
        spread(values(standing, "step_us"), ",.0f" if median(standing, "step_us") >= 100 else ",.1f"),
        steady,
        f"{median(standing, 'command_s'):.1f}",
        whole,
        f"{median(standing, 'peak_mb'):,.0f}",
        f"{median(standing, 'loss'):.3f}",
    )


def diamonds_section(result: Mapping[str, Any]) -> str:
    """The whole command on a table."""
    standings = result["contenders"]
    rows = [
        (
            name,
            _threads(standing),
            spread(values(standing, "command_s"), ".1f"),
            f"{ratio(values(standing, 'command_s'), values(standings[OURS], 'command_s')):.2f}",
            f"{median(standing, 'peak_mb'):,.0f}",
            f"{median(standing, 'rmse'):,.0f}",
        )
        for name, standing in finished(standings).items()
    ]
    header = ("contender", "threads", "whole, s", "ratio", "MB", "validation RMSE")
    return _section(f"{result['job']}", table(header, rows), _errors(standings))


def _threads(standing: Standing) -> str:
    return f"{median(standing, 'threads'):.0f}"


def _errors(standings: Mapping[str, Standing]) -> list[str]:
    return [f"{name} did not run: `{standing['error']}`" for name, standing in standings.items() if "error" in standing]


def _section(title: str, content: str, notes: list[str]) -> str:
    return "\n\n".join([f"### {title}", content, *notes])
