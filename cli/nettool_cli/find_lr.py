"""nettool find-lr."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nettool_cli import console
from nettool_cli.arguments import ConfigArgument, JsonOption, OverridesArgument

if TYPE_CHECKING:
    from nettool.training.rate_test import RateTest


def find_lr(
    config: ConfigArgument,
    overrides: OverridesArgument = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the loss against the rate into this .png.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="The rate alone; errors are shown.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Find a learning rate for a config, and print it: raise it from step to step and see when the loss rises.

    Examples: nettool find-lr configs/digits.yaml; nettool train c.yaml optimizer.lr=$(nettool find-lr c.yaml)
    """
    from nettool.config.load import load

    loaded = load(config, overrides or [])  # its mistakes are told before torch is loaded

    from nettool.workflows.find_lr import check_picture, draw
    from nettool.workflows.find_lr import find_lr as find

    if plot is not None:
        check_picture(plot)
    found = find(loaded)
    if plot is not None:
        draw(found, plot)
    if not quiet and not as_json:
        _show(found)
    rate = found.rate()
    if as_json:
        console.print_json({"lr": rate, "rates": found.rates, "losses": found.losses, "smooth": found.smooth})
    else:
        typer.echo(f"{rate:g}")


def _show(found: RateTest) -> None:
    """The chart, and what it says."""
    from nettool_cli.chart import curve_chart

    out = console.stderr()
    width, is_unicode = min(out.width, 100), out.encoding.startswith("utf")
    below = f"learning rate {found.rates[0]:.1g} to {found.rates[-1]:.2g}"
    out.print(curve_chart(found.smooth, width, below, is_unicode))
    if found.suggested is not None:
        lowest = min(range(len(found.smooth)), key=found.smooth.__getitem__)
        console.message(
            f"the loss was lowest at {found.rates[lowest]:.2g}, where steps were nearly too large. A fifth of that is "
            f"a rate to train with: optimizer.lr={found.suggested:g}"
        )
