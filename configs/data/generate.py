"""Write the made-up data sets of this folder: students, circles, a neuron's answers, a noisy wave.

    python configs/data/generate.py [FOLDER]

The same bytes come out every time. The random numbers come from `RandomState`, whose stream numpy has
promised never to change, and every number is rounded before it is written.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np


def will_i_pass(folder: Path) -> None:
    """600 students: lectures attended, hours spent on the project, whether they passed, and their grade.

    Neither lectures nor hours help without the other, and the first ones help most, so the line between
    passing and failing is a curve. Four lectures and five hours make for a grade of 67, give or take 8; 50 is
    a pass.
    """
    random = np.random.RandomState(1)
    rows = []
    for _ in range(600):
        lectures = random.randint(0, 11)
        hours = round(12 * random.random_sample(), 1)
        expected = 100 * (1 - np.exp(-lectures / 2.4)) * (1 - np.exp(-hours / 2.8))
        grade = int(np.clip(round(expected + 8 * random.standard_normal()), 0, 100))
        rows.append((lectures, hours, "yes" if grade >= 50 else "no", grade))
    write(folder / "will_i_pass.csv", ("lectures", "hours", "passed", "grade"), rows)


def circles(folder: Path) -> None:
    """1,000 points on two rings around the origin, which no straight line parts."""
    random = np.random.RandomState(2)
    rows = []
    for i in range(1000):
        ring, radius = ("inner", 1.0) if i % 2 else ("outer", 2.0)
        angle = 2 * np.pi * random.random_sample()
        radius += 0.15 * random.standard_normal()
        rows.append((f"{radius * np.cos(angle):.3f}", f"{radius * np.sin(angle):.3f}", ring))
    write(folder / "circles.csv", ("x1", "x2", "class"), rows)


def neuron(folder: Path) -> None:
    """200 points, and whether the neuron 1 + 3 x1 - 2 x2 fires there. The first is the lecture's, (-1, 2)."""
    random = np.random.RandomState(3)
    rows = [(-1.0, 2.0, 0)]
    while len(rows) < 200:
        x1, x2 = (round(x, 1) for x in 8 * random.random_sample(2) - 4)
        if (z := 1 + 3 * x1 - 2 * x2) != 0:
            rows.append((x1, x2, int(z > 0)))
    write(folder / "neuron.csv", ("x1", "x2", "fires"), rows)


def wave(folder: Path) -> None:
    """One noisy wave, y = cos(x), and three columns that have nothing to do with it.

    There are few rows, and about half of what y does is noise: a large network can learn the rows by heart,
    and does better not to.
    """
    random = np.random.RandomState(4)
    rows = []
    for _ in range(400):
        x = 6 * random.random_sample() - 3
        distractions = random.standard_normal(3)
        y = np.cos(x) + 0.7 * random.standard_normal()
        rows.append(tuple(f"{value:.3f}" for value in (x, *distractions, y)))
    write(folder / "wave.csv", ("x", "noise_1", "noise_2", "noise_3", "y"), rows)


def write(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV file whose lines end the same way on every system."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    for make in (will_i_pass, circles, neuron, wave):
        make(target)
