"""What gradients are worth: their reach, their noise, and whether they are those of finite differences."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nettool.analysis.gradient_check import check_gradients
from nettool.analysis.gradients import gradient_noise, signals
from nettool.data.dataset import Batch
from tests.model.networks import make_network, make_plan


def squared(logits: Tensor, target: Tensor, weights: Tensor | None) -> Tensor:
    return (logits - target).square().mean()


def some(num: int, inputs: int = 4, outputs: int = 2) -> Batch:
    generator = torch.Generator().manual_seed(0)
    draw = lambda width: torch.randn(num, width, generator=generator, dtype=torch.float64)  # noqa: E731
    return Batch(draw(inputs), draw(outputs), None)


def test_the_signal_of_a_layer_is_the_gradient_by_its_output() -> None:
    layers: list[Any] = [{"dense": {"units": 3, "activation": "tanh"}}, {"dropout": 0.5}, {"dense": 5}]
    network, plan, batch = make_network(layers).eval(), make_plan(layers), some(6)
    found = signals(network, plan, batch, squared)
    assert [one.layer for one in found] == [layer.name for layer in plan.leaves()]
    first = network.layers[0](batch.features).detach().requires_grad_()
    rest = first
    for module in list(network.layers)[1:]:
        rest = module(rest)
    (wanted,) = torch.autograd.grad(squared(rest, batch.target, None), first)
    assert found[0].size == pytest.approx(float(wanted.norm()), rel=1e-12)
    assert not hasattr(network.layers[0], "_forward_hooks") or not network.layers[0]._forward_hooks


def test_sigmoids_on_top_of_each_other_leave_little_of_the_signal() -> None:
    layers: list[Any] = [{"dense": {"units": 8, "activation": "sigmoid"}}] * 8
    found = signals(make_network(layers).eval(), make_plan(layers), some(20), squared)
    assert found[0].size < 1e-3 * found[-1].size


class Slope(nn.Module):
    """One weight, whose gradient by an example is the example."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :1] * self.weight


def mean_of(logits: Tensor, target: Tensor, weights: Tensor | None) -> Tensor:
    return logits.mean()


def test_noise_is_the_variance_of_an_example_and_signal_the_square_of_the_mean() -> None:
    generator = torch.Generator().manual_seed(1)
    values = 3 + 2 * torch.randn(20_000, 1, generator=generator, dtype=torch.float64)
    found = gradient_noise(Slope(), Batch(values, values, None), mean_of, groups=2000)
    assert found.noise == pytest.approx(4, rel=0.1)
    assert found.signal == pytest.approx(9, rel=0.02)
    assert found.share(1) == pytest.approx(4 / 13, rel=0.1)
    assert found.share(16) == pytest.approx(0.25 / 9.25, rel=0.1)
    assert found.scale == pytest.approx(4 / 9, rel=0.1)


def test_of_examples_that_say_the_same_nothing_is_chance() -> None:
    ones = torch.ones(64, 1, dtype=torch.float64)
    found = gradient_noise(Slope(), Batch(ones, ones, None), mean_of)
    assert found.share(1) == 0
    assert found.signal == pytest.approx(1)


def test_a_variance_of_too_few_examples_is_refused() -> None:
    ones = torch.ones(3, 1, dtype=torch.float64)
    with pytest.raises(ValueError, match="more examples"):
        gradient_noise(Slope(), Batch(ones, ones, None), mean_of)


ALL_LAYERS: list[Any] = [
    {"dense": {"units": 5, "activation": "tanh", "norm": "layer_norm"}},
    {"residual": {"layers": [{"dense": 5}, {"dense": {"units": 5, "activation": "gelu"}}]}},
    "batch_norm",
]


def test_every_gradient_is_that_of_a_difference() -> None:
    network = make_network(ALL_LAYERS)
    found = check_gradients(network, some(6), squared)
    assert [one.tensor for one in found] == [name for name, _ in network.named_parameters()]
    assert all(one.fine and one.error < 1e-6 and one.num for one in found)
    assert found[0].layer == "layers.0 (dense)"


class WrongSlope(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: Tensor) -> Tensor:
        context.save_for_backward(x)
        return x.square()

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        (x,) = context.saved_tensors
        return 2.01 * x * gradient


def test_a_gradient_that_is_one_half_of_a_percent_off_is_found_in_the_layers_before_it() -> None:
    network = make_network(
        [{"dense": {"units": 3, "activation": "tanh"}}, {"dense": {"units": 3, "activation": "tanh"}}]
    )
    network.layers[1].activation = type("Wrong", (nn.Module,), {"forward": lambda self, x: WrongSlope.apply(x)})()
    found = check_gradients(network, some(6), squared)
    assert [one.layer for one in found if not one.fine] == ["layers.0 (dense)"] * 2 + ["layers.1 (dense)"] * 2
    assert all(0.003 < one.error < 0.007 for one in found if not one.fine)


def test_weights_at_a_corner_are_left_out_and_said() -> None:
    network = make_network([{"dense": 3}])
    with torch.no_grad():
        network.layers[0].product.weight.zero_()
        network.layers[0].product.bias.zero_()  # every unit stands at the corner of its relu
    found = check_gradients(network, some(6), squared)
    assert found[1].kinks == found[1].num == 3
    assert all(one.fine for one in found)


def test_gradients_found_another_way_are_held_against_the_same_differences() -> None:
    network, batch = make_network([{"dense": {"units": 3, "activation": "tanh"}}]), some(6)
    gradients = torch.autograd.grad(squared(network(batch.features), batch.target, None), list(network.parameters()))
    named = dict(zip((name for name, _ in network.named_parameters()), gradients, strict=True))
    assert all(one.fine for one in check_gradients(network, batch, squared, named))
    named["layers.1.product.bias"] = 1.01 * named["layers.1.product.bias"]
    found = check_gradients(network, batch, squared, named)
    assert [one.tensor for one in found if not one.fine] == ["layers.1.product.bias"]
