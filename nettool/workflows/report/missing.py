"""What a report could not have, and why: it comes all the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from nettool.errors import NettoolError
from nettool.workflows.pictures.subject import Unsuitable
from nettool.workflows.report.blocks import listed


class Missing:
    """Each reason once, with all that is missing for it. names: what paths are called on the page."""

    def __init__(self, names: dict[str, str]) -> None:
        self._names = names
        self._by_reason: dict[str, list[str]] = {}

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
        for path, name in self._names.items():
            why = why.replace(path, name)
        found = self._by_reason.setdefault(why, [])
        if what not in found:
            found.append(what)

    @property
    def sentences(self) -> tuple[str, ...]:
        """What is missing and why."""
        return tuple(f"{listed(what)}: {why}" for why, what in self._by_reason.items())
