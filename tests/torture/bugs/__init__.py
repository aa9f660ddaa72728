"""Bugs to plant: each breaks one promise, and the check of that promise must notice.

A bug is planted in a process of its own, by putting something else in the place of a function.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Plant = Callable[[], None]


@dataclass(frozen=True)
class Bug:
    """What it is, in words; the check that must notice; and how it is planted.

    crashes: whether a traceback is how it shows. That of any other bug says that it was planted badly, and proves nothing.
    """

    what: str
    check: str
    plant: Plant
    crashes: bool = False


BUGS: dict[str, Bug] = {}


def bug(what: str, *checks: str, crashes: bool = False) -> Callable[[Plant], Plant]:
    """A bug by the name of its function; one for each check that must notice it."""

    def register(plant: Plant) -> Plant:
        for check in checks:
            name = plant.__name__ if len(checks) == 1 else f"{plant.__name__}@{check}"
            BUGS[name] = Bug(what, check, plant, crashes)
        return plant

    return register


def after_restore(change: Callable[[Any], object]) -> None:
    """What a run that goes on has forgotten."""
    from nettool.training.state import TrainingState

    restore = TrainingState.restore

    def forgetful(self: Any, tensors: Any, facts: Any) -> None:
        restore(self, tensors, facts)
        change(self)

    TrainingState.restore = forgetful  # type: ignore[method-assign]


from tests.torture.bugs import running, saving, strangers  # noqa: E402 (they enter themselves)

__all__ = ["BUGS", "Bug", "running", "saving", "strangers"]
