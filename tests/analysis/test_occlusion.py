"""Occlusion finds what decides."""

from __future__ import annotations

import numpy as np
import pytest

from nettool.analysis.occlusion import occlusion, patch_for


@pytest.mark.parametrize(
    ("height", "width", "most"), [(28, 28, 15), (8, 8, 15), (224, 96, 15), (5, 3, 15), (1, 1, 15), (28, 28, 5)]
)
def test_patches_reach_every_pixel_and_are_few(height: int, width: int, most: int) -> None:
    patch = patch_for(height, width, most)
    hidden = np.zeros((height, width), int)
    for top in patch.tops:
        for left in patch.lefts:
            assert top + patch.height <= height
            assert left + patch.width <= width
            hidden[top : top + patch.height, left : left + patch.width] += 1
    assert (hidden > 0).all()
    assert patch.num_places == len(patch.tops) * len(patch.lefts) <= most**2


def test_the_one_pixel_that_tells_is_found() -> None:
    image = np.random.default_rng(0).integers(0, 256, (3, 14, 20)).astype(np.uint8)
    image[1, 9, 4] = 200
    heat = occlusion(image, lambda images: images[:, 1, 9, 4] / 200, patch_for(14, 20), np.zeros(3, np.uint8))
    assert heat[9, 4] == pytest.approx(1.0), "every patch over it takes all"
    assert heat.max() == heat[9, 4]
    rows, columns = np.nonzero(heat)
    assert set(rows) <= set(range(8, 11))
    assert set(columns) <= set(range(2, 7))


def test_each_channel_has_the_colour_of_the_patch_and_the_image_stays_as_it_is() -> None:
    image = np.full((2, 6, 6), 100, np.uint8)
    seen: list[np.ndarray] = []

    def answer(images: np.ndarray) -> np.ndarray:
        seen.append(images)
        return -images[:, 0].mean(axis=(1, 2)).astype(np.float64)

    heat = occlusion(image, answer, patch_for(6, 6), np.array([130, 7], np.uint8))
    assert (image == 100).all()
    patch = patch_for(6, 6)
    assert len(seen) == 1
    assert len(seen[0]) == patch.num_places + 1
    assert (seen[0][-1] == 100).all()
    assert set(np.unique(seen[0][0, 0])) == {100, 130}
    assert set(np.unique(seen[0][0, 1])) == {7, 100}
    assert heat == pytest.approx(np.full((6, 6), 30 * patch.height * patch.width / 36)), (
        "a brighter patch lowers it alike"
    )
