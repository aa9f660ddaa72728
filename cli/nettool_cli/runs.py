"""nettool runs list | show."""

from __future__ import annotations

from typing import Annotated

import typer

from nettool_cli import console
from nettool_cli.arguments import JsonOption, RunArgument

app = typer.Typer(help="See what was trained, and how well it went.", no_args_is_help=True)

SHOWN_KEYS = (
    "status", "why", "started", "seconds", "epochs", "best_epoch", "device", "threads", "engine", "git_commit",
)  # fmt: skip


@app.command("list")
def list_runs(
    sort: Annotated[
        str | None, typer.Option(help="A metric, such as accuracy or validation_loss: the best first.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the runs under runs/ with what they reached and how their configs were overridden."""
    from nettool.workflows.runs import list_runs as records_of

    records = records_of(sort)
    if as_json:
        console.print_json(records)
        return
    if not records:
        typer.echo("there are no runs in runs/ yet; `nettool train CONFIG` makes one", err=True)
        return
    names = list(dict.fromkeys(name for record in records for name in record.get("metrics", {})))
    rows = []
    for record in records:
        measured = record.get("metrics", {})
        values = [console.number(measured.get(name)) for name in names]
        rows.append((record["run"].removeprefix("runs/"), record["status"], " ".join(record["overrides"]), *values))
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
