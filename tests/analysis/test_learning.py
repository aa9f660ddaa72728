"""What the losses of the epochs say."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nettool.analysis.learning import Learning, jumps

E = 100
STEPS = np.arange(E)
FALL = np.exp(-STEPS / 15)
NOISE = np.random.default_rng(0).normal(size=E)


def learning(train: np.ndarray, validation: np.ndarray, naive: float = 1.0) -> Learning:
    return Learning(STEPS + 1, train, validation, naive)


def test_a_validation_loss_that_rises_again_has_lost_a_share_of_what_it_gained() -> None:
    validation = np.where(STEPS < 20, 1 - STEPS / 40, 0.525 + (STEPS - 19) * 0.005)
    found = learning(FALL, validation)
    assert found.best == 19
    assert found.gain == pytest.approx(0.475)
    assert found.lost_again == pytest.approx((validation[-10:].mean() - 0.525) / 0.475)
    assert found.train_fell_since


def test_noise_around_a_level_is_no_rise() -> None:
    assert learning(FALL, 0.3 + 0.7 * FALL + 0.02 * NOISE).lost_again < 0.05
    assert learning(FALL, FALL).lost_again == 0


def test_where_nothing_was_gained_a_rise_has_no_share() -> None:
    assert learning(FALL, 1.5 + STEPS / 100).lost_again == math.inf


def test_a_loss_that_still_falls_is_told_from_one_that_has_settled() -> None:
    assert learning(FALL, 1 - STEPS / 200).still_gaining == pytest.approx(0.2, abs=0.03)
    assert learning(FALL, 0.3 + FALL).still_gaining < 0.01
    assert learning(FALL, 0.3 + 0.05 * NOISE).still_gaining == 0


def test_jumps_are_the_deviation_of_what_is_no_trend() -> None:
    noise = np.random.default_rng(1).normal(size=5000)
    assert jumps(noise) == pytest.approx(1, rel=0.05)
    assert jumps(0.1 * noise + np.linspace(5, 0, 5000)) == pytest.approx(0.1, rel=0.05)
    assert jumps(np.array([3.0, 1.0, 2.0])) == 0
    assert learning(1 + 0.3 * NOISE, FALL, naive=2.0).jumpiness == pytest.approx(0.15, rel=0.3)


def test_rows_of_a_training_that_diverged_end_before_it() -> None:
    rows = [
        {"epoch": 1.0, "train_loss": 2.0, "validation_loss": 1.5},
        {"epoch": 2.0, "train_loss": 1.0, "validation_loss": 1.2},
        {"epoch": 3.0, "train_loss": math.nan, "validation_loss": 1.2},
    ]
    found = Learning.from_rows(rows, 1.0)
    assert found.epochs.tolist() == [1, 2]
    assert found.validation.tolist() == [1.5, 1.2]
    without = Learning.from_rows([{"epoch": 1.0, "train_loss": 2.0, "validation_loss": None}], 1.0)
    assert without.judged.tolist() == [2.0]
