"""The base of every spec: frozen, strict, and without room for unknown keys."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Spec(BaseModel):
    """One section of a config, its shorthand expanded.

    A docstring stands under every field: the config reference and the JSON Schema are made of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, protected_namespaces=(), allow_inf_nan=False)

    main: ClassVar[str | None] = None
    """The setting that may stand alone: `dense: 64` for `dense: {units: 64}`."""
