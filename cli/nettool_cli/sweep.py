"""nettool sweep."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nettool.errors import UsageError
from nettool_cli import console
from nettool_cli.arguments import LogOption, OptionalConfigArgument, TagOption, parse_tags, wants_board
from nettool_cli.train import rather_told

if TYPE_CHECKING:
    from nettool.workflows.sweeps.results import Setting
    from nettool.workflows.sweeps.sweep import Planned
    from nettool.workflows.sweeps.watch import SweepOutcome

MOST_ROWS = 20
"""Of the table at the end."""
RangesArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="KEY=RANGE",
        help="What is varied: optimizer.lr=1e-4..1e-1:log:16, dropout=0,0.2,0.5; or held: epochs=20.",
        show_default=False,
    ),
]


def sweep(
    config: OptionalConfigArgument = None,
    ranges: RangesArgument = None,
    seeds: Annotated[int | None, typer.Option(help="Train every point with so many seeds.")] = None,
    folds: Annotated[int | None, typer.Option(help="Cross-validation: train every point once for each fold.")] = None,
    random: Annotated[
        int | None, typer.Option(help="Draw so many points at random, instead of every combination.")
    ] = None,
    random_seed: Annotated[int, typer.Option(help="Another number draws other points.")] = 0,
    resume: Annotated[
        str | None, typer.Option(metavar="SWEEP", help="Go on with this sweep, or with the newest (last).")
    ] = None,
    sweep_dir: Annotated[
        Path | None, typer.Option(help="The sweep's directory, instead of the next free one under runs/.")
    ] = None,
    tag: TagOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="More than 10,000 points are meant.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List the points, all of them checked, and write nothing.")
    ] = False,
    log: LogOption = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no table; errors are shown.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON, not just the directory.")] = False,
) -> None:
    """Train a config many times, with every combination of what is varied, and print the sweep's directory.

    Points of the same shapes are trained together, as one network. Each is a run like any other afterwards.

    Examples: nettool sweep configs/digits.yaml optimizer.lr=1e-4..1e-1:log:16; nettool sweep c.yaml dropout=0,0.5
    --seeds 5; nettool sweep --resume last
    """
    from nettool.workflows.sweeps.points import MOST_POINTS, Request
    from nettool.workflows.sweeps.sweep import plan, resume_sweep
    from nettool.workflows.sweeps.sweep import sweep as train_sweep

    if resume is not None:
        _check_alone(config, ranges, seeds, folds, random, sweep_dir, tag, dry_run)
        board = wants_board(log)
        with _watching(quiet) as watcher:
            outcome = resume_sweep(None if resume == "last" else Path(resume), watcher, board)
    else:
        if config is None:
            raise UsageError("name a config and what is varied: nettool sweep CONFIG optimizer.lr=1e-4..1e-1:log:16")
        request = Request(tuple(ranges or ()), seeds, folds, random, random_seed)
        most = None if yes else MOST_POINTS
        if dry_run:
            _show(plan(config, request, most), as_json)
            return
        board = wants_board(log)
        with _watching(quiet) as watcher:
            outcome = train_sweep(config, request, watcher, sweep_dir, parse_tags(tag), most, board)
    with rather_told(outcome.error):
        if as_json:
            console.print_json(_as_json(outcome))
        else:
            typer.echo(outcome.directory.path)


def _check_alone(*others: Any) -> None:
    if any(others):
        raise UsageError("--resume goes on with what the sweep was begun with: leave the config and the options out.")


def _watching(quiet: bool) -> Any:
    from nettool_cli.sweep_progress import watching

    return watching(quiet)


def _show(planned: Planned, as_json: bool) -> None:
    """What would be trained."""
    sweep = planned.sweep
    if as_json:
        console.print_json(
            {
                "points": [list(point) for point in sweep.points],
                "together": [list(unit.numbers) for unit in planned.units],
            }
        )
        return
    keys = [axis.key for axis in sweep.axes]
    unit_of = {number: place for place, unit in enumerate(planned.units, 1) for number in unit.numbers}
    rows = []
    for number, point in enumerate(sweep.points, 1):
        values = dict(override.split("=", 1) for override in point)
        rows.append((str(number), *(values[key] for key in keys), str(unit_of[number])))
    console.stdout().print(console.table(("point", *keys, "group"), rows, text_columns=len(keys) + 1))
    overrides = [override for override in sweep.points[0] if override.partition("=")[0] not in keys]
    held = f"; all with {' '.join(overrides)}" if overrides else ""
    print(f"{len(sweep.points):,} points, each checked{held}: {planned.how}", file=sys.stderr)


def _as_json(outcome: SweepOutcome) -> dict[str, Any]:
    record, monitor = outcome.record, outcome.record.monitor
    return {
        "sweep": str(outcome.directory.path),
        "status": record.status,
        "monitor": monitor,
        "best": None if record.best is None else str(outcome.directory.point(record.best).path),
        "settings": [
            {
                "settings": setting.settings, "status": setting.status, "mean": setting.mean,
                "deviation": setting.deviation, "metrics": setting.metrics,
                "points": [str(outcome.directory.point(point.number).path) for point in setting.points],
            }
            for setting in outcome.ranked
        ],
    }  # fmt: skip


def result_table(ranked: list[Setting], monitor: str) -> Any:
    """The settings, the best first: what is varied, what they are ranked by, every other metric."""
    keys = list(dict.fromkeys(key for setting in ranked for key in setting.settings))
    names = [name for name in dict.fromkeys(name for setting in ranked for name in setting.metrics) if name != monitor]
    repeats = any(setting.deviation is not None for setting in ranked)
    told = any(not point.is_complete for setting in ranked for point in setting.points)
    headers = ("point", *keys, monitor, *(["+-"] if repeats else []), *names, *(["status"] if told else []))
    rows = []
    for setting in ranked[:MOST_ROWS]:
        numbers = [point.number for point in setting.points]
        place = str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]}-{numbers[-1]}"
        cells = [place, *(setting.settings[key] for key in keys), console.number(setting.mean)]
        cells += [console.number(setting.deviation)] if repeats else []
        cells += [console.number(setting.metrics.get(name)) for name in names]
        rows.append((*cells, *([setting.status] if told else [])))
    return console.table(headers, rows, text_columns=1)
