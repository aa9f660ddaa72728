"""The nearest neighbours' word is scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from nettool.analysis.neighbours import means, nearest, votes

RANDOM = np.random.default_rng(0)
TRAIN, ASKED = RANDOM.normal(size=(700, 3)).astype(np.float32), RANDOM.normal(size=(600, 3)).astype(np.float32)


def test_classes_and_numbers_are_those_of_scikit_learn() -> None:
    classes, numbers = RANDOM.integers(3, size=700), RANDOM.normal(size=(700, 2))
    places = nearest(TRAIN, ASKED)
    wanted = KNeighborsClassifier(15, algorithm="brute").fit(TRAIN, classes).predict(ASKED)
    assert (votes(places, classes, 3) == wanted).all()
    mean = KNeighborsRegressor(15, algorithm="brute").fit(TRAIN, numbers).predict(ASKED)
    assert means(places, numbers) == pytest.approx(mean)


def test_images_are_compared_pixel_by_pixel_and_few_examples_have_few_neighbours() -> None:
    images = RANDOM.integers(256, size=(4, 1, 5, 5)).astype(np.uint8)
    places = nearest(images, images)
    assert places.shape == (4, 4)
    assert places[:, 0].tolist() == [0, 1, 2, 3]
