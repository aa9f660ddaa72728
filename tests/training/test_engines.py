"""Which engine trains what: by rule, as asked for, or not at all."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from nettool.config.experiment import Experiment
from nettool.config.load import load_mapping
from nettool.config.runtime import Runtime
from nettool.config.signature import ClassTarget, Example, ImageExample, Signature, TableExample, TokenExample
from nettool.errors import ConfigError
from nettool.model.compile import compile_network
from nettool.model.losses import build_loss
from nettool.model.plans import NetworkPlan
from nettool.model.shapes import plan_network
from nettool.training.engines import Engine, build_step, choose_engine, departure_note
from nettool.training.step import AutogradStep
from tests.training.conftest import make_dataset

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
TABLE, SERIES = TableExample(4), TableExample(4, window=3)
IMAGE, TEXT = ImageExample(1, 4, 4, (0.0,), (1.0,)), TokenExample(5, 9, padded=False)
CLASSES = ClassTarget(("a", "b", "c"), binary=False)


def make_experiment(*layers: Any, **settings: Any) -> Experiment:
    config = {"data": {"path": "t.csv", "target": "y"}, "layers": [*layers, "output"], "loss": "cross_entropy"}
    return load_mapping({**config, **settings}).experiment


def make_plan(*layers: Any, example: Example = TABLE) -> NetworkPlan:
    return plan_network(make_experiment(*layers), Signature(example, CLASSES))


DENSE = make_plan({"dense": 5})


@pytest.mark.parametrize(
    ("example", "layers", "engine"),
    [
        (TABLE, [], "closed_form"),
        (TABLE, [{"dense": 5}, {"activation": "tanh"}, {"dropout": 0.2}, "batch_norm", "layer_norm"], "closed_form"),
        (TABLE, [{"repeat": {"times": 2, "layers": [{"dense": 4}]}}], "closed_form"),
        (TableExample(2, (40,)), [{"dense": 5}], "closed_form"),
        (IMAGE, ["flatten", {"dense": 5}], "closed_form"),
        (SERIES, ["flatten", {"dense": 5}], "closed_form"),
        (TableExample(2, (40,), window=3), ["flatten", {"dense": 5}], "autograd"),
        (TABLE, [{"residual": {"layers": [{"dense": 4}]}}], "autograd"),
        (TABLE, [{"repeat": {"times": 2, "layers": [{"residual": {"layers": [{"dense": 4}]}}]}}], "autograd"),
        (IMAGE, [{"conv2d": 2}, "flatten"], "autograd"),
        (SERIES, [{"dense": 5}, "flatten"], "autograd"),
        (SERIES, [{"lstm": 5}], "autograd"),
        (TEXT, [{"embedding": 3}, "flatten"], "autograd"),
    ],
    ids=str,
)
def test_the_closed_form_is_for_stacks_of_dense_layers(example: Example, layers: list[Any], engine: str) -> None:
    assert choose_engine(Runtime(), make_plan(*layers, example=example), 32, CPU).kind == engine


@pytest.mark.parametrize(
    ("runtime", "device", "engine"),
    [
        (Runtime(engine="closed_form"), CPU, "closed_form"),
        (Runtime(engine="autograd"), CPU, "autograd"),
        (Runtime(compile=True), CPU, "compiled"),
        (Runtime(precision="bfloat16"), CPU, "autograd in bfloat16"),
        (Runtime(precision="bfloat16", compile=True), CPU, "compiled in bfloat16"),
        (Runtime(), CUDA, "autograd"),
    ],
    ids=str,
)
def test_the_config_and_the_device_choose(runtime: Runtime, device: torch.device, engine: str) -> None:
    assert str(choose_engine(runtime, DENSE, 32, device)) == engine


def test_a_closed_form_on_another_device_is_refused() -> None:
    with pytest.raises(ConfigError, match="closed_form trains on the cpu, and this run on cuda"):
        choose_engine(Runtime(engine="closed_form"), DENSE, 32, CUDA)


@pytest.mark.parametrize("settings", [{"compile": True}, {"precision": "bfloat16"}], ids=str)
def test_settings_that_exclude_each_other_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"the engine closed_form .*: set engine: auto, or leave out"):
        make_experiment(runtime={"engine": "closed_form", **settings})


def test_bfloat16_is_the_arithmetic_and_not_the_weights() -> None:
    seen = []
    gradients = {}
    for precision in ("float32", "bfloat16"):
        experiment = make_experiment({"dense": 64}, runtime={"precision": precision, "engine": "autograd"})
        network = compile_network(make_plan({"dense": 64}), 0)
        network.layers[0].register_forward_hook(lambda layer, inputs, output: seen.append(output.dtype))
        step = build_step(
            Engine("autograd", precision), network, build_loss(experiment.loss, CLASSES, None), experiment
        )
        data = make_dataset(50, 0)
        data = type(data)(data.features.float(), data.target)
        _, _, gradients[precision] = step.find_gradients(data.chunks(50), 1)
        assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
    assert seen == [torch.float32, torch.bfloat16]
    for wide, narrow in zip(gradients["float32"], gradients["bfloat16"], strict=True):
        assert narrow.dtype == torch.float32
        assert not torch.equal(wide, narrow)
        torch.testing.assert_close(narrow, wide, rtol=0.1, atol=0.01)


def test_a_step_that_is_not_asked_for_it_is_not_compiled() -> None:
    experiment = make_experiment({"dense": 5})
    loss = build_loss(experiment.loss, CLASSES, None)
    step = build_step(Engine("autograd"), compile_network(DENSE, 0), loss, experiment)
    assert isinstance(step, AutogradStep)
    assert step._mean == step._to_mean


@pytest.mark.parametrize("runtime", [Runtime(compile=True), Runtime(precision="bfloat16")], ids=str)
def test_a_setting_that_takes_layers_off_the_closed_form_is_told(runtime: Runtime) -> None:
    (note,) = departure_note(runtime, DENSE, CPU)
    assert "takes these layers off the closed form" in note
    assert departure_note(runtime, make_plan({"residual": {"layers": [{"dense": 4}]}}), CPU) == ()
    assert departure_note(runtime, DENSE, CUDA) == ()
    assert departure_note(Runtime(engine="autograd"), DENSE, CPU) == ()
