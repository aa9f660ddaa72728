"""What came of the points of a sweep: averages, ranks, and the word on noise."""

from __future__ import annotations

import pytest

from nettool.workflows.sweeps.results import PointResult, rank, verdict


def points(**settings: list[float | None]) -> list[PointResult]:
    """One point a number, each of a seed of its own; None for one that diverged."""
    found = []
    for name, values in settings.items():
        for seed, value in enumerate(values):
            status = "diverged" if value is None else "finished"
            metrics = {} if value is None else {"validation_loss": value, "accuracy": 1 - value}
            shown = {"lr": name.removeprefix("lr_"), "seed": str(seed)}
            found.append(PointResult(len(found) + 1, shown, status, "", metrics, 1.0, 5, 3))
    return found


def test_settings_are_ranked_by_their_mean_over_seeds() -> None:
    ranked = rank(points(lr_1=[0.5, 0.7], lr_2=[0.2, 0.4], lr_3=[0.1, 0.9]), "validation_loss", "min")
    assert [setting.name for setting in ranked] == ["lr=2", "lr=3", "lr=1"]
    assert ranked[0].mean == pytest.approx(0.3)
    assert ranked[0].deviation == pytest.approx(0.1414, abs=1e-4)
    assert ranked[0].metrics["accuracy"] == pytest.approx(0.7)
    by_accuracy = rank(points(lr_1=[0.5, 0.7], lr_2=[0.2, 0.4]), "accuracy", "max")
    assert [setting.name for setting in by_accuracy] == ["lr=2", "lr=1"]


def test_a_setting_of_which_a_seed_diverged_comes_behind_all_whole_ones() -> None:
    ranked = rank(points(lr_1=[0.1, None], lr_2=[0.8, 0.9], lr_3=[None, None]), "validation_loss", "min")
    assert [setting.name for setting in ranked] == ["lr=2", "lr=1", "lr=3"]
    assert [setting.status for setting in ranked] == ["finished", "1 diverged, 1 finished", "diverged"]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (
            {"lr_1": [0.1, 0.2, 0.3], "lr_2": [0.5, 0.6, 0.7]},
            "lr=1 is better than every other by more than the noise of 3 seeds",
        ),
        # The same spread, but no seed agrees with another on which is better.
        (
            {"lr_1": [0.1, 0.5, 0.3], "lr_2": [0.4, 0.2, 0.5]},
            "lr=1 is the best, but not by more than the noise of 3 seeds: lr=2 may",
        ),
        # Two seeds need a difference twelve times as large as its error.
        ({"lr_1": [0.1, 0.2], "lr_2": [0.3, 0.5]}, "not by more than the noise of 2 seeds"),
        ({"lr_1": [0.1], "lr_2": [0.3]}, "each setting was trained once"),
        ({"lr_1": [None, None], "lr_2": [None, 0.3]}, "no setting came to its end with every seed"),
        ({"lr_1": [0.1, 0.2]}, ""),
    ],
)
def test_a_word_on_noise(settings: dict[str, list[float | None]], told: str) -> None:
    said = verdict(rank(points(**settings), "validation_loss", "min"), "validation_loss")
    assert told in said
    assert bool(said) == bool(told)


def test_no_more_than_a_few_that_may_be_as_good_are_named() -> None:
    noisy = {f"lr_{number}": [0.1 + number / 1000, 0.9, 0.5] for number in range(9)}
    said = verdict(rank(points(**noisy), "validation_loss", "min"), "validation_loss")
    assert "lr=1, lr=2, lr=3 and 5 more may be as good" in said
