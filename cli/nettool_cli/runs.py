"""nettool runs list | show | compare."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nettool.errors import UsageError
from nettool_cli import console
from nettool_cli.arguments import JsonOption, RunArgument, TagOption, parse_tags

if TYPE_CHECKING:
    from nettool.workflows.compare import Comparison

app = typer.Typer(help="See what was trained, and how well it went.", no_args_is_help=True)

SHOWN_KEYS = (
    "status", "why", "started", "seconds", "epochs", "best_epoch", "device", "threads", "engine", "git_commit",
)  # fmt: skip


@app.command("list")
def list_runs(
    sweep: Annotated[Path | None, typer.Argument(metavar="SWEEP", help="A sweep.", show_default=False)] = None,
    sort: Annotated[
        str | None, typer.Option(help="A metric, such as accuracy or validation_loss: the best first.")
    ] = None,
    tag: TagOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the sweeps and the runs under runs/, or the points of a sweep: what they reached, with which overrides."""
    from nettool.runs.directory import ROOT
    from nettool.workflows.runs import list_runs as records_of
    from nettool.workflows.runs import list_sweeps
    from nettool.workflows.sweeps.find import find_sweep

    root = ROOT if sweep is None else find_sweep(sweep).path
    records = records_of(sort, root, parse_tags(tag))
    if as_json:
        console.print_json(records)
        return
    sweeps = list_sweeps() if sweep is None and not tag else []
    if sweeps:
        console.stdout().print(console.table(("sweep", "status", "varied", "best"), sweeps, text_columns=4))
    if not records:
        if not sweeps:
            typer.echo("there are no runs in runs/ yet; `nettool train CONFIG` makes one", err=True)
        return
    if sweeps:
        console.stdout().print()
    names = list(dict.fromkeys(name for record in records for name in record.get("metrics", {})))
    rows = []
    for record in records:
        measured = record.get("metrics", {})
        values = [console.number(measured.get(name)) for name in names]
        rows.append((record["run"].removeprefix(f"{root}/"), record["status"], " ".join(record["overrides"]), *values))
    console.stdout().print(console.table(("run", "status", "overrides", *names), rows, text_columns=3))


@app.command("show")
def show(run: RunArgument = None, as_json: JsonOption = False) -> None:
    """Show one run: how it went, on what, and its epochs."""
    from nettool.workflows.runs import show_run

    directory, record, rows = show_run(run)
    if as_json:
        console.print_json({"run": str(directory.path), **record, "rows": rows})
        return
    out = console.stdout()
    facts = [(key, str(record[key])) for key in SHOWN_KEYS if record.get(key) not in (None, "")]
    facts += [("overrides", " ".join(record["overrides"]))] if record["overrides"] else []
    facts += [
        (f"resumed in epoch {stay.get('epoch', 0) + 1}", " ".join(stay.get("overrides", [])) or str(stay.get("at", "")))
        for stay in record.get("resumed", [])
    ]
    facts += [(name, console.number(value)) for name, value in record.get("metrics", {}).items()]
    out.print(console.table((str(directory.path), ""), facts, text_columns=2))
    if rows:
        columns = [name for name in rows[0] if name not in ("seconds", "examples_per_second")]
        cells = [[console.number(row[name]) for name in columns] for row in rows]
        if len(cells) > 12:
            cells = [*cells[:6], ["..."] * len(columns), *cells[-6:]]
        out.print(console.table(columns, cells, 0))


@app.command("compare")
def compare(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="RUN", help="Two runs or more, or a sweep.", show_default=False),
    ] = None,
    tag: TagOption = None,
    by: Annotated[
        str | None, typer.Option(help="Rank by this metric. Default: what chose the best weights.", show_default=False)
    ] = None,
    plots: Annotated[
        Path | None,
        typer.Option(help="Draw into this folder. Default, for the table of a sweep: its plots/.", show_default=False),
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Put runs beside each other: what differs in their configs and in their results, the best first.

    Draws their curves over each other and, for a sweep, the metric against each key that it varies.
    """
    from nettool.workflows.compare import compare as compare_runs
    from nettool.workflows.pictures.comparison import draw

    if as_csv and as_json:
        raise UsageError("--csv and --json: name one of them.")
    found = compare_runs(runs or [], parse_tags(tag), by)
    if found.note:
        console.message(found.note)
    if as_json:
        console.print_json({"monitor": found.monitor, "differ": list(found.keys), "runs": found.rows()})
    elif as_csv:
        console.answer(found.as_csv())
    else:
        console.stdout().print(_of_settings(found) or _beside(found))
    folder = plots or (found.sweep[0].plots if found.sweep and not (as_json or as_csv) else None)
    if folder is not None:
        for path in draw(found, folder):
            console.message(f"drawn: {path}")


def _of_settings(found: Comparison) -> Any:
    """A row for each setting of a sweep that was trained with several seeds or folds, and the word on noise."""
    if found.sweep is None or not any(setting.deviation is not None for setting in found.sweep[2]):
        return None
    from nettool.workflows.sweeps.results import verdict
    from nettool_cli.sweep import result_table

    if said := verdict(found.sweep[2], found.monitor):
        console.message(said)
    return result_table(found.sweep[2], found.monitor)


def _beside(found: Comparison) -> Any:
    """A row for each run: what it differs in, and what it reached."""
    from nettool.workflows.words import as_typed

    first = found.monitor
    names = [first, *(name for name in found.metrics if name != first)]
    rows = []
    for each in found.runs:
        settings = ["" if (value := each.settings.get(key)) is None else as_typed(value) for key in found.keys]
        measured = [console.number(each.metrics.get(name)) for name in names]
        rows.append((str(each.run.path).removeprefix("runs/"), *settings, *measured, each.record["status"]))
    return console.table(("run", *found.keys, *names, "status"), rows, text_columns=1 + len(found.keys))
