"""A small chart of losses in text, for the end of a training run."""

from __future__ import annotations

import math
from collections.abc import Sequence

HEIGHT = 8
LOG_FROM = 20
MARKS = {"train": "·", "validation": "*"}


def loss_chart(train: Sequence[float], validation: Sequence[float | None], width: int, unicode: bool = True) -> str:
    """Training and validation loss over the epochs; where both meet, validation is seen. Empty below two epochs.

    The axis is logarithmic where the losses span more than a factor of LOG_FROM.
    """
    curves = {"train": list(train), "validation": [value for value in validation if value is not None]}
    finite = [value for curve in curves.values() for value in curve if abs(value) < float("inf")]
    if len(train) < 2 or not finite:
        return ""
    low, high = min(finite), max(finite)
    is_log = low > 0 and high / low > LOG_FROM
    height_of = math.log if is_log else float
    span = (height_of(high) - height_of(low)) or 1.0
    columns = min(width - 12, max(len(train), 20))
    rows = [[" "] * columns for _ in range(HEIGHT)]
    for name, curve in curves.items():
        mark = MARKS[name] if unicode else MARKS[name].replace("·", ".")
        for column, value in enumerate(_resample(curve, columns)):
            if abs(value) < float("inf"):
                rows[round((height_of(high) - height_of(value)) / span * (HEIGHT - 1))][column] = mark
    axis = "│" if unicode else "|"
    labels = {0: f"{high:.4g}", HEIGHT - 1: f"{low:.4g}"}
    lines = [f"{labels.get(index, ''):>9} {axis}{''.join(row).rstrip()}" for index, row in enumerate(rows)]
    dot = MARKS["train"] if unicode else "."
    legend = f"{dot} training loss" + (f"   {MARKS['validation']} validation loss" if curves["validation"] else "")
    lines.append(f"{'':>9} {'└' if unicode else '+'}{('─' if unicode else '-') * columns}")
    lines.append(f"{'':>11}epoch 1 to {len(train)}   {legend}{'   (log axis)' if is_log else ''}")
    return "\n".join(lines)


def _resample(curve: Sequence[float], columns: int) -> list[float]:
    """One value for each column: a long curve is thinned, a short one is stretched."""
    if not curve:
        return []
    last = len(curve) - 1
    return [curve[round(column * last / max(columns - 1, 1))] for column in range(columns)]
