"""Kernels of convolutions and what they answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from nettool.analysis.filters import Filters, convolutions, first_dense, one_sidedness
from nettool.config.signature import ClassTarget, ImageExample, Signature, TableExample, TokenExample
from nettool.model.compile import Network, compile_network
from nettool.model.plans import NetworkPlan
from nettool.model.shapes import plan_network
from tests.training.conftest import make_experiment

TARGET = ClassTarget(("a", "b", "c"), binary=False)
IMAGES = Signature(ImageExample(3, 8, 8, (9.0, 9.0, 9.0), (20.0, 20.0, 20.0)), TARGET)


def built(signature: Signature, layers: list[Any], **changes: Any) -> tuple[Network, NetworkPlan]:
    plan = plan_network(make_experiment(layers=layers, **changes), signature)
    return compile_network(plan, 0), plan


def image() -> torch.Tensor:
    return (torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(1)) * 255).to(torch.uint8)


@pytest.mark.parametrize("double", [False, True])
def test_feature_maps_are_what_the_layers_put_out(double: bool) -> None:
    layers = [{"conv2d": 5}, {"max_pool": {}}, {"conv2d": {"filters": 4, "norm": "batch_norm"}}, "flatten", "output"]
    network, plan = built(IMAGES, layers)
    network = network.double() if double else network
    first, second = convolutions(network, plan, image())
    with torch.no_grad():
        network.eval()
        inner = network.layers[0](network.inputs(image()))  # type: ignore[operator]
        outer = network.layers[2](network.layers[1](inner))  # type: ignore[operator]
    assert (first.name, second.name) == ("layers.0 (conv2d)", "layers.2 (conv2d)")
    assert first.answers == pytest.approx(inner[0].double().numpy(), abs=1e-6)
    assert second.answers == pytest.approx(outer[0].double().numpy(), abs=1e-6)
    assert (first.kernels == network.layers[0].product.weight.detach().double().numpy()).all()  # type: ignore[union-attr]
    assert first.kernels.shape == (5, 3, 3, 3)
    assert not first.in_time


def test_of_a_text_only_real_steps_are_answered() -> None:
    texts = Signature(TokenExample(9, 20, padded=True), TARGET)
    network, plan = built(texts, [{"embedding": 4}, {"conv1d": {"filters": 6, "size": 3}}, "global_avg_pool", "output"])
    (found,) = convolutions(network, plan, torch.tensor([[3, 4, 5, 6, 0, 0, 0, 0, 0]]))
    assert found.in_time
    assert found.kernels.shape == (6, 4, 3)
    assert found.answers.shape == (6, 4)


def test_the_filters_that_answer_most_are_chosen_in_order() -> None:
    answers = np.array([0.1, -5.0, 0.0, 3.0])[:, None, None] * np.ones((4, 2, 2))
    assert Filters("", np.ones((4, 1, 3, 3)), answers).strongest(2) == [1, 3]


def test_an_edge_has_no_sum_and_a_blur_nothing_else() -> None:
    edge, blur, half = np.outer([1, 1, 1], [-1, 0, 1]), np.ones((3, 3)), np.diag([3.0, 0.0, -1.0])
    shares = one_sidedness(np.stack([edge, blur, -blur, half, 0 * blur])[:, None])
    assert shares == pytest.approx([0, 1, 1, 0.5, 0])


def test_weights_of_pixels_are_those_of_the_first_dense_layer_behind_a_flatten() -> None:
    network, plan = built(IMAGES, ["flatten", {"dense": 7}, "output"])
    found = first_dense(network, plan)
    assert found is not None
    assert found[0] == "layers.1 (dense)"
    assert (found[1] == network.layers[1].product.weight.detach().double().numpy()).all()  # type: ignore[union-attr]
    assert first_dense(*built(IMAGES, [{"conv2d": 2}, "flatten", {"dense": 7}, "output"])) is None
    assert first_dense(*built(Signature(TableExample(4), TARGET), ["output"])) is not None
