"""nettool plot."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from nettool.errors import UsageError
from nettool_cli import console
from nettool_cli.arguments import RunArgument, split_run

if TYPE_CHECKING:
    from nettool.runs.directory import RunDirectory
    from nettool.workflows.pictures.subject import Subject

KindsArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="KIND", help="Kinds of pictures. Default: all that suit the run.", show_default=False),
]
WithOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--with",
        metavar="RUN",
        help="Of a landscape: draw the way of this run, too; more than once. Of a line: where it leads to.",
    ),
]


def plot(
    run: RunArgument = None,
    kinds: KindsArgument = None,
    split: Annotated[
        Literal["train", "validation", "test"] | None,
        typer.Option(help="Of which examples. Default: validation, or test where there is no validation split."),
    ] = None,
    features: Annotated[
        str | None, typer.Option(metavar="A,B", help="The two of a boundary. Default: those that matter most.")
    ] = None,
    directions: Annotated[
        Literal["auto", "path", "random"],
        typer.Option(help="Of a landscape: the plane of the way that training took, or random ones (Li et al. 2018)."),
    ] = "auto",
    weights: Annotated[
        list[str] | None,
        typer.Option(metavar="WEIGHT", help="A landscape over two weights: layers.0.product.weight[0,1], named twice."),
    ] = None,
    others: WithOption = None,
    beside: Annotated[
        list[Path] | None,
        typer.Option(metavar="RUN", help="Draw the landscape of this run beside it, on one scale; more than once."),
    ] = None,
    to: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Where to. Default: plots/ in the run.")] = None,
    format: Annotated[Literal["png", "svg", "both"], typer.Option(help="What kind of file.")] = "both",
    animate: Annotated[
        bool, typer.Option("--animate", help="A film of the boundary, epoch by epoch: boundary.gif.")
    ] = False,
    show_kinds: Annotated[bool, typer.Option("--kinds", help="List the kinds of pictures that there are.")] = False,
) -> None:
    """Draw pictures of a run: curves, mistakes, what its probabilities are worth.

    Examples: nettool plot; nettool plot runs/digits-0001 confusion; nettool plot digits-0001 roc --split test
    """
    from nettool.workflows.pictures.kinds import KINDS

    if show_kinds:
        console.stdout().print(console.table(("kind", "what"), [(each.name, each.what) for each in KINDS.values()], 2))
        return

    from nettool.runs.find import find_run
    from nettool.workflows.pictures.subject import Subject, Wishes

    found, names, overrides = _understood(run, kinds)
    ways, neighbours = (tuple(find_run(other) for other in runs or ()) for runs in (others, beside))
    wishes = Wishes(split, parse_features(features), directions, tuple(weights or ()), ways, neighbours)
    subject, folder = Subject(found, wishes, overrides), to or found.plots
    if animate:
        _animate(subject, names, folder)
    else:
        _draw(subject, names, folder, ["png", "svg"] if format == "both" else [format])


def _understood(run: Path | None, kinds: list[str] | None) -> tuple[RunDirectory, list[str], list[str]]:
    """The run that is meant, the kinds of pictures, and where its data is now: each may stand first."""
    from nettool.runs.find import find_run
    from nettool.workflows.pictures.draw import check_is_no_kind, check_kinds
    from nettool.workflows.pictures.kinds import KINDS

    run, names = split_run(run, kinds)
    if run is not None and str(run) in KINDS and not run.exists():  # the newest run is meant
        run, names = None, [str(run), *names]
    overrides = [name for name in names if "=" in name]
    names = [name for name in names if "=" not in name]
    check_kinds(names)
    if run is not None and not names:
        check_is_no_kind(run)
    return find_run(run), names, overrides


def _animate(subject: Subject, names: list[str], folder: Path) -> None:
    from nettool.workflows.pictures.animation import animate_boundary

    if set(names) - {"boundary"}:
        raise UsageError("--animate: only the boundary moves. Leave the other kinds out, or draw them by themselves.")
    typer.echo(animate_boundary(subject, folder))


def _draw(subject: Subject, names: list[str], folder: Path, formats: list[Literal["png", "svg"]]) -> None:
    from nettool.workflows.pictures.draw import draw

    for picture in draw(subject, names, folder, formats):
        typer.echo("\n".join(map(str, picture.files)))


def parse_features(text: str | None) -> tuple[str, ...]:
    """`a,b` as two names, as csv would read them: a name with a comma in it stands in quotation marks."""
    if text is None:
        return ()
    import csv

    return tuple(name.strip() for name in next(csv.reader([text], skipinitialspace=True), []))
