"""Embeddings: their plane, and which are more alike than chance."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nettool.analysis.embeddings import chance_of, cosines, embedded, likest_pairs, neighbours, principal_plane


def vectors(num: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(num, width)) * np.arange(1, width + 1)


def test_the_plane_is_that_of_the_first_two_components() -> None:
    found = vectors(40, 6)
    points, shares = principal_plane(found)
    values, axes = np.linalg.eigh(np.cov(found.T, bias=True))
    for number in (0, 1):
        along = (found - found.mean(axis=0)) @ axes[:, -1 - number]
        sign = np.sign(along @ points[:, number])
        assert points[:, number] == pytest.approx(sign * along)
        assert shares[number] == pytest.approx(values[-1 - number] / values.sum())
        assert points[np.abs(points[:, number]).argmax(), number] > 0
    again, _ = principal_plane(-found)
    assert np.abs(again) == pytest.approx(np.abs(points))


def test_one_dimension_or_equal_vectors_have_a_plane_too() -> None:
    points, shares = principal_plane(np.array([[1.0], [3.0], [8.0]]))
    assert points[:, 0] == pytest.approx([-3, -1, 4])
    assert (points[:, 1] == 0).all()
    assert shares == pytest.approx([1, 0])
    points, shares = principal_plane(np.ones((4, 3)))
    assert (points == 0).all()
    assert (shares == 0).all()


def test_what_training_never_saw_is_left_out_and_the_most_frequent_come_first() -> None:
    found = embedded("x", ["a", "b", "c", "d"], np.arange(8.0).reshape(4, 2), np.array([2, 0, 9, 2]))
    assert found.names == ("c", "a", "d")
    assert found.vectors.tolist() == [[4, 5], [0, 1], [6, 7]]
    assert found.counts.tolist() == [9, 2, 2]
    assert found.left_out == 1


def test_chance_is_the_share_of_the_sphere() -> None:
    assert chance_of(0.0, 5) == pytest.approx(0.5)
    assert chance_of(0.5, 2) == pytest.approx(math.acos(0.5) / math.pi, abs=1e-4)
    assert chance_of(0.5, 3) == pytest.approx(0.25, abs=1e-4)  # the height of a cap of the sphere is its share
    assert chance_of(1.0, 3) == pytest.approx(0.0, abs=1e-6)
    assert chance_of(1.0, 1) == 0.5


def test_only_pairs_beyond_chance_are_alike() -> None:
    generator = np.random.default_rng(3)
    found = generator.normal(size=(30, 24))
    assert likest_pairs(found, 3) == []
    found[7] = found[3] + 0.05 * generator.normal(size=24)
    found[20] = found[11] + 0.3 * generator.normal(size=24)
    pairs = likest_pairs(found, 3)
    assert [(one, other) for one, other, _ in pairs] == [(3, 7), (11, 20)]
    assert pairs[0][2] == pytest.approx(cosines(found)[3, 7])
    assert neighbours(found, 2)[7][0] == 3
    assert all(place not in near for place, near in enumerate(neighbours(found, 29)))
    assert likest_pairs(generator.normal(size=(30, 2)), 3) == [], "in two dimensions any direction is close to another"
