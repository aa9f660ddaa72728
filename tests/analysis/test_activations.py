"""Activations and their derivatives."""

from __future__ import annotations

import math
from typing import get_args

import numpy as np
import pytest

from nettool.analysis.activations import Response, responses
from nettool.config.layer_types import Activation


@pytest.mark.parametrize("each", responses(), ids=lambda each: each.name)
def test_the_derivative_of_an_activation_is_what_finite_differences_give(each: Response) -> None:
    step = each.x[1] - each.x[0]
    middle = (each.y[2:] - each.y[:-2]) / (2 * step)
    smooth = np.abs(np.diff(each.slope, 2)) < 1e-3  # a bend has no derivative
    assert smooth.sum() >= len(each.x) - 5
    assert each.slope[1:-1][smooth] == pytest.approx(middle[smooth], abs=1e-4)


def test_every_activation_of_the_config_is_there_by_its_name_and_is_the_function_that_is_meant() -> None:
    found = {each.name: each for each in responses(2.0, 5)}
    assert tuple(found) == get_args(Activation)
    assert found["relu"].y.tolist() == [0, 0, 0, 1, 2]
    assert found["relu"].slope.tolist() == [0, 0, 0, 1, 1]
    assert found["leaky_relu"].y == pytest.approx([-0.02, -0.01, 0, 1, 2])
    assert found["tanh"].y == pytest.approx(np.tanh([-2, -1, 0, 1, 2]))
    assert found["sigmoid"].slope[2] == pytest.approx(0.25)
    assert found["softplus"].y[2] == pytest.approx(math.log(2))
    assert found["gelu"].y[3] == pytest.approx(0.5 * (1 + math.erf(1 / math.sqrt(2))))
    assert found["silu"].y[3] == pytest.approx(1 / (1 + math.exp(-1)))
    assert found["elu"].y[0] == pytest.approx(math.exp(-2) - 1)
    assert found["linear"].y.tolist() == found["linear"].x.tolist()
