"""nettool plot: pictures of a run, as files in its plots folder or in another."""

from __future__ import annotations

import difflib
import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nettool.errors import UsageError
from nettool.runs import durable
from nettool.runs.directory import ROOT, is_run
from nettool.workflows.pictures.kinds import KINDS
from nettool.workflows.pictures.options import check_heeded
from nettool.workflows.pictures.registry import Kind
from nettool.workflows.pictures.subject import Subject, Unsuitable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from nettool.plots.figures import Format


TELLING = (
    "curves", "boundary", "importance", "confusion", "roc", "calibration", "predicted-vs-true", "residuals", "mistakes",
    "network", "activations", "landscape",
)  # fmt: skip
"""Kinds that tell most. Others say the same in another way, or take longer: they are drawn when they are asked for."""


@dataclass(frozen=True)
class Picture:
    """A picture that was drawn. files: one for each format."""

    kind: Kind
    files: tuple[Path, ...]


def check_kinds(names: Sequence[str]) -> None:
    """Raise UsageError for a kind of picture that there is not."""
    for name in names:
        if name not in KINDS and "," in name and set(name.split(",")) <= set(KINDS):
            raise UsageError(f"{name}: name several pictures with spaces between them: {name.replace(',', ' ')}")
        if name not in KINDS and (is_run(Path(name)) or is_run(ROOT / name)):
            raise UsageError(f"{name} is a run, and one is drawn at a time. Landscapes of two: --beside {name}")
        if name not in KINDS:
            near = difflib.get_close_matches(name, KINDS, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(KINDS)}."
            raise UsageError(f"{name}: no such picture. {hint}")


def check_is_no_kind(run: Path) -> None:
    """Raise UsageError where what stands in the place of a run is none, but nearly the name of a picture."""
    near = difflib.get_close_matches(str(run), KINDS, n=1, cutoff=0.75)
    if near and not run.exists() and not (ROOT / run).exists():
        raise UsageError(f"{run}: no such run, and no such picture. Did you mean {near[0]}?")


def draw(subject: Subject, names: Sequence[str], folder: Path, formats: Sequence[Format]) -> Iterator[Picture]:
    """Draw these kinds; without any, all that suit the run. Yields each as it is written.

    In the run's own folder a picture that was drawn before is replaced, elsewhere nothing is. Raises UsageError for a
    folder that is none, for an option that none of the kinds heeds, for a kind that the run does not suit, if it was
    named; and, after all that can be drawn, the first error of another kind: data that are gone, weights that are
    damaged.
    """
    check_kinds(names)
    check_heeded(subject.wishes, names)
    check_folder(folder)
    return _draw(subject, list(dict.fromkeys(names or KINDS)), bool(names), folder, formats)


def draw_telling(subject: Subject, again: bool = True) -> Iterator[Picture]:
    """Draw those that are worth a look after each training, as png, in the run's folder. Yields and raises as `draw`.

    again: also those that were drawn before.
    """
    plots = subject.run.plots
    names = [name for name in TELLING if again or not (plots / f"{name}.png").exists()]
    return _draw(subject, names, False, plots, ("png",))


def _draw(
    subject: Subject, names: Sequence[str], must: bool, folder: Path, formats: Sequence[Format]
) -> Iterator[Picture]:
    """must: the run has to suit them all."""
    failure: Exception | None = None
    with _uncollected():
        for name in names:
            try:
                figure = KINDS[name].draw(subject)
            except Exception as error:
                if must and isinstance(error, Unsuitable) and not str(error).startswith(name):
                    raise Unsuitable(f"{name}: {error}") from None
                if must:
                    raise
                if not isinstance(error, Unsuitable):
                    failure = failure or error
                continue
            files = [folder / f"{name}.{each}" for each in formats]
            check_free(subject, files)
            durable.make_folders(folder)
            yield Picture(KINDS[name], tuple(_write(figure, *each) for each in zip(files, formats, strict=True)))
    if failure is not None:
        raise failure


@contextmanager
def _uncollected() -> Iterator[None]:
    """Inside, the collector passes over what is there already: figures are circles, and every few of them it would walk
    through all of torch.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def check_folder(path: Path) -> None:
    """Raise UsageError where pictures are to go into a file."""
    for each in (path, *path.parents):
        if each.exists() and not each.is_dir():
            raise UsageError(f"--to {path}: {each} is a file. Name a folder; it is made where there is none yet.")


def check_free(subject: Subject, files: Iterable[Path]) -> None:
    """Raise UsageError where a picture would take the place of a file that may be the user's."""
    for path in files:
        if path.exists() and path.parent != subject.run.plots:
            raise UsageError(f"{path} is there already. Name another folder, or remove it first.")


def _write(figure: Figure, path: Path, kind: Format) -> Path:
    from nettool.plots.figures import as_bytes

    durable.write_file(path, as_bytes(figure, kind))
    return path
