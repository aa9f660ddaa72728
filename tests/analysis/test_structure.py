"""Which networks are neurons in layers, and which a column of boxes."""

from __future__ import annotations

from typing import Any

import pytest

from nettool.analysis.structure import MOST_NEURONS, boxes_of, neurons_of
from nettool.config.signature import ClassTarget, ImageExample, Signature, TableExample
from nettool.model.compile import compile_network
from nettool.model.shapes import plan_network
from tests.training.conftest import make_experiment

TARGET = ClassTarget(("a", "b", "c"), binary=False)
TABLE = Signature(TableExample(4), TARGET)


def test_products_are_layers_and_what_has_no_weights_stands_for_nothing() -> None:
    layers = [
        {"dense": 5},
        {"dropout": 0.1},
        {"dense": {"units": 3, "activation": "linear"}},
        {"activation": "tanh"},
        "output",
    ]
    plan = plan_network(make_experiment(layers=layers), TABLE)
    network = compile_network(plan, 0)
    found = neurons_of(network, plan)
    assert [(one.name, one.activation, one.weights.shape) for one in found] == [
        ("layers.0 (dense)", "relu", (5, 4)),
        ("layers.2 (dense)", "tanh", (3, 5)),
        ("layers.4 (output)", "linear", (3, 3)),
    ]
    assert (found[0].weights == network.layers[0].product.weight.detach().numpy()).all()  # type: ignore[union-attr]
    assert found[0].bias is not None
    assert found[0].bias.shape == (5,)


@pytest.mark.parametrize(
    ("changes", "signature"),
    [
        ({"layers": [{"dense": MOST_NEURONS + 1}, "output"]}, TABLE),
        ({"layers": ["output"]}, Signature(TableExample(MOST_NEURONS + 1), TARGET)),
        ({"layers": [*[{"dense": 2}] * 6, "output"]}, TABLE),
        ({"layers": [{"dense": {"units": 4, "norm": "batch_norm"}}, "output"]}, TABLE),
        ({"layers": ["batch_norm", "output"]}, TABLE),
        ({"layers": [{"residual": {"layers": [{"dense": 4}]}}, "output"]}, TABLE),
        ({"layers": ["flatten", "output"]}, Signature(ImageExample(1, 2, 2, (0.0,), (1.0,)), TARGET)),
        ({"layers": ["output"]}, Signature(TableExample(2, (40,)), TARGET)),
    ],
)
def test_other_networks_are_boxes(changes: dict[str, Any], signature: Signature) -> None:
    plan = plan_network(make_experiment(**changes), signature)
    assert neurons_of(compile_network(plan, 0), plan) == []
    boxes = boxes_of(plan)
    assert len(boxes) == len(plan.layers)
    assert boxes[-1].shape == "a flat vector of 3 numbers"
    embedded = sum(codes * width for codes, width in plan.embeddings)
    assert sum(box.num_parameters for box in boxes) + embedded == plan.num_parameters
