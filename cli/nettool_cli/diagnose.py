"""nettool diagnose."""

from __future__ import annotations

import shutil
import sys
import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from nettool.errors import RunError
from nettool_cli import console
from nettool_cli.arguments import JsonOption, RunArgument, split_run

if TYPE_CHECKING:
    from nettool.workflows.diagnosis.diagnose import Looked
    from nettool.workflows.pictures.subject import Subject


def diagnose(
    run: RunArgument = None,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="data.path=FILE", help="Where the data is now, if it was moved.", show_default=False),
    ] = None,
    gradcheck: Annotated[
        bool, typer.Option("--gradcheck", help="Compare the gradients with finite differences, layer by layer.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Say in plain words what is the matter with a run, with the evidence, and what to change in its config.

    Examples: nettool diagnose; nettool diagnose digits-0001; nettool diagnose --gradcheck
    """
    from nettool.runs.find import find_run
    from nettool.workflows.pictures.subject import Subject, Wishes

    argument, changes = split_run(run, overrides)
    subject = Subject(find_run(argument), Wishes(), changes)
    if gradcheck:
        _check_gradients(subject, as_json)
        return
    from nettool.workflows.diagnosis.diagnose import examine

    looked = list(examine(subject))
    if as_json:
        console.print_json({"run": str(subject.run.path), "looked": [asdict(one) for one in looked]})
    else:
        _print(str(subject.run.path), subject.record["status"], looked)


def _print(run: str, status: str, looked: list[Looked]) -> None:
    verdicts = [one.verdict for one in looked if one.verdict is not None]
    going = ", which is still going" if status == "running" else ""
    typer.echo(f"{console.printable(run)}{going}: {_in_short(looked)}")
    for number, verdict in enumerate(verdicts, 1):
        typer.echo(f"\n{number}. {verdict.name}")
        _say(verdict.text, "   ", "   ")
        for sentence in verdict.evidence:
            _say(sentence, "   - ", "     ")
        typer.echo("   change:")
        for line in verdict.cure.splitlines():
            typer.echo(f"     {console.printable(line)}")
    fine = [(one.check, one.seen) for one in looked if one.verdict is None and one.is_told]
    if fine:
        typer.echo("\nfine:")
    for name, seen in fine:
        console.finding(f"  {name}", seen, fine=True, width=29)
    reasons: dict[str, list[str]] = {}
    for one in looked:
        if not one.is_told:
            reasons.setdefault(one.seen, []).append(one.check)
    if reasons:
        typer.echo("\ncannot be told:")
    for reason, names in reasons.items():
        _say(f"{', '.join(names)}: {reason}", "  ", "    ")


def _in_short(looked: list[Looked]) -> str:
    """What came of it; all is well only where nearly everything could be looked at."""
    num = sum(one.verdict is not None for one in looked)
    untold = sum(not one.is_told for one in looked)
    if num:
        return f"{num} thing{'s are' if num > 1 else ' is'} the matter"
    if untold > len(looked) // 2:
        return f"nothing was found, but {untold} of {len(looked)} checks could not be made"
    return "nothing is the matter"


def _say(text: str, first: str, others: str) -> None:
    """On a terminal without breaking its words; what is piped has no end."""
    width = max(shutil.get_terminal_size().columns, 50) if sys.stdout.isatty() else sys.maxsize
    text = console.printable(text)
    typer.echo(
        textwrap.fill(
            text,
            width,
            initial_indent=first,
            subsequent_indent=others,
            break_long_words=False,
            break_on_hyphens=False,
        )
    )


def _check_gradients(subject: Subject, as_json: bool) -> None:
    from nettool.analysis.gradient_check import TOLERANCE
    from nettool.workflows.diagnosis.gradcheck import check_gradients_of

    checked = check_gradients_of(subject)
    if as_json:
        console.print_json([{**asdict(one), "fine": one.fine} for one in checked])
    else:
        headers = ("layer", "weights", "seen", "corners", "error", "written out")
        rows = [
            (
                one.layer,
                one.tensor.removeprefix(f"{one.layer.split()[0]}."),
                f"{one.num}",
                f"{one.kinks}",
                f"{one.error:.0e}",
                _or_none(one.of_closed_form),
            )
            for one in checked
        ]
        console.stdout().print(console.table(headers, rows, text_columns=2))
        console.message(
            "error: the largest between the gradient and a central difference, as a share of the tensor's largest "
            "gradient. seen: how many were compared. corners: where the loss bends, so that there is no gradient. "
            "written out: the closed form's error."
        )
    wrong = [one.layer for one in checked if not one.fine]
    if wrong:
        raise RunError(f"gradients differ by more than {TOLERANCE:g}: {', '.join(dict.fromkeys(wrong))}.")


def _or_none(error: float | None) -> str:
    return "-" if error is None else f"{error:.0e}"
