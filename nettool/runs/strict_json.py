"""JSON of files that a stranger may have written: it takes no more memory than its size lets expect."""

from __future__ import annotations

import json
from typing import Any

from nettool.limits import MAX_JSON_LISTS, MAX_JSON_VALUES


def is_moderate(text: bytes) -> bool:
    """Whether it holds no more lists, mappings and values than we would write: each takes fifty times what it shows."""
    return (
        text.count(b"[") + text.count(b"{") <= MAX_JSON_LISTS and text.count(b",") + text.count(b":") <= MAX_JSON_VALUES
    )


def read_mapping(text: bytes) -> dict[str, Any]:
    """The mapping that stands there. Raises ValueError for anything else."""
    if not is_moderate(text):
        raise ValueError("too many values")
    try:
        found = json.loads(text)
    except RecursionError:
        raise ValueError("too deep") from None
    if not isinstance(found, dict):
        raise ValueError("no mapping")
    return found
