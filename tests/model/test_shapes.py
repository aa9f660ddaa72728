"""The plan's arithmetic is what torch counts: shapes, parameters and FLOPs; the linear warning; layers that don't fit."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import examples, lists_of_layers, make_network, make_plan
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from nettool.config.load import load_mapping
from nettool.config.optimization import SGD, Adadelta, Adagrad, Adam, AdamW, OptimizerSpec, RMSprop
from nettool.config.signature import ClassTarget, Flat, LabelTarget, NumberTarget, Signature, TableExample
from nettool.errors import ConfigError
from nettool.model.compile import compile_network
from nettool.model.memory import training_bytes
from nettool.model.plans import LayerPlan
from nettool.model.shapes import embedding_width, plan_network
from nettool.model.stack import Residual
from nettool.model.verdicts import linear_warning

embedded_columns = st.lists(st.integers(1, 40), max_size=2).map(tuple)


def count_flops(module: nn.Module, x: torch.Tensor) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(x)
    return int(counter.get_total_flops())


def check_layer(plan: LayerPlan, module: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Hold one layer, and all inside it, against its module; return what it gives."""
    assert x.shape[1] == plan.input.features
    assert sum(parameter.numel() for parameter in module.parameters()) == plan.num_parameters
    assert count_flops(module, x) == plan.flops * len(x)
    inner = module.layers if isinstance(module, Residual) else module
    inside = x
    for index, child in enumerate(plan.inner):
        assert isinstance(inner, nn.Sequential)
        inside = check_layer(child, inner[index], inside)
    out: torch.Tensor = module(x)
    assert out.shape == (len(x), plan.output.features)
    return out


@settings(max_examples=25, deadline=None)
@given(lists_of_layers(), st.integers(1, 5), embedded_columns, st.integers(1, 3))
def test_shapes_parameters_and_flops_are_those_of_the_module(
    layers: list[Any], inputs: int, embedded: tuple[int, ...], outputs: int
) -> None:
    plan = make_plan(layers, inputs, outputs, embedded)
    network = compile_network(plan, seed=0).eval()
    x = examples(3, plan, torch.float32)
    assert plan.num_parameters == sum(parameter.numel() for parameter in network.parameters())
    assert plan.flops * 3 == count_flops(network, x)
    assert plan.flops == count_flops(network, x[:1])
    x = network.inputs(x)
    assert x.shape == (3, plan.input.features)
    for layer, module in zip(plan.layers, network.layers, strict=True):
        x = check_layer(layer, module, x)
    assert x.shape == (3, outputs)


def test_a_network_counted_by_hand() -> None:
    plan = make_plan(
        [{"dense": 8}, {"residual": {"layers": [{"dense": {"units": 8, "norm": "batch_norm"}}]}}], 4, 2, (10,)
    )
    width = embedding_width(10)
    assert width == 6
    assert plan.embeddings == ((10, 6),)
    assert plan.input == Flat(10)
    assert plan.num_parameters == 60 + (10 * 8 + 8) + (8 * 8 + 8 + 16) + (8 * 2 + 2)
    assert plan.flops == 2 * (10 * 8 + 8 * 8 + 8 * 2)
    assert [layer.name for layer in plan.layers] == ["layers.0 (dense)", "layers.1 (residual)", "layers.2 (output)"]
    assert [layer.name for layer in plan.leaves()][1] == "layers.1.layers.0 (dense)"


def test_embeddings_are_as_wide_as_the_rule_says_and_at_most_50() -> None:
    assert [embedding_width(codes) for codes in (1, 2, 33, 1000, 10**6)] == [2, 2, 11, 50, 50]


@pytest.mark.parametrize(
    ("target", "outputs"),
    [(ClassTarget(("a", "b"), binary=True), 1), (ClassTarget(("a", "b"), binary=False), 2),
     (ClassTarget(("a", "b", "c"), binary=False), 3), (LabelTarget(("x", "y")), 2), (NumberTarget(("x",)), 1)],
)  # fmt: skip
def test_the_target_decides_the_outputs(target: Any, outputs: int) -> None:
    assert target.num_outputs == outputs
    assert TableExample(3, (5, 6)).width == 5


@pytest.mark.parametrize(
    ("optimizer", "slots"),
    [(SGD(), 0), (SGD(momentum=0.9), 1), (Adam(), 2), (AdamW(), 2), (Adadelta(), 2), (Adagrad(), 1), (RMSprop(), 1),
     (RMSprop(momentum=0.9), 2)],
)  # fmt: skip
def test_training_takes_weights_gradients_slots_and_a_copy_to_be_saved(optimizer: OptimizerSpec, slots: int) -> None:
    plan = make_plan([{"dense": 100}], inputs=50, outputs=1)
    weights = 50 * 100 + 100 + 100 + 1
    stored = 50 + 2 * 100 + 1
    copied = 1 + slots  # the best weights are copied when they are found
    expected = 4 * (weights * (3 + slots + copied) + 2 * 32 * stored + 1000 * 51)
    assert training_bytes(plan, optimizer, worked_on=32, num_examples=1000) == expected


# --- defaults ----------------------------------------------------------------------------------------------


def test_settings_of_the_network_hold_for_every_hidden_layer_that_sets_none_of_its_own() -> None:
    layers: list[Any] = [{"dense": 3}, {"dense": {"units": 3, "activation": "gelu", "dropout": 0.0, "init": "he"}}]
    plan = make_plan(
        [*layers, {"repeat": {"times": 2, "layers": [{"dense": 3}]}}], activation="tanh", dropout=0.4, init="lecun"
    )
    assert [(leaf.activation, leaf.dropout, leaf.init) for leaf in plan.leaves()] == [
        ("tanh", 0.4, "lecun"),
        ("gelu", 0.0, "he"),
        ("tanh", 0.4, "lecun"),
        ("tanh", 0.4, "lecun"),
        ("linear", 0.0, "lecun"),
    ]


def test_first_weights_suit_the_activation() -> None:
    names = ["relu", "leaky_relu", "elu", "gelu", "silu", "softplus", "tanh", "sigmoid", "linear"]
    plan = make_plan([{"dense": {"units": 3, "activation": name}} for name in names])
    assert [layer.init for layer in plan.layers] == ["he"] * 6 + ["xavier"] * 4


def test_an_activation_right_after_a_layer_replaces_its_default() -> None:
    def activations(*layers: Any) -> list[str]:
        return [leaf.activation for leaf in make_plan(list(layers)).leaves()][:-1]

    tanh = {"activation": "tanh"}
    assert activations({"dense": 3}, tanh) == ["linear", "tanh"]
    assert activations({"dense": 3}, "batch_norm", tanh) == ["linear", "linear", "tanh"]
    assert activations({"dense": {"units": 3, "activation": "elu"}}, tanh) == ["elu", "tanh"]
    assert activations({"dense": 3}, {"dense": 3}, tanh) == ["relu", "linear", "tanh"]
    assert activations({"dense": 3}, {"dropout": 0.1}, tanh) == ["relu", "linear", "tanh"]
    assert activations({"dense": 3}, "batch_norm") == ["relu", "linear"]


# --- the linear warning ------------------------------------------------------------------------------------


def is_linear(layers: list[Any]) -> bool:
    """Whether the network maps sums to sums, measured from its value at zero."""
    network = make_network(layers, inputs=3).eval()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm1d) and module.running_mean is not None:
                module.running_mean.uniform_(-1, 1)
        a, b = torch.randn(2, 50, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        origin = network(torch.zeros(1, 3, dtype=torch.float64))
        difference = network(a + b) - network(a) - network(b) + origin
    return bool(difference.abs().max() < 1e-9)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(lists_of_layers(st.sampled_from(["linear", "tanh", "softplus"]), smallest=3))
def test_the_warning_is_shown_when_and_only_when_a_network_with_hidden_layers_is_linear(layers: list[Any]) -> None:
    plan = make_plan(layers, inputs=3)
    has_hidden = any(leaf.spec.layer == "dense" for leaf in plan.leaves())
    assert (linear_warning(plan) is not None) == (has_hidden and is_linear(layers))


def test_the_warning_counts_the_hidden_layers_and_names_the_cure() -> None:
    linear = {"dense": {"units": 3, "activation": "linear"}}
    cure = "and linear functions composed remain linear. For a network that can bend, set `activation: relu`."
    one, three = make_plan([linear]), make_plan([{"repeat": {"times": 3, "layers": [linear]}}])
    assert linear_warning(one) == f"this network is linear: its 1 hidden layer has no activation, {cure}"
    assert linear_warning(three) == f"this network is linear: its 3 hidden layers have no activation, {cure}"
    assert linear_warning(make_plan([])) is None
    assert linear_warning(make_plan([linear], activation="relu")) is not None
    assert linear_warning(make_plan([{"dense": 3}])) is None
    assert linear_warning(make_plan([linear, {"activation": "relu"}])) is None
    assert linear_warning(make_plan([{"dense": {"units": 3, "activation": "linear", "norm": "layer_norm"}}])) is None


# --- layers that do not fit --------------------------------------------------------------------------------


def refused(*layers: Any, **changes: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        make_plan(list(layers), **changes)
    return [f"{mistake.name}: {mistake.text}" for mistake in caught.value.mistakes]


WEIGHTS = {
    "too few rows": ({"weights": [[1, 2, 3, 4]]}, "is 1 x 4 numbers, but 2 units with 4 inputs need 2 x 4."),
    "too short": ({"weights": [[1, 2], [3, 4]]}, "is 2 x 2 numbers, but 2 units with 4 inputs need 2 x 4."),
    "ragged": ({"weights": [[1, 2, 3, 4], [5]]}, "is 2 x 1/4 numbers, but 2 units with 4 inputs need 2 x 4."),
    "one row": ({"weights": [1, 2, 3, 4]}, "is 1 x 4 numbers, but 2 units with 4 inputs need 2 x 4."),
    "biases": ({"bias": [1, 2, 3]}, "has 3 numbers, but there are 2 units. Give one for each, or one for all."),
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_given_outright_must_have_the_layers_shape(name: str) -> None:
    setting, text = WEIGHTS[name]
    (key,) = setting
    assert refused({"dense": {"units": 2, **setting}}) == [f"layers.0 (dense).{key}: {text}"]


def test_the_outputs_weights_must_have_its_shape_too() -> None:
    assert refused(output={"output": {"weights": [1, 2, 3]}}) == [
        "layers.0 (output).weights: is 1 x 3 numbers, but 2 units with 4 inputs need 2 x 4."
    ]


def test_a_residual_that_changes_the_shape_is_told_how_to_fit() -> None:
    text = (
        "the layers inside give a flat vector of 1,000 numbers, but their input is a flat vector of 4 numbers, and the "
        "two are added. End with a layer that gives the input's shape, or set `projection: true`."
    )
    assert refused({"residual": {"layers": [{"dense": 1000}]}}) == [f"layers.0 (residual): {text}"]
    assert make_plan([{"residual": {"layers": [{"dense": 1000}, {"dense": 4}]}}])
    assert make_plan([{"residual": {"layers": [{"dense": 1000}], "projection": True}}])


def test_every_layer_that_does_not_fit_is_reported_and_those_of_a_repeat_once() -> None:
    bad = {"dense": {"units": 2, "bias": [1]}}
    assert len(refused(bad, {"repeat": {"times": 5, "layers": [bad, bad]}}, bad)) == 4


def test_a_network_of_more_than_a_trillion_parameters_is_refused_at_once() -> None:
    huge = {"dense": 1_000_000}
    start = time.process_time()
    assert refused(huge, huge, huge, inputs=1, outputs=1) == [
        "layers: the network would have 2,000,005,000,001 parameters; nettool stops at 1,099,511,627,776."
    ]
    assert time.process_time() - start < 2


def test_planning_imports_no_torch() -> None:
    script = (
        "import sys, nettool.config.load, nettool.config.write, nettool.model.shapes; print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_dropout_and_first_weights_follow_an_activation_item_that_replaces_the_default() -> None:
    layers = [{"dense": {"units": 4, "dropout": 0.5}}, "batch_norm", {"activation": "relu"}, {"dense": 3}, "output"]
    experiment = load_mapping(
        {"data": {"path": "x.csv", "target": "y"}, "layers": layers, "loss": "mse", "dropout": 0.25}
    ).experiment
    plan = plan_network(experiment, Signature(TableExample(2), NumberTarget(("y",))))
    assert [(layer.activation, layer.dropout) for layer in plan.layers] == [
        ("linear", 0.0),
        ("linear", 0.0),
        ("relu", 0.5),
        ("relu", 0.25),
        ("linear", 0.0),
    ]
    assert plan.layers[0].init == "he"
    names = [type(module).__name__ for module in compile_network(plan, 0).layers[2]]
    assert names == ["ReLU", "Dropout"]
