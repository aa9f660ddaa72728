"""What may stand in a cell of a csv that a spreadsheet opens."""

from __future__ import annotations

import re
from collections.abc import Mapping

FORMULA = re.compile(r"[=@\t\r]|[+-].")
"""How a formula begins, to a spreadsheet (OWASP, CSV injection)."""
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?inf|[+-]?nan", re.IGNORECASE)


def harmless(text: str) -> str:
    """With a quotation mark in front where a spreadsheet would execute it: `=cmd()`. Numbers stay as they are."""
    return f"'{text}" if FORMULA.match(text) and not NUMBER.fullmatch(text) else text


def as_cells(row: Mapping[str, object]) -> dict[str, object]:
    """A row whose texts and names of columns are harmless; what is None stays empty."""
    filled = {harmless(key): "" if value is None else value for key, value in row.items()}
    return {key: harmless(value) if isinstance(value, str) else value for key, value in filled.items()}
