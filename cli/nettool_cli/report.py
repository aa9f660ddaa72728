"""nettool report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from nettool_cli import console


def report(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RUN",
            help="A run (default: the newest); several, or a sweep, are compared. "
            "Behind a run whose data was moved: data.path=NEW",
            show_default=False,
        ),
    ] = None,
    to: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to. Default: report.html in the run.", show_default=False)
    ] = None,
    split: Annotated[
        Literal["train", "validation", "test"] | None,
        typer.Option(help="Of which examples. Default: validation, or test where there is no validation split."),
    ] = None,
) -> None:
    """Write all about a run as one page of HTML: what was asked, what happened, how good it is, what is the matter.

    The page needs nothing else: no network, no other file. Examples: nettool report; nettool report digits-0001 --to
    digits.html; nettool report digits-sweep-0001; nettool report digits-0001 digits-0002 --to both.html
    """
    from nettool.workflows.report.report import report as write_report

    names = [name for name in runs or () if "=" not in name or Path(name).exists()]
    overrides = [name for name in runs or () if name not in names]
    written = write_report([Path(name) for name in names], to, split, overrides)
    for one in written.missing:
        console.message(f"warning: left out: {one}")
    typer.echo(written.path)
