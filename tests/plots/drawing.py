"""Outcomes to draw, and what is looked at in every figure."""

from __future__ import annotations

import warnings

import numpy as np
from matplotlib.figure import Figure

from nettool.analysis.outcomes import Classified, Numbers
from nettool.plots.figures import as_bytes, as_png


def classified(num_classes: int = 3, num: int = 90, names: tuple[str, ...] | None = None) -> Classified:
    generator = np.random.default_rng(num_classes)
    actual = np.arange(num) % num_classes
    scores = generator.random((num, num_classes)) + 0.8 * np.eye(num_classes)[actual]
    probabilities = scores / scores.sum(axis=1, keepdims=True)
    classes = names or tuple(f"class {number}" for number in range(num_classes))
    return Classified(classes, probabilities, actual, np.ones(num), np.arange(num))


def numbers(num: int = 200, name: str = "price") -> Numbers:
    generator = np.random.default_rng(num)
    actual = generator.normal(size=num)
    return Numbers(name, actual + 0.1 * generator.normal(size=num) + 0.5, actual, np.ones(num), np.arange(num))


def title(figure: Figure, place: int = 0) -> str:
    return " ".join(figure.axes[place].get_title(loc="left").split())


def drawn(figure: Figure) -> None:
    """It becomes a file in either format, the same each time, and nothing is said about it."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert as_png(figure) == as_png(figure)
        assert as_bytes(figure, "svg") == as_bytes(figure, "svg")
