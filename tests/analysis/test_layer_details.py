"""A few numbers of every layer there is: what is written of them adds up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from nettool.analysis.formulas import Dot, Formula, Some
from nettool.analysis.steps import Walk
from nettool.config.layers import CUSTOM_LAYERS, LAYERS, LayerSettings
from nettool.config.signature import (
    ImageExample,
    Signature,
    TableExample,
    TokenExample,
)
from nettool.model.compile import CUSTOM_BUILDERS, compile_network
from nettool.model.shapes import plan_network
from tests.analysis.walks import CLASSES, TABLE, check, check_dot, walked
from tests.training.conftest import make_experiment

# --- every other layer -----------------------------------------------------------------------------------------

IMAGE = ImageExample(2, 6, 6, (120.0, 100.0), (70.0, 60.0))
SERIES = TableExample(4, window=8)
TEXT = TokenExample(9, 12, padded=True)
NETWORKS: list[tuple[Any, list[Any]]] = [
    (IMAGE, [{"conv2d": {"filters": 4, "size": [3, 2], "stride": 2, "dilation": 2, "groups": 2}}, "flatten", "output"]),
    (IMAGE, [{"conv2d": {"filters": 3, "size": 2, "norm": "batch_norm"}}, {"max_pool": {"size": 3, "padding": 1}},
             "global_avg_pool", "output"]),
    (IMAGE, [{"conv2d": {"filters": 3, "norm": "layer_norm", "activation": "tanh"}}, {"avg_pool": [2, 1]}, "batch_norm",
             "layer_norm", {"activation": "gelu"}, "flatten", {"dropout": 0.5}, "output"]),
    (IMAGE, [{"residual": {"layers": [{"conv2d": {"filters": 4, "stride": 2}}], "projection": True}}, "flatten", "output"]),
    (SERIES, [{"conv1d": {"filters": 4, "stride": 2, "groups": 2}}, {"max_pool": 2}, "batch_norm", "flatten", "output"]),
    (SERIES, [{"conv1d": {"filters": 4, "padding": "causal", "dilation": 2, "norm": "layer_norm"}}, {"avg_pool": 2},
              {"dense": 3}, "global_avg_pool", "output"]),
    (SERIES, [{"lstm": 5}, "output"]),
    (SERIES, [{"gru": {"units": 5, "returns": "sequence"}}, {"rnn": {"units": 4, "activation": "relu"}}, "output"]),
    (SERIES, [{"lstm": {"units": 3, "layers": 2, "bidirectional": True, "bias": False}}, "output"]),
    (TEXT, [{"embedding": 4}, "positional", {"attention": 2}, {"transformer": {"heads": 2, "causal": True}}, "global_avg_pool",
            "output"]),
    (TEXT, [{"embedding": 4}, {"conv1d": 4}, "layer_norm", {"rnn": {"units": 3, "bidirectional": True}}, "output"]),
    (TEXT, [{"embedding": 4}, {"max_pool": 2}, {"transformer": {"heads": 1, "pre_norm": False}}, {"gru": 3}, "output"]),
    (TABLE, [{"reshape": [1, 2, 2]}, {"conv2d": 2}, "flatten", {"repeat": {"times": 3, "layers": [
        {"residual": {"layers": [{"dense": 8}]}}]}}, {"activation": "sigmoid"}, "output"]),
]  # fmt: skip


def check_details(found: Walk) -> None:
    for layer in found.layers:
        for detail in layer.details:
            match detail:
                case Formula():
                    check(detail)
                case Dot():
                    check_dot(detail)
                case Some():
                    assert np.isfinite(detail.values).all()


@pytest.mark.parametrize(("example", "layers"), NETWORKS)
def test_what_is_written_of_any_layer_adds_up(example: Any, layers: list[Any]) -> None:
    found = walked(Signature(example, CLASSES), layers=layers, activation="relu", dropout=0.3)
    check_details(found)
    experiment = make_experiment(layers=layers, dropout=0.3)
    plan = plan_network(experiment, Signature(example, CLASSES))
    assert len(found.parameters) == len(list(compile_network(plan, 3).parameters()))
    for layer in found.layers:
        assert layer.sentence.endswith(".")
        assert layer.sentence.count("off here") + layer.sentence.count("it is off") == (layer.plan.dropout > 0)
    assert found.loss_after < found.loss


def test_every_layer_that_there_is_was_walked_through() -> None:
    seen = {name for _, layers in NETWORKS for name in names_of(layers)}
    assert seen == set(LAYERS)


def names_of(layers: list[Any]) -> set[str]:
    found = set()
    for layer in layers:
        name, settings = (layer, {}) if isinstance(layer, str) else next(iter(layer.items()))
        found.add(name)
        if name in ("repeat", "residual"):
            found |= names_of(settings["layers"])
    return found


def test_the_first_steps_of_recurrent_layers_are_those_of_the_module() -> None:
    for name in ("rnn", "gru", "lstm"):
        layers = [{name: {"units": 3, "returns": "sequence"}}, "global_avg_pool", "output"]
        layer = walked(Signature(SERIES, CLASSES), layers=layers).layers[0]
        (h,) = [detail for detail in layer.details if detail.name == "h"]
        assert isinstance(h, Formula)
        assert h.value == pytest.approx(layer.out[0, 0], rel=1e-5)


def test_a_repeat_tells_its_turns_apart() -> None:
    layers = [{"repeat": {"times": 3, "layers": [{"dense": 4}, {"dense": 4}]}}, "output"]
    found = walked(Signature(TABLE, CLASSES), layers=layers)
    assert [(layer.plan.name.split()[-1], layer.turns) for layer in found.layers] == [
        ("(repeat)", ()),
        *[("(dense)", (turn,)) for turn in (1, 1, 2, 2, 3, 3)],
        ("(output)", ()),
    ]
    assert not found.layers[0].parameters
    inside = walked(
        Signature(TABLE, CLASSES),
        layers=[{"repeat": {"times": 2, "layers": [{"residual": {"layers": [{"dense": 4}]}}]}}, "output"],
    )
    assert [layer.turns for layer in inside.layers] == [(), (1,), (1, 1), (2,), (2, 1), ()]
    assert [layer.is_first_turn for layer in inside.layers] == [True, True, True, False, False, True]


class Doubled(LayerSettings):
    """Doubles every number.

    More that nobody asked for.
    """


def test_a_layer_from_python_says_what_its_author_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CUSTOM_LAYERS, "doubled", Doubled)
    module = torch.nn.Threshold(-1e9, 0.0)
    monkeypatch.setitem(CUSTOM_BUILDERS, "doubled", lambda settings, features: module)
    found = walked(Signature(TABLE, CLASSES), layers=["doubled", {"dense": 4}, "output"])
    assert found.layers[0].sentence == "A layer added from Python. Doubles every number."
    assert found.layers[0].out.tolist() == found.layers[0].x.tolist()
    assert not found.layers[0].dout.any()  # nothing before it learns, so nobody asked
