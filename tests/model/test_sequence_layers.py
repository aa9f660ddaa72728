"""Layers for sequences give what torch.nn gives with the same weights, and what the papers' formulas give."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from networks import assert_agree, make_layer, make_plan, series, text
from torch import Tensor, nn

from nettool.model.blocks import Linear
from nettool.model.compile import Network, compile_network

TIME, WIDTH, UNITS = 6, 8, 5
SERIES = series(TIME, WIDTH)
STEPS = torch.randn(3, TIME, WIDTH, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
CODES = torch.tensor([[0, 1, 2, 9], [10, 10, 3, 0]])


class By(nn.Module):
    """A module by hand: what `function` makes of the inner module and the input."""

    def __init__(self, inner: nn.Module, function: Callable[[Any, Tensor], Tensor]) -> None:
        super().__init__()
        self.inner, self.function = inner.double(), function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self.inner, x)


# --- tokens and their places -------------------------------------------------------------------------------


def test_an_embedding_is_torchs() -> None:
    ours = make_layer({"embedding": 3}, text(4))
    assert_agree(ours, nn.Embedding(11, 3, dtype=torch.float64), CODES)
    padded = make_layer({"embedding": 3}, text(4, padded=True))
    reference = nn.Embedding(11, 3, padding_idx=0, dtype=torch.float64)
    assert_agree(padded, reference, CODES)
    (gradient,) = torch.autograd.grad(padded(CODES).sum(), list(padded.parameters()))
    assert gradient[0].tolist() == [0, 0, 0]
    assert gradient[10].tolist() == [2, 2, 2]


def test_learned_places_are_vectors_added_to_each_step() -> None:
    class Places(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Parameter(torch.empty(TIME, WIDTH, dtype=torch.float64))

        def forward(self, x: Tensor) -> Tensor:
            return x + self.table

    ours, reference = make_layer("positional", SERIES), Places()
    assert_agree(ours, reference, STEPS)
    torch.testing.assert_close(ours(STEPS[:, :4]), STEPS[:, :4] + reference.table[:4], rtol=0, atol=0)


@pytest.mark.parametrize("features", [1, 2, 7, 32])
def test_sinusoidal_places_are_the_formula_of_vaswani_et_al(features: int) -> None:
    time = 300
    expected = np.zeros((time, features))
    for position in range(time):
        for i in range(features):
            angle = position / 10_000 ** (2 * (i // 2) / features)
            expected[position, i] = np.sin(angle) if i % 2 == 0 else np.cos(angle)
    layer = make_layer({"positional": "sinusoidal"}, series(time, features))
    x = torch.randn(2, time, features, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    assert list(layer.parameters()) == []
    torch.testing.assert_close(layer(x) - x, torch.tensor(expected).expand_as(x), rtol=0, atol=3e-5)
    torch.testing.assert_close(layer(x[:, :7]), layer(x)[:, :7], rtol=0, atol=0)


# --- recurrent layers --------------------------------------------------------------------------------------

KINDS: dict[str, tuple[dict[str, Any], type[nn.RNNBase], dict[str, Any]]] = {
    "rnn": ({}, nn.RNN, {}),
    "rnn with relu": ({"activation": "relu"}, nn.RNN, {"nonlinearity": "relu"}),
    "gru": ({}, nn.GRU, {}),
    "lstm": ({}, nn.LSTM, {}),
}


def all_states(module: nn.Module, x: Tensor) -> Tensor:
    out: Tensor = module(x)[0]
    return out


def last_state(module: nn.RNNBase, x: Tensor) -> Tensor:
    """Of the top layer: after the last step, and for the way back after the first."""
    hidden = module(x)[1]
    hidden = hidden[0] if isinstance(hidden, tuple) else hidden
    return torch.cat([hidden[-2], hidden[-1]], dim=1) if module.bidirectional else hidden[-1]


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("name", KINDS)
def test_a_recurrent_layer_is_torchs(name: str, layers: int, bidirectional: bool) -> None:
    settings, kind, torchs = KINDS[name]
    for bias, returns, function in ((True, "sequence", all_states), (False, "last", last_state)):
        spec = {"units": UNITS, "layers": layers, "bidirectional": bidirectional, "bias": bias, "returns": returns}
        reference = kind(WIDTH, UNITS, layers, bias=bias, batch_first=True, bidirectional=bidirectional, **torchs)
        assert_agree(make_layer({name.split()[0]: {**spec, **settings}}, SERIES), By(reference, function), STEPS)


def test_a_recurrent_layer_gives_its_last_state_unless_every_step_is_predicted() -> None:
    assert make_layer({"gru": 3}, SERIES)(STEPS).shape == (3, 3)
    assert make_layer({"gru": {"units": 3, "returns": "sequence"}}, SERIES)(STEPS).shape == (3, TIME, 3)


def test_dropout_of_a_recurrent_layer_follows_each_of_its_layers_and_only_in_training() -> None:
    layer = make_layer({"gru": {"units": 400, "layers": 2, "dropout": 0.25, "returns": "sequence"}}, SERIES)
    seen: list[Tensor] = []
    layer.get_submodule("cells.1").register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    for out in (layer(STEPS), *seen):
        assert 0.22 < float((out == 0).double().mean()) < 0.28
    assert bool((layer.eval()(STEPS) != 0).all())
    assert bool((seen[1] != 0).all())


# --- attention ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("heads", "bias"), [(1, True), (2, True), (4, False), (8, True)])
def test_attention_is_torchs(heads: int, bias: bool, causal: bool) -> None:
    mask = nn.Transformer.generate_square_subsequent_mask(TIME, dtype=torch.float64) if causal else None
    reference = By(
        nn.MultiheadAttention(WIDTH, heads, bias=bias, batch_first=True),
        lambda module, x: module(x, x, x, attn_mask=mask, need_weights=False)[0],
    )
    ours = make_layer({"attention": {"heads": heads, "causal": causal, "bias": bias}}, SERIES)
    assert_agree(ours, reference, STEPS)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("pre_norm", [True, False])
@pytest.mark.parametrize(("activation", "feedforward"), [("gelu", None), ("relu", 20), ("tanh", 3)])
def test_a_transformer_block_is_torchs(activation: str, feedforward: int | None, pre_norm: bool, causal: bool) -> None:
    function: Any = torch.tanh if activation == "tanh" else activation
    mask = nn.Transformer.generate_square_subsequent_mask(TIME, dtype=torch.float64) if causal else None
    block = nn.TransformerEncoderLayer(
        WIDTH, 2, feedforward or 4 * WIDTH, 0.0, function, batch_first=True, norm_first=pre_norm
    )
    spec = {"heads": 2, "feedforward": feedforward, "causal": causal, "pre_norm": pre_norm, "activation": activation}
    ours = make_layer({"transformer": spec}, SERIES)
    reference = By(block, lambda module, x: module(x, src_mask=mask))
    attention, norms = block.self_attn, [[*block.norm1.parameters()], [*block.norm2.parameters()]]
    products = [attention.in_proj_weight, attention.in_proj_bias, *attention.out_proj.parameters()]
    dense = [*block.linear1.parameters(), *block.linear2.parameters()]
    assert_agree(ours, reference, STEPS, [*norms[0], *products, *norms[1], *dense])


def test_dropout_of_attention_embeddings_and_places_falls_on_their_outputs() -> None:
    layers: dict[str, dict[str, Any]] = {"attention": {"heads": 2}, "positional": {}}
    wide, x = series(40, 100), torch.rand(8, 40, 100, dtype=torch.float64)
    for name, spec in layers.items():
        layer = make_layer({name: {**spec, "dropout": 0.25}}, wide)
        assert 0.24 < float((layer(x) == 0).double().mean()) < 0.26
        assert bool((layer.eval()(x) != 0).all())
    embedding = make_layer({"embedding": {"width": 2000, "dropout": 0.25}}, text(4))
    known = CODES.clamp(min=1)
    assert 0.23 < float((embedding(known) == 0).double().mean()) < 0.27
    assert bool((embedding.eval()(known) != 0).all())


def test_dropout_of_a_transformer_falls_on_both_branches_and_never_on_the_shortcuts() -> None:
    wide, x = series(40, 100), torch.rand(8, 40, 100, dtype=torch.float64) + 1
    for silent in ("attention.out", "feedforward.2"):
        block = make_layer({"transformer": {"heads": 2, "dropout": 0.25}}, wide)
        with torch.no_grad():
            for parameter in block.get_submodule(silent).parameters():
                parameter.zero_()
        share = (block(x) == x).double().mean()
        assert 0.24 < float(share) < 0.26
        assert bool((block.eval()(x) != x).all())


# --- first weights -----------------------------------------------------------------------------------------

RECURRENT: list[Any] = [
    {"rnn": {"units": 30, "bidirectional": True, "returns": "sequence"}},
    {"gru": {"units": 40, "layers": 2, "returns": "sequence"}},
    {"lstm": {"units": 50, "layers": 2, "bidirectional": True, "returns": "sequence"}},
]


def test_recurrent_layers_start_with_orthogonal_states_xavier_inputs_and_open_forget_gates() -> None:
    network = compile_network(make_plan([*RECURRENT, "flatten"], example=series(4, 60)), seed=0)
    num_seen = 0
    for cell in (module for module in network.modules() if isinstance(module, nn.RNNBase)):
        units = cell.hidden_size
        for name, parameter in cell.named_parameters():
            num_seen += 1
            gates = list(torch.split(parameter.detach(), units))
            assert len(gates) == {"RNN": 1, "GRU": 3, "LSTM": 4}[type(cell).__name__]
            for index, gate in enumerate(gates):
                if name.startswith("weight_hh"):
                    torch.testing.assert_close(gate @ gate.T, torch.eye(units), rtol=0, atol=1e-5)
                elif name.startswith("weight_ih"):
                    bound = math.sqrt(6 / (gate.shape[0] + gate.shape[1]))
                    assert 0.98 * bound < float(gate.abs().max()) <= bound
                else:
                    forgets = isinstance(cell, nn.LSTM) and name.startswith("bias_ih") and index == 1
                    assert gate.tolist() == [float(forgets)] * units
            for index, gate in enumerate(gates[1:] if parameter.ndim == 2 else []):
                assert not torch.equal(gate, gates[index])
    assert num_seen == 4 * (2 + 2 + 2 * 2)


@pytest.mark.parametrize(("padded", "num_zero"), [(False, 1), (True, 2)])
def test_an_embedding_starts_as_standardised_numbers_and_zeros_for_padding_and_the_unknown(
    padded: bool, num_zero: int
) -> None:
    def weight(embedding: Any) -> Tensor:
        plan = make_plan([embedding, "global_avg_pool"], example=text(4, 3000, padded))
        (table,) = compile_network(plan, seed=0).layers[0].parameters()
        return table.detach()

    for init, variance in ((None, 1.0), ("normal", 0.05**2), ("xavier", 2 / 3050)):
        table = weight({"embedding": {"width": 50, "init": init}})
        assert float(table[:num_zero].abs().max()) == 0
        assert bool((table[num_zero:].abs().amax(dim=1) > 0).all())
        assert float(table[num_zero:].double().square().mean()) == pytest.approx(variance, rel=0.02)


def test_attention_transformers_and_learned_places_start_as_their_papers_say() -> None:
    layers = [
        "positional",
        {"attention": 2},
        {"transformer": 2},
        {"transformer": {"heads": 2, "init": "he"}},
        "flatten",
    ]
    places, attention, block, he, *_ = compile_network(make_plan(layers, example=series(100, 64)), seed=0).layers
    (table,) = places.parameters()
    assert float(table.detach().square().mean()) == pytest.approx(0.02**2, rel=0.05)
    products = [module for layer in (attention, block, he) for module in layer.modules() if isinstance(module, Linear)]
    assert len(products) == 2 + 4 + 4
    for index, product in enumerate(products):
        variance = 2 / (product.in_features + product.out_features) if index < 6 else 2 / product.in_features
        assert float(product.weight.detach().square().mean()) == pytest.approx(variance, rel=0.08)
        assert float(product.bias.detach().abs().max()) == 0
    norms = [module for layer in (block, he) for module in layer.modules() if isinstance(module, nn.LayerNorm)]
    assert [float(norm.weight.detach().sum()) for norm in norms] == [64.0] * 4
    assert [float(norm.bias.detach().abs().sum()) for norm in norms] == [0.0] * 4


def test_first_weights_of_sequence_layers_are_a_function_of_the_seed_alone() -> None:
    layers = [
        {"embedding": 8},
        "positional",
        {"attention": 2},
        {"transformer": 4},
        {"conv1d": 4},
        *RECURRENT,
        "flatten",
    ]
    plan = make_plan(layers, example=text(6, padded=True))

    def weights(seed: int) -> dict[str, Tensor]:
        network: Network = compile_network(plan, seed)
        return {name: parameter.detach().clone() for name, parameter in network.named_parameters()}

    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = weights(5)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    junk = [torch.full((size,), 7.0) for size in (64, 1000, 100_000)]  # memory that is not zero
    del junk
    again, other = weights(5), weights(6)
    assert all(torch.equal(first[name], again[name]) for name in first)
    drawn = [name for name, tensor in first.items() if tensor.ndim > 1]
    assert len(drawn) == 1 + 1 + 2 + 4 + 1 + 4 + 4 + 8 + 1
    assert not any(torch.equal(first[name], other[name]) for name in drawn)
