"""nettool verify."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from nettool.errors import RunError
from nettool_cli import console
from nettool_cli.arguments import JsonOption, RunArgument, split_run


def verify(
    run: RunArgument = None,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="data.path=FILE", help="Where the data is now, if it was moved.", show_default=False),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check that a run is whole, that its data is what it was, and that this machine gives its numbers again.

    Example: nettool verify digits-0001
    """
    from nettool.workflows import verify as workflow

    findings = []
    for finding in workflow.verify(*split_run(run, overrides)):
        findings.append(finding)
        if not as_json:
            console.finding(finding.what, finding.value, fine=finding.fine, width=20)
    if as_json:
        console.print_json([asdict(finding) for finding in findings])
    wrong = [finding.what for finding in findings if not finding.fine]
    if wrong:
        raise RunError(f"not as the run left it: {', '.join(wrong)}.")
