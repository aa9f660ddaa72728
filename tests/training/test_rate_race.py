"""The race of learning rates that decides what find-lr suggests."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import pytest

from nettool.errors import RunError
from nettool.training.rate_race import FEWEST_STEPS, LEAST, MOST, MOST_STEPS, FoundRate, Lap, race, steps_of
from nettool.training.rate_test import RateTest

TEST = RateTest((1e-6, 1.0), (1.0, 0.5), (1.0, 0.5))


def each(loss: Callable[[float], float]) -> Callable[[Sequence[float]], list[tuple[float, ...]]]:
    return lambda rates: [(loss(rate),) for rate in rates]


def valley(best: float) -> list[float]:
    """The rates that race where the loss is the lower the nearer to `best`."""
    return [lap.rate for lap in race(0.1, each(lambda rate: abs(math.log(rate / best))), 2)]


def test_the_rates_around_the_first_race_and_no_others() -> None:
    assert valley(0.1) == [0.016, 0.04, 0.063, 0.1, 0.16, 0.25, 0.62]


@pytest.mark.parametrize("best", [1e-4, 0.002, 9.0])
def test_it_goes_on_until_the_best_lies_between_others(best: float) -> None:
    rates = valley(best)
    inner = min(rates, key=lambda rate: abs(math.log(rate / best)))
    assert max(inner / best, best / inner) < 1.7
    assert rates[0] < inner < rates[-1]


def test_each_rate_is_trained_with_once_and_the_ends_are_ends() -> None:
    seen: list[float] = []

    def train(rate: float) -> float:
        seen.append(rate)
        return math.inf if rate > 1e-6 else 1.0

    laps = race(0.1, each(train), 2)
    assert len(seen) == len(set(seen)) == len(laps)
    assert LEAST <= laps[0].rate < 3 * LEAST, "where all diverge, a smaller one may do"
    assert race(0.1, each(lambda rate: -rate), 2)[-1].rate > MOST / 3


def test_of_equal_ones_the_smaller_rate_wins_and_without_any_the_cure_is_told() -> None:
    assert FoundRate(TEST, (Lap(0.1, (0.5,)), Lap(0.2, (0.5,))), 100, 1, "validation loss").rate == 0.1
    for laps in ((), (Lap(0.1, (math.inf,)), Lap(0.2, (math.inf,)))):
        with pytest.raises(RunError, match="Is there anything to learn"):
            _ = FoundRate(TEST, laps, 100, 1, "validation loss").rate


def test_a_rate_has_the_mean_of_its_seeds_and_how_far_they_lie_apart() -> None:
    lap = Lap(0.1, (1.0, 2.0, 4.5))
    assert (lap.loss, lap.deviation) == (2.5, pytest.approx(1.8027756))
    assert Lap(0.1, (1.0,)).deviation is None
    assert (Lap(0.1, (1.0, math.inf)).loss, Lap(0.1, (1.0, math.inf)).deviation) == (math.inf, None)


def test_large_steps_make_short_races() -> None:
    assert steps_of(0) == MOST_STEPS
    assert steps_of(1e9) == 1000
    assert steps_of(1e12) == FEWEST_STEPS
