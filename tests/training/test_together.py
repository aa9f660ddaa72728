"""Networks trained together against the same networks trained alone, to the end, in float64."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch

from nettool.data.member_batches import MemberBatching
from nettool.errors import DivergedError
from nettool.training.closed_form.members import MemberStep
from nettool.training.epochs import Progress
from nettool.training.history import EpochResult
from nettool.training.loop import fit
from nettool.training.together import Event, Member, fit_together
from tests.training.conftest import Build, Built, make_experiment


def gathered(built: Sequence[Built], changes: Sequence[dict[str, Any]]) -> tuple[list[Member], MemberStep]:
    """Members of what was built, one of each."""
    experiments = [make_experiment(**each) for each in changes]
    networks = [state.network for _, state in built]
    for network, experiment in zip(networks, experiments, strict=True):
        network.share_masks(networks[[each.seed for each in experiments].index(experiment.seed)])
    own = MemberBatching(tuple(job.batching for job, _ in built)).own
    optimizers = [experiment.optimizer for experiment in experiments]
    step = MemberStep(networks, built[0][0].step.loss, experiments[0].loss, optimizers, own, onednn=False)
    for (_, state), optimizer in zip(built, step.optimizers, strict=True):
        state.optimizer = optimizer
    return [Member(number, job, state) for number, (job, state) in enumerate(built)], step


def train_together(build: Build, changes: Sequence[dict[str, Any]]) -> tuple[list[Member], list[Event]]:
    members, step = gathered([build(**each) for each in changes], changes)
    return members, list(fit_together(members, step))


def assert_as_alone(build: Build, changes: Sequence[dict[str, Any]]) -> list[list[EpochResult]]:
    """Every epoch's numbers, the best weights and the last ones are those of each trained alone."""
    members, events = train_together(build, changes)
    found = []
    for member, each in zip(members, changes, strict=True):
        job, state = build(**each)
        expected = [event for event in fit(job, state) if isinstance(event, EpochResult)]
        results = [what for number, what in events if number == member.number and isinstance(what, EpochResult)]
        assert [(one.epoch, one.step, one.is_best, one.stopped, one.lr) for one in results] == [
            (one.epoch, one.step, one.is_best, one.stopped, one.lr) for one in expected
        ]
        for one, other in zip(results, expected, strict=True):
            assert one.train_loss == pytest.approx(other.train_loss, rel=1e-8)
            assert one.validation_loss == pytest.approx(other.validation_loss, rel=1e-8)
            assert one.metrics == other.metrics
        assert member.state.best is not None
        assert state.best is not None
        assert member.state.best.epoch == state.best.epoch
        for weights, wanted in (
            (member.state.best.weights, state.best.weights),
            (member.state.network.state_dict(), state.network.state_dict()),
        ):
            for name, tensor in wanted.items():
                torch.testing.assert_close(weights[name], tensor, rtol=0, atol=1e-8)
        found.append(results)
    return found


def test_learning_rates_share_their_batches(build: Build) -> None:
    assert_as_alone(build, [{"optimizer": {"name": "adam", "lr": lr}, "dropout": 0.2} for lr in (0.001, 0.01, 0.1)])


def test_seeds_have_batches_weights_and_masks_of_their_own(build: Build) -> None:
    results = assert_as_alone(build, [{"seed": seed, "dropout": 0.2} for seed in (0, 1, 2)])
    assert len({each[-1].train_loss for each in results}) == 3


def test_seeds_and_rates_mix(build: Build) -> None:
    assert_as_alone(
        build,
        [
            {"seed": seed, "dropout": dropout, "optimizer": {"name": "sgd", "lr": lr, "momentum": 0.9}}
            for seed in (0, 1)
            for dropout in (0.2, 0.5)
            for lr in (0.01, 0.1)
        ],
    )


@pytest.mark.parametrize("changes", [{"batch_size": "full"}, {"accumulate": 3}, {"weighted": True}], ids=str)
def test_batches_may_be_of_any_kind(build: Build, changes: dict[str, Any]) -> None:
    settings = {key: value for key, value in changes.items() if key != "weighted"}
    for varied in ([{"seed": seed} for seed in (0, 1)], [{"dropout": rate} for rate in (0.1, 0.2)]):
        if "weighted" in changes:
            made = lambda **each: build(weighted=True, **each)  # noqa: E731
            assert_as_alone(made, varied)
        else:
            assert_as_alone(build, [{**settings, **each} for each in varied])


SCHEDULES: list[Any] = [
    {"name": "cosine", "warmup": 0.5},
    {"name": "one_cycle"},
    {"name": "step", "every": 1},
    {"name": "plateau", "patience": 1, "min_delta": 0.9},
    "constant",
]


def test_each_has_a_schedule_of_its_own(build: Build) -> None:
    results = assert_as_alone(build, [{"schedule": schedule, "epochs": 8} for schedule in SCHEDULES])
    assert len({tuple(result.lr for result in each) for each in results}) == len(SCHEDULES)


def test_each_stops_when_it_would_alone_and_the_others_go_on(build: Build) -> None:
    results = assert_as_alone(
        build,
        [
            {"epochs": 30, "early_stopping": 3, "optimizer": {"name": "adam", "lr": 0.1}},
            {"epochs": 40, "early_stopping": 5, "optimizer": {"name": "adam", "lr": 0.03}},
            {"epochs": 7, "early_stopping": 3, "optimizer": {"name": "adam", "lr": 0.0001}},
            {"epochs": 0, "early_stopping": 3},
        ],
    )
    lengths = [len(each) for each in results]
    assert len(set(lengths)) == 4, lengths
    assert results[0][-1].stopped


def test_one_that_diverges_leaves_the_others_as_they_are(build: Build) -> None:
    def changes(lr: float) -> dict[str, Any]:
        return {
            "optimizer": {"name": "sgd", "lr": lr}, "activation": "softplus", "dropout": 0.2, "epochs": 6,
        }  # fmt: skip

    rates = [0.01, 1e200, 0.02]
    members, events = train_together(build, [changes(lr) for lr in rates])
    (error,) = [what for _, what in events if isinstance(what, DivergedError)]
    with pytest.raises(DivergedError) as alone:
        list(fit(*build(**changes(rates[1]))))
    assert str(error) == str(alone.value)
    assert [number for number, what in events if isinstance(what, EpochResult)] == [0, 2] * 6
    for number in (0, 2):
        job, state = build(**changes(rates[number]))
        list(fit(job, state))
        for name, tensor in state.network.state_dict().items():
            torch.testing.assert_close(members[number].state.network.state_dict()[name], tensor, rtol=0, atol=1e-8)


def test_all_may_diverge(build: Build) -> None:
    _, events = train_together(
        build, [{"optimizer": {"name": "sgd", "lr": lr}, "activation": "softplus"} for lr in (1e200, 1e250)]
    )
    assert [type(what) for _, what in events if not isinstance(what, Progress)] == [DivergedError] * 2


def test_it_goes_on_from_where_a_save_was_made_alone_or_together(build: Build) -> None:
    changes = [{"seed": seed, "dropout": 0.2, "optimizer": {"name": "adam", "lr": 0.01}} for seed in (0, 1)]
    every = [(replace(job, yield_every=5), state) for job, state in (build(**each) for each in changes)]
    members, step = gathered(every, changes)
    whole, saved = [], []
    for event in fit_together(members, step):
        if isinstance(event.what, Progress) and members[0].state.step == 10 and not saved:
            saved = [member.state.to_tensors() for member in members]
            assert members[0].state.update == 3
        whole += [event] if isinstance(event.what, EpochResult) else []
    resumed, step = gathered([build(**each) for each in changes], changes)
    for member, (tensors, facts) in zip(resumed, saved, strict=True):
        member.state.restore({name: tensor.clone() for name, tensor in tensors.items()}, facts)
    after = [event for event in fit_together(resumed, step) if isinstance(event.what, EpochResult)]
    losses = [(number, what.train_loss, what.validation_loss) for number, what in whole if what.epoch > 1]
    assert [(number, what.train_loss, what.validation_loss) for number, what in after] == losses
    for number, each in enumerate(changes):  # and alone
        job, state = build(**each)
        state.restore({name: tensor.clone() for name, tensor in saved[number][0].items()}, saved[number][1])
        last = [event for event in fit(job, state) if isinstance(event, EpochResult)][-1]
        assert last.train_loss == pytest.approx([loss for who, loss, _ in losses if who == number][-1], rel=1e-8)
        assert math.isfinite(last.train_loss)
