"""The loss over a plane of weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from nettool.analysis import landscape as module
from nettool.analysis.landscape import (
    Weights,
    extent,
    grid_size,
    landscape,
    plane_of_path,
    plane_of_weights,
    random_plane,
)
from nettool.config.signature import ClassTarget, ImageExample, Signature, TableExample, TokenExample
from nettool.data.dataset import Batch
from nettool.model.compile import Network, compile_network
from nettool.model.losses import Loss, build_loss
from nettool.model.shapes import plan_network
from tests.training.conftest import make_experiment

TARGET = ClassTarget(("a", "b", "c"), binary=False)
TABLE = Signature(TableExample(4), TARGET)
IMAGES = Signature(ImageExample(1, 8, 8, (0.5,), (0.25,)), TARGET)
TOKENS = Signature(TokenExample(6, 9, padded=True), TARGET)
GRID = np.linspace(-1, 1, 5)


def built(signature: Signature = TABLE, **changes: Any) -> tuple[Network, Batch, Loss]:
    experiment = make_experiment(**changes)
    network = compile_network(plan_network(experiment, signature), 0).eval()
    generator = torch.Generator().manual_seed(0)
    target = torch.randint(3, (12,), generator=generator)
    match signature.example:
        case ImageExample():
            features = torch.randint(256, (12, 1, 8, 8), generator=generator, dtype=torch.uint8)
        case TokenExample():
            features = torch.randint(1, 9, (12, 6), generator=generator)
        case _:
            features = torch.randn(12, 4, generator=generator)
    return network, Batch(features, target, None), build_loss(experiment.loss, TARGET, None)


def weights_of(network: Network) -> Weights:
    return {name: tensor.detach() for name, tensor in network.named_parameters()}


def loss_at(network: Network, batch: Batch, loss: Loss, weights: Weights) -> float:
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    network.load_state_dict({**before, **weights})
    with torch.no_grad():
        found = float(loss.mean(network(batch.features), batch.target, batch.weights))
    network.load_state_dict(before)
    return found


CASES = [
    (TABLE, {"layers": [{"dense": 6}, {"dropout": 0.5}, {"dense": {"units": 5, "norm": "batch_norm"}}, "output"]}),
    (IMAGES, {"layers": [{"conv2d": 3}, "max_pool", "flatten", "output"]}),
    (TOKENS, {"layers": [{"embedding": 4}, {"lstm": 5}, "output"]}),
    (TOKENS, {"layers": [{"embedding": 4}, {"transformer": {"heads": 2}}, "global_avg_pool", "output"]}),
]


@pytest.mark.parametrize(("signature", "changes"), CASES)
def test_the_loss_at_each_point_is_that_of_a_network_with_these_weights(signature: Signature, changes: Any) -> None:
    network, batch, loss = built(signature, **changes)
    center = weights_of(network)
    plane = random_plane(center)
    found = landscape(network, plane, GRID, GRID[:4], batch, loss.mean, 100)
    assert found.loss.shape == (4, 5)
    for row, column in ((0, 0), (2, 2), (3, 1)):
        moved = {
            name: center[name] + GRID[column] * plane.first[name] + GRID[row] * plane.second[name] for name in center
        }
        moved = {name: tensor.to(center[name].dtype) for name, tensor in moved.items()}
        assert found.loss[row, column] == pytest.approx(loss_at(network, batch, loss, moved), rel=1e-4)
    assert weights_of(network).keys() == center.keys()
    assert all(torch.equal(tensor, center[name]) for name, tensor in weights_of(network).items())


def test_points_are_as_many_at_once_as_have_room_and_it_makes_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    network, batch, loss = built()
    plane = random_plane(weights_of(network))
    whole = landscape(network, plane, GRID, GRID, batch, loss.mean, 30)
    monkeypatch.setattr(module, "NUMBERS_AT_ONCE", 1)
    assert landscape(network, plane, GRID, GRID, batch, loss.mean, 30).loss == pytest.approx(whole.loss, rel=1e-5)


def test_each_filter_of_a_random_direction_is_as_long_as_that_of_the_weights() -> None:
    first_conv = {"conv2d": {"filters": 3, "norm": "batch_norm"}}
    network, _, _ = built(IMAGES, layers=[first_conv, {"conv2d": 4}, "flatten", "output"])
    center = weights_of(network)
    assert sum("norm" in name for name in center) == 2
    plane = random_plane(center)
    for direction in (plane.first, plane.second):
        for name, tensor in center.items():
            if tensor.ndim < 2:
                assert not direction[name].any()
            else:
                assert direction[name].flatten(1).norm(dim=1) == pytest.approx(tensor.flatten(1).norm(dim=1), rel=1e-5)
        kernels, drawn = center["layers.1.product.weight"], direction["layers.1.product.weight"]
        assert kernels.shape[:2] == (4, 3)
        apart = (drawn.flatten(2).norm(dim=2) - kernels.flatten(2).norm(dim=2)).abs()
        assert apart.min() > 1e-4, "a filter is one vector over all of its inputs"
    assert not torch.equal(plane.first["layers.0.product.weight"], plane.second["layers.0.product.weight"])
    again = random_plane(center)
    assert all(torch.equal(again.first[name], plane.first[name]) for name in center)


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_a_random_direction_is_not_that_of_the_weights_although_both_begin_with_the_same_seed(seed: int) -> None:
    plan = plan_network(make_experiment(layers=[{"dense": 60}, {"dense": 50}, "output"]), TABLE)
    center = weights_of(compile_network(plan, seed))
    plane = random_plane(center, seed)
    every = [(plane.first, center), (plane.second, center), (plane.first, plane.second)]
    for name in ("layers.0.product.weight", "layers.1.product.weight"):
        for one, other in every:
            assert abs(torch.cosine_similarity(one[name].flatten(), other[name].flatten(), dim=0)) < 0.25


def moved(center: Weights, direction: Weights, far: float) -> Weights:
    return {name: center[name] + far * direction[name] for name in center}


def test_a_path_in_a_plane_lies_in_its_plane_and_is_found_again_there() -> None:
    network, _, _ = built()
    center = weights_of(network)
    drawn = random_plane(center, seed=3)
    way = [moved(moved(center, drawn.first, x), drawn.second, y) for x, y in ((3, 1), (2, 2), (1, 0.5), (0, 0))]
    plane = plane_of_path(center, [way])
    assert plane.explained == pytest.approx(1.0, abs=1e-6)
    for weights in way:
        x, y = plane.coordinates(weights)
        back = moved(moved(center, plane.first, x), plane.second, y)
        assert all(torch.allclose(back[name], weights[name], atol=1e-4) for name in center)


def test_what_the_plane_leaves_out_is_told() -> None:
    network, _, _ = built()
    center = weights_of(network)
    lost = random_plane(center, seed=4)
    drawn = random_plane(center, seed=3)
    way = [moved(center, drawn.first, 3), moved(center, drawn.second, 2), moved(center, lost.first, 1)]
    explained = plane_of_path(center, [way]).explained
    assert explained is not None
    assert 0.85 < explained < 0.97


def test_a_path_that_is_a_line_or_a_point_has_no_plane() -> None:
    network, _, _ = built()
    center = weights_of(network)
    with pytest.raises(ValueError, match="a line, or a point"):
        plane_of_path(center, [[center]])
    drawn = random_plane(center)
    with pytest.raises(ValueError, match="a line, or a point"):
        plane_of_path(center, [[moved(center, drawn.first, far) for far in (1.0, 2.0, 3.0)]])


def test_a_plane_of_two_weights_has_their_values_as_coordinates() -> None:
    network, batch, loss = built()
    center = weights_of(network)
    chosen = [("layers.0.product.weight", (1, 2)), ("layers.2.product.bias", (0,))]
    plane = plane_of_weights(center, chosen)
    values = [float(center[name][place]) for name, place in chosen]
    assert plane.coordinates(center) == pytest.approx(tuple(values), abs=1e-6)
    assert plane.labels == ("layers.0.product.weight[1, 2]", "layers.2.product.bias[0]")
    found = landscape(network, plane, np.array([values[0]]), np.array([values[1], 2.0]), batch, loss.mean, 30)
    assert found.loss[0, 0] == pytest.approx(loss_at(network, batch, loss, center), rel=1e-5)
    changed = {name: tensor.clone() for name, tensor in center.items()}
    changed["layers.2.product.bias"][0] = 2.0
    assert found.loss[1, 0] == pytest.approx(loss_at(network, batch, loss, changed), rel=1e-5)


def test_a_network_that_takes_long_has_fewer_points_and_examples() -> None:
    assert grid_size(10_000, 2000) == (41, 2000)
    num, examples = grid_size(200_000, 2000)
    assert (num, 64 <= examples < 2000) == (41, True)
    assert grid_size(2_000_000, 2000)[0] == 15
    assert grid_size(10**13, 2000) == (15, 1)


def test_a_grid_holds_its_points_with_room_around_them() -> None:
    x, y = extent([(0.0, 1.0), (4.0, 1.0)], least=1.0)
    assert x[0] < -0.5
    assert x[-1] > 4.5
    assert (y[0], y[-1]) == (0.5, 1.5)
