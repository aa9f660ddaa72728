"""One example through a network: what is written adds up to what the modules, autograd and the optimizer have."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from nettool.analysis.formulas import Formula
from nettool.analysis.loss_steps import SoftmaxLoss
from nettool.analysis.walkthrough import walk
from nettool.config.signature import (
    ClassTarget,
    LabelTarget,
    NextTarget,
    NumberTarget,
    Signature,
    TableExample,
    TokenExample,
)
from nettool.model.shapes import plan_network
from nettool.training.optimizers import build_optimizer
from tests.analysis.walks import CLASSES, TABLE, check, check_dot, subject, walked
from tests.analysis.written import done_again

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


def test_nothing_is_dropped_and_the_network_watches_no_more_afterwards() -> None:
    signature = Signature(TABLE, CLASSES)
    first, second = (walked(signature, dropout=rate, optimizer="sgd") for rate in (0.0, 0.9))
    assert first.loss == second.loss
    experiment, network, loss, batch = subject(signature)
    plan = plan_network(experiment, signature)
    walk(network, plan, loss, batch, experiment, 0.1, ("a", "b", "c"))
    assert not any(module._forward_hooks for module in network.modules())
    assert not any("run" in vars(module) for module in network.modules())
