"""nettool train."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from nettool.errors import InterruptedRun, NettoolError, UsageError
from nettool_cli import console
from nettool_cli.arguments import (
    LogOption,
    OptionalConfigArgument,
    OverridesArgument,
    TagOption,
    parse_tags,
    wants_board,
)

if TYPE_CHECKING:
    from nettool.config.load import Loaded
    from nettool.runs.directory import RunDirectory
    from nettool.workflows.train import Outcome
    from nettool.workflows.watch import Watcher

SkipDoneOption = Annotated[
    bool,
    typer.Option(
        "--skip-done",
        help="Where a run of the same experiment on the same data is finished, print that one instead.",
    ),
]
PlotsOption = Annotated[
    bool,
    typer.Option("--plots", help="At the end draw the pictures that tell most; `nettool plot` draws all that suit."),
]


def train(
    config: OptionalConfigArgument = None,
    overrides: OverridesArgument = None,
    resume: Annotated[
        str | None,
        typer.Option(metavar="RUN", help="Go on with this run, or with the newest (last), instead of a new one."),
    ] = None,
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
    tag: TagOption = None,
    skip_done: SkipDoneOption = False,
    plots: PlotsOption = False,
    log: LogOption = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no summary; errors are shown.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the run's record as JSON, not just its path.")] = False,
) -> None:
    """Train the network that a config describes, and print the run directory.

    Examples: nettool train configs/digits.yaml optimizer.lr=0.01; nettool train --resume last epochs=200
    """
    flags = {"runtime.device": device, "seed": seed, "epochs": epochs}
    changes = [*(overrides or ()), *(f"{key}={value}" for key, value in flags.items() if value is not None)]
    from nettool.config.load import load

    if resume is not None:
        given = {"--run-dir": run_dir, "--dry-run": dry_run, "--tag": tag, "--skip-done": skip_done}
        changes = _changes_of_run(config, changes, [name for name in given if given[name]])
        outcome = _go_on(resume, changes, quiet, wants_board(log))
    elif config is None:
        raise UsageError("name a config to train: nettool train CONFIG. `nettool init` lists examples.")
    elif dry_run and plots:
        raise UsageError("--dry-run trains nothing, so that there is nothing to draw: leave --plots out.")
    elif dry_run:
        _show(config, changes)
        return
    else:
        loaded = load(config, changes)  # its mistakes are told before torch is loaded
        if skip_done and (done := _done(loaded, quiet, as_json)):
            if plots:
                _draw(done, quiet, again=False)
            return
        outcome = _begin(loaded, run_dir, quiet, parse_tags(tag), wants_board(log))
    with rather_told(outcome.error):
        _answer(outcome.run.path, outcome.record, as_json)
        if plots and not isinstance(outcome.error, InterruptedRun):
            _draw(outcome.run, quiet)


def _done(loaded: Loaded, quiet: bool, as_json: bool) -> RunDirectory | None:
    """A run of this very experiment that is finished, which is then the answer."""
    from nettool.runs.journal import read_record
    from nettool.workflows.done import done_run

    run = done_run(loaded.experiment)
    if run is not None:
        if not quiet:
            console.message(f"note: {run.path} is this very experiment, and finished.")
        _answer(run.path, read_record(run), as_json)
    return run


def _draw(run: RunDirectory, quiet: bool, again: bool = True) -> None:
    """The result is safe by now: what cannot be drawn is told, and no more. again: also what was drawn before."""
    from nettool.workflows.pictures.draw import draw_telling
    from nettool.workflows.pictures.subject import Subject, Wishes

    files: list[Path] = []
    try:
        for picture in draw_telling(Subject(run, Wishes()), again):
            files += picture.files
    except Exception as error:  # whatever it is, the run is none the worse
        why = str(error) if isinstance(error, NettoolError) else f"{type(error).__name__}: {error}"
        console.message(f"warning: not all pictures could be drawn: {why}")
    if not quiet and files:
        console.message(f"{len(files)} {'' if again else 'more '}picture{'s' * (len(files) > 1)} in {run.plots}")
    elif not quiet and not again:
        console.message(f"its pictures are in {run.plots}")


def _answer(run: Path, record: dict[str, Any], as_json: bool) -> None:
    if as_json:
        console.print_json({"run": str(run), **record})
    else:
        typer.echo(run)


@contextmanager
def rather_told(error: Exception | None) -> Iterator[None]:
    """Answer inside, and end with the error if there is one: an answer that nobody reads must not hide it."""
    try:
        yield
    except OSError:
        if error is None:
            raise
    if error is not None:
        raise error


def _show(config: Path, changes: list[str]) -> None:
    """All that a training would check."""
    from nettool.config.load import load
    from nettool.workflows.check import check_config
    from nettool_cli.check import print_network

    print_network(check_config(load(config, changes), all_rows=True))


def _begin(loaded: Loaded, run_dir: Path | None, quiet: bool, tags: dict[str, str], board: bool) -> Outcome:
    """A new run."""
    from nettool.workflows.prepare import prepare_training
    from nettool.workflows.train import train

    prepared = prepare_training(loaded)
    with _watching(quiet) as watcher:
        return train(prepared, watcher, run_dir, tags, board)


def _go_on(run: str, changes: list[str], quiet: bool, board: bool) -> Outcome:
    """The rest of a run."""
    from nettool.workflows.train import resume

    with _watching(quiet) as watcher:
        return resume(None if run == "last" else Path(run), changes, watcher, board)


@contextmanager
def _watching(quiet: bool) -> Iterator[Watcher]:
    """Who looks on, and gives the terminal back however it ends."""
    from nettool_cli.progress import LiveWatcher, choose_watcher

    watcher = choose_watcher(quiet)
    try:
        yield watcher
    finally:
        if isinstance(watcher, LiveWatcher):
            watcher.close()


def _changes_of_run(config: Path | None, changes: list[str], given: list[str]) -> list[str]:
    """The overrides of a run that goes on: it has its own config, so the first argument is an override too.

    given: options that make no sense with it.
    """
    if given:
        raise UsageError(f"--resume goes on in the run's own directory: leave {' and '.join(given)} out.")
    if config is None:
        return changes
    if "=" not in str(config):
        raise UsageError(f"a run goes on with its own config: leave {config} out. Changes: --resume RUN epochs=200")
    return [str(config), *changes]
