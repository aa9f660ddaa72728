"""Arguments that several commands share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from nettool.errors import UsageError

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

TagOption = Annotated[
    list[str] | None,
    typer.Option(metavar="KEY=VALUE", help="Group runs by this, as often as needed: --tag sweep=a", show_default=False),
]

LogOption = Annotated[
    Literal["tensorboard"] | None,
    typer.Option(help="Write event files for TensorBoard into RUN/tensorboard. Needs nettool[tensorboard]."),
]


def parse_tags(tags: Sequence[str] | None) -> dict[str, str]:
    """`sweep=a` as a mapping. Raises UsageError for what is none."""
    found = {}
    for tag in tags or ():
        key, equals, value = tag.partition("=")
        if not equals or not key or not value or not tag.isprintable():
            raise UsageError(f"--tag {tag}: a tag is written KEY=VALUE, such as sweep=a.")
        found[key] = value
    return found


def wants_board(log: str | None) -> bool:
    """Whether event files for TensorBoard are wanted. Raises UsageError where it is not installed."""
    if log is None:
        return False
    from nettool.workflows.board import check_board

    check_board()
    return True


def split_run(run: Path | None, overrides: Sequence[str] | None) -> tuple[Path | None, list[str]]:
    """The run and the overrides behind it, also where no run is named and the first of them stands in its place."""
    if run is not None and "=" in str(run) and not run.exists():
        return None, [str(run), *(overrides or ())]
    return run, list(overrides or ())
