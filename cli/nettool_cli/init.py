"""nettool init."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from nettool_cli import console


def init(
    source: Annotated[
        str | None,
        typer.Argument(help="A template's name, or a table (csv, parquet, ...). Without it, the templates are listed."),
    ] = None,
    target: Annotated[str | None, typer.Option(help="The table's column to predict.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The config to write for a table.")] = None,
) -> None:
    """Write a starter config: from a template, or for a table of yours.

    Examples: nettool init will_i_pass; nettool init diamonds.csv --target price
    """
    from nettool.workflows import templates

    if source is None:
        rows = [(template.name, template.summary) for template in templates.list_templates()]
        console.stdout().print(console.table(("template", "what it shows"), rows, text_columns=2))
        return
    known = {template.name for template in templates.list_templates()}
    if source in known or not (Path(source).exists() or Path(source).suffix):
        for path in templates.copy_template(source, Path()):
            typer.echo(path)
        typer.echo(f"next: nettool train {source}.yaml", err=True)
        return
    from nettool.workflows.init import config_for_table

    path = config_for_table(Path(source), target, output)
    typer.echo(path)
    name = shlex.quote(str(path))
    typer.echo(f"next: nettool check {name} --data; nettool train {name}", err=True)
