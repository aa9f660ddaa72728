"""nettool find-lr."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nettool_cli import console
from nettool_cli.arguments import ConfigArgument, JsonOption, OverridesArgument

if TYPE_CHECKING:
    from nettool.training.rate_race import FoundRate


def find_lr(
    config: ConfigArgument,
    overrides: OverridesArgument = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the loss against the rate into this .png.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="The rate alone; errors are shown.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Find a learning rate for a config, and print it: raise it until the loss rises, then try some rates below.

    Examples: nettool find-lr configs/digits.yaml; nettool train c.yaml optimizer.lr=$(nettool find-lr c.yaml)
    """
    from nettool.config.load import load

    loaded = load(config, overrides or [])  # its mistakes are told before torch is loaded

    from nettool.workflows.find_lr import check_picture, draw
    from nettool.workflows.find_lr import find_lr as find

    if plot is not None:
        check_picture(plot)
    if not quiet and not as_json:
        console.message("raising the learning rate; then short trainings with those that look right")
    found = find(loaded)
    if plot is not None:
        draw(found, plot)
    if not quiet and not as_json:
        _show(found)
    rate, test = found.rate, found.test
    if as_json:
        tried = [
            {"lr": lap.rate, "loss": lap.loss if math.isfinite(lap.loss) else None, "deviation": lap.deviation}
            for lap in found.laps
        ]
        seen = {"rates": test.rates, "losses": test.losses, "smooth": test.smooth}
        console.print_json({"lr": rate, "measured": found.measured.replace(" ", "_"), "tried": tried, **seen})
    else:
        typer.echo(f"{rate:g}")


def _show(found: FoundRate) -> None:
    """The chart of the test, and how the race went."""
    test, repeats = found.test, found.num_seeds > 1
    _draw(found)
    if not found.laps:
        return
    times = f"{found.num_seeds} short trainings" if repeats else "a short training"
    whose = "their" if repeats else "its"
    mean = f", as a mean over {found.num_seeds} seeds" if repeats else ""
    console.message(
        f"the training loss was lowest at {test.lowest:.2g}, where steps were nearly too large. Rates around a fifth "
        f"of that, each in {times} of at most {found.num_steps:,} steps, by {whose} lowest {found.measured}{mean}:"
    )
    headers = ("learning rate", found.measured, *(["+-"] if repeats else []))
    rows = [
        (
            f"{lap.rate:g}{' (best)' if lap.rate == found.rate else ''}",
            f"{lap.loss:.4g}" if math.isfinite(lap.loss) else "diverged",
            *([console.number(lap.deviation)] if repeats else []),
        )
        for lap in found.laps
    ]
    console.stderr().print(console.table(headers, rows))
    if repeats:
        console.message(
            f"+- is the noise: how far trainings with the same rate lie apart, by their {found.num_seeds} seeds alone "
            "(standard deviation). Rates whose losses differ by less are about as good."
        )
    console.message(f"a rate to train with: optimizer.lr={found.rate:g}")


def _draw(found: FoundRate) -> None:
    """The training loss of the test by its rate, with the rate that is suggested, if it lies there."""
    from nettool_cli.chart import curve_chart

    out, test = console.stderr(), found.test
    width, is_unicode = min(out.width, 100), out.encoding.startswith("utf")
    below = f"learning rate {test.rates[0]:.1g} to {test.rates[-1]:.2g}   * training loss"
    if not found.laps or found.rate > test.rates[-1]:
        out.print(curve_chart(test.smooth, width, below, is_unicode))
        return
    nearest = min(range(len(test.rates)), key=lambda place: abs(math.log(test.rates[place] / found.rate)))
    out.print(curve_chart(test.smooth, width, below, is_unicode, nearest, f"{found.rate:g}, the best"))
