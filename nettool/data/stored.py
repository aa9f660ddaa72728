"""Fitted encoders from the JSON beside weights, which a stranger may have written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Annotated, Any, TypeVar

from pydantic import Field, FiniteFloat, TypeAdapter, ValidationError

Stored = TypeVar("Stored")
Positive = Annotated[FiniteFloat, Field(gt=0)]
Length = Annotated[int, Field(ge=1, le=1_000_000)]


def from_stored(kind: type[Stored], data: Any) -> Stored:
    """The dataclass that `asdict` wrote, each field read as its type. Raises ValueError with one that cannot be."""
    try:
        stored: Stored = _adapter(kind).validate_python(data)
        return stored
    except ValidationError as error:
        raise ValueError(first_mistake(error)) from None


_adapter: Callable[[Any], TypeAdapter[Any]] = cache(TypeAdapter)
"""That of a class. Made once: a table may have hundreds of columns."""


def first_mistake(error: ValidationError) -> str:
    """The first of them in a line: where, what stands there, and why that cannot be."""
    first = error.errors()[0]
    name = ".".join(map(str, first["loc"]))
    return f"{name} is {first['input']!r:.60}: {first['msg']}" if name else str(first["msg"])


def check_distinct(names: Sequence[str], what: str) -> None:
    """Raise ValueError where there are none, or one of them twice."""
    if not names:
        raise ValueError(f"no {what}")
    if len(set(names)) < len(names):
        raise ValueError(f"two {what} of one name")
