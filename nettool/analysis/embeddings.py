"""Vectors that stand for tokens or levels: the plane in which most of them lies, and which are alike."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from nettool.analysis.outcomes import Array

CHANCE = 0.05
"""How often chance may make any of the pairs so alike."""
_STEPS = 4097


@dataclass(frozen=True)
class Embedded:
    """A table of embeddings, the most frequent first. names: of tokens or levels. vectors: float64 [k, width]. counts:
    how often training saw each, int64 [k], above 0. left_out: those that it never saw, whose vectors say nothing.
    """

    name: str
    names: tuple[str, ...]
    vectors: Array
    counts: Array
    left_out: int = 0


def embedded(name: str, names: list[str], vectors: Array, counts: Array) -> Embedded:
    """Sorted, and without what training never saw. vectors: float [k, width]. counts: int [k]."""
    order = np.argsort(-counts, kind="stable")
    order = order[counts[order] > 0]
    chosen = tuple(names[place] for place in order.tolist())
    return Embedded(name, chosen, vectors[order].astype(np.float64), counts[order], len(names) - len(order))


def principal_plane(vectors: Array) -> tuple[Array, Array]:
    """Where vectors lie in their first two principal components, float64 [k, 2], and the share of their variance that
    each component has, float64 [2] (Pearson 1901). Of one component alone the other is 0.

    A component's sign, which the decomposition leaves open, is that which makes its largest coordinate positive.
    """
    centred = vectors - vectors.mean(axis=0)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    points, shares = np.zeros((len(vectors), 2)), np.zeros(2)
    num = min(2, len(sizes))
    points[:, :num] = left[:, :num] * sizes[:num]
    total = float((sizes**2).sum())
    if total > 0:
        shares[:num] = sizes[:num] ** 2 / total
    largest = np.abs(points).argmax(axis=0)
    points *= np.where(points[largest, [0, 1]] < 0, -1.0, 1.0)
    return points, shares


def cosines(vectors: Array) -> Array:
    """How alike each pair is: the cosine of the angle between them as seen from their mean, float64 [k, k]."""
    centred = vectors - vectors.mean(axis=0)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    directions = centred / np.where(lengths > 0, lengths, 1.0)
    alike: Array = directions @ directions.T
    return alike


def chance_of(cosine: float, width: int) -> float:
    """How often two random directions in `width` dimensions are at least so alike: their angle has the density
    sin(angle)^(width - 2).
    """
    if width < 2:
        return 0.5
    angles = np.linspace(0.0, math.pi, _STEPS)
    density = np.sin(angles) ** (width - 2)
    summed = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    return float(np.interp(math.acos(min(max(cosine, -1.0), 1.0)), angles, summed) / summed[-1])


def likest_pairs(vectors: Array, most: int) -> list[tuple[int, int, float]]:
    """Pairs more alike than chance would make the most alike of all of them, the most alike first, each vector in one
    pair: (place, place, cosine).
    """
    num, width = len(vectors), min(vectors.shape[1], len(vectors) - 1)  # less their mean they span no more
    alike = np.triu(cosines(vectors), 1)
    num_pairs = num * (num - 1) // 2
    found: list[tuple[int, int, float]] = []
    taken: set[int] = set()
    for flat in np.argsort(-alike, axis=None, kind="stable").tolist():
        first, second = divmod(flat, num)
        cosine = float(alike[first, second])
        if len(found) == most or cosine <= 0 or chance_of(cosine, width) * num_pairs > CHANCE:
            break
        if not taken & {first, second}:
            found.append((first, second, cosine))
            taken |= {first, second}
    return found


def neighbours(vectors: Array, most: int) -> list[list[int]]:
    """Of each vector the others that are most like it, the most alike first."""
    alike = cosines(vectors)
    np.fill_diagonal(alike, -np.inf)
    nearest: list[list[int]] = np.argsort(-alike, axis=1, kind="stable")[:, : min(most, len(vectors) - 1)].tolist()
    return nearest
