"""Networks for tests: from a list of layers to its plan and module, and lists of layers that hypothesis makes up."""

from __future__ import annotations

from typing import Any, get_args

import torch
from hypothesis import strategies as st

from nettool.config.layers import Activation
from nettool.config.load import load_mapping
from nettool.config.signature import NumberTarget, Signature
from nettool.model.compile import Network, compile_network
from nettool.model.shapes import NetworkPlan, plan_network

ACTIVATIONS: tuple[Activation, ...] = get_args(Activation)


ANY_ACTIVATION = st.sampled_from([None, *ACTIVATIONS])


def make_plan(
    layers: list[Any],
    inputs: int = 4,
    outputs: int = 2,
    embedded: tuple[int, ...] = (),
    output: Any = "output",
    **changes: Any,
) -> NetworkPlan:
    """The plan of these hidden layers and an output, for this many number columns and targets."""
    data = {"path": "unused.csv", "target": [f"y{index}" for index in range(outputs)]}
    loaded = load_mapping({"data": data, "layers": [*layers, output], "loss": "mse", **changes})
    target = NumberTarget(loaded.experiment.data.target)
    with loaded.located():
        return plan_network(loaded.experiment, Signature(inputs, embedded, target))


def make_network(layers: list[Any], inputs: int = 4, outputs: int = 2, seed: int = 0, **changes: Any) -> Network:
    """The compiled network, in float64."""
    return compile_network(make_plan(layers, inputs, outputs, **changes), seed).double()


def examples(num: int, plan: NetworkPlan, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """Encoded examples: numbers, then codes."""
    generator = torch.Generator().manual_seed(num)
    numbers = torch.randn(num, plan.signature.numbers, generator=generator, dtype=dtype)
    codes = [torch.randint(0, high, (num, 1), generator=generator).to(dtype) for high in plan.signature.embedded]
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
