"""What is measured along the line between two networks."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from nettool.analysis.line import Line, along, between, places


def network(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    made = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    made[1].running_var.fill_(1.0 + 9.0 * seed)  # type: ignore[union-attr, operator]
    made[1].num_batches_tracked.fill_(10 * seed)  # type: ignore[union-attr, operator]
    return made.eval()


def test_the_places_go_beyond_both_ends_and_hold_them_exactly() -> None:
    at = places()
    assert (at[0], at[-1]) == (-0.25, 1.25)
    assert {0.0, 0.5, 1.0} <= set(at.tolist())
    assert (np.diff(at) > 0).all()


def test_the_ends_of_a_line_have_the_bits_of_the_networks_and_its_middle_their_mean() -> None:
    first, second = network(0).state_dict(), network(1).state_dict()
    parameters = frozenset(name for name, _ in network(0).named_parameters())
    for at, end in ((0.0, first), (1.0, second)):
        found = between(first, second, at, parameters)
        assert all(torch.equal(found[name], end[name]) for name in end if end[name].is_floating_point())
    middle = between(first, second, 0.5, parameters)
    assert torch.allclose(middle["0.weight"], (first["0.weight"] + second["0.weight"]) / 2)
    beyond = between(first, second, -0.25, parameters)
    assert torch.allclose(beyond["0.weight"], 1.25 * first["0.weight"] - 0.25 * second["0.weight"])


def test_running_statistics_are_interpolated_and_stay_as_they_are_beyond_the_ends() -> None:
    first, second = network(0).state_dict(), network(1).state_dict()
    parameters = frozenset(name for name, _ in network(0).named_parameters())
    variances = [float(between(first, second, at, parameters)["1.running_var"][0]) for at in (-0.25, 0, 0.5, 1, 1.25)]
    assert variances == [1.0, 1.0, 5.5, 10.0, 10.0]


def test_what_is_measured_is_the_network_at_each_place_and_afterwards_it_is_as_before() -> None:
    one, other = network(0), network(1)
    features = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    before = {name: tensor.clone() for name, tensor in one.state_dict().items()}

    def measure() -> dict[str, float]:
        with torch.no_grad():
            return {"mean": float(one(features).mean())}

    found = along(one, one.state_dict(), other.state_dict(), np.array([0.0, 0.5, 1.0]), measure)
    assert all(torch.equal(tensor, before[name]) for name, tensor in one.state_dict().items())
    with torch.no_grad():
        assert found.values["mean"][0] == float(one(features).mean())
        assert found.values["mean"][2] == float(other(features).mean())
        parameters = frozenset(name for name, _ in one.named_parameters())
        one.load_state_dict(between(before, other.state_dict(), 0.5, parameters))
        assert found.values["mean"][1] == float(one(features).mean())


def test_a_barrier_is_what_rises_above_the_ends_and_a_climb_what_rises_at_all() -> None:
    at = np.array([-0.25, 0.0, 0.25, 0.5, 0.75, 1.0, 1.25])
    line = Line(
        at,
        {
            "hill": np.array([99.0, 1.0, 1.5, 4.0, 2.5, 3.0, 99.0]),
            "slope": np.array([99.0, 3.0, 2.0, 1.5, 1.2, 1.0, 0.1]),
            "hole": np.array([0.0, 1.0, 1.0, math.nan, 1.0, 1.0, 0.0]),
        },
    )
    assert line.barrier("hill") == (2.0, 0.5)
    assert line.climb("hill") == 3.0
    assert line.barrier("slope")[0] == 0.0
    assert line.climb("slope") == 0.0
    assert line.barrier("hole") == (math.inf, 0.5)
    assert line.climb("hole") == math.inf


def test_there_is_nothing_left_of_a_line_that_could_not_be_measured() -> None:
    one = network(0)
    before = {name: tensor.clone() for name, tensor in one.state_dict().items()}

    def measure() -> dict[str, float]:
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        along(one, one.state_dict(), network(1).state_dict(), places(), measure)
    assert all(torch.equal(tensor, before[name]) for name, tensor in one.state_dict().items())
