"""What is to be predicted is never seen, padding is never felt, and text comes from the network that was trained."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import make_network, refusals, text
from torch import Tensor

from nettool.config.signature import ClassTarget, NextTarget
from nettool.model.compile import Network
from nettool.model.generation import NextToken

TIME, VOCABULARY = 10, 11
NEXT = NextTarget(VOCABULARY)
CLASSES = ClassTarget(("a", "b", "c"), binary=False)
EMBEDDING = {"embedding": 6}
SEQUENCE = {"units": 5, "returns": "sequence"}


def codes_of(lengths: list[int], seed: int = 0) -> Tensor:
    """Texts of these lengths, zeros behind their ends."""
    codes = torch.randint(1, VOCABULARY, (len(lengths), TIME), generator=torch.Generator().manual_seed(seed))
    return codes * (torch.arange(TIME) < torch.tensor(lengths)[:, None])


def results(network: Network, logits: Tensor) -> dict[str, Tensor]:
    """Logits and the gradients of all weights, by name."""
    weight = torch.linspace(-1, 1, logits[0].numel(), dtype=logits.dtype).view(logits[0].shape)
    names, parameters = zip(*network.named_parameters(), strict=True)
    gradients = torch.autograd.grad((weight * logits).sum(), parameters)
    return {"logits": logits.detach(), **dict(zip(names, gradients, strict=True))}


def assert_close(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    for name, value in expected.items():
        torch.testing.assert_close(
            found[name], value, rtol=0, atol=1e-10, msg=lambda text, name=name: f"{name}: {text}"
        )


# --- no step sees a later one ------------------------------------------------------------------------------


def residual(*layers: Any, projection: bool = False) -> dict[str, Any]:
    return {"residual": {"layers": list(layers), "projection": projection}}


def conv1d(**spec: Any) -> dict[str, Any]:
    return {"conv1d": {"filters": 5, **spec}}


def causal(kind: str, **spec: Any) -> dict[str, Any]:
    return {kind: {"padding" if kind == "conv1d" else "causal": "causal" if kind == "conv1d" else True, **spec}}


STATES: dict[str, list[Any]] = {
    "rnn": [{"rnn": 12}],
    "rnn with relu, two layers": [{"rnn": {"units": 16, "layers": 2, "activation": "relu"}}],
    "gru": [{"gru": 5}, {"dense": {"units": 16, "norm": "layer_norm", "dropout": 0.5}}, {"gru": 4}],
    "lstm": [{"lstm": {"units": 5, "layers": 3, "dropout": 0.5}}, "layer_norm", {"lstm": {"units": 5, "bias": False}}],
    "residual lstm": [residual({"lstm": 6}, "layer_norm"), residual({"gru": 5}, "batch_norm", projection=True)],
    "steps alone": [{"dense": 16}, residual({"dense": 16}), {"dropout": 0.2}],
    "repeated": [{"repeat": {"times": 2, "layers": [residual({"gru": {"units": 6, "bias": False}})]}}],
}
WINDOWS: dict[str, list[Any]] = {
    "conv1d": [causal("conv1d", filters=16)],
    "conv1d, dilated": [causal("conv1d", filters=16, size=2, dilation=2 * n + 1, norm="layer_norm") for n in (0, 1, 2)],
    "conv1d, single steps": [{"conv1d": {"filters": 16, "size": 1}}, causal("conv1d", filters=16, size=4)],
    "attention": [{"positional": "sinusoidal"}, causal("attention", heads=2)],
    "transformer": ["positional", causal("transformer", heads=3), causal("transformer", heads=2, pre_norm=False)],
    "all": [residual(causal("conv1d", filters=6)), "positional", causal("attention", heads=1), {"gru": 6}],
}  # fmt: skip


@cache
def next_network(name: str) -> Network:
    layers = [EMBEDDING, *{**STATES, **WINDOWS}[name]]
    return make_network(layers, example=text(TIME, VOCABULARY), target=NEXT).eval()


texts = st.lists(st.integers(0, VOCABULARY - 1), min_size=TIME, max_size=TIME)


@pytest.mark.parametrize("name", [*STATES, *WINDOWS])
@settings(max_examples=8, deadline=None, derandomize=True)
@given(codes=texts, step=st.integers(0, TIME - 1), by=st.integers(1, VOCABULARY - 1))
def test_a_token_moves_no_logit_before_it(name: str, codes: list[int], step: int, by: int) -> None:
    network = next_network(name)
    changed = [*codes[:step], (codes[step] + by) % VOCABULARY, *codes[step + 1 :]]
    before, after = (network(torch.tensor([code]))[0] for code in (codes, changed))
    assert torch.equal(before[:step], after[:step])
    assert not torch.equal(before[step:], after[step:])


SIGHTED: dict[str, tuple[dict[str, Any], str, str]] = {
    "attention": ({"attention": 2}, "causal", "Set `causal: true`."),
    "transformer": ({"transformer": {"heads": 2}}, "causal", "Set `causal: true`."),
    "rnn": ({"rnn": {**SEQUENCE, "bidirectional": True}}, "bidirectional", "Set `bidirectional: false`."),
    "gru": ({"gru": {**SEQUENCE, "bidirectional": True}}, "bidirectional", "Set `bidirectional: false`."),
    "lstm": ({"lstm": {**SEQUENCE, "bidirectional": True}}, "bidirectional", "Set `bidirectional: false`."),
    "same padding": ({"conv1d": 6}, "padding", "Set `padding: causal`."),
    "equal padding": ({"conv1d": {"filters": 6, "padding": 1}}, "padding", "Set `padding: causal`."),
    "max_pool": ({"max_pool": {"size": 3, "stride": 1, "padding": 1}}, "size", "Take the pooling out."),
    "avg_pool": ({"avg_pool": {"size": 3, "stride": 1, "padding": 1}}, "size", "Take the pooling out."),
}


@pytest.mark.parametrize("name", SIGHTED)
def test_a_layer_that_looks_ahead_is_refused_wherever_it_stands(name: str) -> None:
    layer, key, cure = SIGHTED[name]
    text_ = f"lets a step see the ones after it, which the network is to predict (`target: next`). {cure}"
    inside = {"repeat": {"times": 2, "layers": [residual(layer, {"dense": 6})]}}
    layers = [EMBEDDING, layer, {"dense": 6}, inside]
    places = [f"layers.1.{key}", f"layers.3.layers.0.layers.0.{key}"]
    found = refusals(layers, example=text(TIME, VOCABULARY), target=NEXT)
    assert found == [(place, text_) for place in places]
    assert refusals([*layers, "global_avg_pool"], example=text(TIME, VOCABULARY), target=CLASSES) == []


def test_fewer_steps_than_there_are_tokens_are_refused() -> None:
    for layer, left in (({"max_pool": 2}, 5), ({"conv1d": {"filters": 6, "padding": "causal", "stride": 3}}, 4)):
        assert refusals([EMBEDDING, layer], example=text(TIME, VOCABULARY), target=NEXT) == [
            ("layers.2", f"the next token is predicted after each of 10 steps, but there are {left} here. "
             "Every layer must keep their number: `padding: causal`, no stride, no pooling.")
        ]  # fmt: skip


DETOURS: dict[str, list[Any]] = {
    "flatten": ["flatten", {"dense": 20}, {"reshape": [TIME, 2]}],
    "average": ["global_avg_pool", {"dense": 20}, {"reshape": [TIME, 2]}],
    "last state": [{"lstm": {"units": 20, "returns": "last"}}, {"reshape": [TIME, 2]}],
    "stride and padding": [conv1d(padding="causal", stride=3), conv1d(size=1, padding=3)],
}


@pytest.mark.parametrize("name", DETOURS)
def test_no_detour_lets_a_step_see_a_later_one(name: str) -> None:
    assert refusals([EMBEDDING, *DETOURS[name]], example=text(TIME, VOCABULARY), target=NEXT)


# --- generation --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*STATES, *WINDOWS])
@settings(max_examples=5, deadline=None, derandomize=True)
@given(codes=texts, cuts=st.sets(st.integers(1, TIME - 1)))
def test_text_fed_in_pieces_gives_the_logits_of_the_whole_network(name: str, codes: list[int], cuts: set[int]) -> None:
    whole = next_network(name)(torch.tensor([codes]))[0].detach()
    for ends in (sorted(cuts | {TIME}), range(1, TIME + 1)):
        source, start = NextToken(next_network(name), TIME), 0
        for end in ends:
            found = source.feed(codes[start:end])
            torch.testing.assert_close(found, whole[end - 1], rtol=0, atol=1e-10)
            start = end


@pytest.mark.parametrize("name", [*STATES, *WINDOWS])
def test_recurrent_layers_remember_for_ever_and_the_others_as_long_as_an_example(name: str) -> None:
    network, codes = next_network(name), [number * number % VOCABULARY for number in range(25)]
    source = NextToken(network, TIME)
    *_, found = (source.feed([code]) for code in codes)
    known = codes if name in STATES else codes[-TIME:]
    torch.testing.assert_close(found, network(torch.tensor([known]))[0, -1].detach(), rtol=0, atol=1e-10)


# --- padding -----------------------------------------------------------------------------------------------

MEAN = "global_avg_pool"
BOTH_WAYS = {"units": 5, "bidirectional": True}
OVERLAPPING, HALF = {"size": 3, "stride": 1, "padding": 1}, {"size": 4, "stride": 3, "padding": 2}
PADDED: dict[str, list[Any]] = {
    "mean": [MEAN],
    "rnn": [{"rnn": 5}],
    "gru": [{"gru": {"units": 5, "layers": 2}}],
    "lstm": [{"lstm": {"units": 5, "layers": 2}}],
    "states": [{"gru": SEQUENCE}, MEAN],
    "states into states": [{"lstm": SEQUENCE}, {"rnn": SEQUENCE}, {"max_pool": 3}, MEAN],
    "rnn both ways": [{"rnn": BOTH_WAYS}],
    "gru both ways": [{"gru": {**BOTH_WAYS, "layers": 2}}],
    "lstm both ways": [{"lstm": {**BOTH_WAYS, "layers": 2}}],
    "states both ways": [{"lstm": {**BOTH_WAYS, **SEQUENCE}}, {"gru": {**BOTH_WAYS, **SEQUENCE}}, MEAN],
    "conv1d": [conv1d(), conv1d(), MEAN],
    "conv1d even dilated": [conv1d(size=2, dilation=3), conv1d(), MEAN],
    "conv1d causal": [conv1d(size=4, padding="causal"), {"gru": 4}],
    "conv1d strided": [conv1d(stride=2), conv1d(stride=3, size=4), MEAN],
    "conv1d causal strided": [conv1d(padding="causal", stride=2, dilation=2), {"lstm": BOTH_WAYS}],
    "conv1d unpadded": [conv1d(padding=0), conv1d(padding=0, size=2), MEAN],
    "conv1d padded": [conv1d(padding=3, stride=2), conv1d(), MEAN],
    "conv1d normed": [conv1d(norm="batch_norm"), conv1d(norm="layer_norm"), MEAN],
    "max_pool": ["max_pool", {"conv1d": 3}, MEAN],
    "max_pool overlapping": [{"max_pool": OVERLAPPING}, MEAN],
    "max_pool half": [{"max_pool": HALF}, {"gru": BOTH_WAYS}],
    "max_pool twice": ["max_pool", "max_pool", MEAN],
    "max_pool, dense": ["max_pool", {"dense": 5}, MEAN],
    "max_pool, lstm": ["max_pool", {"lstm": 5}],
    "max_pool, attention": ["max_pool", {"attention": 2}, MEAN],
    "max_pool, layer_norm": ["max_pool", "layer_norm", MEAN],
    "max_pool, batch_norm": ["max_pool", "batch_norm", MEAN],
    "max_pool, projection": ["max_pool", residual({"conv1d": 5}, projection=True), MEAN],
    "avg_pool": ["avg_pool", {"dense": 5}, MEAN],
    "avg_pool overlapping": [{"avg_pool": OVERLAPPING}, {"attention": 3}, MEAN],
    "avg_pool half": [{"avg_pool": HALF}, {"gru": 5}],
    "attention": ["positional", {"attention": 2}, MEAN],
    "causal attention": [{"positional": "sinusoidal"}, causal("attention", heads=3, bias=False), MEAN],
    "transformer": ["positional", {"transformer": 2}, {"transformer": 3}, {"rnn": 5}],
    "causal transformer": ["positional", causal("transformer", heads=2, pre_norm=False), MEAN],
    "norms": ["batch_norm", {"dense": {"units": 5, "norm": "batch_norm"}}, "layer_norm", {"activation": "elu"}, MEAN],
    "residual": [residual({"conv1d": 6}, "batch_norm"), residual({"attention": 2}, "layer_norm"), MEAN],
    "projection": [residual({"conv1d": 5}, {"dense": 4}, projection=True), MEAN],
    "strided projection": [residual(conv1d(stride=2), projection=True), MEAN],
    "repeat": [{"repeat": {"times": 2, "layers": [residual({"gru": {**BOTH_WAYS, **SEQUENCE, "units": 3}})]}}, MEAN],
}  # fmt: skip
SHORTEST = 4  # steps that every one of these networks takes
FIXED: dict[str, list[Any]] = {  # those that want all texts of one length
    "flatten": [{"conv1d": 5}, "avg_pool", "flatten"],
    "pooled projection": [residual("max_pool", projection=True), MEAN],
}


def make_padded(name: str, padded: bool = True) -> Network:
    layers = [EMBEDDING, *{**PADDED, **FIXED}[name]]
    return make_network(layers, example=text(TIME, VOCABULARY, padded), target=CLASSES)


@cache
def padded_network(name: str) -> Network:
    """Its padding stands for something, so that whoever looks at it is found out; its norms have seen some texts."""
    network = make_padded(name)
    network(codes_of([10, 7, 4, 8]))
    with torch.no_grad():
        next(network.parameters())[0] = 30
    return network.eval()


@cache
def unpadded_network(name: str) -> Network:
    """The same network for texts without padding."""
    network = make_padded(name, padded=False)
    network.load_state_dict(padded_network(name).state_dict())
    return network.eval()


@pytest.mark.parametrize("name", PADDED)
@settings(max_examples=6, deadline=None, derandomize=True)
@given(lengths=st.lists(st.integers(SHORTEST, TIME), min_size=1, max_size=4), seed=st.integers(0, 1000))
def test_padding_changes_neither_logits_nor_gradients(name: str, lengths: list[int], seed: int) -> None:
    codes, network, alone = codes_of(lengths, seed), padded_network(name), unpadded_network(name)
    expected = results(
        alone, torch.cat([alone(row[None, :length]) for row, length in zip(codes, lengths, strict=True)])
    )
    assert_close(results(network, network(codes)), expected)
    uncut = network.layers.run(codes, torch.tensor(lengths))[0]
    assert_close(results(network, uncut), expected)


@pytest.mark.parametrize("name", PADDED)
def test_training_counts_no_padding_among_the_statistics(name: str) -> None:
    codes, network, alone = codes_of([7, 7, 7]), make_padded(name), make_padded(name, padded=False)
    with torch.no_grad():
        next(network.parameters())[0] = 30
    alone.load_state_dict(network.state_dict())
    found = network.layers.run(codes, torch.tensor([7, 7, 7]))[0]
    assert_close(results(network, found), results(alone, alone(codes[:, :7])))
    running = {key: value for key, value in network.state_dict().items() if "running" in key}
    assert_close(running, {key: alone.state_dict()[key] for key in running})
    assert bool(running) == ("batch_norm" in str(PADDED[name]))


def test_running_statistics_are_those_of_the_real_steps_of_all_texts() -> None:
    network, codes = make_padded("norms"), codes_of([10, 3, 1, 6])
    real = network.layers[0](codes)[codes != 0].detach()
    network(codes)
    state = network.layers[1].state_dict()
    torch.testing.assert_close(state["norm.running_mean"], 0.1 * real.mean(dim=0), rtol=0, atol=1e-12)
    torch.testing.assert_close(state["norm.running_var"], 0.9 + 0.1 * real.var(dim=0), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", [*PADDED, *FIXED])
def test_an_empty_text_gives_finite_logits_and_gradients_and_changes_no_others(name: str) -> None:
    network = padded_network(name)
    found = results(network, network(codes_of([10, 0, 5])))
    assert all(bool(value.isfinite().all()) for value in found.values())
    torch.testing.assert_close(found["logits"][::2], network(codes_of([10, 0, 5])[::2]).detach(), rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", [*PADDED, *FIXED])
def test_a_short_text_has_the_same_logits_alone_and_in_any_company(name: str) -> None:
    network, codes = padded_network(name), codes_of([0, 1, 2, 3, TIME])
    alone = torch.cat([network(row[None]) for row in codes])
    assert bool(alone.isfinite().all())
    torch.testing.assert_close(network(codes), alone, rtol=0, atol=1e-10)
