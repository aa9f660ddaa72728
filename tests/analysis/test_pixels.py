"""Which tables are images: digits are, tables of many numbers are not."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from nettool.analysis.pixels import grid_of_names, looks_like_images

DIGITS = Path(__file__).parents[2] / "configs/data/digits.csv"


def names(pattern: str, height: int, width: int, first: int = 0) -> list[str]:
    return [pattern.format(row + first, column + first) for row in range(height) for column in range(width)]


@pytest.mark.parametrize(
    ("found", "shape"),
    [
        (names("p{}{}", 8, 8), (1, 8, 8)),
        (names("pixel_{}_{}", 12, 10), (1, 12, 10)),
        (names("{}x{}", 28, 28, 1), (1, 28, 28)),
        (names("r{}c{}", 9, 8), (1, 9, 8)),
        ([f"pixel{number}" for number in range(784)], (1, 28, 28)),
        ([f"V{number}" for number in range(1, 65)], (1, 8, 8)),
        (names("p{}{}", 8, 8)[1:], None),
        (names("p{}{}", 7, 7), None),  # too few to be sure
        ([f"x{number}" for number in range(65)], None),
        ([f"x{number}" for number in range(2, 66)], None),
        ([f"x{number}" for number in range(63, -1, -1)], None),
        ([*(f"x{number}" for number in range(63)), "y63"], None),
        (names("p{}_{}", 40, 2), None),  # two columns are no image
        ([f"a{'b' * number}" for number in range(64)], None),
        ([], None),
    ],
)
def test_names_count_an_image_up_or_they_do_not(found: list[str], shape: tuple[int, int, int] | None) -> None:
    grid = grid_of_names(found)
    assert (None if grid is None else grid.shape) == shape
    assert grid is None or grid.names == tuple(found)


def test_digits_are_images_and_their_pixels_in_another_order_are_not() -> None:
    rows = list(csv.reader(DIGITS.open()))[1:]
    values = np.array(rows, float)[:, :64]
    assert looks_like_images(values.reshape(-1, 8, 8))
    assert looks_like_images((values / 16 - 0.5).reshape(-1, 8, 8))
    order = np.random.default_rng(0).permutation(64)
    assert not looks_like_images(values[:, order].reshape(-1, 8, 8))


def test_sixty_four_numbered_features_are_no_images() -> None:
    generator = np.random.default_rng(0)
    noise = generator.normal(size=(500, 64))
    walk = noise.cumsum(axis=1)
    common = noise + 3 * generator.normal(size=(500, 1))
    factors = generator.normal(size=(500, 4)) @ generator.normal(size=(4, 64)) + 0.1 * noise
    scales = noise * np.geomspace(1, 1e6, 64)
    hours = np.sin(np.arange(64) / 64 * 2 * np.pi + generator.uniform(0, 7, (500, 1)))
    for values in (noise, walk, common, factors, scales, hours, np.zeros((500, 64)), np.full((500, 64), np.nan)):
        assert not looks_like_images(values.reshape(-1, 8, 8))
    assert not looks_like_images(np.ones((1, 8, 8)))
