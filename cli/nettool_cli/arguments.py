"""Arguments that several commands share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

ConfigArgument = Annotated[Path, typer.Argument(metavar="CONFIG", help="The config: a YAML file.", show_default=False)]
OptionalConfigArgument = Annotated[
    Path | None, typer.Argument(metavar="CONFIG", help="The config: a YAML file.", show_default=False)
]
OverridesArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY=VALUE", help="Changes to the config: optimizer.lr=0.01", show_default=False),
]
RunArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="RUN",
        help="A run directory, its name, or a best.safetensors. Default: the newest run.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def split_run(run: Path | None, overrides: Sequence[str] | None) -> tuple[Path | None, list[str]]:
    """The run and the overrides behind it, also where no run is named and the first of them stands in its place."""
    if run is not None and "=" in str(run) and not run.exists():
        return None, [str(run), *(overrides or ())]
    return run, list(overrides or ())
