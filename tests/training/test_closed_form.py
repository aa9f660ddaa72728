"""The closed form against autograd and against finite differences, in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from nettool.training.closed_form.chain import Chain
from nettool.training.closed_form.flat import FlatParameters
from nettool.training.step import NonFiniteLoss
from tests.training.networks_of_every_kind import (
    ACTIVATIONS,
    EMBEDDED,
    IMAGE,
    LOSSES,
    OPTIMIZERS,
    TABLE,
    Case,
    Example,
    LossCase,
    make_case,
    named,
)

NUDGE = 1e-6


def assert_engines_agree(case: Case, count: int = 1, tolerance: float = 1e-8) -> None:
    """After a few updates: losses, weights, buffers, what the optimizer remembers, and the generator of the masks."""
    steps = [case.step(engine) for engine in ("closed_form", "autograd")]
    for start in range(0, len(case.batches), count):
        group = case.batches[start : start + count]
        (mean, weight), (expected_mean, expected_weight) = (step(iter(group), len(group), 0.01) for _, step in steps)
        assert mean == pytest.approx(expected_mean, rel=tolerance, abs=tolerance)
        assert weight == pytest.approx(expected_weight, rel=1e-12)
    (network, step), (expected, expected_step) = steps
    for found, wanted in (
        (network.state_dict(), expected.state_dict()),
        (step.optimizer.state(), expected_step.optimizer.state()),
    ):
        assert found.keys() == wanted.keys()
        for name, tensor in wanted.items():
            torch.testing.assert_close(
                found[name], tensor, rtol=tolerance, atol=tolerance, msg=lambda text, name=name: f"{name}: {text}"
            )
    assert torch.equal(network.dropout_generator.get_state(), expected.dropout_generator.get_state())


rates = st.sampled_from([0.0, 0.3, 0.7])
hidden = st.one_of(
    st.fixed_dictionaries(
        {
            "units": st.integers(1, 5),
            "activation": st.sampled_from(ACTIVATIONS),
            "dropout": rates,
            "bias": st.booleans(),
        }
    ).map(lambda settings: {"dense": settings}),
    st.sampled_from(ACTIVATIONS).map(lambda name: {"activation": name}),
    rates.map(lambda rate: {"dropout": rate}),
    # With the usual epsilon, norm upon norm of numbers that are all the same magnify the last digit a millionfold.
    st.sampled_from(["batch_norm", "layer_norm"]).map(lambda name: {name: {"epsilon": 0.1}}),
)
stacks = st.recursive(
    st.lists(hidden, max_size=4),
    lambda inner: st.tuples(inner, st.integers(1, 2), inner).map(
        lambda parts: [*parts[0], *([{"repeat": {"times": parts[1], "layers": parts[2]}}] if parts[2] else [])]
    ),
    max_leaves=3,
)


def rounding_decides(case: Case, count: int) -> bool:
    """Whether there are corners, and an update leaves the shift of a norm at 0 but for the last digit.

    Of a row of zeros, which dropout makes, a norm gives its shift alone; a relu behind it may then take one side in the
    one engine and the other in the other, and both rightly.
    """
    network, step = case.step("autograd")
    if not any(isinstance(module, nn.ReLU | nn.LeakyReLU) for module in network.modules()):
        return False
    for start in range(0, len(case.batches), count):
        group = case.batches[start : start + count]
        step(iter(group), len(group), 0.01)
        shifts = [module.bias for module in network.modules() if isinstance(module, nn.LayerNorm | nn.BatchNorm1d)]
        if any(bool(((shift != 0) & (shift.abs() < 1e-15)).any()) for shift in shifts):
            return True
    return False


@settings(max_examples=150, deadline=None)
@given(stacks, st.sampled_from(LOSSES), st.sampled_from(OPTIMIZERS), st.booleans(), st.integers(1, 2), rates)
def test_it_agrees_with_autograd(
    layers: list[Any],
    loss: LossCase,
    optimizer: dict[str, Any],
    weighted: bool,
    count: int,
    dropout: float,
) -> None:
    case = make_case([*layers, "output"], loss, weighted=weighted, optimizer=optimizer, dropout=dropout)
    assume(not rounding_decides(case, count))
    assert_engines_agree(case, count)


@pytest.mark.parametrize("loss", LOSSES, ids=named)
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=named)
def test_every_loss_and_optimizer_agrees_with_autograd(loss: LossCase, optimizer: dict[str, Any]) -> None:
    for weighted in (False, True):
        layers = [{"dense": 5}, {"dense": {"units": 4, "norm": "batch_norm", "activation": "tanh"}}, "output"]
        assert_engines_agree(make_case(layers, loss, weighted=weighted, optimizer=optimizer, dropout=0.3))


@pytest.mark.parametrize(
    "first", [{"dense": 5}, "batch_norm", {"dropout": 0.3}, {"activation": "relu"}, "output"], ids=str
)
def test_embedded_categories_and_pixels_agree_with_autograd(first: Any) -> None:
    rest = [] if first == "output" else [{"dense": 3}, "output"]
    assert_engines_agree(make_case([first, *rest], example=EMBEDDED, dropout=0.2))
    assert_engines_agree(make_case(["flatten", first, *rest], example=IMAGE, dropout=0.2))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("norm", [None, "batch_norm", "layer_norm"])
@pytest.mark.parametrize("loss", LOSSES, ids=named)
def test_gradients_are_those_of_finite_differences(activation: str, norm: str | None, loss: LossCase) -> None:
    layers = [{"dense": {"units": 3, "activation": activation, "norm": norm, "dropout": 0.4}}, "output"]
    case = make_case(layers, loss, example=EMBEDDED, sizes=(6,), weighted=True)
    network, (batch,) = case.network(), case.batches
    flat = FlatParameters([network])
    chain = Chain(network, flat, case.experiment.loss, case.class_weights, batch)
    masks = network.dropout_generator.get_state()

    def loss_at(values: Tensor) -> float:
        flat.values.copy_(values)
        network.dropout_generator.set_state(masks)  # the same each time
        return chain.forward(batch)[0].item()

    start, found = flat.values.clone(), flat.gradients
    loss_at(start)
    chain.backward(1.0)
    found, wanted = found.clone(), torch.zeros_like(found)
    for index in range(found.shape[1]):
        nudge = torch.zeros_like(start)
        nudge[0, index] = NUDGE
        wanted[0, index] = (loss_at(start + nudge) - loss_at(start - nudge)) / (2 * NUDGE)
    between = torch.ones_like(start)  # the zeros between the weights, and what training leaves alone:
    for parameter in network.parameters():
        flat._part(between, parameter).zero_()
    for table in network.inputs.parameters():
        flat._part(between, table)[:, 0] = 1  # the row of a level that it never saw
    assert not found[between.bool()].any()
    wanted[between.bool()] = 0
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)


def allocations(work: Callable[[], object]) -> list[str]:
    """The operations that ask for memory; not for that of a single number, as torch does for each of Python's."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        work()
    return [event.name for event in profiled.events() if event.self_cpu_memory_usage > 16]


@pytest.mark.parametrize("example", [TABLE, EMBEDDED, IMAGE], ids=lambda example: str(example)[:14])
@pytest.mark.parametrize("norm", [None, "batch_norm", "layer_norm"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_nothing_is_allocated_from_step_to_step(example: Example, norm: str | None, activation: str) -> None:
    layers = [{"dense": {"units": 5, "activation": activation, "norm": norm}}, {"dropout": 0.2}, "output"]
    case = make_case(["flatten", *layers] if example is IMAGE else layers, example=example, sizes=(50,), dropout=0.3)
    _, step = case.step("closed_form")
    step(iter(case.batches), 1, 0.01)
    assert allocations(lambda: step(iter(case.batches), 1, 0.01)) == []
    assert "aten::empty" in allocations(lambda: torch.empty(5)), "the profiler sees no allocation"


@pytest.mark.parametrize("loss", LOSSES, ids=named)
def test_no_loss_allocates(loss: LossCase) -> None:
    case = make_case([{"dense": 5}, "output"], loss, sizes=(50,))
    _, step = case.step("closed_form")
    step(iter(case.batches), 1, 0.01)
    assert allocations(lambda: step(iter(case.batches), 1, 0.01)) == []


def test_the_weights_stay_as_they_were_where_the_loss_is_not_finite() -> None:
    case = make_case([{"dense": 5}, "output"])
    network, step = case.step("closed_form")
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    case.batches[0].features[0, 0] = float("nan")
    for count in (1, 3):
        with pytest.raises(NonFiniteLoss):
            step(iter(case.batches), count, 0.01)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize(
    "first", [{"dropout": 0.5}, {"activation": "relu"}, {"activation": "gelu"}, "batch_norm"], ids=str
)
def test_the_examples_in_memory_stay_as_they_are(first: Any) -> None:
    case = make_case([first, {"dense": 5}, "output"], sizes=(7,))
    (batch,) = case.batches
    before = batch.features.clone(), batch.target.clone()
    _, step = case.step("closed_form")
    step(iter([batch]), 1, 0.01)
    assert torch.equal(batch.features, before[0])
    assert torch.equal(batch.target, before[1])
