"""Numbers, names and settings as they stand in sentences."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def plural(count: int, what: str) -> str:
    """`1 epoch`, `2 epochs`."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def listed(names: Iterable[str]) -> str:
    """`a, b and c`."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def capitalised(text: str) -> str:
    """As the beginning of a sentence."""
    return text[:1].upper() + text[1:]


def as_typed(value: Any) -> str:
    """A setting as one types it."""
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)
