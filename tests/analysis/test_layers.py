"""Weights, outputs and gradients of layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from nettool.analysis.layers import (
    activation_distributions,
    gradient_distributions,
    leaf_modules,
    weight_distributions,
)
from nettool.config.signature import ClassTarget, ImageExample, Signature, TableExample, TokenExample
from nettool.data.dataset import Batch
from nettool.model.compile import Network, compile_network
from nettool.model.losses import build_loss
from nettool.model.plans import NetworkPlan
from nettool.model.shapes import plan_network
from tests.training.conftest import make_experiment

TARGET = ClassTarget(("a", "b", "c"), binary=False)
TABLE = Signature(TableExample(4), TARGET)


def built(signature: Signature = TABLE, **changes: Any) -> tuple[Network, NetworkPlan, Batch]:
    plan = plan_network(make_experiment(**changes), signature)
    features = torch.randn(20, 4, generator=torch.Generator().manual_seed(0))
    if isinstance(signature.example, ImageExample):
        features = (features.abs() * 50).to(torch.uint8).repeat(1, 16).view(20, 1, 8, 8)
    return compile_network(plan, 0).eval(), plan, Batch(features, torch.arange(20) % 3, None)


def test_layers_of_every_depth_have_their_names_in_order() -> None:
    layers = [
        {"repeat": {"times": 2, "layers": [{"dense": 4}]}},
        {"residual": {"layers": [{"dense": 4}, {"dense": 4}]}},
        {"activation": "tanh"},
        "output",
    ]
    network, plan, _ = built(layers=layers)
    found = [name.partition(" ")[2] for name, _, _ in leaf_modules(network, plan)]
    assert found == ["(dense)", "(dense)", "(dense)", "(dense)", "(activation)", "(output)"]
    shapes = [sum(one.numel() for one in module.parameters()) for _, _, module in leaf_modules(network, plan)]
    assert shapes == [20, 20, 20, 20, 0, 15]


def test_the_weights_of_a_layer_are_its_own_without_biases() -> None:
    network, plan, _ = built()
    found = weight_distributions(network, plan)
    assert [each.name for each in found] == ["layers.0 (dense)", "layers.1 (dense)", "layers.2 (output)"]
    expected = network.layers[1].product.weight.detach().flatten().double().numpy()  # type: ignore[union-attr]
    assert (found[1].values == expected).all()


def test_units_that_are_never_on_are_dead_and_those_at_an_end_saturated() -> None:
    network, plan, batch = built(layers=[{"dense": 6}, {"dense": {"units": 5, "activation": "sigmoid"}}, "output"])
    with torch.no_grad():
        network.layers[0].product.bias[:2] = -100  # type: ignore[union-attr]
        network.layers[1].product.bias[:3] = torch.tensor([50.0, -50.0, 50.0])  # type: ignore[union-attr]
    found, health = activation_distributions(network, plan, batch)
    assert [(one.num_units, one.dead, one.saturated) for one in health] == [(6, 2, 0), (5, 0, 3), (3, 0, 0)]
    assert found[0].note == "2 of 6 units are dead: 0 for every example"
    assert found[1].note == "3 of 5 units are saturated"
    assert found[2].note == ""
    logits = network(batch.features).detach().double().flatten().numpy()
    assert found[2].values == pytest.approx(logits)


def test_of_images_a_channel_is_a_unit() -> None:
    images = Signature(ImageExample(1, 8, 8, (0.5,), (0.25,)), TARGET)
    network, plan, batch = built(images, layers=[{"conv2d": 3}, "flatten", "output"])
    with torch.no_grad():
        network.layers[0].product.bias[:] = torch.tensor([1000.0, -1000.0, 1000.0])  # type: ignore[union-attr]
    _, health = activation_distributions(network, plan, batch)
    assert (health[0].num_units, health[0].dead) == (3, 1)


def test_of_a_text_the_steps_that_fill_it_up_are_left_out() -> None:
    texts = Signature(TokenExample(6, 9, padded=True), TARGET)
    layers = [{"embedding": 4}, {"dense": 5}, {"lstm": 3}, {"layer_norm": {}}, "output"]
    network, plan, _ = built(texts, layers=layers)
    features = torch.tensor([[1, 2, 3, 0, 0, 0], [4, 5, 0, 0, 0, 0]])
    found, health = activation_distributions(network, plan, Batch(features, torch.tensor([0, 1]), None))
    assert [one.num_units for one in health] == [4, 5, 3, 3, 3]
    assert [len(one.values) for one in found] == [5 * 4, 5 * 5, 2 * 3, 2 * 3, 2 * 3]
    embedded = network.layers[0].table(torch.tensor([1, 2, 3, 4, 5])).detach().flatten()  # type: ignore[union-attr, operator]
    assert found[0].values == pytest.approx(embedded.double().numpy())
    again, _ = activation_distributions(network, plan, Batch(features, torch.tensor([0, 1]), None))
    assert all((one.values == other.values).all() for one, other in zip(found, again, strict=True))


def test_gradients_are_those_of_the_loss_and_nothing_is_left_behind() -> None:
    network, plan, batch = built()
    loss = build_loss(make_experiment().loss, TARGET, None)
    with torch.no_grad():
        network.layers[0].product.bias[:] = -100  # type: ignore[union-attr]
    found = gradient_distributions(network, plan, batch, loss.mean)
    sizes = [len(parameter) for parameter in network.parameters() if parameter.ndim > 1]
    assert [each.note for each in found] == [f"{units} of {units} units get no gradient" for units in sizes]
    assert all(one.grad is None for one in network.parameters())
    with torch.no_grad():
        network.layers[0].product.bias[:] = 0.5  # type: ignore[union-attr]
    found = gradient_distributions(network, plan, batch, loss.mean)
    loss.mean(network(batch.features), batch.target, None).backward()
    expected = network.layers[2].product.weight.grad.abs().flatten().double().numpy()  # type: ignore[union-attr]
    assert found[2].values == pytest.approx(np.log10(expected[expected > 0]), rel=1e-4)


def test_a_gradient_of_zero_is_noted_where_a_whole_unit_has_none_and_not_where_an_input_is_zero() -> None:
    network, plan, batch = built(layers=[{"dense": {"units": 6, "activation": "tanh"}}, "output"])
    loss = build_loss(make_experiment().loss, TARGET, None)
    batch.features[:, 2] = 0
    found = gradient_distributions(network, plan, batch, loss.mean)
    assert len(found[0].values) == 6 * 3, "the weights of an input that is 0 have none"
    assert [each.note for each in found] == ["", ""]
    with torch.no_grad():
        network.layers[1].product.weight[:, 4] = 0  # type: ignore[union-attr]
    found = gradient_distributions(network, plan, batch, loss.mean)
    assert [each.note for each in found] == ["1 of 6 units get no gradient", ""]
