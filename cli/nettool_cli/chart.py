"""A small chart of losses in text, for the end of a training run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

HEIGHT = 8
LOG_FROM = 20
MARKS = {"train": "·", "validation": "*"}
POINTER = "▲"
"""On the axis below a curve, under a value of note."""


def loss_chart(train: Sequence[float], validation: Sequence[float | None], width: int, unicode: bool = True) -> str:
    """Training and validation loss over the epochs; where both meet, validation is seen. Empty below two epochs."""
    curves = {"train": list(train), "validation": [value for value in validation if value is not None]}
    legend = f"epoch 1 to {len(train)}   {_mark('train', unicode)} training loss"
    legend += f"   {MARKS['validation']} validation loss" if curves["validation"] else ""
    return _chart(curves, width, legend, unicode)


def curve_chart(
    values: Sequence[float], width: int, below: str, unicode: bool = True, noted: int | None = None, note: str = ""
) -> str:
    """One curve, with a line below it that says what goes from left to right.

    noted: the place of a value to point at. note: what it is.
    """
    share = None if noted is None else noted / max(len(values) - 1, 1)
    legend = below if noted is None else f"{below}   {_pointer(unicode)} {note}"
    return _chart({"validation": list(values)}, width, legend, unicode, share)


def _pointer(unicode: bool) -> str:
    return POINTER if unicode else "^"


def _mark(name: str, unicode: bool) -> str:
    return MARKS[name] if unicode else MARKS[name].replace("·", ".")


def _chart(
    curves: Mapping[str, Sequence[float]], width: int, legend: str, unicode: bool, noted: float | None = None
) -> str:
    """The axis is logarithmic where the values span more than a factor of LOG_FROM.

    noted: of the way from left to right, where something is to be pointed at.
    """
    finite = [value for curve in curves.values() for value in curve if abs(value) < float("inf")]
    longest = max(len(curve) for curve in curves.values())
    if longest < 2 or not finite:
        return ""
    low, high = min(finite), max(finite)
    is_log = low > 0 and high / low > LOG_FROM
    height_of = math.log if is_log else float
    span = (height_of(high) - height_of(low)) or 1.0
    columns = min(width - 12, max(longest, 20))
    rows = [[" "] * columns for _ in range(HEIGHT)]
    for name, curve in curves.items():
        for column, value in enumerate(_resample(curve, columns)):
            if abs(value) < float("inf"):
                rows[round((height_of(high) - height_of(value)) / span * (HEIGHT - 1))][column] = _mark(name, unicode)
    axis = "│" if unicode else "|"
    labels = {0: f"{high:.4g}", HEIGHT - 1: f"{low:.4g}"}
    lines = [f"{labels.get(index, ''):>9} {axis}{''.join(row).rstrip()}" for index, row in enumerate(rows)]
    below = ["─" if unicode else "-"] * columns
    if noted is not None:
        below[round(noted * (columns - 1))] = _pointer(unicode)
    lines.append(f"{'':>9} {'└' if unicode else '+'}{''.join(below)}")
    lines.append(f"{'':>11}{legend}{'   (log axis)' if is_log else ''}")
    return "\n".join(lines)


def _resample(curve: Sequence[float], columns: int) -> list[float]:
    """One value for each column: a long curve is thinned, a short one is stretched."""
    if not curve:
        return []
    last = len(curve) - 1
    return [curve[round(column * last / max(columns - 1, 1))] for column in range(columns)]
