"""`nettool sweep`: what is trained, in which directories, what goes wrong and how it goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from nettool.runs import checkpoint
from nettool.workflows.sweeps import units
from tests.cli.conftest import Nettool
from tests.cli.sweep_files import RATES, SWEEP, rows, sweep_json
from tests.same_run import journal


def test_a_sweep_trains_every_point_and_tells_the_best(nettool: Nettool, config: Path) -> None:
    result = nettool("sweep", config, RATES, "dropout=0.1,0.2", "epochs=5")
    assert (result.code, result.out) == (0, f"{SWEEP}\n")
    assert "6 points, 6 trained together as one batched network" in result.err
    assert "finished: 6 of 6 points" in result.err
    table = rows()
    assert [row["point"] for row in table] == list("123456")
    assert [(row["optimizer.lr"], row["dropout"]) for row in table][:3] == [
        ("0.001", "0.1"),
        ("0.001", "0.2"),
        ("0.01", "0.1"),
    ]
    assert {row["status"] for row in table} == {"finished"}
    best = min(table, key=lambda row: float(row["validation_loss"]))
    assert sweep_json()["best"] == int(best["point"])
    assert f"next: nettool eval {best['run']}" in result.err
    lines = result.err.splitlines()
    losses = [row["validation_loss"] for row in sorted(table, key=lambda row: float(row["validation_loss"]))]
    first = next(index for index, line in enumerate(lines) if line.startswith("───")) + 1
    assert [line.split()[3] for line in lines[first : first + 6]] == [f"{float(loss):,.4g}" for loss in losses]
    assert "each setting was trained once, so how much of a difference is luck is not known" in result.err


def test_each_point_is_a_run_like_any_other(nettool: Nettool, config: Path, table: Path) -> None:
    nettool("sweep", config, RATES, "epochs=5", "--quiet")
    nettool("train", config, "optimizer.lr=0.01", "epochs=5", "--quiet")
    point, alone = SWEEP / "0002", Path("runs/students-0001")
    assert (point / "config.yaml").read_text() == (alone / "config.yaml").read_text()
    record = json.loads((point / "run.json").read_text())
    assert record["overrides"] == ["optimizer.lr=0.01", "epochs=5"]
    assert record["engine"] == "closed_form, 3 members"
    found, expected = (float(journal(run)[-1][3]) for run in (point, alone))
    assert found == pytest.approx(expected, rel=1e-4)
    assert nettool("verify", point).code == 0
    measured = json.loads(nettool("eval", point, "--split", "validation", "--json").out)
    assert measured["metrics"]["accuracy"] == record["metrics"]["accuracy"]
    assert measured["loss"] == record["metrics"]["validation_loss"]
    assert "predicted_passed" in nettool("predict", point, table).out
    assert nettool("train", "--resume", point, "epochs=8", "--quiet").out == f"{point}\n"
    assert len(journal(point)) == 1 + 8
    assert "closed_form, 3 members (here closed_form)" in (point / "log.txt").read_text()


def test_the_first_weights_and_the_order_of_the_examples_are_those_alone_to_the_bit(
    nettool: Nettool, config: Path
) -> None:
    nettool("sweep", config, "dropout=0.1,0.2", "epochs=0", "--seeds", "2", "--quiet")
    for number, changes in enumerate((("dropout=0.1", "seed=0"), ("dropout=0.1", "seed=1")), 1):
        nettool("train", config, *changes, "epochs=0", "--quiet")
        weights, expected = (
            checkpoint.load(run / "best.safetensors")[0]
            for run in (SWEEP / f"{number:04d}", Path(f"runs/students-{number:04d}"))
        )
        for name, tensor in expected.items():
            assert torch.equal(weights[name], tensor), name


def test_points_of_other_shapes_have_groups_of_their_own(nettool: Nettool, config: Path) -> None:
    result = nettool("sweep", config, "layers.0.units=4,8", "optimizer.lr=0.01,0.1", "batch_size=16,32", "--dry-run")
    assert result.code == 0
    assert "8 points, each checked: 8 trained together as 4 batched networks" in result.err
    shown = json.loads(nettool("sweep", config, "layers.0.units=4,8", RATES, "--dry-run", "--json").out)
    assert shown["together"] == [[1, 2, 3], [4, 5, 6]]
    assert shown["points"][3] == ["layers.0.units=8", "optimizer.lr=0.001"]
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        ("seed=0,1", 1),
        ("optimizer.weight_decay=0,0.1", 1),
        ("schedule=constant,cosine", 1),
        ("early_stopping=3,5,off", 1),
        ("epochs=3,5", 1),
        ("init=he,xavier", 1),
        ("dropout=0.1,0.2", 1),
        ("dropout=0,0.2", 2),
        ("dropout=0.000001,0.2", 2),
        ("optimizer=adam,sgd", 2),
        ("optimizer={name: sgd},{name: sgd, momentum: 0.9}", 2),
        ("activation=relu,tanh", 2),
        ("layers.0.norm=batch_norm,layer_norm", 2),
        ("layers.0.bias=true,false", 2),
        ("data.limit=50,100", 2),
        ("accumulate=1,2", 2),
        ("loss.label_smoothing=0,0.1", 2),
        ("runtime.engine=auto,autograd", 2),
    ],
)
def test_what_is_trained_together_follows_a_rule(nettool: Nettool, config: Path, changes: str, count: int) -> None:
    shown = json.loads(nettool("sweep", config, changes, "--dry-run", "--json").out)
    assert len(shown["together"]) == count


def test_no_more_than_so_many_are_trained_together(
    nettool: Nettool, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(units, "MOST_MEMBERS", 3)
    result = nettool("sweep", config, "seed=0..6:7", "epochs=2")
    assert "7 trained together as 3 batched networks" in result.err
    assert [row["status"] for row in rows()] == ["finished"] * 7


# --- mistakes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["optimzer.lr=0.1,0.2"], "optimzer: no such key. Did you mean"),
        (["dropout=0,0.2,1.5"], "dropout=1.5"),
        (["dropout=0.5..0.1:3"], "the range is reversed"),
        (["optimizer.lr=0..1:log:3"], "a log range cannot touch 0"),
        ([], "nothing is varied"),
        (["optimizer.lr=[0.1,0.2]"], "optimizer.lr=[0.1,0.2] is one value"),
        (["seeds=5"], "that is an option, written --seeds 5"),
        (["dropout=0,0.5", "dropout=0,0.2"], "dropout is there twice"),
        (["epochs=3"], "nothing is varied"),
        (["seed=0,1", "--seeds", "3"], "seed is varied twice"),
        (["--seeds", "1"], "--seeds 1: 2 at least"),
        (["--random", "0", "dropout=0..0.5"], "--random 0: 1 at least"),
        (["--random", "3", "--seeds", "2"], "--random draws from what is varied, and nothing is"),
        (["seed=0..99999:100000"], "100,000 points are more than 10,000. If you mean it, say so with --yes."),
        ([RATES, "--resume", "last"], "leave the config and the options out"),
        (["--random", "3", "optimizer.lr=1..2", "--tag", "x"], "a tag is written KEY=VALUE"),
    ],
)
def test_mistakes_are_told_before_anything_starts(
    nettool: Nettool, config: Path, arguments: list[str], told: str
) -> None:
    result = nettool("sweep", config, *arguments)
    assert result.code == 2
    assert told in result.err
    assert not Path("runs").exists()


def test_the_mistake_in_a_late_point_is_told_with_its_number_and_once(nettool: Nettool, config: Path) -> None:
    result = nettool("sweep", config, "layers.0.units=4,8", "dropout=0.1,0.2,2,3")
    assert result.code == 2
    assert result.err.count("must be below 1") == 1
    assert "(point 3 of 8, and 1 more value of it)" in " ".join(result.err.split())


def test_a_config_with_a_mistake_of_its_own_says_it_once(nettool: Nettool, config: Path) -> None:
    config.write_text(config.read_text() + "patience: 3\n")
    result = nettool("sweep", config, "seed=0..9:10")
    assert result.code == 2
    assert result.err.count("patience") <= 2
    assert "students.yaml:8:1" in result.err


@pytest.mark.parametrize("values", ["1e-4..1e-1:log:16", "0.1,0.2", "0.1..0.2", "32,64,128"])
def test_several_values_belong_to_a_sweep(nettool: Nettool, config: Path, values: str) -> None:
    for command in ("train", "find-lr"):
        result = nettool(command, config, f"dropout={values}")
        assert result.code == 2
        assert "To train with several values: nettool sweep." in " ".join(result.err.split())


# --- the section -------------------------------------------------------------------------------------------


def test_a_file_may_say_what_is_varied(nettool: Nettool, config: Path) -> None:
    Path("rates.yaml").write_text(
        "base: students.yaml\nepochs: 2\nsweep:\n"
        "  optimizer.lr: 1e-3..1e-1:log:3\n  dropout: [0.1, 0.2]\n  optimizer.weight_decay: 0,0.1\n  seeds: 2\n"
    )
    shown = json.loads(nettool("sweep", "rates.yaml", "--dry-run", "--json").out)
    assert len(shown["points"]) == 3 * 2 * 2 * 2
    assert shown["points"][-1] == ["optimizer.lr=0.1", "dropout=0.2", "optimizer.weight_decay=0.1", "seed=1"]
    shown = json.loads(
        nettool("sweep", "rates.yaml", "dropout=0.5", "optimizer.lr=1,2", "--seeds", "3", "--dry-run", "--json").out
    )
    assert len(shown["points"]) == 2 * 2 * 3
    assert shown["points"][0] == ["optimizer.weight_decay=0", "dropout=0.5", "optimizer.lr=1", "seed=0"]
    result = nettool("train", "rates.yaml")
    assert result.code == 2
    assert "rates.yaml:3:1  sweep: says what `nettool sweep` varies." in result.err


@pytest.mark.parametrize(
    ("section", "told"), [("5", "is a mapping of what is varied"), ("{seeds: many}", "is a whole number")]
)
def test_a_section_that_makes_no_sense_is_told_with_its_place(
    nettool: Nettool, config: Path, section: str, told: str
) -> None:
    config.write_text(config.read_text() + f"sweep: {section}\n")
    result = nettool("sweep", config, RATES)
    assert result.code == 2
    assert told in result.err
    assert "students.yaml:8:" in result.err


def test_points_drawn_at_random_are_the_same_each_time(nettool: Nettool, config: Path) -> None:
    arguments = (
        "sweep",
        config,
        "--random",
        "5",
        "optimizer.lr=1e-4..1e-1:log",
        "dropout=0.1,0.2",
        "--dry-run",
        "--json",
    )
    first, again, other = (
        json.loads(nettool(*arguments, *more).out)["points"] for more in ((), (), ("--random-seed", "1"))
    )
    assert first == again != other
    assert len(first) == 5


# --- seeds and folds ---------------------------------------------------------------------------------------


def test_seeds_are_averaged_and_noise_is_told_from_a_difference(nettool: Nettool, config: Path) -> None:
    result = nettool("sweep", config, "optimizer.lr=0.0001,0.05", "--seeds", "4", "epochs=10")
    assert result.code == 0
    assert "optimizer.lr=0.05 is better than every other by more than the noise of 4 seeds." in result.err
    said = json.loads(nettool("sweep", "--resume", "last", "--json").out)
    assert [setting["settings"] for setting in said["settings"]] == [
        {"optimizer.lr": "0.05"},
        {"optimizer.lr": "0.0001"},
    ]
    values = [float(row["validation_loss"]) for row in rows() if row["optimizer.lr"] == "0.05"]
    assert said["settings"][0]["mean"] == pytest.approx(sum(values) / 4)
    assert said["settings"][0]["deviation"] > 0


def test_folds_take_turns_as_the_validation_split(nettool: Nettool, config: Path) -> None:
    result = nettool("sweep", config, "optimizer.lr=0.01,0.1", "--folds", "3", "epochs=3")
    assert result.code == 0
    assert [row["data.split.fold"] for row in rows()] == ["1", "2", "3"] * 2
    assert "the noise of 3 folds" in " ".join(result.err.split())
    assert "folds: 3, fold: 2" in " ".join((SWEEP / "0002" / "config.yaml").read_text().split())
