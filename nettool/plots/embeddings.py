"""Embeddings in the plane of their first two principal components, with names and nearest neighbours."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nettool.analysis.embeddings import Embedded, likest_pairs, neighbours, principal_plane
from nettool.analysis.outcomes import Array
from nettool.plots.figures import COLORS, FADED, headline, new_panels, plain, visible

MOST_TABLES = 4
MOST_LABELS, MOST_TRIED, MOST_COMPARED, MOST_LISTED = 60, 400, 200, 16
"""Names in the plane, and how many may look for room there; the most frequent ones of which pairs are looked for; rows
of the list of neighbours.
"""
MOST_SURE = 10
"""The most frequent ones have a name even where it lies on the point of another."""
NEAREST = 3
_SIZE = 8.0


def embeddings(tables: Sequence[Embedded]) -> Figure:
    """A row for each table: the plane on the left, and on the right who is nearest to the most frequent ones."""
    shown = list(tables[:MOST_TABLES])
    figure, panels = new_panels(len(shown), 2, 9.6, 5.2 * len(shown), width_ratios=[2.3, 1.0])
    for table, left, right in zip(shown, panels[::2], panels[1::2], strict=True):
        compared = table.vectors[:MOST_COMPARED]
        _plane(left, table)
        _list(right, table.names[:MOST_COMPARED], compared)
        headline(left, _told(table, compared))
    if len(tables) > MOST_TABLES:
        more = f"{len(tables) - MOST_TABLES} more tables"
        panels[-2].text(0.0, -0.14, more, transform=panels[-2].transAxes, fontsize=8)
    return figure


def _told(table: Embedded, compared: Array) -> str:
    pairs = likest_pairs(compared, 3)
    named = [f"{_named(table.names[one])} and {_named(table.names[other])}" for one, other, _ in pairs]
    finding = f"most alike: {', '.join(named)}" if named else "no two are more alike than chance would make them"
    unseen = f"; {table.left_out:,} that training never saw are left out" if table.left_out else ""
    return f"{plain(table.name)}, {len(table.names):,} in {table.vectors.shape[1]} dimensions; {finding}{unseen}"


def _named(name: str, most: int = 18) -> str:
    return plain(name if name.strip() else visible(name), most)


def _plane(axes: Axes, table: Embedded) -> None:
    points, shares = principal_plane(table.vectors)
    sizes = 10 + 90 * np.sqrt(table.counts / table.counts.max())
    axes.scatter(points[:, 0], points[:, 1], s=sizes, color=FADED, linewidths=0)
    axes.margins(0.12)
    axes.set_ylabel(f"second ({shares[1]:.0%})", fontsize=8)
    axes.tick_params(labelsize=7)
    labels = [_named(name) for name in table.names]
    placed = labelled(points, labels, 5.4, 4.2)
    for place, (x, y) in placed.items():
        axes.annotate(
            labels[place], points[place], (x, y), textcoords="offset points", fontsize=_SIZE, color=COLORS[0],
            ha="left" if x > 0 else "right" if x < 0 else "center",
            va="center" if x else "bottom" if y > 0 else "top", annotation_clip=True,
        )  # fmt: skip
    nameless = len(points) - len(placed)
    told = [f"first principal component ({shares[0]:.0%} of the variance)"]
    if table.counts.max() > table.counts.min():
        told.append("the larger a dot, the more frequent")
    if nameless:
        told.append(f"{nameless:,} have no room for a name")
    axes.set_xlabel("; ".join(told), fontsize=8)


def labelled(points: Array, labels: Sequence[str], width: float, height: float) -> dict[int, tuple[float, float]]:
    """Which points can be named so that no name lies on another name or, but for the first few, on a point: how far the
    name is from its point, in points of print. The first have it first. width, height: of the picture, in inches.
    """
    span = np.ptp(points, axis=0)
    scale = 72 * np.array([width, height]) / np.where(span > 0, span * 1.24, 1.0)
    spots = (points - points.min(axis=0)) * scale
    boxes: list[tuple[float, float, float, float]] = []
    found: dict[int, tuple[float, float]] = {}
    for place, label in enumerate(labels[:MOST_TRIED]):
        if len(found) == MOST_LABELS:
            break
        long, tall = 0.62 * _SIZE * print_width(label), 1.15 * _SIZE
        x, y = spots[place]
        free = []
        for across, up in ((7, 0), (-7, 0), (0, 6), (0, -6)):
            left = x + across if across > 0 else x + across - long if across < 0 else x - long / 2
            low = y - tall / 2 if across else y + up if up > 0 else y + up - tall
            box = (left, low, left + long, low + tall)
            if not any(_meet(box, other) for other in boxes):
                covered = int(((spots > box[:2]) & (spots < box[2:])).all(axis=1).sum())
                free.append((covered, (float(across), float(up)), box))
        least = min(free, key=lambda one: one[0], default=None)
        if least is not None and (least[0] == 0 or place < MOST_SURE):
            boxes.append(least[2])
            found[place] = least[1]
    return found


def _meet(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def print_width(text: str) -> int:
    """How many letters wide a text is: those of East Asia are two, marks that combine none."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def _list(axes: Axes, names: Sequence[str], vectors: Array) -> None:
    """The most frequent ones, and what is nearest to each."""
    axes.set_axis_off()
    nearest = neighbours(vectors, NEAREST)[:MOST_LISTED]
    axes.set_title("the most frequent, and the nearest to each", loc="left", fontsize=8, color="#333333")
    for row, near in enumerate(nearest):
        y = 1 - (row + 0.5) / MOST_LISTED
        axes.text(0.30, y, _named(names[row], 12), ha="right", va="center", fontsize=_SIZE, color=COLORS[0])
        around = ",  ".join(_named(names[place], 10) for place in near)
        axes.text(0.36, y, around, ha="left", va="center", fontsize=_SIZE)
