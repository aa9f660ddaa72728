"""Layers for images, and convolutions, pooling and norms over time, give what torch.nn gives with the same weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from networks import assert_agree, image, make_layer, make_network, make_plan, series
from torch import Tensor, nn

from nettool.config.signature import Image, ImageExample, Sequence
from nettool.model.compile import compile_network

GENERATOR = torch.Generator().manual_seed(1)
IMAGES, PIXELS = image(4, 7, 6), torch.randn(3, 4, 7, 6, generator=GENERATOR, dtype=torch.float64)
SERIES, STEPS = series(9, 4), torch.randn(3, 9, 4, generator=GENERATOR, dtype=torch.float64)
FLAT = torch.randn(5, 12, generator=GENERATOR, dtype=torch.float64)


class OverTime(nn.Module):
    """torch's modules want [batch, features, time]."""

    def __init__(self, *modules: nn.Module) -> None:
        super().__init__()
        self.inner = nn.Sequential(*modules).double()

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x.transpose(1, 2)).transpose(1, 2)


class Sum(nn.Module):
    """Two ways, added."""

    def __init__(self, way: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.way, self.shortcut = way, shortcut

    def forward(self, x: Tensor) -> Tensor:
        return self.way(x) + self.shortcut(x)


def over_images(*modules: nn.Module) -> nn.Module:
    return nn.Sequential(*modules).double()


# --- convolutions ------------------------------------------------------------------------------------------

CONV2D: dict[str, tuple[dict[str, Any], list[nn.Module]]] = {
    "default": ({}, [nn.Conv2d(4, 6, 3, padding=1)]),
    "same, even": ({"size": 4}, [nn.Conv2d(4, 6, 4, padding="same")]),
    "same, even and odd": ({"size": [2, 5]}, [nn.Conv2d(4, 6, (2, 5), padding="same")]),
    "same, dilated": ({"size": [4, 3], "dilation": [3, 2]}, [nn.Conv2d(4, 6, (4, 3), padding="same", dilation=(3, 2))]),
    "same, 1 x 1": ({"size": 1}, [nn.Conv2d(4, 6, 1)]),
    "same, stride": ({"stride": 2}, [nn.Conv2d(4, 6, 3, padding=1, stride=2)]),
    "same, strides": ({"size": [3, 5], "stride": [2, 3]}, [nn.Conv2d(4, 6, (3, 5), padding=(1, 2), stride=(2, 3))]),
    "same, even, stride": ({"size": 4, "stride": 2}, [nn.ZeroPad2d((1, 2, 1, 2)), nn.Conv2d(4, 6, 4, stride=2)]),
    "no padding": ({"padding": 0}, [nn.Conv2d(4, 6, 3)]),
    "one padding": ({"padding": 3, "size": 2}, [nn.Conv2d(4, 6, 2, padding=3)]),
    "pairs": (
        {"size": [4, 3], "stride": [1, 2], "padding": [2, 1], "dilation": [2, 1]},
        [nn.Conv2d(4, 6, (4, 3), stride=(1, 2), padding=(2, 1), dilation=(2, 1))],
    ),
    "groups": ({"groups": 2}, [nn.Conv2d(4, 6, 3, padding=1, groups=2)]),
    "each channel alone": ({"filters": 8, "groups": 4}, [nn.Conv2d(4, 8, 3, padding=1, groups=4)]),
    "no bias": ({"bias": False}, [nn.Conv2d(4, 6, 3, padding=1, bias=False)]),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("name", CONV2D)
def test_a_convolution_of_images_is_torchs(name: str) -> None:
    settings, reference = CONV2D[name]
    ours = make_layer({"conv2d": {"filters": 6, "activation": "linear", **settings}}, IMAGES)
    assert_agree(ours, over_images(*reference), PIXELS)


CONV1D: dict[str, tuple[dict[str, Any], list[nn.Module]]] = {
    "default": ({}, [nn.Conv1d(4, 6, 3, padding=1)]),
    "same, even": ({"size": 4}, [nn.Conv1d(4, 6, 4, padding="same")]),
    "same, dilated": ({"size": 2, "dilation": 3}, [nn.Conv1d(4, 6, 2, padding="same", dilation=3)]),
    "same, stride": ({"size": 5, "stride": 3}, [nn.Conv1d(4, 6, 5, padding=2, stride=3)]),
    "same, even, stride": ({"size": 4, "stride": 2}, [nn.ConstantPad1d((1, 2), 0), nn.Conv1d(4, 6, 4, stride=2)]),
    "causal": ({"padding": "causal"}, [nn.ConstantPad1d((2, 0), 0), nn.Conv1d(4, 6, 3)]),
    "causal, dilated": (
        {"padding": "causal", "size": 4, "dilation": 2},
        [nn.ConstantPad1d((6, 0), 0), nn.Conv1d(4, 6, 4, dilation=2)],
    ),
    "causal, stride": ({"padding": "causal", "stride": 2}, [nn.ConstantPad1d((2, 0), 0), nn.Conv1d(4, 6, 3, stride=2)]),
    "no padding": ({"padding": 0, "size": 4}, [nn.Conv1d(4, 6, 4)]),
    "padding": ({"padding": 3, "stride": 2, "dilation": 2}, [nn.Conv1d(4, 6, 3, padding=3, stride=2, dilation=2)]),
    "groups": ({"groups": 2}, [nn.Conv1d(4, 6, 3, padding=1, groups=2)]),
    "no bias": ({"bias": False}, [nn.Conv1d(4, 6, 3, padding=1, bias=False)]),
}


@pytest.mark.parametrize("name", CONV1D)
def test_a_convolution_over_time_is_torchs(name: str) -> None:
    settings, reference = CONV1D[name]
    ours = make_layer({"conv1d": {"filters": 6, "activation": "linear", **settings}}, SERIES)
    assert_agree(ours, OverTime(*reference), STEPS)


def test_norm_and_activation_of_a_convolution_follow_its_product_in_that_order() -> None:
    for norm, norm2d in (("batch_norm", nn.BatchNorm2d(6)), ("layer_norm", nn.GroupNorm(1, 6))):
        hidden = {"conv2d": {"filters": 6, "norm": norm, "activation": "sigmoid"}}
        reference = over_images(nn.Conv2d(4, 6, 3, padding=1), norm2d, nn.Sigmoid())
        assert_agree(make_layer(hidden, IMAGES), reference, PIXELS)
    hidden = {"conv1d": {"filters": 6, "norm": "batch_norm", "activation": "tanh"}}
    reference = OverTime(nn.Conv1d(4, 6, 3, padding=1), nn.BatchNorm1d(6), nn.Tanh())
    assert_agree(make_layer(hidden, SERIES), reference, STEPS)
    hidden = {"conv1d": {"filters": 6, "norm": "layer_norm", "activation": "tanh"}}
    reference = nn.Sequential(OverTime(nn.Conv1d(4, 6, 3, padding=1)), nn.LayerNorm(6), nn.Tanh()).double()
    assert_agree(make_layer(hidden, SERIES), reference, STEPS)


@pytest.mark.parametrize(("name", "example", "x"), [("conv2d", IMAGES, PIXELS), ("conv1d", SERIES, STEPS)])
def test_dropout_of_a_convolution_follows_its_activation_and_only_in_training(
    name: str, example: Any, x: Tensor
) -> None:
    hidden = make_layer({name: {"filters": 500, "activation": "sigmoid", "dropout": 0.25}}, example)
    out = hidden(x)
    kept = out != 0
    assert 0.73 < float(kept.double().mean()) < 0.77
    torch.testing.assert_close(out[kept], hidden.eval()(x)[kept] * 4 / 3, rtol=0, atol=1e-12)
    assert bool((hidden(x) != 0).all())


def test_the_networks_activation_holds_for_convolutions_and_an_item_after_them_replaces_it() -> None:
    def conv2d() -> nn.Module:
        return nn.Conv2d(4, 6, 3, padding=1)

    def first(*layers: Any, count: int, **changes: Any) -> nn.Module:
        return make_network([*layers, "flatten"], example=IMAGES, **changes).layers[:count]

    assert_agree(first({"conv2d": 6}, count=1), over_images(conv2d(), nn.ReLU()), PIXELS)
    assert_agree(first({"conv2d": 6}, count=1, activation="elu"), over_images(conv2d(), nn.ELU()), PIXELS)
    tanh = {"activation": "tanh"}
    assert_agree(first({"conv2d": 6}, tanh, count=2), over_images(conv2d(), nn.Tanh()), PIXELS)
    normed = over_images(conv2d(), nn.BatchNorm2d(6), nn.Tanh())
    assert_agree(first({"conv2d": 6}, "batch_norm", tanh, count=3), normed, PIXELS)
    own = {"conv2d": {"filters": 6, "activation": "silu"}}
    assert_agree(first(own, tanh, count=2), over_images(conv2d(), nn.SiLU(), nn.Tanh()), PIXELS)
    pooled = over_images(conv2d(), nn.ReLU(), nn.MaxPool2d(2), nn.Tanh())
    assert_agree(first({"conv2d": 6}, "max_pool", tanh, count=3), pooled, PIXELS)
    over_time = make_network([{"conv1d": 6}, tanh, "flatten"], example=SERIES).layers[:2]
    assert_agree(over_time, OverTime(nn.Conv1d(4, 6, 3, padding=1), nn.Tanh()), STEPS)


# --- pooling and changes of shape --------------------------------------------------------------------------

POOLS: dict[str, tuple[dict[str, Any], tuple[Any, Any, Any]]] = {
    "default": ({}, (2, 2, 0)),
    "overlapping": ({"size": 3, "stride": 2}, (3, 2, 0)),
    "padded": ({"size": 3, "stride": 2, "padding": 1}, (3, 2, 1)),
    "same size": ({"size": 3, "stride": 1, "padding": 1}, (3, 1, 1)),
    "half": ({"size": 4, "stride": 3, "padding": 2}, (4, 3, 2)),
}
PAIRS: dict[str, tuple[dict[str, Any], tuple[Any, Any, Any]]] = {
    "window": ({"size": [2, 3]}, ((2, 3), (2, 3), 0)),
    "all": ({"size": [3, 2], "stride": [1, 2], "padding": [0, 1]}, ((3, 2), (1, 2), (0, 1))),
}


@pytest.mark.parametrize("name", [*POOLS, *PAIRS])
def test_pooling_of_images_is_torchs_and_its_padding_does_not_count(name: str) -> None:
    settings, (size, stride, padding) = {**POOLS, **PAIRS}[name]
    largest, mean = nn.MaxPool2d(size, stride, padding), nn.AvgPool2d(size, stride, padding, count_include_pad=False)
    assert_agree(make_layer({"max_pool": settings}, IMAGES), largest, PIXELS - 10)
    assert_agree(make_layer({"avg_pool": settings}, IMAGES), mean, PIXELS - 10)


@pytest.mark.parametrize("name", POOLS)
def test_pooling_over_time_is_torchs_and_its_padding_does_not_count(name: str) -> None:
    settings, (size, stride, padding) = POOLS[name]
    mean = nn.AvgPool1d(size, stride, padding, count_include_pad=False)
    assert_agree(make_layer({"max_pool": settings}, SERIES), OverTime(nn.MaxPool1d(size, stride, padding)), STEPS - 10)
    assert_agree(make_layer({"avg_pool": settings}, SERIES), OverTime(mean), STEPS - 10)


def test_a_global_average_is_the_mean_of_each_channel_or_feature() -> None:
    over_pixels = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    assert_agree(make_layer("global_avg_pool", IMAGES), over_pixels, PIXELS)
    over_time = nn.Sequential(OverTime(nn.AdaptiveAvgPool1d(1)), nn.Flatten())
    assert_agree(make_layer("global_avg_pool", SERIES), over_time, STEPS)


def test_flatten_and_reshape_keep_the_numbers_in_their_order() -> None:
    assert_agree(make_layer("flatten", IMAGES), nn.Flatten(), PIXELS)
    assert_agree(make_layer("flatten", SERIES), nn.Flatten(), STEPS)
    plan = make_plan([{"reshape": [2, 3, 2]}, "flatten", {"reshape": [3, 4]}, "flatten"], inputs=12)
    assert [layer.output for layer in plan.layers[:3:2]] == [Image(2, 3, 2), Sequence(3, 4)]
    to_image, flatten, to_sequence, *_ = compile_network(plan, seed=0).layers
    assert torch.equal(to_image(FLAT), FLAT.view(5, 2, 3, 2))
    assert torch.equal(to_sequence(FLAT), FLAT.view(5, 3, 4))
    assert torch.equal(flatten(to_image(FLAT)), FLAT)


def test_a_sequence_that_ends_early_is_flattened_with_zeros_behind_its_end() -> None:
    out, lengths = make_layer("flatten", SERIES).run(STEPS, torch.tensor([9, 4, 1]))  # type: ignore[operator]
    expected = [torch.cat([row[:end], torch.zeros(9 - end, 4)]) for row, end in zip(STEPS, (9, 4, 1), strict=True)]
    assert torch.equal(out, torch.stack(expected).flatten(1))
    assert lengths is None


def test_a_vector_that_is_reshaped_goes_on_as_an_image() -> None:
    ours = make_network([{"reshape": [3, 2, 2]}, {"conv2d": 5}, "flatten"], inputs=12)
    theirs = [nn.Unflatten(1, (3, 2, 2)), nn.Conv2d(3, 5, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(20, 2)]
    assert_agree(ours, over_images(*theirs), FLAT)


# --- norms -------------------------------------------------------------------------------------------------


def test_batch_norm_of_images_and_sequences_is_torchs_and_so_are_its_running_statistics() -> None:
    norm = {"batch_norm": {"momentum": 0.3, "epsilon": 0.1}}
    settings = {"momentum": 0.3, "eps": 0.1}
    assert_agree(make_layer(norm, IMAGES), nn.BatchNorm2d(4, **settings).double(), 3 * PIXELS + 2)
    ours = make_layer(norm, SERIES)
    assert_agree(ours, OverTime(nn.BatchNorm1d(4, **settings)), 3 * STEPS + 2)
    running = dict(ours.named_buffers())["norm.running_mean"]
    mean = (3 * STEPS + 2).mean(dim=(0, 1))
    torch.testing.assert_close(running, mean * (1 - 0.7**2), rtol=0, atol=1e-12)


def test_layer_norm_of_an_image_takes_all_of_it_and_of_a_sequence_each_step() -> None:
    norm = {"layer_norm": {"epsilon": 0.2}}
    assert_agree(make_layer(norm, IMAGES), nn.GroupNorm(1, 4, eps=0.2).double(), PIXELS)
    assert_agree(make_layer(norm, SERIES), nn.LayerNorm(4, eps=0.2).double(), STEPS)


# --- residuals ---------------------------------------------------------------------------------------------


def residual(*layers: Any, projection: bool = True) -> dict[str, Any]:
    return {"residual": {"layers": list(layers), "projection": projection}}


def test_a_residual_without_projection_adds_its_input() -> None:
    way = over_images(nn.Conv2d(4, 4, 3, padding=1), nn.ReLU())
    assert_agree(make_layer(residual({"conv2d": 4}, projection=False), IMAGES), Sum(way, nn.Identity()), PIXELS)
    over_time = OverTime(nn.Conv1d(4, 4, 3, padding=1), nn.ReLU())
    assert_agree(make_layer(residual({"conv1d": 4}, projection=False), SERIES), Sum(over_time, nn.Identity()), STEPS)


@pytest.mark.parametrize("stride", [1, 2, [1, 3], [4, 2]])
def test_a_projection_of_an_image_is_a_convolution_of_single_pixels_with_the_stride_of_the_layers(stride: Any) -> None:
    steps = stride if isinstance(stride, int) else tuple(stride)
    way = over_images(nn.Conv2d(4, 6, 3, padding=1, stride=steps), nn.ReLU())
    shortcut = nn.Conv2d(4, 6, 1, stride=steps, bias=False).double()
    ours = make_layer(residual({"conv2d": {"filters": 6, "stride": stride}}), IMAGES)
    assert_agree(ours, Sum(way, shortcut), PIXELS)


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_a_projection_of_a_sequence_is_a_product_at_each_step_that_the_layers_leave(stride: int) -> None:
    way = OverTime(nn.Conv1d(4, 6, 3, padding=1, stride=stride), nn.ReLU())
    pick = OverTime(nn.Conv1d(4, 6, 1, stride=stride, bias=False))
    shortcut = pick if stride > 1 else nn.Linear(4, 6, bias=False, dtype=torch.float64)
    ours = make_layer(residual({"conv1d": {"filters": 6, "stride": stride}}), SERIES)
    assert_agree(ours, Sum(way, shortcut), STEPS)


def test_a_projection_of_a_vector_is_a_matrix() -> None:
    ours = make_network([residual({"dense": 7})], inputs=12).layers[0]
    way = nn.Sequential(nn.Linear(12, 7), nn.ReLU()).double()
    assert_agree(ours, Sum(way, nn.Linear(12, 7, bias=False, dtype=torch.float64)), FLAT)


# --- a whole network ---------------------------------------------------------------------------------------


def test_a_network_for_images_standardises_bytes_and_is_torchs_from_there_on() -> None:
    means, deviations = (120.0, 30.0), (64.0, 32.0)
    layers = [
        {"conv2d": {"filters": 5, "norm": "batch_norm"}},
        "max_pool",
        residual({"conv2d": 6}),
        "flatten",
        {"dense": 4},
    ]
    ours = make_network(layers, example=ImageExample(2, 8, 6, means, deviations))
    convolution = nn.Sequential(nn.Conv2d(2, 5, 3, padding=1), nn.BatchNorm2d(5), nn.ReLU(), nn.MaxPool2d(2))
    block = Sum(nn.Sequential(nn.Conv2d(5, 6, 3, padding=1), nn.ReLU()), nn.Conv2d(5, 6, 1, bias=False))
    head = nn.Sequential(nn.Flatten(), nn.Linear(72, 4), nn.ReLU(), nn.Linear(4, 2))
    theirs = over_images(convolution, block, head)
    pixels = torch.randint(0, 256, (5, 2, 8, 6), generator=GENERATOR, dtype=torch.uint8)
    standardised = (pixels.double() - torch.tensor(means)[:, None, None]) / torch.tensor(deviations)[:, None, None]
    assert_agree(ours.layers, theirs, standardised)
    torch.testing.assert_close(ours(pixels), theirs(standardised), rtol=0, atol=1e-9)
