"""Where attention looks: the maps are those that make the layer's output."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from nettool.analysis.attention import attention_maps, habit, has_attention
from nettool.config.signature import ClassTarget, NextTarget, Signature, TableExample, TokenExample
from nettool.model.compile import Network, compile_network
from nettool.model.plans import NetworkPlan
from nettool.model.recurrent import Attention
from nettool.model.shapes import plan_network
from tests.training.conftest import make_experiment

STREAM = Signature(TokenExample(7, 11, padded=False), NextTarget(11))
TEXTS = Signature(TokenExample(9, 11, padded=True), ClassTarget(("a", "b"), binary=True))
TOKENS = torch.tensor([[1, 5, 2, 2, 9, 3, 1]])


def built(signature: Signature, layers: list[Any], **changes: Any) -> tuple[Network, NetworkPlan]:
    plan = plan_network(make_experiment(layers=layers, **changes), signature)
    return compile_network(plan, 0), plan


@pytest.mark.parametrize("layer", ["attention", "transformer"])
@pytest.mark.parametrize("causal", [True, False])
def test_rows_sum_to_one_and_no_token_looks_ahead_where_that_is_forbidden(layer: str, causal: bool) -> None:
    layers = [{"embedding": 8}, {layer: {"heads": 2, "causal": causal}}, "output"]
    signature = STREAM if causal else Signature(TokenExample(7, 11, padded=False), ClassTarget(("a", "b"), True))
    layers = layers if causal else [*layers[:2], "global_avg_pool", "output"]
    loss = "cross_entropy" if causal else "binary_cross_entropy"
    (found,) = attention_maps(*built(signature, layers, loss=loss), TOKENS)
    assert found.name == f"layers.1 ({layer})"
    assert found.causal == causal
    assert found.weights.shape == (2, 7, 7)
    assert found.weights.sum(axis=2) == pytest.approx(np.ones((2, 7)), abs=1e-12)
    above = np.triu(found.weights, 1)
    assert (above == 0).all() if causal else (above > 0).any()


@pytest.mark.parametrize("tokens", [TOKENS, torch.tensor([[4, 5, 6, 7, 0, 0, 0, 0, 0]])])
@pytest.mark.parametrize("double", [False, True])
def test_the_maps_reproduce_the_output_of_the_layer(tokens: torch.Tensor, double: bool) -> None:
    is_text = tokens.shape[1] == 9
    layers = [{"embedding": 8}, {"attention": {"heads": 2, "causal": not is_text}}]
    layers += ["global_avg_pool", "output"] if is_text else ["output"]
    loss = "binary_cross_entropy" if is_text else "cross_entropy"
    network, plan = built(TEXTS if is_text else STREAM, layers, loss=loss)
    network = (network.double() if double else network).eval()
    (found,) = attention_maps(network, plan, tokens)
    layer = network.layers[1]
    assert isinstance(layer, Attention)
    num = int((tokens != 0).sum())
    with torch.no_grad():
        codes, lengths = network.inputs(tokens)
        x = network.layers[0](codes)
        expected = layer.run(x, lengths)[0][0, :num].double()
        value = layer.qkv(x)[0, :num, 16:].view(num, 2, 4).transpose(0, 1).double()
        mixed = (torch.from_numpy(found.weights) @ value).transpose(0, 1).reshape(num, 8)
        again = mixed @ layer.out.weight.double().T + layer.out.bias.double()
    assert found.weights.shape == (2, num, num)
    assert again.numpy() == pytest.approx(expected.numpy(), abs=1e-6)


def test_every_layer_has_its_map_and_nothing_is_left_behind() -> None:
    inner = [{"transformer": {"heads": 4, "causal": True}}]
    network, plan = built(STREAM, [{"embedding": 8}, {"repeat": {"times": 3, "layers": inner}}, "output"])
    found = attention_maps(network, plan, TOKENS)
    assert [one.name for one in found] == [f"layers.1.layers.0 (transformer), no. {number}" for number in (1, 2, 3)]
    assert len({one.weights.tobytes() for one in found}) == 3
    assert not any("run" in module.__dict__ for module in network.modules())
    assert has_attention(network)
    assert not has_attention(built(Signature(TableExample(4), ClassTarget(("a", "b", "c"), False)), ["output"])[0])


def test_a_head_is_named_by_where_it_mostly_looks() -> None:
    num = 8
    before = np.eye(num, k=-1)
    before[0, 0] = 1
    found = habit(0.9 * before + 0.1 * np.tril(np.ones((num, num))) / np.arange(1, num + 1)[:, None], causal=True)
    assert found.place == "the one before"
    assert found.share > 0.9
    assert habit(np.eye(num), causal=True).place == "itself"
    first = np.zeros((num, num))
    first[:, 0] = 1
    assert habit(first, causal=True).place == "the first"
    after = np.eye(num, k=1)
    after[-1, -1] = 1
    assert habit(after, causal=False).place == "the one after"
    even = habit(np.full((num, num), 1 / num), causal=False)
    assert even.place == ""
    assert even.spread == pytest.approx(num)
