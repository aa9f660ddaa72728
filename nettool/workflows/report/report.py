"""nettool report: everything about a run, or several runs beside each other, as one page of HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nettool.config.data import SplitName
from nettool.errors import UsageError
from nettool.runs import durable
from nettool.runs.directory import ROOT
from nettool.runs.find import find_run
from nettool.runs.sweeps import is_sweep
from nettool.workflows.report.blocks import Page

NAME = "report.html"


@dataclass(frozen=True)
class Written:
    """The page as a file. missing: what it could not have, and why."""

    path: Path
    missing: tuple[str, ...]


def report(
    arguments: Sequence[Path], to: Path | None = None, split: SplitName | None = None, overrides: Sequence[str] = ()
) -> Written:
    """Write the page of a run, by default into its directory; of several, or of a sweep, a comparison.

    arguments: runs and sweeps; none is the newest run. split: of which examples. overrides: where the data of a run are
    now, `data.path=...`. An own page in the run's directory is replaced, any other file is not: UsageError.
    """
    sweep = _sweep_of(arguments)
    if len(arguments) < 2 and sweep is None:
        run = find_run(arguments[0] if arguments else None)
        path = _checked(to, run.path)
        from nettool.workflows.pictures.subject import Wishes
        from nettool.workflows.report.run import run_page

        return _write(run_page(run, Wishes(split), overrides), path)
    if overrides or split is not None:
        given = overrides[0] if overrides else f"--split {split}"
        raise UsageError(f"{given}: several runs are compared by what they wrote down. Leave it out, or name one run.")
    path = _checked(to, sweep)
    from nettool.workflows.compare import compare
    from nettool.workflows.report.comparison import comparison_page

    return _write(comparison_page(compare(arguments), path.parent), path)


def _sweep_of(arguments: Sequence[Path]) -> Path | None:
    """The one sweep that is asked for."""
    if len(arguments) != 1:
        return None
    return next((path for path in (arguments[0], ROOT / arguments[0]) if is_sweep(path)), None)


def _checked(to: Path | None, home: Path | None) -> Path:
    """Where the page goes: as asked, or to its home. Raises UsageError where a file would be lost."""
    if to is None and home is None:
        raise UsageError("several runs have no folder in common for their report: name a file, --to comparison.html")
    own = None if home is None else home / NAME
    path = to or own
    assert path is not None
    if path.is_dir():
        raise UsageError(f"{path} is a folder. Name a file in it: --to {path / NAME}")
    if path.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"--to {path}: a report is a page of HTML. Name a file that ends in .html.")
    is_there = path.exists() or path.is_symlink()
    is_home = own is not None and path.resolve() == own.resolve()
    if is_there and not (is_home and path.is_file() and _is_ours(path)):
        raise UsageError(f"{path} is there already. Name another file, or remove it first.")
    return path


def _is_ours(path: Path) -> bool:
    """Whether it was written by this command."""
    from nettool.workflows.report.page import GENERATOR

    with path.open("rb") as file:
        return GENERATOR.encode() in file.read(1000)


def _write(page: Page, path: Path) -> Written:
    from nettool.workflows.report.page import as_html

    durable.make_folders(path.parent)
    durable.write_file(path, as_html(page).encode())
    return Written(path, tuple(page.missing))
