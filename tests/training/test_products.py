"""The library of the float32 products: by the processor and the size, and only where nothing is rounded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch

from nettool.config.load import load_mapping
from nettool.config.runtime import Runtime
from nettool.config.signature import ClassTarget, Signature, TableExample
from nettool.model.compile import compile_network
from nettool.model.losses import build_loss
from nettool.model.plans import NetworkPlan
from nettool.model.shapes import plan_network
from nettool.training import products
from nettool.training.engines import Engine, build_step, choose_engine
from tests.training.conftest import make_dataset

CPU = torch.device("cpu")
SIGNATURE = Signature(TableExample(784), ClassTarget(("a", "b"), binary=False))
SETTINGS = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]


def make_plan(units: int) -> NetworkPlan:
    config = {"data": {"path": "t.csv", "target": "y"}, "layers": [{"dense": units}, "output"], "loss": "cross_entropy"}
    return plan_network(load_mapping(config).experiment, SIGNATURE)


def processor(monkeypatch: pytest.MonkeyPatch, **capabilities: Any) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)


def test_large_products_of_amd_with_avx512_go_to_onednn(monkeypatch: pytest.MonkeyPatch) -> None:
    processor(monkeypatch, cpu_name="AMD EPYC 9B14", avx512_f=True)
    engine = choose_engine(Runtime(), make_plan(512), 128, CPU)
    assert str(engine) == "closed_form, products by oneDNN"
    assert not choose_engine(Runtime(), make_plan(512), 16, CPU).onednn
    assert not choose_engine(Runtime(), make_plan(64), 128, CPU).onednn
    assert not choose_engine(Runtime(precision="bfloat16"), make_plan(512), 128, CPU).onednn


@pytest.mark.parametrize(
    "capabilities",
    [{}, {"cpu_name": "AMD EPYC 7763", "avx512_f": False}, {"cpu_name": "Intel(R) Xeon(R)", "avx512_f": True}],
    ids=str,
)
def test_other_processors_keep_torchs_choice(monkeypatch: pytest.MonkeyPatch, capabilities: dict[str, Any]) -> None:
    processor(monkeypatch, **capabilities)
    assert not choose_engine(Runtime(), make_plan(512), 128, CPU).onednn


def test_products_that_are_rounded_to_bfloat16_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    processor(monkeypatch, cpu_name="AMD EPYC 9B14", avx512_f=True)
    matmul = torch.Tensor.__matmul__

    def rounded(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        if left.dtype == torch.float32:
            left, right = left.bfloat16().float(), right.bfloat16().float()
        return matmul(left, right)

    monkeypatch.setattr(torch.Tensor, "__matmul__", rounded)
    assert not products.stays_float32()
    assert not choose_engine(Runtime(), make_plan(512), 128, CPU).onednn


def test_a_step_asks_for_onednn_while_it_finds_gradients_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    route = products.by_onednn

    @contextmanager
    def watched() -> Iterator[None]:
        with route():
            seen.append(SETTINGS.fp32_precision)
            yield

    monkeypatch.setattr("nettool.training.step.by_onednn", watched)
    before = SETTINGS.fp32_precision
    config = {"data": {"path": "t.csv", "target": "y"}, "layers": [{"dense": 64}, "output"], "loss": "cross_entropy"}
    experiment = load_mapping(config).experiment
    target = ClassTarget(("a", "b", "c"), binary=False)
    data = make_dataset(50, 0)
    losses = {}
    for kind in ("closed_form", "autograd"):
        for onednn in (False, True):
            network = compile_network(plan_network(experiment, Signature(TableExample(4), target)), 0).double()
            step = build_step(
                Engine(kind, onednn=onednn), network, build_loss(experiment.loss, target, None), experiment
            )
            losses[kind, onednn] = step(data.chunks(50), 1, 0.1)[0]
            assert SETTINGS.fp32_precision == before
    assert seen == ["bf16", "bf16"]
    assert losses["closed_form", True] == pytest.approx(losses["autograd", False], abs=1e-12)
