"""Compiled networks agree with torch.nn modules built by hand; first weights are a function of the seed."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from networks import ACTIVATIONS, examples, make_network, make_plan
from torch import Tensor, nn

from nettool.config.layers import CUSTOM_LAYERS, LayerSettings
from nettool.model.compile import CUSTOM_BUILDERS, Network, compile_network

MODULES: dict[str, nn.Module] = {
    "relu": nn.ReLU(), "leaky_relu": nn.LeakyReLU(0.01), "elu": nn.ELU(1.0), "gelu": nn.GELU(approximate="none"), "silu": nn.SiLU(),
    "tanh": nn.Tanh(), "sigmoid": nn.Sigmoid(), "softplus": nn.Softplus(1.0), "linear": nn.Identity(),
}  # fmt: skip
X = torch.randn(16, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def linear(inputs: int, units: int, bias: bool = True) -> nn.Linear:
    return nn.Linear(inputs, units, bias=bias, dtype=torch.float64)


def batch_norm(units: int, **settings: float) -> nn.BatchNorm1d:
    return nn.BatchNorm1d(units, dtype=torch.float64, **settings)


def layer_norm(units: int, **settings: float) -> nn.LayerNorm:
    return nn.LayerNorm(units, dtype=torch.float64, **settings)


def assert_same(ours: nn.Module, reference: nn.Module) -> None:
    """Same weights, then the same forward pass and gradients, in training and in evaluation; twice, for running means."""
    generator = torch.Generator().manual_seed(2)
    theirs = list(reference.parameters())
    assert [p.shape for p in ours.parameters()] == [p.shape for p in theirs]
    with torch.no_grad():
        for mine, other in zip(ours.parameters(), theirs, strict=True):
            other.copy_(torch.randn(other.shape, generator=generator, dtype=torch.float64))
            mine.copy_(other)
    for training in (True, True, False):
        ours.train(training)
        reference.train(training)
        results = []
        for module in (ours, reference):
            x = X.clone().requires_grad_()
            out = module(x)
            weight = torch.linspace(-1, 1, out.numel(), dtype=torch.float64).view(out.shape)
            gradients = torch.autograd.grad((out * weight).sum(), [x, *module.parameters()])
            results.append([out, *gradients])
        for mine, other in zip(*results, strict=True):
            torch.testing.assert_close(mine, other, rtol=0, atol=1e-8)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_dense_layer_is_a_product_and_its_activation(name: str) -> None:
    hidden = {"dense": {"units": 5, "activation": name}}
    assert_same(make_network([hidden]), nn.Sequential(linear(4, 5), MODULES[name], linear(5, 2)))
    assert_same(
        make_network([{"dense": 5}, {"activation": name}]), nn.Sequential(linear(4, 5), MODULES[name], linear(5, 2))
    )


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_norm_stands_between_product_and_activation(name: str) -> None:
    for norm, module in (("batch_norm", batch_norm(5)), ("layer_norm", layer_norm(5))):
        hidden = {"dense": {"units": 5, "activation": name, "norm": norm}}
        assert_same(make_network([hidden]), nn.Sequential(linear(4, 5), module, MODULES[name], linear(5, 2)))


def test_layers_without_bias_have_none() -> None:
    hidden = {"dense": {"units": 5, "bias": False}}
    ours = make_network([hidden], output={"output": {"bias": False}})
    assert_same(ours, nn.Sequential(linear(4, 5, bias=False), nn.ReLU(), linear(5, 2, bias=False)))


def test_norms_of_their_own_have_their_settings() -> None:
    ours = make_network([{"batch_norm": {"momentum": 0.3, "epsilon": 0.1}}, {"layer_norm": {"epsilon": 0.2}}])
    assert_same(ours, nn.Sequential(batch_norm(4, momentum=0.3, eps=0.1), layer_norm(4, eps=0.2), linear(4, 2)))


class ResidualByHand(nn.Module):
    def __init__(self, inner: nn.Module, projection: nn.Linear | None = None) -> None:
        super().__init__()
        self.inner = inner
        self.projection = projection

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x @ self.projection.weight.T if self.projection is not None else x
        return torch.add(shortcut, self.inner(x))


def test_a_residual_adds_its_input_or_a_projection_of_it() -> None:
    plain = make_network([{"residual": {"layers": [{"dense": 7}, {"dense": 4}]}}])
    inner = nn.Sequential(linear(4, 7), nn.ReLU(), linear(7, 4), nn.ReLU())
    assert_same(plain, nn.Sequential(ResidualByHand(inner), linear(4, 2)))
    projected = make_network([{"residual": {"layers": [{"dense": 7}], "projection": True}}])
    inner = nn.Sequential(linear(4, 7), nn.ReLU())
    assert_same(projected, nn.Sequential(ResidualByHand(inner, linear(4, 7, bias=False)), linear(7, 2)))


def test_a_repeat_is_the_same_layers_each_time_with_weights_of_its_own() -> None:
    ours = make_network([{"repeat": {"times": 3, "layers": [{"dense": 5}, "layer_norm"]}}])
    parts = [part for width in (4, 5, 5) for part in (linear(width, 5), nn.ReLU(), layer_norm(5))]
    assert_same(ours, nn.Sequential(*parts, linear(5, 2)))
    ours = make_network([{"repeat": {"times": 2, "layers": [{"residual": {"layers": [{"dense": 4}]}}]}}])
    blocks = [ResidualByHand(nn.Sequential(linear(4, 4), nn.ReLU())) for _ in range(2)]
    assert_same(ours, nn.Sequential(*blocks, linear(4, 2)))


def test_embedded_categories_stand_behind_the_numbers() -> None:
    plan = make_plan([{"dense": 5}], inputs=3, embedded=(10, 4))
    ours = compile_network(plan, seed=0).double()
    x = examples(50, plan)
    tables = [nn.Embedding(codes, width, padding_idx=0, dtype=torch.float64) for codes, width in plan.embeddings]
    dense, output = linear(plan.input.features, 5), linear(5, 2)
    theirs = [*(table.weight for table in tables), dense.weight, dense.bias, output.weight, output.bias]
    with torch.no_grad():
        for mine, other in zip(ours.parameters(), theirs, strict=True):
            other.copy_(mine)
    embedded = [table(x[:, 3 + index].long()) for index, table in enumerate(tables)]
    reference = output(torch.relu(dense(torch.cat([x[:, :3], *embedded], dim=1))))
    torch.testing.assert_close(ours(x), reference, rtol=0, atol=1e-8)
    mine = torch.autograd.grad(ours(x).square().sum(), list(ours.parameters()))
    other = torch.autograd.grad(reference.square().sum(), theirs)
    for a, b in zip(mine, other, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-8)
    assert [float(mine[index][0].abs().sum()) for index in (0, 1)] == [0, 0]


def test_dropout_stands_after_the_activation_and_only_in_training() -> None:
    network = make_network([{"dense": {"units": 1000, "activation": "sigmoid", "dropout": 0.25}}])
    hidden = network.layers[0]
    out = hidden(X)
    scale = 65536 / (65536 - round(0.25 * 65536))
    kept = out != 0
    assert 0.7 < float(kept.double().mean()) < 0.8
    torch.testing.assert_close(out[kept], hidden.eval()(X)[kept] * scale, rtol=0, atol=1e-12)
    assert bool((hidden(X) != 0).all())


# --- first weights -----------------------------------------------------------------------------------------

NUM = 400 * 300
VARIANCES = {"he": 2 / 300, "lecun": 1 / 300, "xavier": 2 / 700, "normal": 0.05**2, "zeros": 0.0}


@pytest.mark.parametrize("init", VARIANCES)
def test_first_weights_have_the_variance_of_their_scheme(init: str) -> None:
    network = compile_network(make_plan([{"dense": {"units": 400, "init": init}}], inputs=300), seed=3)
    weight, bias = [parameter.detach().double() for parameter in network.layers[0].parameters()]
    variance, kurtosis = VARIANCES[init], 1.8 if init == "xavier" else 3.0
    four_sigma = 4 * variance * math.sqrt((kurtosis - 1) / NUM)
    assert abs(float(weight.square().mean()) - variance) <= four_sigma
    assert abs(float(weight.mean())) <= 4 * math.sqrt(variance / NUM)
    if init == "xavier":
        assert float(weight.abs().max()) <= math.sqrt(6 / 700)
    assert float(bias.abs().max()) == 0


def test_an_embedding_is_as_long_as_a_standardised_number() -> None:
    network = compile_network(make_plan([], embedded=(5000,)), seed=0)
    (weight,) = [parameter.detach() for parameter in network.inputs.parameters()]
    assert float(weight[0].abs().max()) == 0
    assert abs(float(weight[1:].square().sum(dim=1).mean()) - 1) < 4 * math.sqrt(2 / 50 / 4999)


EVERYTHING: list[Any] = [
    {"dense": {"units": 5, "norm": "batch_norm", "dropout": 0.5}},
    {"residual": {"projection": True, "layers": [{"dense": 3}]}},
    {"repeat": {"times": 2, "layers": [{"dense": 3}, "layer_norm", {"dropout": 0.2}]}},
]


def weights_of(network: Network) -> list[Tensor]:
    return [tensor.clone() for tensor in network.state_dict().values()]


def test_first_weights_are_a_function_of_the_seed_alone() -> None:
    plan = make_plan(EVERYTHING, embedded=(7,))
    torch.manual_seed(1)
    first = weights_of(compile_network(plan, seed=5))
    torch.manual_seed(2)
    junk = torch.full((100_000,), 7.0)  # memory that is not zero, for whoever forgets to fill its own
    del junk
    again = weights_of(compile_network(plan, seed=5))
    other = weights_of(compile_network(plan, seed=6))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    drawn = [index for index, a in enumerate(first) if a.ndim == 2]
    assert not any(torch.equal(first[index], other[index]) for index in drawn)
    assert not torch.equal(first[drawn[-2]], first[drawn[-3]])


def test_weights_and_dropout_leave_torchs_own_generator_alone() -> None:
    before = torch.get_rng_state()
    network = compile_network(make_plan(EVERYTHING, embedded=(7,)), seed=5)
    network(examples(8, make_plan(EVERYTHING, embedded=(7,)), torch.float32))
    assert torch.equal(torch.get_rng_state(), before)


def test_dropout_masks_follow_the_seed_and_not_the_first_weights() -> None:
    plan = make_plan([{"dropout": 0.5}], inputs=1000)
    x = torch.ones(8, 1000)
    masks = [compile_network(plan, seed=seed).layers[0](x) for seed in (1, 1, 2)]
    assert torch.equal(masks[0], masks[1])
    assert not torch.equal(masks[0], masks[2])
    states = compile_network(plan, seed=1).dropout_generator.get_state(), torch.Generator().manual_seed(1).get_state()
    assert not torch.equal(*states)


def test_weights_and_biases_given_outright_are_taken() -> None:
    layers = [
        {"dense": {"units": 2, "weights": [[1, 2, 3, 4], [5, 6, 7, 8]], "bias": [0.5, -1]}},
        {"dense": {"units": 3, "bias": 2}},
    ]
    first, second, _ = make_network(layers).layers
    weight, bias = first.parameters()
    assert weight.tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert bias.tolist() == [0.5, -1]
    assert list(second.parameters())[1].tolist() == [2, 2, 2]


def test_the_perceptron_of_the_lecture() -> None:
    network = make_network([], inputs=2, outputs=1, output={"output": {"weights": [3, -2], "bias": 1}})
    assert network(torch.tensor([[-1.0, 2.0]], dtype=torch.float64)).tolist() == [[-6]]


def test_all_zeros_break_no_symmetry() -> None:
    network = make_network([{"dense": 5}], init="zeros")
    assert not any(parameter.count_nonzero() for parameter in network.parameters())


# --- layers from Python ------------------------------------------------------------------------------------


class Twice(LayerSettings):
    factor: float
    """By how much."""

    def output_features(self, features: int) -> int:
        return 2 * features

    def num_parameters(self, features: int) -> int:
        return features


class TwiceModule(nn.Module):
    def __init__(self, settings: Twice, features: int) -> None:
        super().__init__()
        self.factor = settings.factor
        self.scale = nn.Parameter(torch.ones(features))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.factor * self.scale * x], dim=1)


@pytest.fixture
def twice() -> Iterator[None]:
    CUSTOM_LAYERS["twice"], CUSTOM_BUILDERS["twice"] = Twice, TwiceModule
    yield
    del CUSTOM_LAYERS["twice"], CUSTOM_BUILDERS["twice"]


@pytest.mark.usefixtures("twice")
def test_a_layer_from_python_is_built_with_its_settings_and_width() -> None:
    network = make_network([{"dense": 3}, {"twice": {"factor": 2.5}}])
    plan = make_plan([{"dense": 3}, {"twice": {"factor": 2.5}}])
    assert (plan.layers[1].output.features, plan.layers[1].num_parameters) == (6, 3)
    assert plan.num_parameters == sum(parameter.numel() for parameter in network.parameters())
    hidden = network.layers[0](X)
    torch.testing.assert_close(network.layers[1](hidden), torch.cat([hidden, 2.5 * hidden], dim=1))


@pytest.mark.usefixtures("twice")
def test_a_layer_from_python_that_draws_its_own_weights_draws_them_from_the_seed() -> None:
    CUSTOM_BUILDERS["twice"] = lambda settings, features: nn.Linear(features, 2 * features)
    plan = make_plan([{"twice": {"factor": 1.0}}])
    before = torch.get_rng_state()
    first, again, other = (compile_network(plan, seed).layers[0].weight for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


# --- imports -----------------------------------------------------------------------------------------------


def test_training_steps_import_neither_the_compiler_nor_the_optimizers_of_torch() -> None:
    script = """
import sys, torch
before = set(sys.modules)
import nettool.config.load, nettool.model.compile as compile, nettool.model.shapes as shapes
from nettool.config.signature import NumberTarget, Signature, TableExample
layers = [{"dense": {"units": 3, "norm": "batch_norm", "dropout": 0.5}}, {"residual": {"layers": [{"dense": 3}]}}, "output"]
config = {"data": {"path": "a", "target": "y"}, "layers": layers, "loss": "mse"}
plan = shapes.plan_network(nettool.config.load.load_mapping(config).experiment, Signature(TableExample(2, (5,)), NumberTarget(("y",))))
compile.compile_network(plan, 0)(torch.ones(4, 3)).sum().backward()
print(sorted(name for name in set(sys.modules) - before if name.startswith(("torch._dynamo", "torch._inductor", "torch.optim"))))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
