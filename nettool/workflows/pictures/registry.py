"""What a kind of picture is, and the collections that kinds register in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nettool.workflows.pictures.subject import Subject

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Draw = Callable[[Subject], "Figure"]


@dataclass(frozen=True)
class Kind:
    """A kind of picture. what: for help and captions. draw: raises Unsuitable where it says nothing of a run."""

    name: str
    what: str
    draw: Draw


class Kinds(dict[str, Kind]):
    """Kinds by their names, in the order in which they are listed and drawn."""

    def add(self, name: str, what: str) -> Callable[[Draw], Draw]:
        """Register the function beneath as a kind."""

        def register(draw: Draw) -> Draw:
            self[name] = Kind(name, what, draw)
            return draw

        return register


def captioned(subject: Subject, figure: Figure) -> Figure:
    """With what it is a picture of, in small print."""
    from nettool.plots.figures import caption

    return caption(figure, f"{subject.run.path.name}, {subject.where}")
