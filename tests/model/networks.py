"""Networks for tests: from a list of layers to its plan and module, and lists of layers that hypothesis makes up."""

from __future__ import annotations

from typing import Any, get_args

import torch
from hypothesis import strategies as st

from nettool.config.layer_types import Activation
from nettool.config.load import load_mapping
from nettool.config.signature import (
    Example,
    Flat,
    Image,
    ImageExample,
    NumberTarget,
    Sequence,
    Shape,
    Signature,
    TableExample,
    Target,
    TokenExample,
    Tokens,
)
from nettool.errors import ConfigError
from nettool.model.compile import Network, compile_network
from nettool.model.plans import NetworkPlan
from nettool.model.shapes import plan_network

ACTIVATIONS: tuple[Activation, ...] = get_args(Activation)


ANY_ACTIVATION = st.sampled_from([None, *ACTIVATIONS])


def make_plan(
    layers: list[Any],
    inputs: int = 4,
    outputs: int = 2,
    embedded: tuple[int, ...] = (),
    output: Any = "output",
    example: Example | None = None,
    target: Target | None = None,
    **changes: Any,
) -> NetworkPlan:
    """The plan of these hidden layers and an output, for so many number columns and targets, or for these outright."""
    data = {"path": "unused.csv", "target": [f"y{index}" for index in range(outputs)]}
    loaded = load_mapping({"data": data, "layers": [*layers, output], "loss": "mse", **changes})
    signature = Signature(
        example or TableExample(inputs, embedded), target or NumberTarget(loaded.experiment.data.target)
    )
    with loaded.located():
        return plan_network(loaded.experiment, signature)


def make_network(layers: list[Any], inputs: int = 4, outputs: int = 2, seed: int = 0, **changes: Any) -> Network:
    """The compiled network, in float64."""
    return compile_network(make_plan(layers, inputs, outputs, **changes), seed).double()


def image(channels: int = 4, height: int = 7, width: int = 6) -> ImageExample:
    """Images whose pixels reach the first layer as they are."""
    return ImageExample(channels, height, width, means=(0.0,) * channels, deviations=(1.0,) * channels)


def series(time: int = 9, features: int = 4) -> TableExample:
    return TableExample(features, window=time)


def text(time: int = 8, vocabulary: int = 11, padded: bool = False) -> TokenExample:
    return TokenExample(time, vocabulary, padded)


def make_layer(spec: Any, example: Example | None = None) -> torch.nn.Module:
    """The module of one layer, in float64."""
    ending = [] if example is None else ["flatten"]
    return make_network([spec, *ending], example=example).layers[0]


def refusals(layers: list[Any], **changes: Any) -> list[tuple[str, str]]:
    """Dotted path and text of each mistake in these layers."""
    try:
        make_plan(layers, **changes)
    except ConfigError as error:
        return [(".".join(str(part) for part in mistake.path), mistake.text) for mistake in error.mistakes]
    return []


def assert_agree(
    ours: torch.nn.Module, reference: torch.nn.Module, x: torch.Tensor, theirs: list[torch.Tensor] | None = None
) -> None:
    """The same weights give the same output, gradients and running statistics, in training and in evaluation.

    theirs: the reference's parameters in the order of ours, where that is not its own.
    """
    mine, theirs = list(ours.parameters()), theirs or list(reference.parameters())
    assert [parameter.shape for parameter in mine] == [parameter.shape for parameter in theirs]
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for a, b in zip(mine, theirs, strict=True):
            a.copy_(torch.randn(a.shape, generator=generator, dtype=a.dtype))
            b.copy_(a)
    for training in (True, True, False):  # twice, for running means
        results = []
        for module, parameters in ((ours, mine), (reference, theirs)):
            module.train(training)
            inputs = x.clone().requires_grad_(x.is_floating_point())
            out = module(inputs)
            weight = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view(out.shape)
            sources = [inputs, *parameters] if x.is_floating_point() else parameters
            running = [value for name, value in module.state_dict().items() if "running" in name]
            results.append([out, *torch.autograd.grad((out * weight).sum(), sources), *running])
        for a, b in zip(*results, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


def examples(num: int, plan: NetworkPlan, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """Encoded examples: numbers, then codes."""
    generator = torch.Generator().manual_seed(num)
    numbers = torch.randn(num, plan.signature.example.numbers, generator=generator, dtype=dtype)
    codes = [
        torch.randint(0, high, (num, 1), generator=generator).to(dtype) for high in plan.signature.example.embedded
    ]
    return torch.cat([numbers, *codes], dim=1)


def dense_layers(activations: st.SearchStrategy[Any], smallest: int = 1) -> st.SearchStrategy[dict[str, Any]]:
    settings = {
        "units": st.integers(smallest, 7),
        "activation": activations,
        "norm": st.sampled_from([None, "layer_norm", "batch_norm"]),
        "bias": st.sampled_from([True, False, 0.5]),
    }
    return st.fixed_dictionaries(settings).map(lambda dense: {"dense": dense})


def lists_of_layers(
    activations: st.SearchStrategy[Any] = ANY_ACTIVATION, smallest: int = 1
) -> st.SearchStrategy[list[Any]]:
    """Hidden layers that fit together, repeats and residuals nested."""
    leaf = st.one_of(
        dense_layers(activations, smallest),
        st.just("batch_norm"),
        st.just("layer_norm"),
        st.just({"dropout": 0.3}),
        activations.filter(bool).map(lambda name: {"activation": name}),
    )

    def nest(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        several = st.lists(inner, min_size=1, max_size=3)
        repeat = st.builds(
            lambda times, layers: {"repeat": {"times": times, "layers": layers}}, st.integers(1, 3), several
        )
        residual = several.map(lambda layers: {"residual": {"projection": True, "layers": layers}})
        return repeat | residual

    return st.lists(st.recursive(leaf, nest, max_leaves=6), max_size=4)


# --- layers for images and sequences -----------------------------------------------------------------------

Layers = st.SearchStrategy[Any]


def layer(name: str, **settings: Layers) -> Layers:
    return st.fixed_dictionaries({}, optional=settings).map(lambda given: {name: given} if given else name)


def sized(name: str, key: str, largest: int, **settings: Layers) -> Layers:
    """A layer with a setting that it cannot do without."""
    return st.fixed_dictionaries({key: st.integers(1, largest)}, optional=settings).map(lambda given: {name: given})


def one_or_two(smallest: int, largest: int) -> Layers:
    return st.integers(smallest, largest) | st.lists(st.integers(smallest, largest), min_size=2, max_size=2)


NORMS = st.sampled_from([None, "batch_norm", "layer_norm"])
PRODUCT = {"norm": NORMS, "activation": st.just("gelu"), "bias": st.booleans(), "dropout": st.just(0.1)}
ANY_SHAPE = st.sampled_from(["batch_norm", "layer_norm", {"dropout": 0.2}, {"activation": "elu"}])
TO_FLAT = st.sampled_from(["global_avg_pool", "flatten"])
CONV2D = {
    "size": one_or_two(1, 4), "stride": one_or_two(1, 2), "padding": st.just("same") | one_or_two(0, 2),
    "dilation": one_or_two(1, 2), "groups": st.integers(1, 2),
}  # fmt: skip
CONV1D = {
    "size": st.integers(1, 4), "stride": st.integers(1, 2), "padding": st.sampled_from(["same", "causal", 0, 1, 2]),
    "dilation": st.integers(1, 2), "groups": st.integers(1, 2),
}  # fmt: skip
STATES = {
    "layers": st.integers(1, 3), "bidirectional": st.booleans(), "bias": st.booleans(), "dropout": st.just(0.1),
    "returns": st.sampled_from(["last", "sequence", "sequence"]),
}  # fmt: skip
HEADS = {"causal": st.booleans(), "dropout": st.just(0.1)}


def pools(extents: Any) -> Layers:
    return st.sampled_from(["max_pool", "avg_pool"]).flatmap(
        lambda name: layer(name, size=extents(1, 3), stride=extents(1, 3), padding=extents(0, 1))
    )


FOR_SHAPE: dict[type[Shape], Layers] = {
    Image: st.one_of(
        sized("conv2d", "filters", 6, **PRODUCT, **CONV2D), sized("conv2d", "filters", 6), pools(one_or_two),
        TO_FLAT, ANY_SHAPE,
    ),
    Sequence: st.one_of(
        sized("conv1d", "filters", 6, **PRODUCT, **CONV1D), sized("dense", "units", 6, **PRODUCT), pools(st.integers),
        *(sized(name, "units", 5, **STATES) for name in ("rnn", "gru", "lstm")),
        sized("attention", "heads", 3, bias=st.booleans(), **HEADS),
        sized("transformer", "heads", 3, feedforward=st.integers(1, 9), pre_norm=st.booleans(), **HEADS),
        layer("positional", kind=st.sampled_from(["learned", "sinusoidal"])), TO_FLAT, ANY_SHAPE,
    ),
    Tokens: sized("embedding", "width", 6, dropout=st.just(0.1)),
    Flat: st.one_of(
        sized("dense", "units", 24, **PRODUCT), ANY_SHAPE,
        st.sampled_from([[2, 3, 4], [6, 4]]).map(lambda shape: {"reshape": shape}),
    ),
}  # fmt: skip


@st.composite
def plans_for(draw: Any, example: Example) -> NetworkPlan:
    """Up to six layers that fit, some of them in residuals and repeats."""
    layers: list[Any] = [draw(FOR_SHAPE[Tokens])] if isinstance(example, TokenExample) else []
    plan = make_plan([*layers, "flatten"], example=example)
    for _ in range(draw(st.integers(1, 5))):
        shape = plan.layers[len(layers) - 1].output if layers else plan.input
        found = draw(FOR_SHAPE[type(shape)])
        form = draw(st.sampled_from(["alone", "alone", "repeat", "residual", "projection"]))
        if form == "repeat":
            found = {"repeat": {"times": 2, "layers": [found, draw(ANY_SHAPE)]}}
        elif form != "alone":
            found = {"residual": {"layers": [found, draw(ANY_SHAPE)], "projection": form == "projection"}}
        try:
            plan = make_plan([*layers, found, "flatten"], example=example)
        except ConfigError:
            continue
        layers.append(found)
    return plan
