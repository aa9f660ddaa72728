"""What the planner says of layers together, of memory, and of what a batch norm needs; what it leaves to a layer."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from networks import image, make_network, make_plan, refusals, series, text

from nettool.config.losses import CrossEntropy
from nettool.config.signature import NextTarget
from nettool.data.dataset import Batch
from nettool.model.losses import build_loss
from nettool.model.memory import MOST_NUMBERS, evaluation_chunk

NEEDS_MORE = (
    "batch_norm needs more than one example in a batch, but batch_size is 1. Use layer_norm, or larger batches."
)
WHOLE_IMAGE = {"conv2d": {"filters": 4, "size": [7, 6], "padding": 0, "norm": "batch_norm"}}


@pytest.mark.parametrize(
    ("layers", "example", "path"),
    [
        (["batch_norm"], None, "layers.0"),
        ([{"dense": {"units": 3, "norm": "batch_norm"}}], None, "layers.0"),
        ([{"repeat": {"times": 2, "layers": [{"residual": {"layers": ["batch_norm"]}}]}}], None, "layers.0.layers.0.layers.0"),
        ([WHOLE_IMAGE, "flatten"], image(), "layers.0"),
        (["flatten", "batch_norm"], image(), "layers.1"),
    ],
)  # fmt: skip
def test_batch_norm_of_one_vector_needs_more_than_one_example(layers: list[Any], example: Any, path: str) -> None:
    assert refusals(layers, example=example, batch_size=1) == [(path, NEEDS_MORE)]
    assert refusals(layers, example=example, batch_size=2) == []


@pytest.mark.parametrize(
    ("layers", "example"),
    [
        ([{"conv2d": {"filters": 4, "norm": "batch_norm"}}, "flatten"], image()),
        (["batch_norm", "flatten"], image()),
        (["batch_norm", "flatten"], series()),
        (["layer_norm"], None),
    ],
)
def test_where_there_are_several_places_one_example_is_enough(layers: list[Any], example: Any) -> None:
    network = make_network(layers, example=example, batch_size=1).train()
    shape = (1, 4) if example is None else (1, 4, 7, 6) if example == image() else (1, 9, 4)
    assert network(torch.randn(shape, dtype=torch.float64)).isfinite().all()


def test_evaluation_counts_the_image_itself() -> None:
    plan = make_plan(["flatten", {"dense": 32}], example=image(3, 512, 512))
    assert evaluation_chunk(plan) == MOST_NUMBERS // (3 * 512 * 512)
    assert evaluation_chunk(make_plan([{"dense": 32}])) == 4096


def test_a_networks_init_reaches_embeddings_and_projections_but_no_recurrent_layer() -> None:
    layers: list[Any] = [
        {"embedding": 400},
        {"residual": {"layers": [{"dense": 300}], "projection": True}},
        {"gru": 50},
    ]
    for init, deviation in (("normal", 0.05), (None, 1.0)):
        network = make_network(layers, example=text(5, 500), init=init)
        table, residual, recurrent, _ = network.layers
        assert float(table.table.weight[1:].detach().std()) == pytest.approx(deviation, rel=0.01)
        expected = 0.05 if init else math.sqrt(2 / 700)
        assert float(residual.projection.weight.detach().std()) == pytest.approx(expected, rel=0.01)  # type: ignore[union-attr]
        hidden = recurrent.cells[0].weight_hh_l0[:50].detach()  # type: ignore[union-attr, index]
        torch.testing.assert_close(hidden @ hidden.T, torch.eye(50, dtype=torch.float64), atol=1e-5, rtol=0)


def test_a_pooling_in_a_residual_is_told_how_to_keep_the_size() -> None:
    pool = {"max_pool": {"size": 3, "stride": 1}}
    ((path, said),) = refusals([{"residual": {"layers": [pool]}}, "flatten"], example=image())
    assert path == "layers.0"
    assert said.endswith(
        "Set `padding: same` inside, so that the size stays; in a pooling, `stride: 1` and half of an odd size as `padding`."
    )
    pool["max_pool"]["padding"] = 1
    assert refusals([{"residual": {"layers": [pool]}}, "flatten"], example=image()) == []


def test_every_step_of_a_text_counts_however_the_loss_is_asked() -> None:
    loss = build_loss(CrossEntropy(), NextTarget(5), None)
    batch = Batch(torch.zeros(3, 7), torch.ones(3, 7, dtype=torch.int64), None)
    _, weight = loss.sum_and_weight(torch.randn(3, 7, 5), batch.target)
    assert float(weight) == float(loss.weight_of(batch.target)) == loss.count(batch.target) == 21
