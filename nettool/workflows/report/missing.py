"""What a report could not have, and why: it comes all the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from nettool.errors import NettoolError
from nettool.workflows.pictures.subject import Unsuitable
from nettool.workflows.words import listed


class Missing:
    """Each reason once, with all that is missing for it. names: what paths are called on the page."""

    def __init__(self, names: dict[str, str]) -> None:
        self._names = names
        self._by_reason: dict[str, list[str]] = {}
        self._whole: set[str] = set()

    def add_all(self, what: str, why: str) -> None:
        """All of this is missing: no part of it is named any more."""
        self.add(what, why)
        self._whole.add(self._shown(why))

    @contextmanager
    def noting(self, what: str) -> Iterator[None]:
        """An error inside leaves this out of the report. What does not suit the run is not missing."""
        try:
            yield
        except Unsuitable:
            return
        except NettoolError as error:
            self.add(what, str(error))
        except Exception as error:  # whatever it is, the rest of the report is none the worse
            self.add(what, f"{type(error).__name__}: {error}")

    def add(self, what: str, why: str) -> None:
        """This is missing."""
        why = self._shown(why)
        if why not in self._whole:
            self._by_reason.setdefault(why, []).append(what)

    def _shown(self, why: str) -> str:
        """In one line, with the names of the page."""
        for path, name in self._names.items():
            why = why.replace(path, name)
        return " ".join(why.split())

    @property
    def sentences(self) -> tuple[str, ...]:
        """What is missing and why."""
        return tuple(f"{listed(dict.fromkeys(what))}: {why}" for why, what in self._by_reason.items())
