"""nettool explain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nettool_cli import console
from nettool_cli.arguments import JsonOption, OverridesArgument, split_run


def explain(
    target: Annotated[
        Path | None,
        typer.Argument(
            metavar="CONFIG|RUN",
            help="A config, for its first weights; or a run or its best.safetensors, for trained ones. Default: the "
            "newest run.",
            show_default=False,
        ),
    ] = None,
    overrides: OverridesArgument = None,
    example: Annotated[int, typer.Option(help="Which example of the training split, counted from 1.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Take one example through the network, all sums written out: forward, loss, gradients, one update.

    Examples: nettool explain configs/will_i_pass.yaml; nettool explain will_i_pass-0001 --example 7
    """
    from nettool.workflows.explain import explain as explained

    found = explained(*split_run(target, overrides), example)
    if as_json:
        from nettool.workflows.explained import to_json

        console.print_json(to_json(found))
        return
    from nettool_cli.explain_backward import print_gradients, print_loss, print_update
    from nettool_cli.explain_forward import print_example, print_layers
    from nettool_cli.page import Page

    page = Page()
    print_example(page, found)
    print_layers(page, found)
    print_loss(page, found)
    print_gradients(page, found)
    print_update(page, found)
