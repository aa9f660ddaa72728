"""Modules that torch lacks: dropout with a generator of its own, an input of numbers and embeddings, the shortcut."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from nettool.model.blocks import Dropout, Embedding, Linear, TableInput
from nettool.model.stack import Residual, Stack


def dropout(rate: float, seed: int = 0) -> Dropout:
    return Dropout(rate, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("rate", [0.001, 0.1, 0.5, 0.75, 0.99])
def test_ten_million_draws_have_the_rate(rate: float) -> None:
    num = 10_000_000
    dropped = num - int(torch.count_nonzero(dropout(rate)(torch.ones(num))))
    exact = round(rate * 65536) / 65536
    assert abs(exact - rate) <= 1 / 131072
    assert abs(dropped - num * exact) <= 4 * math.sqrt(num * exact * (1 - exact))


def test_every_place_of_a_draw_has_the_rate() -> None:
    """64 random bits make four places; a generator that leaves one bit out would show in one of them."""
    num = 2_000_000
    for rate in (0.25, 0.5, 0.9):
        kept = (dropout(rate)(torch.ones(num, 4)) != 0).double().mean(dim=0)
        assert float((kept - (1 - rate)).abs().max()) <= 4.5 * math.sqrt(rate * (1 - rate) / num)


def test_places_are_dropped_independently_of_each_other() -> None:
    kept = (dropout(0.5)(torch.ones(1_000_000, 8)) != 0).double()
    correlation = torch.corrcoef(kept.T) - torch.eye(8, dtype=torch.float64)
    assert float(correlation.abs().max()) < 5e-3
    neighbours = torch.corrcoef(torch.stack([kept[:-1].flatten(), kept[1:].flatten()]))
    assert abs(float(neighbours[0, 1])) < 5e-3


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9, 0.123456789])
def test_what_is_kept_is_scaled_so_that_the_mean_stays(rate: float) -> None:
    x = torch.linspace(-3, 3, 10_001, dtype=torch.float64)
    out = dropout(rate)(x)
    kept = out != 0
    scale = 65536 / (65536 - round(rate * 65536))
    torch.testing.assert_close(out[kept], x[kept] * scale, rtol=0, atol=1e-12)
    assert scale == pytest.approx(1 / (1 - rate), rel=1e-3)


def test_the_gradient_passes_where_the_value_passed() -> None:
    x = torch.rand(5, 7, dtype=torch.float64, requires_grad=True)
    out = dropout(0.5)(x)
    out.sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad, (out != 0) * 2.0, rtol=0, atol=0, check_dtype=False)


@given(st.integers(0, 70), st.sampled_from([torch.float32, torch.float64, torch.bfloat16]))
def test_any_number_of_values_and_any_type_is_taken(num: int, dtype: torch.dtype) -> None:
    out = dropout(0.5)(torch.ones(num, dtype=dtype))
    assert (out.shape, out.dtype) == ((num,), dtype)
    assert set(out.tolist()) <= {0.0, 2.0}


def test_any_shape_and_any_stride_is_taken() -> None:
    x = torch.ones(3, 5, 7).transpose(0, 2)
    out = dropout(0.5)(x)
    assert out.shape == (7, 5, 3)
    assert set(out.flatten().tolist()) == {0.0, 2.0}


def test_masks_follow_the_generator() -> None:
    x = torch.ones(1001)
    assert torch.equal(dropout(0.5, seed=1)(x), dropout(0.5, seed=1)(x))
    assert not torch.equal(dropout(0.5, seed=1)(x), dropout(0.5, seed=2)(x))
    layer = dropout(0.5)
    state = layer.generator.get_state()
    first, second = layer(x), layer(x)
    assert not torch.equal(first, second)
    layer.generator.set_state(state)
    assert torch.equal(layer(x), first)


def test_nothing_is_dropped_or_drawn_in_evaluation_or_at_rate_0() -> None:
    x = torch.rand(9)
    for layer in (dropout(0.5).eval(), dropout(0.0), dropout(1e-9)):
        before = layer.generator.get_state()
        assert torch.equal(layer(x), x)
        assert torch.equal(layer.generator.get_state(), before)


@pytest.mark.parametrize("rate", [0.999999, 0.99999999, math.nextafter(1, 0)])
def test_a_rate_next_to_1_is_no_division_by_zero(rate: float) -> None:
    out = dropout(rate)(torch.ones(100_000))
    assert bool(torch.isfinite(out).all())


def test_a_printed_dropout_shows_its_rate() -> None:
    assert repr(dropout(0.25)) == "Dropout(rate=0.25)"


def test_table_input_lays_numbers_and_embeddings_side_by_side() -> None:
    module = TableInput(2, [(3, 2), (4, 1)])
    with torch.no_grad():
        module.embeddings[0].weight.copy_(torch.tensor([[0.0, 0], [1, 2], [3, 4]]))  # type: ignore[operator, union-attr]
        module.embeddings[1].weight.copy_(torch.tensor([[0.0], [5], [6], [7]]))  # type: ignore[operator, union-attr]
    out = module(torch.tensor([[0.5, -0.5, 2, 1], [1.5, 2.5, 0, 3]]))
    assert out.tolist() == [[0.5, -0.5, 3, 4, 5], [1.5, 2.5, 0, 0, 7]]


def test_a_level_that_training_never_saw_stays_the_zero_vector() -> None:
    module = TableInput(0, [(3, 2)])
    module.draw_weights(torch.Generator().manual_seed(0))
    module(torch.tensor([[0.0], [1.0]])).sum().backward()
    (weight,) = module.parameters()
    assert weight.grad is not None
    assert weight.grad.tolist() == [[0, 0], [1, 1], [0, 0]]
    assert weight[0].tolist() == [0, 0]


def test_linear_and_embedding_draw_nothing_when_they_are_made() -> None:
    before = torch.get_rng_state()
    Linear(3, 4)
    Embedding(5, 2)
    assert torch.equal(torch.get_rng_state(), before)


def test_residual_adds_the_two_ways() -> None:
    x = torch.rand(3, 4)
    assert torch.equal(Residual(Stack(nn.Tanh()), None)(x), x + torch.tanh(x))
    assert torch.equal(Residual(Stack(nn.Tanh()), nn.Sigmoid())(x), torch.sigmoid(x) + torch.tanh(x))
