"""`nettool diagnose`: each verdict on a run made to show it, and silence on healthy ones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from nettool.config.load import load
from nettool.workflows.diagnosis.diagnose import CHECKS
from tests.cli.conftest import CONFIGS, Nettool

RUN = Path("run")
DEEP = "\n  - dense: {units: 8, activation: sigmoid}"


def examined(nettool: Nettool, config: Path, *overrides: str) -> list[dict[str, Any]]:
    assert nettool("train", config, "--quiet", "--run-dir", RUN, *overrides).code in (0, 3)
    result = nettool("diagnose", RUN, "--json")
    assert result.code == 0, result.err
    looked: list[dict[str, Any]] = json.loads(result.out)["looked"]
    assert [one["check"] for one in looked] == [check.name for check in CHECKS]
    return looked


def verdicts(looked: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one["verdict"] for one in looked if one["verdict"] is not None]


def names(looked: Sequence[dict[str, Any]]) -> list[str]:
    return [verdict["name"] for verdict in verdicts(looked)]


def check_cures(looked: Sequence[dict[str, Any]], folder: Path) -> None:
    """Each cure is a piece of config, which can be laid over the run's own."""
    for number, verdict in enumerate(verdicts(looked)):
        assert verdict["text"]
        assert all(verdict["evidence"])
        path = folder / f"cure{number}.yaml"
        path.write_text(f"base: {RUN}/config.yaml\n{verdict['cure']}\n")
        changed = yaml.safe_load(verdict["cure"]) or {}
        before, after = load(RUN / "config.yaml").experiment, load(path).experiment
        for section in changed:
            assert getattr(after, section) != getattr(before, section), f"{section} is as it was"


@pytest.mark.parametrize(
    "name", ["will_i_pass", "digits", "circles", "penguins", "diabetes", "grade", "gradient_descent", "series"]
)
def test_of_a_healthy_run_nothing_is_said(nettool: Nettool, name: str) -> None:
    looked = examined(nettool, CONFIGS / f"{name}.yaml")
    assert not verdicts(looked)
    assert sum(one["is_told"] for one in looked) >= len(CHECKS) - 3


def write(folder: Path, layers: str, *, loss: str = "binary_cross_entropy", rest: str = "") -> Path:
    path = folder / "made.yaml"
    path.write_text(f"data: {{path: made.csv, target: y}}\nlayers:{layers}\n  - output\nloss: {loss}\n{rest}")
    return path


def two_classes(folder: Path, num: int = 400, share: float = 0.5, apart: float = 4.0, extra: str = "") -> None:
    """Two clouds: the second class has a share of so much and lies so far off."""
    random = np.random.default_rng(0)
    second = random.random(num) < share
    points = random.normal(size=(num, 2)) + apart * second[:, None] * np.array([1.0, 0.0])
    cells = ["yes" if one else "no" for one in second]
    rows = [
        f"{a:.4f},{b:.4f}{',' + cell + 'x' if extra else ''},{cell}" for (a, b), cell in zip(points, cells, strict=True)
    ]
    (folder / "made.csv").write_text("\n".join([f"a,b{',' + extra if extra else ''},y", *rows]) + "\n")


@pytest.mark.parametrize(
    ("name", "overrides", "wanted"),
    [
        ("underfit", (), ["no better than the baseline", "underfitting"]),
        ("circles_linear", (), ["linear by mistake", "no better than the baseline", "underfitting"]),
        ("overfit", (), ["overfitting since epoch 18", "too little data"]),
        ("rate_too_large", (), ["learning rate too high", "no better than the baseline", "underfitting"]),
        ("rate_too_small", (), ["learning rate too low", "no better than the baseline", "underfitting"]),
        ("circles", ("epochs=12",), ["stopped while it was still learning"]),
        ("sgd", (), ["batches too small"]),
        ("grade", ("optimizer={name: sgd, lr: 1e6}",), ["diverged"]),
        ("digits", ("dropout=0.5", "epochs=15"), ["validation better than training"]),
    ],
)
def test_a_run_made_to_show_it_shows_it(
    nettool: Nettool, folder: Path, name: str, overrides: tuple[str, ...], wanted: list[str]
) -> None:
    looked = examined(nettool, CONFIGS / f"{name}.yaml", *overrides)
    assert [one for one in names(looked) if one in wanted] == wanted, names(looked)
    check_cures(looked, folder)


def test_what_follows_from_a_cause_points_to_it(nettool: Nettool) -> None:
    looked = examined(nettool, CONFIGS / "circles_linear.yaml")
    assert [verdict["cure"] for verdict in verdicts(looked)][1:3] == [
        "# First what is said above: linear by mistake."
    ] * 2


def test_the_rate_that_is_proposed_learns(nettool: Nettool, folder: Path) -> None:
    looked = examined(nettool, CONFIGS / "rate_too_small.yaml")
    (verdict,) = [one for one in verdicts(looked) if one["name"] == "learning rate too low"]
    optimizer = yaml.safe_load(verdict["cure"])["optimizer"]
    before = json.loads((RUN / "run.json").read_text())["metrics"]["validation_loss"]
    result = nettool(
        "train", CONFIGS / "rate_too_small.yaml", "--quiet", "--json", f"optimizer={json.dumps(optimizer)}"
    )
    assert json.loads(result.out)["metrics"]["validation_loss"] < before / 2


def test_dead_units_are_found(nettool: Nettool, folder: Path) -> None:
    two_classes(folder)
    config = write(
        folder,
        "\n  - dense: {units: 4, bias: [-99, -99, -99, 0]}",
        rest="epochs: 40\noptimizer: {name: adam, lr: 0.05}\n",
    )
    looked = examined(nettool, config)
    assert names(looked) == ["dead ReLUs"]
    assert verdicts(looked)[0]["evidence"] == ["layers.0 (dense): 3 of 4 units."]
    check_cures(looked, folder)


def test_saturated_units_are_found(nettool: Nettool, folder: Path) -> None:
    two_classes(folder)
    layer = "\n  - dense: {units: 4, activation: sigmoid, bias: [-99, 99, 99, 0]}"
    looked = examined(nettool, write(folder, layer, rest="epochs: 20\noptimizer: {name: adam, lr: 0.2}\n"))
    assert names(looked) == ["saturated units"]
    assert verdicts(looked)[0]["evidence"] == ["layers.0 (dense): 3 of 4 units."]
    check_cures(looked, folder)


def test_vanishing_gradients_are_found(nettool: Nettool, folder: Path) -> None:
    two_classes(folder)
    looked = examined(nettool, write(folder, DEEP * 10, rest="epochs: 5\n"))
    assert names(looked)[0] == "vanishing gradients"
    check_cures(looked, folder)


def test_exploding_gradients_are_found(nettool: Nettool, folder: Path) -> None:
    two_classes(folder)
    layers = "\n  - dense: {units: 16, init: he, activation: linear}" * 26
    looked = examined(nettool, write(folder, layers, rest="epochs: 2\noptimizer: {name: sgd, lr: 1e-9}\n"))
    assert "exploding gradients" in names(looked)
    check_cures(looked, folder)


def test_a_feature_that_gives_the_answer_away_is_found(nettool: Nettool, folder: Path) -> None:
    two_classes(folder, apart=1.0, extra="the result")
    looked = examined(nettool, write(folder, "\n  - dense: 4", rest="epochs: 20\noptimizer: {name: adam, lr: 0.05}\n"))
    assert names(looked) == ["a feature gives the answer away"]
    assert "the result" in verdicts(looked)[0]["evidence"][0]
    check_cures(looked, folder)


def test_a_rare_class_that_is_overlooked_is_found_and_one_that_is_seen_is_not(nettool: Nettool, folder: Path) -> None:
    rest = "epochs: 30\noptimizer: {name: adam, lr: 0.02}\n"
    two_classes(folder, num=1500, share=0.05, apart=1.2)
    looked = examined(nettool, write(folder, "\n  - dense: 8", rest=rest))
    assert "rare classes are overlooked" in names(looked)
    check_cures(looked, folder)
    two_classes(folder, num=1500, share=0.05, apart=8.0)
    assert nettool("train", "made.yaml", "--quiet", "--run-dir", "other").code == 0
    assert "rare classes" not in nettool("diagnose", "other").out


def test_noise_is_not_learned_and_said_so(nettool: Nettool, folder: Path) -> None:
    two_classes(folder, apart=0.0)
    looked = examined(nettool, write(folder, "\n  - dense: 4", rest="early_stopping: {patience: 5}\n"))
    assert "no better than the baseline" in names(looked)
    assert "underfitting" not in names(looked)


def test_what_is_said_is_told_in_words(nettool: Nettool) -> None:
    nettool("train", CONFIGS / "overfit.yaml", "--quiet", "--run-dir", RUN)
    said = nettool("diagnose", RUN).out
    assert said.startswith("run: 2 things are the matter\n\n1. overfitting since epoch 18\n")
    assert "     early_stopping: {patience: 20}   #" in said
    assert "\nfine:\n  divergence " in said
    assert "\ncannot be told:\n  class imbalance: only classes can be rare" in said
    assert "\n  saturated units: no layer has sigmoid or tanh\n" in said


def test_data_that_are_gone_leave_what_needs_none(nettool: Nettool, folder: Path, config: Path, table: Path) -> None:
    nettool("train", config, "--quiet", "--run-dir", RUN)
    table.rename("elsewhere.csv")
    result = nettool("diagnose", RUN)
    assert result.code == 0
    assert result.out.startswith("run: nothing was found, but 12 of 14 checks could not be made\n")
    assert "linear by mistake           what is between input and output bends" in result.out
    told = result.out.split("cannot be told:")[1]
    assert told.count("\n  leakage, gradients, ") == 1
    assert "Was it moved?" in result.out
    moved = nettool("diagnose", RUN, "data.path=elsewhere.csv")
    assert "Was it moved?" not in moved.out


def test_gradients_are_compared_with_differences(nettool: Nettool, config: Path) -> None:
    nettool("train", config, "--quiet", "--run-dir", RUN, "epochs=2")
    result = nettool("diagnose", RUN, "--gradcheck", "--json")
    assert result.code == 0
    found = json.loads(result.out)
    assert [one["layer"] for one in found] == ["layers.0 (dense)"] * 2 + ["layers.1 (output)"] * 2
    assert all(one["fine"] and one["error"] < 1e-6 and one["of_closed_form"] < 1e-6 for one in found)
    shown = nettool("diagnose", RUN, "--gradcheck")
    assert "layers.0 (dense)    product.weight" in shown.out


def test_of_a_run_without_an_epoch_and_of_none_it_is_said(nettool: Nettool, folder: Path, config: Path) -> None:
    assert nettool("diagnose").code == 2
    nettool("train", config, "--quiet", "--run-dir", RUN, "epochs=0")
    result = nettool("diagnose", RUN)
    assert result.code == 0
    assert result.out.startswith("run: nothing was found, but ")
    assert "learning rate, baseline" in result.out.split("cannot be told:")[1]
    assert "nothing was trained" in result.out


WRONG = ["optimizer.lr=0.1", "other-0001", "data.path=nowhere.csv"]


def test_what_is_no_place_of_the_data_is_refused(nettool: Nettool, config: Path) -> None:
    nettool("train", config, "--quiet", "--run-dir", RUN, "epochs=2")
    assert [nettool("diagnose", RUN, argument).code for argument in WRONG] == [2, 2, 0]
    assert nettool("diagnose", RUN, WRONG[2]).out.startswith("run: nothing was found, but ")


def test_classes_that_count_the_same_are_not_held_against_plain_mistakes(nettool: Nettool, folder: Path) -> None:
    two_classes(folder, num=800, share=0.12, apart=0.0)
    config = write(folder, "\n  - dense: 4", loss="{name: binary_cross_entropy, class_weights: balanced}")
    looked = examined(nettool, config, "epochs=15")
    assert "underfitting" not in names(looked)
    assert "no better than the baseline" in names(looked)  # which of two equal classes says neither
    (told,) = [one["seen"] for one in looked if one["check"] == "underfitting"]
    assert "some count more" in told


def test_of_a_few_examples_it_says_what_cannot_be_told(nettool: Nettool, folder: Path) -> None:
    two_classes(folder, num=5, apart=9.0)
    looked = examined(
        nettool, write(folder, "\n  - dense: 2"), "epochs=6", "data.split={train: 0.6, validation: 0.4, test: 0}"
    )
    (told,) = [one for one in looked if one["check"] == "noise of batches"]
    assert "a variance needs more than" in told["seen"]


def test_a_validation_loss_that_is_never_a_number_is_said(nettool: Nettool, folder: Path) -> None:
    rows = [f"{number % 7}.5,{number % 5}" for number in range(40)]
    (folder / "train.csv").write_text("\n".join(["a,y", *rows]) + "\n")
    (folder / "valid.csv").write_text("\n".join(["a,y", *(["1e30,1"] * 8)]) + "\n")
    path = folder / "inf.yaml"
    path.write_text(
        "data: {train: train.csv, validation: valid.csv, target: y, scale: none}\n"
        "layers: [dense: 4, output]\nloss: mse\nepochs: 6\n"
    )
    looked = examined(nettool, path)
    (told,) = [one for one in looked if one["check"] == "learning rate"]
    assert "infinite" in told["seen"]


def test_a_series_is_held_against_what_stays_as_it_is(nettool: Nettool, folder: Path) -> None:
    walk = np.random.default_rng(0).normal(size=300).cumsum()
    (folder / "walk.csv").write_text("\n".join(["y", *(f"{value:.4f}" for value in walk)]) + "\n")
    path = folder / "walk.yaml"
    path.write_text(
        "data: {path: walk.csv, target: y, window: 4}\nlayers: [gru: 4, output]\nloss: mse\nepochs: 1\n"
        "optimizer: {name: adam, lr: 1e-6}\n"
    )
    looked = examined(nettool, path)
    (verdict,) = [one for one in verdicts(looked) if one["name"] == "no better than the baseline"]
    assert "that all stays as it is" in verdict["text"]


def test_a_rate_that_is_absurd_is_not_merely_divided_by_ten(nettool: Nettool, folder: Path) -> None:
    looked = examined(nettool, CONFIGS / "grade.yaml", "optimizer={name: sgd, lr: 1e12}")
    assert yaml.safe_load(verdicts(looked)[0]["cure"])["optimizer"]["lr"] == 0.01


def test_a_rate_that_is_far_too_low_is_set_right_at_once(nettool: Nettool, folder: Path) -> None:
    looked = examined(nettool, CONFIGS / "rate_too_small.yaml", "optimizer.lr=1e-6", "epochs=60")
    (verdict,) = [one for one in verdicts(looked) if one["name"] == "learning rate too low"]
    assert yaml.safe_load(verdict["cure"])["optimizer"]["lr"] >= 0.01


def test_a_training_that_is_no_better_than_the_baseline_says_where_to_ask(nettool: Nettool) -> None:
    assert "next: nettool eval" in nettool("train", CONFIGS / "will_i_pass.yaml").err
    assert "next: nettool diagnose runs/rate_too_small-0001" in nettool("train", CONFIGS / "rate_too_small.yaml").err
