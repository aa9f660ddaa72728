"""Early stopping: what counts as an improvement, and when patience ends."""

from __future__ import annotations

import math

import pytest
from hypothesis import strategies as st

from nettool.training.stopping import EarlyStopper, improved, mode_of

numbers = st.floats(-1e6, 1e6) | st.just(math.nan)


def epochs_until_stop(stopper: EarlyStopper, values: list[float]) -> int | None:
    for epoch, value in enumerate(values, start=1):
        if stopper.update(value):
            return epoch
    return None


def test_any_number_is_better_than_none() -> None:
    assert improved(1e9, None)
    assert improved(-1e9, None, "max")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("best", [None, 1.0])
@pytest.mark.parametrize("mode", ["min", "max"])
def test_what_is_not_finite_is_never_an_improvement(value: float, best: float | None, mode: str) -> None:
    assert not improved(value, best, mode)  # type: ignore[arg-type]


def test_smaller_is_better_by_default_and_larger_when_asked() -> None:
    assert improved(0.9, 1.0)
    assert not improved(1.1, 1.0)
    assert improved(1.1, 1.0, "max")
    assert not improved(0.9, 1.0, "max")
    assert not improved(1.0, 1.0)
    assert not improved(1.0, 1.0, "max")


def test_an_improvement_below_min_delta_does_not_count() -> None:
    assert not improved(0.95, 1.0, min_delta=0.1)
    assert improved(0.85, 1.0, min_delta=0.1)
    assert not improved(1.05, 1.0, "max", min_delta=0.1)
    assert improved(1.15, 1.0, "max", min_delta=0.1)


def test_training_stops_once_the_number_has_not_improved_for_patience_epochs() -> None:
    assert epochs_until_stop(EarlyStopper(3), [1.0, 0.5, 0.6, 0.7, 0.4, 0.5, 0.5, 0.5, 0.1]) == 8
    assert epochs_until_stop(EarlyStopper(1), [1.0, 1.0]) == 2
    assert epochs_until_stop(EarlyStopper(2), [1.0, 0.9, 0.8, 0.7]) is None


def test_a_metric_where_more_is_better_is_watched_upwards() -> None:
    assert epochs_until_stop(EarlyStopper(2, monitor="accuracy"), [0.5, 0.6, 0.5, 0.5]) == 4


def test_nan_counts_as_an_epoch_without_improvement_from_the_first_one_on() -> None:
    assert epochs_until_stop(EarlyStopper(2), [math.nan, math.nan]) == 2
    assert epochs_until_stop(EarlyStopper(2), [math.nan, 1.0, math.nan, math.nan]) == 4


def test_steps_smaller_than_min_delta_add_up() -> None:
    assert epochs_until_stop(EarlyStopper(2, min_delta=0.15), [1.0, 0.9, 0.8, 0.7, 0.6, 0.5]) is None


def test_losses_and_errors_are_better_small_and_scores_large() -> None:
    assert [mode_of(name) for name in ("validation_loss", "train_loss", "rmse")] == ["min"] * 3
    assert [mode_of(name) for name in ("accuracy", "r2", "auroc")] == ["max"] * 3
