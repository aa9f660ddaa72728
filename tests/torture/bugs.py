"""Bugs to plant: each breaks one promise, and the check of that promise must notice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Bug:
    """What it breaks, in words, and how."""

    what: str
    plant: Callable[[], None]


BUGS: dict[str, Bug] = {}
