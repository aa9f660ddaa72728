"""nettool predict."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nettool_cli import console
from nettool_cli.arguments import JsonOption

if TYPE_CHECKING:
    import pyarrow as pa

ArgumentsArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="[RUN] TABLE|COLUMN=VALUE",
        help="A run (default: the newest), and a table or the values of one example.",
        show_default=False,
    ),
]


def predict(
    arguments: ArgumentsArgument,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write csv, tsv, parquet or jsonl here, not to the terminal.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Predict from a table, whose columns are kept, or for one example from values.

    Examples: nettool predict RUN students.csv -o predicted.csv; nettool predict RUN lectures=4 hours=5
    """
    from nettool.errors import UsageError
    from nettool.runs.directory import ROOT, is_run
    from nettool.workflows import predict as workflow
    from nettool.workflows.trained import load_trained

    names = [argument for argument in arguments if "=" not in argument or _exists(argument)]
    values = dict(argument.split("=", 1) for argument in arguments if argument not in names)
    if values and len(names) <= 1:
        run, table_path = (names[0] if names else None), None
    elif not values and len(names) in (1, 2):
        run, table_path = (names[0] if len(names) == 2 else None), Path(names[-1])
    else:
        raise UsageError("name at most one run, and either one table or the values of one example (hours=5).")
    if run is None and table_path is not None and any(is_run(path) for path in (table_path, ROOT / table_path)):
        run, table_path = str(table_path), None  # a run was named, and nothing to predict from
    trained = load_trained(None if run is None else Path(run))
    if run is None:
        console.message(f"predicted by {trained.source}")
    workflow.check_predicts(trained)
    if table_path is None and not values:
        takes = ", ".join(workflow.feature_names(trained))
        raise UsageError(f"nothing to predict from: name a table, or the values of one example. It takes {takes}.")
    if table_path is not None:
        table, notes = workflow.predict(trained, table_path)
        _print_notes(notes)
        _write(table, output, as_json)
        return
    table = workflow.table_of_values(values)
    added = workflow.predicted_columns(trained, table, "the example")
    _print_notes(workflow.notes(trained, table))
    if output is None and not as_json:
        _print_example(added)
        return
    for name, column in added.items():
        table = table.append_column(name, column)
    _write(table, output, as_json)


def _exists(argument: str) -> bool:
    try:
        return Path(argument).exists()
    except OSError:  # a text may be longer than a file's name can be
        return False


def _print_notes(notes: tuple[str, ...]) -> None:
    for note in notes:
        console.message(f"note: {note}")


def _print_example(columns: dict[str, pa.Array]) -> None:
    """One line for each predicted value."""
    width = max(len(name) for name in columns)
    for name, column in columns.items():
        value = column[0].as_py()
        shown = f"{value:.6g}" if isinstance(value, float) else str(value)
        typer.echo(console.printable(f"{name.ljust(width)}  {shown}"))


def _write(table: pa.Table, output: Path | None, as_json: bool) -> None:
    from nettool.workflows import predict as workflow

    if output is not None:
        workflow.write_table(table, output)
        typer.echo(output)
        return
    content = workflow.table_bytes(table, ".jsonl" if as_json else ".csv")
    if sys.stdout.isatty():
        console.answer(content.decode())
    else:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
