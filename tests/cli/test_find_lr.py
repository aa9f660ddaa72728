"""`nettool find-lr`, and `optimizer.lr: auto`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from nettool.config.load import load
from tests.cli.conftest import CONFIGS, Nettool
from tests.same_run import assert_same_run


def test_a_rate_is_found_and_alone_on_standard_output(nettool: Nettool, config: Path) -> None:
    result = nettool("find-lr", config)
    assert result.code == 0
    rate = float(result.out)
    assert 0.003 < rate < 1
    assert "learning rate 1e-06 to " in result.err
    assert f"a rate to train with: optimizer.lr={rate:g}" in " ".join(result.err.split())
    assert nettool("find-lr", config, "--quiet").err == ""
    assert not Path("runs").exists()


def test_the_table_says_which_loss_it_has_and_what_is_noise(nettool: Nettool, config: Path) -> None:
    told = " ".join(nettool("find-lr", config).err.split())
    rate, found = float(nettool("find-lr", config, "--quiet").out), json.loads(nettool("find-lr", config, "--json").out)
    assert f"* training loss ▲ {rate:g}, the best" in told
    assert "each in 5 short trainings" in told
    assert "by their lowest validation loss, as a mean over 5 seeds:" in told
    assert "learning rate validation loss +-" in told
    assert "+- is the noise: how far trainings with the same rate lie apart, by their 5 seeds alone" in told
    assert found["measured"] == "validation_loss"
    (best,) = (lap for lap in found["tried"] if lap["lr"] == rate)
    assert f"{rate:g} (best) {best['loss']:.4g} {best['deviation']:.4g}" in told
    assert 0 < best["deviation"] < best["loss"]


def test_where_nothing_is_validated_or_repeated_the_table_says_so(nettool: Nettool, config: Path) -> None:
    alone = ("runtime.engine=autograd", "epochs=2", "data.split={train: 0.8, validation: 0, test: 0.2}")
    told = " ".join(nettool("find-lr", config, *alone).err.split())
    assert "each in a short training of at most 10 steps, by its lowest training loss:" in told
    assert "learning rate training loss ─" in told
    assert "noise" not in told
    found = json.loads(nettool("find-lr", config, "--json", *alone).out)
    assert found["measured"] == "training_loss"
    assert {lap["deviation"] for lap in found["tried"]} == {None}


def test_the_same_config_gives_the_same_rate_and_another_optimizer_another(nettool: Nettool, config: Path) -> None:
    rates = [nettool("find-lr", config, "--quiet", *more).out for more in ((), (), ("optimizer=sgd",))]
    assert rates[0] == rates[1] != rates[2]


def test_the_loss_falls_from_the_first_rate_to_the_lowest_and_rises_behind_it(nettool: Nettool, config: Path) -> None:
    found = json.loads(nettool("find-lr", config, "--json").out)
    assert len(found["rates"]) == len(found["losses"]) == len(found["smooth"])
    lowest = found["smooth"].index(min(found["smooth"]))
    assert found["smooth"][0] > 1.5 * found["smooth"][lowest]
    assert found["smooth"][-1] > 1.5 * found["smooth"][lowest]


def test_rates_below_the_lowest_race_and_the_best_wins(nettool: Nettool, config: Path) -> None:
    found = json.loads(nettool("find-lr", config, "--json").out)
    rates, losses = [lap["lr"] for lap in found["tried"]], [lap["loss"] for lap in found["tried"]]
    lowest = found["rates"][found["smooth"].index(min(found["smooth"]))]
    assert pytest.approx(lowest / 5, rel=0.05) in rates
    assert found["lr"] == rates[losses.index(min(losses))] not in (rates[0], rates[-1])


def test_each_lap_is_the_beginning_of_that_training(nettool: Nettool, config: Path) -> None:
    more = ("epochs=4", "schedule=cosine")
    tried = json.loads(nettool("find-lr", config, "--json", *more).out)["tried"]
    for lap in tried[:2]:
        reached = []
        for seed in range(5):
            run = Path(
                nettool("train", config, f"optimizer.lr={lap['lr']}", f"seed={seed}", "--quiet", *more).out.strip()
            )
            reached.append(json.loads((run / "run.json").read_text())["metrics"]["validation_loss"])
        assert sum(reached) / 5 == pytest.approx(lap["loss"], rel=1e-4)


def test_a_warm_up_is_as_much_shorter_as_the_race_is(
    nettool: Nettool, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nettool.workflows.rate.MOST_EPOCHS", 4)
    more = ("epochs=40", "schedule={name: constant, warmup: 20}", "runtime.engine=autograd")
    lap = json.loads(nettool("find-lr", config, "--json", *more).out)["tried"][0]
    short = ("epochs=4", "schedule={name: constant, warmup: 2}", "runtime.engine=autograd", f"optimizer.lr={lap['lr']}")
    run = Path(nettool("train", config, "--quiet", *short).out.strip())
    assert json.loads((run / "run.json").read_text())["metrics"]["validation_loss"] == lap["loss"]


def test_a_network_that_is_trained_alone_races_too(nettool: Nettool, config: Path) -> None:
    more = ("runtime.engine=autograd", "epochs=3")
    lap, *others = json.loads(nettool("find-lr", config, "--json", *more).out)["tried"]
    run = Path(nettool("train", config, f"optimizer.lr={lap['lr']}", "--quiet", *more).out.strip())
    assert json.loads((run / "run.json").read_text())["metrics"]["validation_loss"] == lap["loss"]
    assert len(others) >= 4


def test_a_long_epoch_is_cut(nettool: Nettool, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nettool.workflows.rate.steps_of", lambda flops: 3)
    result = nettool("find-lr", config)
    assert "of at most 3 steps" in " ".join(result.err.split())
    for engine in ("closed_form", "autograd"):
        found = json.loads(nettool("find-lr", config, "--json", f"runtime.engine={engine}").out)
        assert len({lap["loss"] for lap in found["tried"]}) == len(found["tried"]), "each was measured where it was cut"


def test_the_picture_is_drawn_and_nothing_is_overwritten(nettool: Nettool, config: Path) -> None:
    assert nettool("find-lr", config, "--quiet", "--plot", "rates.png").code == 0
    with Image.open("rates.png") as picture:
        assert picture.size[0] > 800
    for name, told in (("rates.png", "is there already"), ("rates.pdf", "as .png"), ("no/rates.png", "no folder no")):
        result = nettool("find-lr", config, "--plot", name)
        assert result.code == 2
        assert told in result.err
        assert "learning rate 1e-06" not in result.err, "it was told only after the work"


def test_what_cannot_learn_has_no_rate(nettool: Nettool, folder: Path) -> None:
    # For every x there is as much above the mean as below it: the zeros that the weights begin with are the best.
    rows = "".join(f"{index // 2 % 7},{(-1) ** index}\n" for index in range(140))
    (folder / "noise.csv").write_text(f"x,y\n{rows}")
    (folder / "noise.yaml").write_text(
        "data: {path: noise.csv, target: y, columns: {y: number}, split: {train: 1, validation: 0, test: 0}}\n"
        "layers: [{output: {weights: [[0]]}}]\nloss: mse\nbatch_size: full\n"
    )
    result = nettool("find-lr", "noise.yaml")
    assert result.code == 2
    assert result.out == ""
    assert "the loss did not fall at any learning rate" in result.err


def test_mistakes_are_told_as_everywhere(nettool: Nettool, config: Path) -> None:
    result = nettool("find-lr", config, "optimizer.lr=fast")
    assert result.code == 2
    assert "optimizer.lr=fast" in result.err
    assert '"auto"' in result.err or "auto" in result.err


def test_auto_finds_the_rate_trains_with_it_and_writes_it_down(nettool: Nettool, config: Path) -> None:
    rate = float(nettool("find-lr", config, "--quiet").out)
    result = nettool("train", config, "optimizer.lr=auto", "epochs=3")
    assert result.code == 0
    assert f"optimizer.lr is auto: {rate:.3g}" in result.err
    nettool("train", config, f"optimizer.lr={rate}", "epochs=3", "--quiet")
    first, second = Path("runs/students-0001"), Path("runs/students-0002")
    assert_same_run(first, second)
    assert load(first / "config.yaml").experiment.optimizer.lr == rate
    record = json.loads((first / "run.json").read_text())
    assert record["found"] == {"optimizer.lr": rate}
    assert "found" not in json.loads((second / "run.json").read_text())
    fingerprint = record["fingerprint"]
    (first / "run.json").write_text(json.dumps({**record, "status": "interrupted"}))
    assert nettool("train", "--resume", first, "--quiet").code == 0
    assert json.loads((first / "run.json").read_text())["fingerprint"] == fingerprint
    assert nettool("train", "--resume", first, "epochs=4", "--quiet").code == 0
    assert json.loads((first / "run.json").read_text())["fingerprint"] != fingerprint
    assert (
        nettool("train", config, "optimizer.lr=auto", "epochs=3", "--quiet", "--skip-done").out
        == "runs/students-0003\n"
    )
    assert (
        nettool("train", config, "optimizer.lr=auto", "epochs=3", "--quiet", "--skip-done").out
        == "runs/students-0003\n"
    )


def test_each_point_of_a_sweep_may_find_its_own_rate(nettool: Nettool, config: Path) -> None:
    assert nettool("sweep", config, "optimizer.lr=auto", "dropout=0.1,0.4", "epochs=2", "--quiet").code == 0
    for number, dropout in ((1, 0.1), (2, 0.4)):
        rate = float(nettool("find-lr", config, "--quiet", "epochs=2", f"dropout={dropout}").out)
        run = Path(f"runs/students-sweep-0001/{number:04d}")
        assert load(run / "config.yaml").experiment.optimizer.lr == rate


@pytest.mark.parametrize("name", ["digits", "grade", "circles"])
def test_training_an_example_with_the_rate_that_is_found_learns(nettool: Nettool, name: str) -> None:
    config = CONFIGS / f"{name}.yaml"
    assert nettool("train", config, "optimizer.lr=auto", "epochs=20", "--quiet").code == 0
    record = json.loads(Path(f"runs/{name}-0001/run.json").read_text())
    metric, larger = ("accuracy", True) if "accuracy" in record["metrics"] else ("rmse", False)
    gain = record["metrics"][metric] - record["baseline"][metric]
    assert gain > 0.3 if larger else gain < -0.3 * record["baseline"][metric]
