"""Layers for images and sequences: what the plan says is what torch builds and counts; what cannot fit is refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from networks import image, make_plan, plans_for, refusals, series, text
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from nettool.config.signature import ClassTarget, Example, Image, NextTarget, Sequence, Shape, TableExample, Tokens
from nettool.model.compile import compile_network
from nettool.model.plans import LayerPlan, NetworkPlan
from nettool.model.stack import Residual, Stack

EXAMPLES: dict[str, Example] = {
    "image": image(4, 9, 8), "sequence": series(10, 6), "tokens": text(10, 11), "flat": TableExample(24)
}  # fmt: skip


def extents_of(shape: Shape) -> tuple[int, ...]:
    match shape:
        case Image(channels, height, width):
            return channels, height, width
        case Sequence(time, features):
            return time, features
        case Tokens(time):
            return (time,)
        case flat:
            return (flat.features,)


def count_flops(module: nn.Module, x: Tensor) -> int:
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        module(x)
    return int(counter.get_total_flops()) // len(x)


def check_layer(plan: LayerPlan, module: nn.Module, x: Tensor) -> Tensor:
    """Hold one layer, and all inside it, against its module; return what it gives."""
    assert x.shape[1:] == extents_of(plan.input)
    assert sum(parameter.numel() for parameter in module.parameters()) == plan.num_parameters
    assert count_flops(module, x) == plan.flops
    inner, inside = module.layers if isinstance(module, Residual) else module, x
    for index, child in enumerate(plan.inner):
        assert isinstance(inner, Stack)
        inside = check_layer(child, inner[index], inside)
    out: Tensor = module(x)
    assert out.shape[1:] == extents_of(plan.output)
    return out


@torch.no_grad()
def check(plan: NetworkPlan) -> None:
    network = compile_network(plan, seed=0).double().eval()
    x = torch.rand(2, *extents_of(plan.input), dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    if isinstance(plan.input, Tokens):
        x = (x * plan.input.vocabulary).long()
    assert plan.num_parameters == sum(parameter.numel() for parameter in network.parameters())
    assert plan.flops == count_flops(network, x)
    out = network(x)
    for layer_plan, module in zip(plan.layers, network.layers, strict=True):
        x = check_layer(layer_plan, module, x)
    torch.testing.assert_close(x, out, rtol=0, atol=1e-10)


@pytest.mark.parametrize("kind", EXAMPLES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])  # each draw makes plans
@given(data=st.data())
def test_shapes_parameters_and_flops_of_any_layers_are_those_of_the_modules(kind: str, data: st.DataObject) -> None:
    check(data.draw(plans_for(EXAMPLES[kind])))


def test_a_network_that_predicts_every_step_has_the_outputs_of_its_plan() -> None:
    layers = [{"embedding": 6}, "positional", {"transformer": {"heads": 2, "causal": True}}, {"lstm": 5}]
    plan = make_plan(layers, example=text(10, 11), target=NextTarget(11))
    assert [extents_of(layer_plan.output) for layer_plan in plan.layers] == [
        (10, 6),
        (10, 6),
        (10, 6),
        (10, 5),
        (10, 11),
    ]
    check(plan)


def test_networks_counted_by_hand() -> None:
    image_layers = [{"conv2d": {"filters": 6, "groups": 2, "norm": "batch_norm"}}, "max_pool", "flatten", {"dense": 5}]
    plan = make_plan(image_layers, example=EXAMPLES["image"])
    assert [leaf.num_parameters for leaf in plan.leaves()] == [6 * 2 * 9 + 6 + 12, 0, 0, 6 * 4 * 4 * 5 + 5, 12]
    assert [leaf.flops for leaf in plan.leaves()] == [2 * 6 * 2 * 9 * 72, 0, 0, 2 * 96 * 5, 2 * 5 * 2]
    states = {"units": 5, "layers": 2, "bidirectional": True}
    plan = make_plan([{"embedding": 6}, {"attention": 3}, {"lstm": states}], example=EXAMPLES["tokens"])
    lstm = 2 * 4 * 5 * ((6 + 5 + 2) + (10 + 5 + 2))
    assert [leaf.num_parameters for leaf in plan.leaves()] == [66, 4 * 6 * 7, lstm, 22]
    attention = 10 * 2 * 4 * 36 + 2 * (2 * 10 * 10 * 6)
    assert [leaf.flops for leaf in plan.leaves()] == [0, attention, 10 * 2 * 2 * 4 * 5 * (6 + 5 + 10 + 5), 40]


# --- layers that do not fit --------------------------------------------------------------------------------

E, TOKENS, STREAM, SERIES = {"embedding": 6}, text(8, 11, padded=True), text(8, 11), series(9, 4)
IMAGES, TABLE = image(4, 7, 6), TableExample(12)
IMAGE, SEQUENCE, FLAT = "an image (channels, height, width)", "a sequence (time, features)", "a flat vector"
PIXELS, STEPS = "an image of 4 x 7 x 6 (channels, height, width)", "a sequence of 9 x 4 (time, features)"
FLATTEN = "Put `- flatten` or `- global_avg_pool` before it."
EMBED = "Put `- embedding: 64` before it."
SMALLER = "Take a smaller size, `padding: same`, or less pooling before it."


def lstm(returns: str | None) -> dict[str, Any]:
    return {"lstm": {"units": 3, "returns": returns}}


def conv2d(**changes: Any) -> dict[str, Any]:
    return {"conv2d": {"filters": 6, **changes}}


def conv1d(**changes: Any) -> dict[str, Any]:
    return {"conv1d": {"filters": 6, **changes}}


def residual(*layers: Any, projection: bool = False) -> dict[str, Any]:
    return {"residual": {"layers": list(layers), "projection": projection}}


def sums(inside: str, outside: str, cure: str) -> str:
    return (
        f"the layers inside give {inside}, but their input is {outside}, and the two are added. "
        f"End with a layer that gives the input's shape, or set `{cure}`."
    )


# The data, the layers, the place and the text of the mistake, and the layers after the cure that the text offers.
MISFITS: dict[str, tuple[Example, list[Any], str, str, list[Any]]] = {
    "sequence to conv2d": (
        SERIES, [conv2d(), "flatten"], "layers.0",
        f"needs {IMAGE}, but the data gives {STEPS}. Use conv1d for a sequence.", [conv1d(), "flatten"],
    ),
    "image to conv1d": (
        IMAGES, [conv1d(), "flatten"], "layers.0",
        f"needs {SEQUENCE}, but the data gives {PIXELS}. Use conv2d for images.", [conv2d(), "flatten"],
    ),
    "image to dense": (
        IMAGES, [{"dense": 3}], "layers.0",
        f"needs {FLAT} or {SEQUENCE}, but the data gives {PIXELS}. {FLATTEN}", ["flatten", {"dense": 3}],
    ),
    "image to output": (
        IMAGES, [], "layers.0", f"needs {FLAT}, but the data gives {PIXELS}. {FLATTEN}", ["global_avg_pool"],
    ),
    "tokens to dense": (
        TOKENS, [{"dense": 3}, "flatten"], "layers.0",
        f"needs {FLAT} or {SEQUENCE}, but the data gives a sequence of 8 tokens. {EMBED}",
        [{"embedding": 64}, {"dense": 3}, "flatten"],
    ),
    "tokens to layer_norm": (
        TOKENS, ["layer_norm", "flatten"], "layers.0",
        f"needs numbers, but the data gives a sequence of 8 tokens. {EMBED}",
        [{"embedding": 64}, "layer_norm", "flatten"],
    ),
    "vector to conv2d": (
        IMAGES, ["flatten", conv2d()], "layers.1",
        f"needs {IMAGE}, but layers.0 (flatten) gives a flat vector of 168 numbers. Move it before the flatten.",
        [conv2d(), "flatten"],
    ),
    "table to conv2d": (
        TABLE, [conv2d(), "flatten"], "layers.0",
        f"needs {IMAGE}, but the data gives a flat vector of 12 numbers. If its numbers are pixels, put "
        "`- reshape: [channels, height, width]` before it.",
        [{"reshape": [1, 3, 4]}, conv2d(), "flatten"],
    ),
    "table to lstm": (
        TABLE, [{"lstm": 3}], "layers.0",
        f"needs {SEQUENCE}, but the data gives a flat vector of 12 numbers. For a table in time order set "
        "`data.window`; else put `- reshape: [time, features]` before it.",
        [{"reshape": [6, 2]}, {"lstm": 3}],
    ),
    "table to embedding": (
        TABLE, [E, {"dense": 3}], "layers.0",
        "needs tokens, as text has them, but the data gives a flat vector of 12 numbers. Leave it out: the categories "
        "of a table are embedded without being told.",
        [{"dense": 3}],
    ),
    "last state to lstm": (
        TOKENS, [E, lstm(None), {"lstm": 3}], "layers.2",
        f"needs {SEQUENCE}, but layers.1 (lstm) gives a flat vector of 3 numbers. "
        "Set `returns: sequence` in layers.1 (lstm).",
        [E, lstm("sequence"), {"lstm": 3}],
    ),
    "states to output": (
        TOKENS, [E, lstm("sequence")], "layers.2",
        f"needs {FLAT}, but layers.1 (lstm) gives a sequence of 8 x 3 (time, features). "
        "Set `returns: last` in layers.1 (lstm), or put `- global_avg_pool` before it.",
        [E, lstm("last")],
    ),
    "last state to the output of every step": (
        STREAM, [E, lstm("last")], "layers.2",
        "needs a vector for each step, but layers.1 (lstm) has made one of them all. Set `returns: sequence` there.",
        [E, lstm("sequence")],
    ),
    "kernel": (
        IMAGES, [conv2d(size=[3, 7], padding=0), "flatten"], "layers.0.size",
        f"the kernel of 3 x 7 is larger than its input of 7 x 6, padding included. {SMALLER}",
        [conv2d(size=[3, 7]), "flatten"],
    ),
    "dilated kernel": (
        SERIES, [conv1d(size=5, dilation=3, padding=1), "flatten"], "layers.0.size",
        f"the kernel of 13, dilation counted, is larger than its input of 9 steps, padding included. {SMALLER}",
        [conv1d(size=4, dilation=3, padding=1), "flatten"],
    ),
    "pool": (
        IMAGES, [{"max_pool": 3}, {"avg_pool": [2, 3]}, "flatten"], "layers.1.size",
        "the window of 2 x 3 is larger than its input of 2 x 2. Take a smaller size, or less pooling.",
        [{"max_pool": 3}, {"avg_pool": [2, 2]}, "flatten"],
    ),
    "pair of extents over time": (
        SERIES, [{"max_pool": {"size": 2, "stride": [2, 1]}}, "flatten"], "layers.0.stride",
        "has two numbers, but a sequence has time alone. Give one.",
        [{"max_pool": {"size": 2, "stride": 2}}, "flatten"],
    ),
    "more padding than window": (
        IMAGES, [{"max_pool": {"size": 3, "padding": 2}}, "flatten"], "layers.0.padding",
        "is more than half of the window, so that some windows would hold padding alone.",
        [{"max_pool": {"size": 3, "padding": 1}}, "flatten"],
    ),
    "heads": (
        TOKENS, [E, {"attention": 4}, "flatten"], "layers.1.heads",
        "4 heads do not divide the 6 features evenly. Take 1, 2, 3, 6 heads, or 8 features.",
        [{"embedding": 8}, {"attention": 4}, "flatten"],
    ),
    "heads of a transformer": (
        TOKENS, [E, {"transformer": 5}, "flatten"], "layers.1.heads",
        "5 heads do not divide the 6 features evenly. Take 1, 2, 3, 6 heads, or 5 features.",
        [E, {"transformer": 6}, "flatten"],
    ),
    "groups and channels": (
        IMAGES, [conv2d(groups=3), "flatten"], "layers.0.groups",
        "3 groups do not divide the 4 channels of the input evenly. What divides both: 1, 2.",
        [conv2d(groups=2), "flatten"],
    ),
    "groups and filters": (
        SERIES, [conv1d(groups=4), "flatten"], "layers.0.groups",
        "4 groups do not divide the 6 filters evenly. What divides both: 1, 2.", [conv1d(groups=2), "flatten"],
    ),
    "uneven reshape": (
        SERIES, ["flatten", {"reshape": [2, 3, 4]}, "flatten"], "layers.1.shape",
        "2 x 3 x 4 are 24 numbers, but there are 36.", ["flatten", {"reshape": [3, 3, 4]}, "flatten"],
    ),
    "residual of other channels": (
        IMAGES, [residual(conv2d()), "flatten"], "layers.0",
        sums("an image of 6 x 7 x 6 (channels, height, width)", PIXELS, "projection: true"),
        [residual(conv2d(), projection=True), "flatten"],
    ),
    "residual that cuts the edges off": (
        SERIES, [residual(conv1d(padding=0), projection=True), "flatten"], "layers.0",
        f"the layers inside give a sequence of 7 x 6 (time, features), but their input is {STEPS}, and the two are "
        "added. Set `padding: same` inside, so that the size stays.",
        [residual(conv1d(), projection=True), "flatten"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISFITS)
def test_what_does_not_fit_is_refused_with_a_cure_that_works(name: str) -> None:
    example, layers, place, text_, cured = MISFITS[name]
    target = NextTarget(11) if example is STREAM else ClassTarget(("a", "b", "c"), binary=False)
    assert refusals(layers, example=example, target=target) == [(place, text_)]
    assert refusals(cured, example=example, target=target) == []
