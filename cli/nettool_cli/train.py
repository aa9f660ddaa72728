"""nettool train."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from nettool_cli import console
from nettool_cli.arguments import ConfigArgument, OverridesArgument


def train(
    config: ConfigArgument,
    overrides: OverridesArgument = None,
    run_dir: Annotated[
        Path | None, typer.Option(help="The run's directory, instead of the next free one under runs/.")
    ] = None,
    device: Annotated[
        Literal["auto", "cpu", "cuda", "mps"] | None, typer.Option(help="Short for runtime.device=...")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Short for seed=...")] = None,
    epochs: Annotated[int | None, typer.Option(help="Short for epochs=...")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, data included, show the network, write nothing.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no summary; errors are shown.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the run's record as JSON, not just its path.")] = False,
) -> None:
    """Train the network that a config describes, and print the run directory.

    Example: nettool train configs/digits.yaml optimizer.lr=0.01
    """
    from nettool.config.load import load

    flags = {"runtime.device": device, "seed": seed, "epochs": epochs}
    given = [f"{key}={value}" for key, value in flags.items() if value is not None]
    loaded = load(config, [*(overrides or ()), *given])
    if dry_run:
        from nettool.workflows.check import check_config
        from nettool_cli.check import print_network

        print_network(check_config(loaded, all_rows=True))
        return

    from nettool.workflows import train as workflow
    from nettool_cli.progress import LiveWatcher, choose_watcher

    prepared = workflow.prepare_training(loaded)
    watcher = choose_watcher(quiet)
    try:
        outcome = workflow.train(prepared, watcher, run_dir)
    finally:
        if isinstance(watcher, LiveWatcher):
            watcher.close()
    if as_json:
        console.print_json({"run": str(outcome.run.path), **outcome.record})
    else:
        typer.echo(outcome.run.path)
    if outcome.error is not None:
        raise outcome.error
