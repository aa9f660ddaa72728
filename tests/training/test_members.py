"""Networks trained side by side against the same networks trained alone, in float64."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from nettool.config.experiment import Experiment
from nettool.config.load import load_mapping
from nettool.config.write import to_plain
from nettool.data.dataset import Batch
from nettool.model.compile import Network
from nettool.training.closed_form.members import MemberStep
from nettool.training.engines import Engine, build_step
from tests.training.networks_of_every_kind import (
    EMBEDDED,
    IMAGE,
    LOSSES,
    OPTIMIZERS,
    TABLE,
    Case,
    LossCase,
    make_case,
    named,
)

RATES = [0.01, 0.003, 0.1]
VARIED: dict[str, dict[str, list[Any]]] = {
    # Settings beside the rate that members may have of their own.
    "sgd": {"momentum": [0.9, 0.5, 0.8], "weight_decay": [0.0, 0.1, 0.01]},
    "adam": {"beta1": [0.9, 0.5, 0.8], "beta2": [0.99, 0.9, 0.95], "clip_norm": [None, 0.1, 1.0]},
    "adamw": {"weight_decay": [0.0, 0.1, 0.01], "epsilon": [1e-4, 1e-3, 1e-2]},
    "adadelta": {"rho": [0.9, 0.5, 0.8], "clip_norm": [0.05, None, 0.1]},
    "adagrad": {"epsilon": [1e-4, 1e-3, 1e-2], "weight_decay": [0.0, 0.1, 0.01]},
    "rmsprop": {"alpha": [0.9, 0.5, 0.8], "momentum": [0.5, 0.1, 0.9]},
}


def variant(case: Case, **changes: Any) -> Case:
    """The same with other settings."""
    return replace(case, experiment=load_mapping({**to_plain(case.experiment), **changes}).experiment)


def member_step(cases: Sequence[Case], networks: Sequence[Network], own: bool) -> MemberStep:
    experiments: list[Experiment] = [case.experiment for case in cases]
    return MemberStep(
        networks, cases[0].loss(), experiments[0].loss, [each.optimizer for each in experiments], own, onednn=False
    )


def stacked(batches: Sequence[Batch]) -> Batch:
    """One batch of each member's own."""
    return Batch(*(None if parts[0] is None else torch.stack(parts) for parts in zip(*batches, strict=True)))


def assert_members_agree(cases: Sequence[Case], own: bool = False, count: int = 1, keep: Sequence[int] = ()) -> None:
    """After a few updates together, and in between without those that are not in `keep`, all is as it is alone."""
    alone = [case.step("closed_form") for case in cases]
    networks = [case.network() for case in cases]
    if not own:
        for network in networks[1:]:
            network.share_masks(networks[0])
    together, members = member_step(cases, networks, own), list(range(len(cases)))
    optimizers = list(together.optimizers)
    for start in range(0, len(cases[0].batches), count):
        if keep and start:
            together.keep([members.index(member) for member in keep])
            members, keep = list(keep), ()
        groups = [cases[member].batches[start : start + count] for member in members]
        shared = [stacked(batches) if own else batches[0] for batches in zip(*groups, strict=True)]
        means, weights = together.find_gradients(iter(shared), len(shared))
        rates = [cases[member].experiment.optimizer.lr for member in members]
        together.update(torch.tensor(rates, dtype=torch.float64).unsqueeze(1))
        for place, member in enumerate(members):
            mean, weight = alone[member][1](iter(groups[place]), len(shared), rates[place])
            assert means[place] == pytest.approx(mean, rel=1e-9, abs=1e-9)
            assert torch.as_tensor(weights).expand(len(members))[place] == pytest.approx(weight, rel=1e-12)
    for member in members:
        (expected, step), network = alone[member], networks[member]
        assert_same(network.state_dict(), expected.state_dict())
        assert_same(optimizers[member].state(), step.optimizer.state())
        assert torch.equal(network.dropout_generator.get_state(), expected.dropout_generator.get_state())


def assert_same(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> None:
    assert found.keys() == wanted.keys()
    for name, tensor in wanted.items():
        torch.testing.assert_close(
            found[name], tensor, rtol=1e-8, atol=1e-8, msg=lambda text, name=name: f"{name}: {text}"
        )


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=named)
@pytest.mark.parametrize("loss", LOSSES, ids=named)
def test_members_are_what_they_are_alone(loss: LossCase, optimizer: dict[str, Any], own: bool) -> None:
    layers = [{"dense": 5}, {"dense": {"units": 4, "norm": "batch_norm", "activation": "tanh"}}, "output"]
    for weighted, count in ((False, 1), (True, 2)):
        case = make_case(layers, loss, weighted=weighted, optimizer=optimizer, dropout=0.3)
        cases = [variant(case, optimizer={**optimizer, "lr": lr}) for lr in RATES]
        if own:
            cases = [replace(each, batches=turned(each.batches, turns)) for turns, each in enumerate(cases)]
        assert_members_agree(cases, own, count)


def turned(batches: Sequence[Batch], turns: int) -> list[Batch]:
    """The examples of each batch in another order."""
    return [Batch(*(None if part is None else part.roll(turns, 0) for part in batch)) for batch in batches]


@pytest.mark.parametrize("name", VARIED)
def test_every_setting_of_an_optimizer_may_be_a_members_own(name: str) -> None:
    case = make_case([{"dense": 5}, "output"])
    settings = [dict(zip(VARIED[name], values, strict=True)) for values in zip(*VARIED[name].values(), strict=True)]
    cases = [
        variant(
            case, optimizer={"name": name, "lr": lr, **{key: value for key, value in own.items() if value is not None}}
        )
        for lr, own in zip(RATES, settings, strict=True)
    ]
    assert_members_agree(cases)
    assert_members_agree(cases, keep=[2, 0])


@pytest.mark.parametrize("rates", [[0.3, 0.3, 0.3], [0.2, 0.5, 0.7]], ids=str)
@pytest.mark.parametrize("layer", [{"dense": 5}, {"dense": {"units": 5, "activation": "gelu"}}], ids=str)
def test_dropout_rates_and_seeds_may_be_a_members_own(layer: Any, rates: list[float]) -> None:
    case = make_case([layer, layer, {"activation": "tanh"}, {"dropout": 0.1}, "output"])
    cases = [variant(case, dropout=rate) for rate in rates]
    assert_members_agree(cases)
    seeded = [replace(each, seed=seed) for seed, each in enumerate(cases)]
    assert_members_agree(seeded, own=True)
    assert_members_agree(seeded, own=True, keep=[1])


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("first", [{"dense": 5}, "batch_norm", {"dropout": 0.3}, "output"], ids=str)
def test_embedded_categories_and_pixels_may_be_shared_or_own(first: Any, own: bool) -> None:
    rest = [] if first == "output" else [{"dense": 3}, "output"]
    for example in (TABLE, EMBEDDED, IMAGE):
        layers = ["flatten", first, *rest] if example is IMAGE else [first, *rest]
        case = make_case(layers, example=example, dropout=0.2)
        cases = [variant(case, optimizer={"name": "sgd", "lr": lr}) for lr in RATES]
        if own:
            cases = [replace(each, batches=turned(each.batches, turns)) for turns, each in enumerate(cases)]
        assert_members_agree(cases, own, keep=[0, 2])


def test_in_float32_the_first_twenty_losses_are_those_alone_to_five_digits() -> None:
    case = make_case([{"dense": 16}, {"dense": 8}, "output"], sizes=(32,) * 20, dropout=0.2)
    cases = [variant(case, optimizer={"name": "adam", "lr": lr}) for lr in RATES]
    batches = [Batch(batch.features.float(), batch.target, None) for batch in case.batches]
    networks = [each.network().float() for each in cases]
    for network in networks:
        network.share_masks(networks[0])
    together = member_step(cases, networks, own=False)
    rates = torch.tensor(RATES).unsqueeze(1)
    found = []
    for batch in batches:
        found.append(together.find_gradients(iter([batch]), 1)[0])
        together.update(rates)
    for place, each in enumerate(cases):
        network = each.network().float()
        step = build_step(Engine("closed_form"), network, each.loss(), each.experiment)
        alone = [step(iter([batch]), 1, RATES[place])[0] for batch in batches]
        assert [means[place] for means in found] == pytest.approx(alone, rel=1e-5)
