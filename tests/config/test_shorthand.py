"""Shorthand: every short form means its full form, and expanding twice changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from refusals import GOOD, Read, Refuse

from nettool.config.layers import CUSTOM_LAYERS, LayerSettings
from nettool.config.layers import LAYERS as SPECS
from nettool.config.load import load_mapping
from nettool.config.shorthand import expand
from nettool.config.yaml import Place, parse
from nettool.errors import Mistake

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))
LAYERS = "data: {path: a.csv, target: y}\nloss: mse\nlayers:\n"

SHORT = {
    "optimizer: sgd": "optimizer: {name: sgd}",
    "optimizer: {lr: 0.1}": "optimizer: {name: adam, lr: 0.1}",
    "schedule: cosine": "schedule: {name: cosine}",
    "schedule: {warmup: 2}": "schedule: {name: constant, warmup: 2}",
    "early_stopping: 5": "early_stopping: {patience: 5}",
    "early_stopping: off": "",
    "early_stopping: false": "",
    "early_stopping:": "",
    "checkpoint: 10": "checkpoint: {every: 10 seconds}",
    "checkpoint: 5 epochs": "checkpoint: {every: 5 epochs}",
    "checkpoint: {every: 1.5}": "checkpoint: {every: 1.5 seconds}",
    "metrics: r2": "metrics: [r2]",
}


@pytest.mark.parametrize("short", SHORT)
def test_short_sections_mean_their_full_form(short: str, read: Read) -> None:
    assert read(f"{short}\n") == read(f"{SHORT[short]}\n")


LAYER = {
    "- dense: 64": "- dense: {units: 64}",
    "- dropout: 0.2": "- dropout: {rate: 0.2}",
    "- activation: tanh": "- activation: {function: tanh}",
    "- batch_norm": "- batch_norm: {momentum: 0.1, epsilon: 1e-5}",
    "- layer_norm:": "- layer_norm: {}",
    "- residual: {layers: [dense: 3, dropout: 0.5]}": "- residual: {layers: [dense: {units: 3}, dropout: {rate: 0.5}]}",
    "- repeat: {times: 2, layers: [repeat: {times: 3, layers: [batch_norm]}]}": (
        "- repeat: {times: 2, layers: [{repeat: {times: 3, layers: [{batch_norm: {}}]}}]}"
    ),
}


@pytest.mark.parametrize("short", LAYER)
def test_short_layers_mean_their_full_form(short: str, read: Read) -> None:
    short_form = read(f"{LAYERS}  {short}\n  - output\n")
    assert short_form == read(f"{LAYERS}  {LAYER[short]}\n  - output: {{}}\n")
    assert short_form.layers[0].layer == short[2:].partition(":")[0]


def test_short_data_means_its_full_form(read: Read) -> None:
    start, end = "data: {path: a.csv, ", "}\nlayers: [output]\nloss: mse\n"
    short = read(f"{start}target: y, features: x, split: [0.5, 0.3, 0.2]{end}")
    split = "split: {train: 0.5, validation: 0.3, test: 0.2}"
    assert short == read(f"{start}target: [y], features: [x], {split}{end}")


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_expanding_twice_changes_nothing(path: Path) -> None:
    mistakes: list[Mistake] = []
    once = expand(parse(path.read_text(), Place(str(path), 1, 1)), mistakes)
    assert expand(once, mistakes) == once
    assert mistakes == []


def test_expanding_broken_shorthand_twice_says_nothing_twice(refuse: Refuse) -> None:
    """Overrides are put into the expanded tree, which is then expanded again."""
    text = f"{GOOD}optimizer: {{sgd: {{}}}}\nschedule: [cosine]\nearly_stopping: true\n"
    broken = text.replace("- dense: 8", "- dens: 8\n  - 64\n  - batch_norm: 3\n  - {dense: 3, units: 4}\n  - relu")
    assert refuse(broken, ["epochs=3"]) == refuse(broken)
    assert len(refuse(broken)) == 8


UNINDENTED = (
    "c.yaml:5:5 layers.0: one layer an item. If {} of dense, indent below `dense:`, or write `- dense: {{{}: ...}}`."
)
WRITTEN = "a layer is written `- name`, `- name: value` or `- name: {setting: value}`."
LAYER_MISTAKES = {
    "- dense:\n    units: 64": UNINDENTED.format("units is a setting", "units"),
    "- dense:\n    units: 64\n    norm: batch_norm": UNINDENTED.format("units, norm are settings", "units"),
    "- type: dense\n    units: 64": "c.yaml:5:5 layers.0: a layer is written with its name first: `- dense: {units: ...}`.",
    "- 64": f"c.yaml:5:5 layers.0: {WRITTEN}",
    "-": f"c.yaml:5:4 layers.0: {WRITTEN}",
    "- []": f"c.yaml:5:5 layers.0: {WRITTEN}",
    "- layer: {a: 1}": f"c.yaml:5:5 layers.0: {WRITTEN}",
    "- layer: [a]": f"c.yaml:5:5 layers.0: {WRITTEN}",
    "- batch_norm: 64": (
        "c.yaml:5:5 layers.0 (batch_norm): takes no value of its own; its settings are momentum, epsilon. "
        "`- batch_norm: {...}`."
    ),
    "- output: 3": (
        "c.yaml:5:5 layers.0 (output): takes no value of its own; its settings are init, bias, weights. "
        "Leave the value out."
    ),
    "- dense: {layer: dense, units: 3}": "c.yaml:5:13 layers.0 (dense).layer: no such key in dense.",
    "- dense: 64, relu": (
        'c.yaml:5:5 layers.0 (dense).units: must be a whole number, not "64, relu". '
        "Give settings by name: `{units: 64, activation: relu}`."
    ),
    "- dense": "c.yaml:5:5 layers.0 (dense).units: is required: number of neurons (`- dense: ...`).",
    "- dense 64": 'c.yaml:5:5 layers.0: there is no layer "dense 64". Did you mean `dense: 64`?',
    "- Dense(64)": 'c.yaml:5:5 layers.0: there is no layer "Dense(64)". Did you mean `dense: 64`?',
    "- dropout=0.5": 'c.yaml:5:5 layers.0: there is no layer "dropout=0.5". Did you mean `dropout: 0.5`?',
    "- ReLU": "c.yaml:5:5 layers.0: ReLU is an activation: write `- activation: relu`.",
    "- softmax": (
        "c.yaml:5:5 layers.0: leave it out: the loss applies the softmax itself, and predictions are probabilities."
    ),
}


@pytest.mark.parametrize("layer", LAYER_MISTAKES)
def test_a_layer_written_wrongly_is_shown_the_right_way(layer: str, refuse: Refuse) -> None:
    text = GOOD.replace("- dense: 8\n  - output", f"{layer}\n  - output" if "output" not in layer else layer)
    assert refuse(text) == [LAYER_MISTAKES[layer]]


def test_layers_that_are_no_list_are_shown_one(refuse: Refuse) -> None:
    start, end = "data: {path: a, target: y}\nloss: mse\nlayers:", "the last one `- output`."
    said = "c.yaml:3:1 layers: is a list: one layer a line, each behind a dash"
    assert refuse(f"{start} dense\n") == [f"{said} (`- dense: 64`), {end}"]
    assert refuse(f"{start}\n") == [f"{said} (`- dense: 64`), {end}"]
    assert refuse(f"{start}\n  dropout: 0.5\n  output:\n") == [f"{said} (`- dropout: ...`), {end}"]
    assert refuse(f"{start} []\n") == ["c.yaml:3:1 layers: must be a list that is not empty, not []."]


def test_an_unknown_layer_is_named_with_the_nearest_wherever_it_stands(refuse: Refuse) -> None:
    known = f"The layers are {', '.join(SPECS)}."
    inside = "  - residual: {layers: [repeat: {times: 2, layers: [dropot: 0.1]}]}\n"
    assert refuse(f"{LAYERS}  - layer: foo\n{inside}  - fc: 3\n  - outptu\n") == [
        f'c.yaml:4:5 layers.0: there is no layer "foo". {known}',
        'c.yaml:5:53 layers.1 (residual).layers.0 (repeat).layers.0: there is no layer "dropot". '
        'Did you mean "dropout"?',
        'c.yaml:6:5 layers.2: there is no layer "fc". Did you mean "dense"?',
        'c.yaml:7:5 layers.3: there is no layer "outptu". Did you mean "output"?',
    ]


class Scale(LayerSettings):
    main = "factor"
    factor: float
    """By how much."""
    layers: tuple[str, ...] = ()
    """Not layers at all."""


@pytest.fixture
def scale() -> Iterator[None]:
    CUSTOM_LAYERS["scale"] = Scale
    yield
    del CUSTOM_LAYERS["scale"]


def layers_of(*layers: Any, overrides: tuple[str, ...] = ()) -> Any:
    config = {"data": {"path": "a", "target": "y"}, "layers": [*layers, "output"], "loss": "mse"}
    return load_mapping(config, overrides).experiment.layers


@pytest.mark.usefixtures("scale")
def test_a_layer_from_python_has_shorthand_overrides_and_checks_like_any_other(refuse: Refuse) -> None:
    assert layers_of({"scale": 2.0}) == layers_of({"scale": {"factor": 2.0}})
    assert layers_of({"scale": 2.0}, overrides=("layers.0.factor=3.0",)) == layers_of({"scale": 3.0})
    assert refuse(GOOD.replace("dense: 8", "scale: {factor: big}")) == [
        "c.yaml:5:13 layers.0 (scale).settings.factor: Input should be a valid number."
    ]
    assert refuse(GOOD.replace("dense: 8", "scal: 8"))[0].startswith(
        'c.yaml:5:5 layers.0: there is no layer "scal". Did you mean "scale"?'
    )


@pytest.mark.usefixtures("scale")
def test_a_setting_called_layers_of_a_layer_from_python_is_left_alone() -> None:
    (layer, _) = layers_of({"scale": {"factor": 1.0, "layers": ["a"]}})
    assert layer.settings == {"factor": 1.0, "layers": ("a",)}
