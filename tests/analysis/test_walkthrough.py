"""One example through a network: what is written adds up to what the modules, autograd and the optimizer have."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from nettool.analysis.formulas import Dot, Formula, Some
from nettool.analysis.loss_steps import SoftmaxLoss
from nettool.analysis.walkthrough import Walk, walk
from nettool.config.experiment import Experiment
from nettool.config.layers import LAYERS
from nettool.config.signature import (
    ClassTarget,
    ImageExample,
    LabelTarget,
    NextTarget,
    NumberTarget,
    Signature,
    TableExample,
    TokenExample,
)
from nettool.data.dataset import Batch
from nettool.model.compile import Network, compile_network
from nettool.model.losses import Loss, build_loss
from nettool.model.shapes import plan_network
from nettool.training.optimizers import build_optimizer
from tests.analysis.written import done_again
from tests.training.conftest import make_experiment

TABLE = TableExample(4)
CLASSES = ClassTarget(("a", "b", "c"), binary=False)
EXACT = {"rel": 2e-5, "abs": 2e-6}
OPTIMIZERS: list[dict[str, Any]] = [
    {"name": "sgd", "lr": 0.1},
    {"name": "sgd", "lr": 0.1, "momentum": 0.9},
    {"name": "sgd", "lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
    {"name": "adam", "lr": 0.01, "weight_decay": 0.1},
    {"name": "adamw", "lr": 0.01, "clip_norm": 0.01},
    {"name": "adagrad"},
    {"name": "adadelta"},
    {"name": "rmsprop"},
    {"name": "rmsprop", "momentum": 0.5, "clip_norm": 0.01, "weight_decay": 0.1},
]


def features(example: object, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    match example:
        case ImageExample(channels, height, width):
            return torch.randint(0, 256, (1, channels, height, width), generator=generator).to(torch.uint8)
        case TokenExample(time, vocabulary, padded):
            codes = torch.randint(2, vocabulary, (1, time), generator=generator)
            codes[0, -2:] = 0 if padded else codes[0, -2:]
            return codes
        case TableExample(numbers, embedded, None):
            codes = torch.tensor([[2.0] * len(embedded)])
            return torch.cat([torch.randn(1, numbers, generator=generator), codes], dim=1)
        case TableExample(numbers, _, window):
            return torch.randn(1, window, numbers, generator=generator)
    raise AssertionError(example)


def target_of(target: object, time: int = 0) -> Tensor:
    match target:
        case ClassTarget(binary=False):
            return torch.tensor([1])
        case ClassTarget():
            return torch.tensor([[1.0]])
        case LabelTarget(names):
            return torch.tensor([[1.0, 0.0, 1.0][: len(names)]])
        case NumberTarget(names):
            return torch.tensor([[0.3, -2.5, 0.1][: len(names)]])
        case NextTarget():
            return torch.arange(time)[None] % 5
    raise AssertionError(target)


def subject(
    signature: Signature, class_weights: Tensor | None = None, **changes: Any
) -> tuple[Experiment, Network, Loss, Batch]:
    experiment = make_experiment(**changes)
    plan = plan_network(experiment, signature)
    batch = Batch(features(signature.example), target_of(signature.target, getattr(signature.example, "time", 0)), None)
    loss = build_loss(experiment.loss, signature.target, class_weights)
    return experiment, compile_network(plan, 3), loss, batch


def walked(signature: Signature, class_weights: Tensor | None = None, **changes: Any) -> Walk:
    experiment, network, loss, batch = subject(signature, class_weights, **changes)
    outputs = signature.target.num_outputs
    names, units = tuple(f"output {k}" for k in range(outputs)), ((5.0,) * outputs, (2.0,) * outputs)
    plan = plan_network(experiment, signature)
    return walk(network, plan, loss, batch, experiment, experiment.optimizer.rate, names, units)


def check(formula: Formula) -> None:
    assert done_again(formula.written(repr)) == pytest.approx(formula.value, **EXACT), formula


def check_dot(dot: Dot) -> None:
    size = float(np.abs(dot.products).sum()) + abs(dot.bias or 0) + 1e-9
    assert abs(float(dot.products.sum()) + (dot.bias or 0) - dot.value) < 2e-6 * size, dot


# --- dense layers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "activation", ["relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid", "softplus", "linear"]
)
def test_each_number_of_a_dense_network_is_what_is_written(activation: str) -> None:
    found = walked(
        Signature(TABLE, CLASSES),
        layers=[{"dense": 6}, {"dense": {"units": 7, "bias": False}}, "output"],
        activation=activation,
    )
    for layer in found.layers:
        neurons = layer.neurons
        assert neurons is not None
        assert not layer.details
        for unit in range(neurons.num_units):
            check_dot(neurons.dot(unit))
            check(neurons.activated(unit))
            check(neurons.slope(unit))
            check(neurons.delta(unit))
            for source in range(neurons.num_inputs):
                check(neurons.weight_gradient(unit, source))
        if neurons.dbias is not None:
            assert neurons.dbias == pytest.approx(neurons.dz)
        if layer is not found.layers[0]:
            for source in range(neurons.num_inputs):
                check_dot(neurons.handed_back(source))
    assert found.layers[0].neurons is not None
    assert found.layers[0].neurons.dx is None  # nothing below learns
    assert found.chain is not None
    check(found.chain)
    assert found.chain.value != 0


def test_the_numbers_are_those_of_the_modules_and_of_autograd() -> None:
    signature = Signature(TABLE, CLASSES)
    found = walked(signature)
    _, network, loss, batch = subject(signature)
    with torch.no_grad():
        hidden = network.layers[0](batch.features)  # type: ignore[operator]
        z = network.layers[1].product(hidden)  # type: ignore[union-attr, operator]
    assert found.layers[1].neurons is not None
    assert found.layers[1].x.tolist() == hidden[0].tolist()
    assert found.layers[1].neurons.z.tolist() == z[0].tolist()
    mean = loss.mean(network(batch.features), batch.target)
    gradients = torch.autograd.grad(mean, list(network.parameters()))
    assert found.loss == mean.item()
    for (name, parameter), gradient, written in zip(
        network.named_parameters(), gradients, found.parameters, strict=True
    ):
        assert written.name == name
        assert written.before.tolist() == parameter.tolist()
        assert written.gradient.tolist() == gradient.tolist()


@pytest.mark.parametrize("norm", ["batch_norm", "layer_norm"])
def test_a_norm_stands_between_product_and_activation(norm: str) -> None:
    layers = [{"dense": {"units": 5, "norm": norm}}, "output"]
    layer = walked(Signature(TABLE, CLASSES), layers=layers).layers[0]
    assert layer.neurons is not None
    assert layer.neurons.normed is not None
    for unit, detail in enumerate(layer.details):
        assert isinstance(detail, Formula)
        check(detail)
        assert detail.value == layer.neurons.normed[unit] == layer.neurons.activated(unit).numbers["z"]
    assert len(layer.details) == 3


def test_an_embedding_of_a_table_learns_too() -> None:
    found = walked(Signature(TableExample(2, (40,)), CLASSES))
    (table,) = found.embeddings
    assert len(found.inputs) == found.layers[0].x.size > 3
    assert np.flatnonzero(table.gradient.any(axis=1)).tolist() == [2]
    assert found.layers[0].neurons is not None
    assert found.layers[0].neurons.dx is not None
    check_dot(found.layers[0].neurons.handed_back(0))


# --- losses ----------------------------------------------------------------------------------------------------

LOSSES: list[tuple[Any, Any, Any]] = [
    ("cross_entropy", CLASSES, None),
    ({"name": "cross_entropy", "label_smoothing": 0.2}, CLASSES, None),
    ("cross_entropy", CLASSES, [0.5, 3.0, 1.0]),
    ({"name": "cross_entropy", "label_smoothing": 0.2}, CLASSES, [0.5, 3.0, 1.0]),
    ("binary_cross_entropy", ClassTarget(("no", "yes"), binary=True), None),
    ({"name": "binary_cross_entropy", "label_smoothing": 0.1}, ClassTarget(("no", "yes"), binary=True), [0.5, 3.0]),
    ("binary_cross_entropy", LabelTarget(("a", "b", "c")), None),
    ("mse", NumberTarget(("y",)), None),
    ("mse", NumberTarget(("y", "z")), None),
    ("mae", NumberTarget(("y", "z")), None),
    ({"name": "huber", "delta": 0.7}, NumberTarget(("y", "z")), None),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "target", "weights"), LOSSES)
def test_loss_and_its_derivative_are_what_is_written(spec: Any, target: Any, weights: list[float] | None) -> None:
    class_weights = None if weights is None else torch.tensor(weights)
    found = walked(Signature(TABLE, target), class_weights, loss=spec)
    (loss,) = found.losses
    formulas = loss.losses()
    for formula in formulas:
        check(formula)
    assert formulas[-1].value == found.loss
    for output in range(target.num_outputs):
        check(loss.predicted(output))
        check(loss.delta(output))
    told = loss.prediction_of(0, float(found.outputs_after[0]))
    assert told != loss.predicted(0).value
    assert abs(told - loss.predicted(0).value) < 1  # in the same units


def test_each_step_of_a_text_has_its_loss_and_its_share_of_the_gradient() -> None:
    signature = Signature(TokenExample(7, 9, padded=False), NextTarget(9))
    found = walked(signature, layers=[{"embedding": 4}, {"gru": 3}, "output"])
    assert len(found.losses) == 7
    for loss in found.losses:
        assert isinstance(loss, SoftmaxLoss)
        check(loss.losses()[-1])
        for output in range(9):
            check(loss.delta(output))
    assert np.mean([loss.value for loss in found.losses]) == pytest.approx(found.loss)
    assert found.outputs_after.shape == (7, 9)


def test_a_logit_beyond_what_exp_can_hold_is_told_without_it() -> None:
    loss = SoftmaxLoss(("a", "b"), np.array([2000.0, 1999.0]), np.array([0.0, 1.0]), 1.3132617, np.array([0.0, 0.0]), 1)
    check(loss.predicted(1))
    assert loss.losses()[0].numbers["p"] == pytest.approx(1 / (1 + np.e))


# --- optimizers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_update_is_that_of_the_real_optimizer_and_what_is_written(optimizer: dict[str, Any]) -> None:
    signature = Signature(TABLE, CLASSES)
    found = walked(signature, optimizer=optimizer)
    experiment, network, loss, batch = subject(signature, optimizer=optimizer)
    parameters = list(network.parameters())
    gradients = torch.autograd.grad(loss.mean(network(batch.features), batch.target), parameters)
    build_optimizer(experiment.optimizer, list(parameters)).step(list(gradients), experiment.optimizer.rate)
    for moved, written in zip(parameters, found.parameters, strict=True):
        assert written.after.tolist() == moved.tolist()
        for index in np.ndindex(*written.after.shape):
            steps = found.update.written(written, index)
            for step in steps[:-1]:
                check(step)
            change = done_again(steps[-1].written(repr)) - float(written.before[index])
            actual = float(written.after[index]) - float(written.before[index])
            assert change == pytest.approx(actual, rel=1e-4, abs=2e-7)
    assert found.loss_after == loss.mean(network(batch.features), batch.target).item()
    assert found.update.is_clipped == ("clip_norm" in optimizer)
    assert bool(found.update.remembered) == (optimizer.get("momentum", 0) > 0 or optimizer["name"] != "sgd")


# --- every other layer -----------------------------------------------------------------------------------------

IMAGE = ImageExample(2, 6, 6, (120.0, 100.0), (70.0, 60.0))
SERIES = TableExample(4, window=8)
TEXT = TokenExample(9, 12, padded=True)
NETWORKS: list[tuple[Any, list[Any]]] = [
    (IMAGE, [{"conv2d": {"filters": 4, "size": [3, 2], "stride": 2, "dilation": 2, "groups": 2}}, "flatten", "output"]),
    (IMAGE, [{"conv2d": {"filters": 3, "size": 2, "norm": "batch_norm"}}, {"max_pool": {"size": 3, "padding": 1}},
             "global_avg_pool", "output"]),
    (IMAGE, [{"conv2d": {"filters": 3, "norm": "layer_norm", "activation": "tanh"}}, {"avg_pool": [2, 1]}, "batch_norm",
             "layer_norm", {"activation": "gelu"}, "flatten", {"dropout": 0.5}, "output"]),
    (IMAGE, [{"residual": {"layers": [{"conv2d": {"filters": 4, "stride": 2}}], "projection": True}}, "flatten", "output"]),
    (SERIES, [{"conv1d": {"filters": 4, "stride": 2, "groups": 2}}, {"max_pool": 2}, "batch_norm", "flatten", "output"]),
    (SERIES, [{"conv1d": {"filters": 4, "padding": "causal", "dilation": 2, "norm": "layer_norm"}}, {"avg_pool": 2},
              {"dense": 3}, "global_avg_pool", "output"]),
    (SERIES, [{"lstm": 5}, "output"]),
    (SERIES, [{"gru": {"units": 5, "returns": "sequence"}}, {"rnn": {"units": 4, "activation": "relu"}}, "output"]),
    (SERIES, [{"lstm": {"units": 3, "layers": 2, "bidirectional": True, "bias": False}}, "output"]),
    (TEXT, [{"embedding": 4}, "positional", {"attention": 2}, {"transformer": {"heads": 2, "causal": True}}, "global_avg_pool",
            "output"]),
    (TEXT, [{"embedding": 4}, {"conv1d": 4}, "layer_norm", {"rnn": {"units": 3, "bidirectional": True}}, "output"]),
    (TEXT, [{"embedding": 4}, {"max_pool": 2}, {"transformer": {"heads": 1, "pre_norm": False}}, {"gru": 3}, "output"]),
    (TABLE, [{"reshape": [1, 2, 2]}, {"conv2d": 2}, "flatten", {"repeat": {"times": 3, "layers": [
        {"residual": {"layers": [{"dense": 8}]}}]}}, {"activation": "sigmoid"}, "output"]),
]  # fmt: skip


def check_details(found: Walk) -> None:
    for layer in found.layers:
        for detail in layer.details:
            match detail:
                case Formula():
                    check(detail)
                case Dot():
                    check_dot(detail)
                case Some():
                    assert np.isfinite(detail.values).all()


@pytest.mark.parametrize(("example", "layers"), NETWORKS)
def test_what_is_written_of_any_layer_adds_up(example: Any, layers: list[Any]) -> None:
    found = walked(Signature(example, CLASSES), layers=layers, activation="relu", dropout=0.3)
    check_details(found)
    experiment = make_experiment(layers=layers, dropout=0.3)
    plan = plan_network(experiment, Signature(example, CLASSES))
    assert len(found.parameters) == len(list(compile_network(plan, 3).parameters()))
    for layer in found.layers:
        assert layer.sentence.endswith(".")
        assert layer.sentence.count("off here") + layer.sentence.count("it is off") == (layer.plan.dropout > 0)
    assert found.loss_after < found.loss


def test_every_layer_that_there_is_was_walked_through() -> None:
    seen = {name for _, layers in NETWORKS for name in names_of(layers)}
    assert seen == set(LAYERS)


def names_of(layers: list[Any]) -> set[str]:
    found = set()
    for layer in layers:
        name, settings = (layer, {}) if isinstance(layer, str) else next(iter(layer.items()))
        found.add(name)
        if name in ("repeat", "residual"):
            found |= names_of(settings["layers"])
    return found


def test_the_first_steps_of_recurrent_layers_are_those_of_the_module() -> None:
    for name in ("rnn", "gru", "lstm"):
        layers = [{name: {"units": 3, "returns": "sequence"}}, "global_avg_pool", "output"]
        layer = walked(Signature(SERIES, CLASSES), layers=layers).layers[0]
        (h,) = [detail for detail in layer.details if detail.name == "h"]
        assert isinstance(h, Formula)
        assert h.value == pytest.approx(layer.out[0, 0], rel=1e-5)


def test_a_repeat_tells_its_turns_apart() -> None:
    layers = [{"repeat": {"times": 3, "layers": [{"dense": 4}, {"dense": 4}]}}, "output"]
    found = walked(Signature(TABLE, CLASSES), layers=layers)
    assert [(layer.plan.name.split()[-1], layer.depth, layer.turn) for layer in found.layers] == [
        ("(repeat)", 0, 1),
        *[("(dense)", 1, turn) for turn in (1, 1, 2, 2, 3, 3)],
        ("(output)", 0, 1),
    ]
    assert not found.layers[0].parameters


def test_nothing_is_dropped_and_the_network_watches_no_more_afterwards() -> None:
    signature = Signature(TABLE, CLASSES)
    first, second = (walked(signature, dropout=rate, optimizer="sgd") for rate in (0.0, 0.9))
    assert first.loss == second.loss
    experiment, network, loss, batch = subject(signature)
    plan = plan_network(experiment, signature)
    walk(network, plan, loss, batch, experiment, 0.1, ("a", "b", "c"))
    assert not any(module._forward_hooks for module in network.modules())
    assert not any("run" in vars(module) for module in network.modules())
