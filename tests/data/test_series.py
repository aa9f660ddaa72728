"""A table in time order: its windows, its splits, what is fitted on which rows, and what is predicted of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from people import refusal, write
from sklearn import metrics as sk  # type: ignore[import-untyped]

from nettool.config.data import DataSpec, SplitName
from nettool.config.load import load_mapping
from nettool.config.losses import CrossEntropy, LossSpec, MeanSquaredError
from nettool.config.signature import ClassTarget, NumberTarget, Signature, TableExample
from nettool.data.bundle import Encoders, TrainingData
from nettool.data.dataset import Dataset
from nettool.data.encode import load_split
from nettool.data.examples import Split
from nettool.data.prepare import prepare
from nettool.errors import ConfigError
from nettool.model.compile import compile_network
from nettool.model.shapes import plan_network
from nettool.workflows.evaluate import evaluate
from nettool.workflows.predict import feature_names, predict
from nettool.workflows.prepare import prepare_training
from nettool.workflows.train import train
from nettool.workflows.trained import Trained, load_trained
from nettool.workflows.watch import Watcher

MSE, MANY = MeanSquaredError(), CrossEntropy()
ROWS, LENGTH = 100, 6
BOUNDS: dict[SplitName, tuple[int, int]] = {"train": (0, 70), "validation": (70, 85), "test": (85, 100)}


def days(count: int = ROWS) -> Any:
    return (18_000 + np.arange(count)).astype("datetime64[D]")


def weather(count: int = ROWS, seed: int = 0) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    return {
        "day": days(count),
        "heat": random.normal(20, 5, count).cumsum(),
        "wind": random.normal(3, 1, count).round(3),
        "sky": random.choice(["clear", "cloudy", "rain"], count),
    }


def spec_of(path: Path, values: dict[str, Any] | None = None, horizon: int = 1, **settings: Any) -> DataSpec:
    window = {"length": LENGTH, "horizon": horizon}
    found = {"path": write(path, values or weather()), "target": ("heat",), "window": window, **settings}
    return DataSpec.model_validate(found)


def spec_of_files(folder: Path, horizon: int = 1, **tables: dict[str, Any]) -> DataSpec:
    files = {name: write(folder / f"{name}.csv", values) for name, values in tables.items()}
    window = {"length": LENGTH, "horizon": horizon}
    return DataSpec.model_validate({**files, "target": ("heat",), "window": window})


def read(path: Path, values: dict[str, Any] | None = None, loss: LossSpec = MSE, **settings: Any) -> TrainingData:
    return prepare(spec_of(path, values, **settings), loss)


def examples(split: Split) -> tuple[Any, Any]:
    """Features [n, length, width] and target of all examples, as the network meets them."""
    (batch,) = Dataset.from_split(split, torch.device("cpu")).chunks(len(split))
    return batch.features.numpy(), batch.target.numpy()


# Windows and splits


@pytest.mark.parametrize("horizon", [1, 3])
@pytest.mark.parametrize("targets", [("heat",), ("wind", "heat")], ids=["one", "two"])
def test_a_window_is_rows_of_one_split_and_its_target_the_rows_of_it_that_come_next(
    tmp_path: Path, horizon: int, targets: tuple[str, ...]
) -> None:
    values = weather()
    spec = spec_of(tmp_path / "t.csv", values, horizon, target=targets)
    encoders: Any = prepare(spec, MSE).encoders
    truth = np.stack([values[name] for name in targets], axis=1)
    scaled = (values["wind"] - values["wind"][:70].mean()) / values["wind"][:70].std()
    place = encoders.features.rows.feature_names.index("wind")
    for split_name, (start, end) in BOUNDS.items():
        split = load_split(spec, encoders, split_name)
        assert split.rows.tolist() == list(range(start + LENGTH - 1, end - horizon))
        features, target = examples(split)
        for row, window, future in zip(split.rows, features, encoders.target.decode(target), strict=True):
            assert window[:, place] == pytest.approx(scaled[row - LENGTH + 1 : row + 1], abs=1e-5)
            assert future == pytest.approx(truth[row + 1 : row + 1 + horizon].ravel(), rel=1e-5)
    names = [f"{name}+{step}" for step in range(1, horizon + 1) for name in targets]
    assert encoders.signature.target == NumberTarget(targets if horizon == 1 else tuple(names))


def test_nothing_that_is_fitted_comes_from_later_rows(tmp_path: Path) -> None:
    first = read(tmp_path / "a.csv")
    values = weather()
    values["heat"][70:] += 1000
    values["wind"][70:] = -5
    values["sky"][70:] = "never seen"
    other = read(tmp_path / "b.csv", values)
    assert other.encoders.to_json() == first.encoders.to_json()
    assert examples(other.splits["train"])[0].tobytes() == examples(first.splits["train"])[0].tobytes()


@pytest.mark.parametrize(("limit", "count"), [(20, 20), (0.5, 35), (1.0, 70)])
def test_a_limit_keeps_the_latest_rows(tmp_path: Path, limit: float, count: int) -> None:
    whole, limited = read(tmp_path / "t.csv"), read(tmp_path / "t.csv", limit=limit)
    assert limited.splits["train"].rows.tolist() == whole.splits["train"].rows[-(count - LENGTH) :].tolist()
    assert limited.splits["validation"].rows.tolist() == whole.splits["validation"].rows.tolist()


def test_weights_are_those_of_the_first_predicted_row(tmp_path: Path) -> None:
    values = weather() | {"weight": np.arange(ROWS) + 1.0}
    train: Any = read(tmp_path / "t.csv", values, horizon=2, weights="weight").splits["train"]
    assert train.weights.tolist() == (train.rows + 2.0).tolist()


def test_a_split_loaded_later_has_the_bits_that_training_had(tmp_path: Path) -> None:
    spec = spec_of(tmp_path / "t.csv", horizon=3)
    found = prepare(spec, MSE)
    encoders = Encoders.from_json(found.encoders.to_json())
    for name, split in found.splits.items():
        again = load_split(spec, encoders, name)
        assert [part.tobytes() for part in examples(again)] == [part.tobytes() for part in examples(split)]


def test_each_split_may_be_a_file_of_its_own(tmp_path: Path) -> None:
    spec = spec_of_files(tmp_path, train=weather(40), validation=weather(30, 1), test=weather(20, 2))
    found = prepare(spec, MSE)
    assert [len(load_split(spec, found.encoders, name)) for name in BOUNDS] == [34, 24, 14]
    assert sorted(found.splits) == ["train", "validation"]


# Features


def test_the_past_of_the_target_is_a_feature_unless_features_leaves_it_out(tmp_path: Path) -> None:
    def names(**settings: Any) -> tuple[str, ...]:
        return read(tmp_path / "t.csv", **settings).encoders.features.rows.feature_names  # type: ignore[union-attr]

    sky = ("sky=clear", "sky=cloudy", "sky=rain")
    assert names() == ("heat", "wind", *sky)
    assert names(features=("wind", "sky")) == ("wind", *sky)
    assert names(features=("wind", "heat")) == ("heat", "wind")


@pytest.mark.parametrize("settings", [{}, {"features": ("heat",)}, {"columns": {"day": "ignore"}}], ids=str)
def test_a_series_may_be_predicted_from_its_own_past_alone(tmp_path: Path, settings: dict[str, Any]) -> None:
    values = {name: column for name, column in weather().items() if name == "heat" or (settings and name == "day")}
    found = read(tmp_path / "t.csv", values, **settings)
    assert found.signature == Signature(TableExample(1, window=LENGTH), NumberTarget(("heat",)))


def test_missing_numbers_are_the_mean_inside_of_windows_and_have_a_mark(tmp_path: Path) -> None:
    values = weather()
    values["wind"][::7] = np.nan
    found = read(tmp_path / "t.csv", values)
    names = found.encoders.features.rows.feature_names  # type: ignore[union-attr]
    features = examples(found.splits["train"])[0]
    wind, mark = features[..., names.index("wind")], features[..., names.index("wind missing")]
    rows = np.arange(len(features))[:, None] + np.arange(LENGTH)
    assert (mark == (rows % 7 == 0)).all()
    assert (wind[mark == 1] == 0).all()


def test_a_category_of_many_levels_is_embedded_inside_of_windows(tmp_path: Path) -> None:
    values = weather() | {"station": [f"s{row % 40}" for row in range(ROWS)]}
    data = {"path": write(tmp_path / "t.csv", values), "target": "heat", "window": LENGTH}
    loaded = load_mapping({"data": data, "layers": [{"gru": 4}, "output"], "loss": "mse"})
    found = prepare(loaded.experiment.data, MSE)
    assert found.signature.example == TableExample(5, embedded=(42,), window=LENGTH)
    network = compile_network(plan_network(loaded.experiment, found.signature), seed=0)
    features = torch.from_numpy(examples(found.splits["validation"])[0])
    assert network(features).shape == (len(features), 1)
    other = features.clone()
    other[:, 0, -1] = 2 + (other[:, 0, -1] - 1) % 40  # another station in the first row of each window
    assert (network(other) != network(features)).all()


# Dates


def test_dates_are_no_features_but_may_be_named_as_such(tmp_path: Path) -> None:
    found = read(tmp_path / "t.csv")
    assert "day" not in {column.name for column in found.encoders.columns}
    assert found.notes == ('"day" (column 1) is ignored: it says when, which in a series the order of rows does.',)
    named = read(tmp_path / "t.csv", features=("day",)).encoders.features.rows.feature_names  # type: ignore[union-attr]
    assert named == tuple(f"day: {part}" for part in ("year", "month", "day", "weekday", "days"))


def test_a_date_that_goes_back_is_refused_with_its_row_but_it_may_stand_still(tmp_path: Path) -> None:
    day = days()
    day[[40, 41]] = day[[41, 40]]
    path = tmp_path / "t.csv"
    text = (
        f'{path}: "day" goes back in row 42, but a series (`data.window`) is in the order of time. '
        "Cure: sort the table, or set the column's kind to `ignore`."
    )
    assert refusal(spec_of(path, weather() | {"day": day}), MSE) == text
    assert refusal(spec_of(path, weather() | {"day": day}, features=("wind",)), MSE) == text
    assert len(read(path, weather() | {"day": day}, columns={"day": "ignore"}).splits["train"]) == 64
    still = np.repeat(days(50), 2)
    still[[0, 30, 99]] = np.datetime64("NaT")
    assert len(read(path, weather() | {"day": still}).splits["train"]) == 64


def test_a_date_that_goes_back_in_the_validation_file_is_refused_too(tmp_path: Path) -> None:
    tables = {"train": weather(), "validation": weather() | {"day": days()[::-1]}}
    assert '"day" goes back in row 2' in refusal(spec_of_files(tmp_path, **tables), MSE)


# Classes


def test_classes_are_predicted_one_step_ahead(tmp_path: Path) -> None:
    values = weather()
    encoder: Any = (found := read(tmp_path / "t.csv", values, MANY, target=("sky",))).encoders.target
    assert encoder.target == ClassTarget(("clear", "cloudy", "rain"), binary=False)
    for split in found.splits.values():
        assert encoder.decode(split.target).to_pylist() == values["sky"][split.rows + 1].tolist()


def test_classes_several_steps_ahead_are_refused(tmp_path: Path) -> None:
    assert refusal(spec_of(tmp_path / "t.csv", horizon=2, target=("sky",)), MANY) == (
        "data.window.horizon: only numbers are predicted several steps ahead; a class or a label one step. Set it to 1."
    )


# What is too short


def test_too_few_rows_are_answered_with_split_and_place(tmp_path: Path) -> None:
    said = refusal(spec_of(tmp_path / "t.csv", weather(50), horizon=3), MSE)
    assert " ".join(said.split()) == (
        "data.window.length: the validation split has 7 rows, too few for one example of 6 and 3 after them. "
        "Take a smaller length, more rows, or another split."
    )


def test_a_limit_too_low_counts_the_rows_ahead_too(tmp_path: Path) -> None:
    said = refusal(spec_of(tmp_path / "t.csv", horizon=3, limit=8), MSE)
    assert said.startswith("data.limit: 8 training rows are too few for one example of 6 and 3 after them.")


@pytest.mark.parametrize("horizon", [1, 2])
def test_a_validation_file_without_a_single_example_is_refused(tmp_path: Path, horizon: int) -> None:
    spec = spec_of_files(tmp_path, horizon, train=weather(), validation=weather(6))
    assert "has 6 rows, too few for one example of 6" in refusal(spec, MSE)


def test_a_split_by_groups_which_a_series_cannot_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.split\.by: "):
        trained_on(tmp_path, split={"by": "sky"})


# After training


def trained_on(folder: Path, horizon: int = 1, **settings: Any) -> Trained:
    window = {"length": LENGTH, "horizon": horizon}
    data = {"path": write(folder / "t.csv", weather()), "target": "heat", "window": window, **settings}
    loaded = load_mapping({"data": data, "layers": [{"gru": 4}, "output"], "loss": "mse", "epochs": 2})
    train(prepare_training(loaded), Watcher(), folder / "run")
    return load_trained(folder / "run")


def test_the_errors_of_each_step_ahead_are_those_of_scikit_learn(tmp_path: Path) -> None:
    trained = trained_on(tmp_path, 2, target=["heat", "wind"])
    found = evaluate(trained)
    split = load_split(trained.experiment.data, trained.encoders, "test")
    predicted = trained.predictions(split).double().numpy()
    truth = np.stack([weather()[name][split.rows + step] for step in (1, 2) for name in ("heat", "wind")], axis=1)
    last = np.stack([weather()[name][split.rows] for _ in (1, 2) for name in ("heat", "wind")], axis=1)
    assert [part.value for part in found.parts] == ["heat+1", "wind+1", "heat+2", "wind+2"]
    for place, part in enumerate(found.parts):
        pair = truth[:, place], predicted[:, place]
        scores = sk.root_mean_squared_error(*pair), sk.mean_absolute_error(*pair), sk.r2_score(*pair)
        naive = sk.root_mean_squared_error(pair[0], last[:, place])
        assert tuple(part.metrics.values()) == pytest.approx((*scores, naive), rel=1e-5)
    assert found.metrics["mae"] == pytest.approx(sk.mean_absolute_error(truth, predicted), rel=1e-5)
    assert found.baseline["mae"] == pytest.approx(sk.mean_absolute_error(truth, last), rel=1e-5), "it stays as it is"


def test_a_forecast_stands_at_each_row_that_enough_others_come_before(tmp_path: Path) -> None:
    trained = trained_on(tmp_path, 2)
    table, _ = predict(trained, tmp_path / "t.csv")
    assert table.num_rows == ROWS
    assert table.column_names[-2:] == ["predicted_heat+1", "predicted_heat+2"]
    first = table.column("predicted_heat+1").to_pylist()
    assert first[: LENGTH - 1] == [None] * (LENGTH - 1)
    split = load_split(trained.experiment.data, trained.encoders, "test")
    assert [first[row] for row in split.rows] == pytest.approx(trained.predictions(split)[:, 0].tolist(), rel=1e-5)
    assert None not in first[LENGTH - 1 :], "the last row's forecast is what one wants"
    assert set(feature_names(trained)) == {"heat", "wind", "sky"}


def test_the_rows_of_a_series_can_be_evaluated_value_by_value(tmp_path: Path) -> None:
    found = evaluate(trained_on(tmp_path), by="sky")
    assert sum(group.num_examples for group in found.groups) == found.num_examples == 15 - LENGTH
