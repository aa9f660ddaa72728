"""What an examination found, line by line."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One line of a report. fine: whether it is as it should be."""

    what: str
    value: str
    fine: bool = True
