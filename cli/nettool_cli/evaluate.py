"""nettool eval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from nettool_cli import console
from nettool_cli.arguments import JsonOption, RunArgument, split_run

if TYPE_CHECKING:
    from rich.table import Table

    from nettool.workflows.breakdown import Group
    from nettool.workflows.evaluate import Evaluation

MOST_PARTS = 30
"""Classes or numbers that are shown one by one."""


def evaluate(
    run: RunArgument = None,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="data.path=FILE", help="Where the data is now, if it was moved.", show_default=False),
    ] = None,
    split: Annotated[
        Literal["train", "validation", "test"] | None,
        typer.Option(help="Default: test, or validation where there is no test split."),
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Another file with the same columns, instead of a split.")] = None,
    by: Annotated[str | None, typer.Option(help="A column: a row of metrics for each of its values.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure a trained network on its test split, every metric beside the naive baseline.

    For a run whose data was moved: nettool eval RUN data.path=NEW
    """
    from nettool.workflows import evaluate as workflow
    from nettool.workflows.trained import load_trained

    trained = load_trained(*split_run(run, overrides))
    found = workflow.evaluate(trained, split=split, file=data, by=by)
    for note in found.notes:
        console.message(f"note: {note}")
    if as_json:
        from nettool.workflows.watch import finite

        answer = asdict(found)
        for part in (answer, *answer["groups"], *answer["parts"]):
            part["metrics"] = finite(part["metrics"])
        answer["baseline"] = finite(answer["baseline"])
        console.print_json(finite(answer))
    else:
        _print(found)


def _print(found: Evaluation) -> None:
    out = console.stdout()
    out.print(console.printable(f"{found.source} on {found.data} ({found.num_examples:,} examples)"))
    rows = [("loss", console.number(found.loss), "")]
    rows += [
        (name, console.number(value), console.number(found.baseline[name])) for name, value in found.metrics.items()
    ]
    out.print(console.table(("", "network", "baseline"), rows))
    if found.parts:
        out.print(_groups("" if "rmse" in found.metrics else "class", found.parts[:MOST_PARTS]))
        if len(found.parts) > MOST_PARTS:
            out.print(f"... and {len(found.parts) - MOST_PARTS} more, which --json shows")
    if found.by is not None:
        out.print(_groups(found.by, found.groups))


def _groups(title: str, groups: Sequence[Group]) -> Table:
    names = list(groups[0].metrics)[:5] if groups else []
    rows = [
        (group.value, f"{group.num_examples:,}", *(console.number(group.metrics[name]) for name in names))
        for group in groups
    ]
    return console.table((title, "examples", *names), rows)
