"""nettool doctor."""

from __future__ import annotations

import typer

from nettool.errors import NettoolError
from nettool_cli import console


def doctor() -> None:
    """Show versions, device and threads, and prove the installation with a training of a few seconds."""
    from nettool.workflows.doctor import examine

    broken = []
    for finding in examine():
        console.finding(finding.what, finding.value, fine=finding.fine, width=10)
        if not finding.fine:
            broken.append(finding.what)
    if broken:
        raise NettoolError(f"something is wrong with this installation: {', '.join(broken)}.")
    typer.echo("everything works")
