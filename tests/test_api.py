import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import nettool
from nettool.config.layers import CUSTOM_LAYERS
from nettool.config.write import dump
from nettool.errors import BusyError, ConfigError, DataError, DivergedError, RunError, UsageError
from nettool.model.compile import CUSTOM_BUILDERS


@pytest.fixture
def frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(0)
    frame = pd.DataFrame({"x": generator.normal(size=300), "y": generator.normal(size=300)})
    frame["inside"] = np.where(frame["x"] ** 2 + frame["y"] ** 2 < 1, "yes", "no")
    frame.to_csv("points.csv", index=False)
    return frame


CONFIG = {
    "data": {"path": "points.csv", "target": "inside"},
    "layers": [{"dense": 16}, "output"],
    "loss": "binary_cross_entropy",
    "optimizer": {"lr": 0.02},
    "epochs": 20,
}


def test_importing_nettool_imports_neither_torch_nor_pandas() -> None:
    code = "import sys, nettool; dir(nettool); sys.exit(any(name in sys.modules for name in ('torch', 'pandas')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_public_names_are_these() -> None:
    assert dir(nettool) == [
        "LayerSettings",
        "NettoolError",
        "Run",
        "Sweep",
        "Watcher",
        "load",
        "register_layer",
        "resume",
        "sweep",
        "train",
    ]
    assert all(getattr(nettool, name) for name in dir(nettool))
    with pytest.raises(AttributeError, match="nettool has no trian"):
        nettool.trian  # type: ignore[attr-defined]  # noqa: B018


def test_a_run_gives_metrics_network_and_predictions(frame: pd.DataFrame) -> None:
    run = nettool.train(CONFIG, {"epochs": 30})
    assert list(run.metrics["epoch"]) == list(range(1, 31))
    assert isinstance(run.network, torch.nn.Module)
    assert not run.network.training
    shuffled = frame.sample(frac=1, random_state=0)
    predicted = run.predict(shuffled)
    assert predicted.index.equals(shuffled.index)
    assert (predicted["predicted_inside"] == shuffled["inside"]).mean() > 0.9
    assert run.evaluate("validation").metrics["accuracy"] == run.record["metrics"]["accuracy"]


def test_columns_that_are_no_features_are_left_alone(frame: pd.DataFrame) -> None:
    run = nettool.train(CONFIG, {"epochs": np.int64(2), "data.path": Path("points.csv").resolve()})
    frame["mixed"] = [1, "two"] * 150
    predicted = run.predict(frame)
    assert predicted["mixed"].equals(frame["mixed"])
    with pytest.raises(DataError, match="already has a column"):
        run.predict(predicted)
    frame["x"] = frame["mixed"]
    with pytest.raises(DataError, match="several types in one column"):
        run.predict(frame)


def test_a_random_layer_from_python_draws_from_the_runs_seed(frame: pd.DataFrame) -> None:
    class Noisy(nettool.LayerSettings):
        pass

    nettool.register_layer("noisy", Noisy, lambda settings, features: torch.nn.Dropout(0.5))
    try:
        layers = {"layers": [{"dense": 4}, "noisy", "output"], "epochs": 3}
        losses = set()
        for seed in (1, 2):
            torch.manual_seed(seed)
            losses.add(nettool.train(CONFIG, layers).record["metrics"]["validation_loss"])
        assert len(losses) == 1
    finally:
        del CUSTOM_LAYERS["noisy"], CUSTOM_BUILDERS["noisy"]


def test_metrics_come_back_to_the_bit(frame: pd.DataFrame) -> None:
    run = nettool.train(CONFIG)
    best = run.metrics.loc[run.metrics["epoch"] == run.record["best_epoch"]]
    assert best["validation_loss"].item() == run.record["metrics"]["validation_loss"]


def test_file_and_mapping_and_both_kinds_of_overrides_agree(frame: pd.DataFrame) -> None:
    Path("experiment.yaml").write_text(
        "data: {path: points.csv, target: inside}\nlayers: [dense: 16, output]\n"
        "loss: binary_cross_entropy\noptimizer: {lr: 0.02}\nepochs: 20\n"
    )
    runs = [
        nettool.train("experiment.yaml", {"layers.0.units": 4}),
        nettool.train(Path("experiment.yaml"), ["layers.0.units=4"]),
        nettool.train(CONFIG, {"layers.0.units": 4}),
    ]
    losses = {run.record["metrics"]["validation_loss"] for run in runs}
    assert len(losses) == 1


def test_a_run_is_loaded_again(frame: pd.DataFrame) -> None:
    run = nettool.train(CONFIG, run_dir="mine")
    assert nettool.load("mine").record == run.record
    with pytest.raises(BusyError):
        nettool.train(CONFIG, run_dir="mine")
    with pytest.raises(RunError, match="no such run"):
        nettool.load("yours")


def test_mistakes_and_divergence_are_raised(frame: pd.DataFrame) -> None:
    with pytest.raises(ConfigError, match=r"epochz: no such key. Did you mean \"epochs\"?"):
        nettool.train(CONFIG, {"epochz": 3})
    with pytest.raises(DivergedError):
        nettool.train(CONFIG, {"loss": "mse", "data.target": "x", "optimizer": {"name": "sgd", "lr": 1e20}})
    assert nettool.load().record["status"] == "diverged"


def test_a_watcher_sees_the_run_go_by(frame: pd.DataFrame) -> None:
    class Recording(nettool.Watcher):
        def __init__(self) -> None:
            self.seen: list[str] = []

        def started(self, run: object, prepared: object) -> None:
            self.seen.append("started")

        def epoch(self, result: object) -> None:
            self.seen.append("epoch")

        def finished(self, outcome: object) -> None:
            self.seen.append("finished")

    watcher = Recording()
    nettool.train(CONFIG, {"epochs": 3}, watcher=watcher)
    assert watcher.seen == ["started", "epoch", "epoch", "epoch", "finished"]


@pytest.fixture
def maxout() -> Iterator[None]:
    class Maxout(nettool.LayerSettings):
        """The largest of several linear functions (Goodfellow et al. 2013)."""

        main = "units"

        units: int
        pieces: int = 2

        def output_features(self, features: int) -> int:
            return self.units

        def num_parameters(self, features: int) -> int:
            return (features + 1) * self.units * self.pieces

    class MaxoutModule(torch.nn.Module):
        def __init__(self, settings: Maxout, features: int) -> None:
            super().__init__()
            self.settings = settings
            self.linear = torch.nn.Linear(features, settings.units * settings.pieces)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.linear(x).view(len(x), self.settings.units, -1).amax(dim=2)

    nettool.register_layer("maxout", Maxout, MaxoutModule)
    yield
    del CUSTOM_LAYERS["maxout"], CUSTOM_BUILDERS["maxout"]


@pytest.mark.usefixtures("maxout")
def test_a_layer_from_python_is_trained_like_any_other(frame: pd.DataFrame) -> None:
    run = nettool.train(CONFIG, {"layers": [{"maxout": {"units": 8, "pieces": 3}}, "output"], "epochs": 40})
    assert run.evaluate().metrics["accuracy"] > 0.8
    assert "maxout: {units: 8, pieces: 3}" in (run.path / "config.yaml").read_text()
    shorthand = nettool.train(CONFIG, {"layers": [{"maxout": 8}, "output"], "epochs": 1})
    assert "maxout: {units: 8}" in (shorthand.path / "config.yaml").read_text()


@pytest.mark.usefixtures("maxout")
def test_the_same_seed_gives_a_layer_from_python_the_same_weights(frame: pd.DataFrame) -> None:
    layers = {"layers": [{"maxout": 4}, "output"], "epochs": 2}
    losses = {nettool.train(CONFIG, layers).record["metrics"]["validation_loss"] for _ in range(2)}
    assert len(losses) == 1


@pytest.mark.usefixtures("maxout")
def test_mistakes_in_a_layer_from_python_are_found_like_any_other(frame: pd.DataFrame) -> None:
    with pytest.raises(ConfigError, match=r"layers.0 \(maxout\).*pieces"):
        nettool.train(CONFIG, {"layers": [{"maxout": {"units": 8, "pieces": "three"}}, "output"]})
    with pytest.raises(UsageError, match="there is a layer maxout already"):
        nettool.register_layer("maxout", nettool.LayerSettings, lambda settings, features: torch.nn.Identity())
    with pytest.raises(UsageError, match="there is a layer dense already"):
        nettool.register_layer("dense", nettool.LayerSettings, lambda settings, features: torch.nn.Identity())


def test_a_sweep_hands_back_a_table_and_its_best_run(frame: pd.DataFrame) -> None:
    Path("points.yaml").write_text(dump(CONFIG))
    found = nettool.sweep("points.yaml", ["optimizer.lr=0.0001,0.01", "epochs=5"], seeds=2)
    assert found.path == Path("runs/points-sweep-0001")
    assert list(found.results["optimizer.lr"]) == [0.0001, 0.0001, 0.01, 0.01]
    assert found.best.record["overrides"][0] == "optimizer.lr=0.01"
    with pytest.raises(nettool.NettoolError, match="the range is reversed"):
        nettool.sweep("points.yaml", ["optimizer.lr=1..0.1:3"])
