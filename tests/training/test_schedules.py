"""Schedules: the rates of torch.optim.lr_scheduler, and a plateau that can be brought back."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from nettool.config.optimization import (
    Constant,
    Cosine,
    Exponential,
    OneCycle,
    Plateau,
    ScheduleSpec,
    Step,
)
from nettool.training.schedules import build_schedule

LR = 0.2
ALL: list[ScheduleSpec] = [Constant(), Step(), Exponential(), Cosine(), OneCycle(), Plateau()]
exactly = pytest.approx

schedule_specs = st.one_of(
    st.builds(Constant, warmup=st.floats(0, 10)),
    st.builds(Step, every=st.integers(1, 5), factor=st.floats(0.01, 1), warmup=st.floats(0, 10)),
    st.builds(Exponential, factor=st.floats(0.01, 1), warmup=st.floats(0, 10)),
    st.builds(Cosine, final=st.floats(0, 1), warmup=st.floats(0, 10)),
    st.builds(OneCycle, rise=st.floats(0.01, 0.99), start=st.floats(0.001, 1), final=st.floats(1e-6, 1)),
    st.builds(Plateau, patience=st.integers(0, 3), warmup=st.floats(0, 10)),
)


def torch_rates(scheduler: Callable[[torch.optim.Optimizer], lr_scheduler.LRScheduler], num_steps: int) -> list[float]:
    """The rate of each of so many updates, with a torch scheduler that is stepped after every one."""
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=LR)
    stepped = scheduler(optimizer)
    rates = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the optimizer itself never steps here
        for _ in range(num_steps):
            rates.append(float(optimizer.param_groups[0]["lr"]))
            stepped.step()
    return rates


def our_rates(spec: ScheduleSpec, steps_per_epoch: int, epochs: int) -> list[float]:
    schedule = build_schedule(spec, LR, steps_per_epoch, epochs)
    return [schedule.rate(step) for step in range(steps_per_epoch * epochs)]


def each_epoch(rates: list[float], steps_per_epoch: int) -> list[float]:
    return [rate for rate in rates for _ in range(steps_per_epoch)]


def test_constant_never_changes() -> None:
    assert our_rates(Constant(), 3, 4) == [LR] * 12


@given(st.integers(1, 5), st.floats(0.05, 1.0), st.integers(1, 4), st.integers(1, 12))
@settings(max_examples=25, deadline=None)
def test_step_falls_with_the_epochs_as_step_lr(every: int, factor: float, steps_per_epoch: int, epochs: int) -> None:
    theirs = torch_rates(lambda optimizer: lr_scheduler.StepLR(optimizer, every, factor), epochs)
    ours = our_rates(Step(every=every, factor=factor), steps_per_epoch, epochs)
    assert ours == exactly(each_epoch(theirs, steps_per_epoch), rel=1e-12)


@given(st.floats(0.05, 1.0), st.integers(1, 4), st.integers(1, 12))
@settings(max_examples=25, deadline=None)
def test_exponential_falls_with_every_epoch_as_exponential_lr(factor: float, steps_per_epoch: int, epochs: int) -> None:
    theirs = torch_rates(lambda optimizer: lr_scheduler.ExponentialLR(optimizer, factor), epochs)
    ours = our_rates(Exponential(factor=factor), steps_per_epoch, epochs)
    assert ours == exactly(each_epoch(theirs, steps_per_epoch), rel=1e-12)


@given(st.floats(0, 1), st.integers(1, 10), st.integers(2, 10))
@settings(max_examples=25, deadline=None)
def test_cosine_falls_with_every_update_as_cosine_annealing_lr(final: float, steps_per_epoch: int, epochs: int) -> None:
    num_steps = steps_per_epoch * epochs
    theirs = torch_rates(
        lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, num_steps - 1, eta_min=final * LR),
        num_steps,
    )
    assert our_rates(Cosine(final=final), steps_per_epoch, epochs) == exactly(theirs, rel=1e-9, abs=1e-15)


def test_cosine_begins_with_the_rate_and_ends_with_exactly_its_final_fraction() -> None:
    rates = our_rates(Cosine(final=0.1), 7, 3)
    assert rates[0] == LR
    assert rates[-1] == LR * 0.1
    assert our_rates(Cosine(), 7, 3)[-1] == 0.0


@given(st.floats(0.1, 0.9), st.floats(0.001, 0.9), st.floats(1e-6, 0.9), st.integers(21, 60))
@settings(max_examples=25, deadline=None)
def test_one_cycle_rises_and_falls_as_one_cycle_lr(rise: float, start: float, final: float, num_steps: int) -> None:
    theirs = torch_rates(
        lambda optimizer: lr_scheduler.OneCycleLR(
            optimizer, LR, total_steps=num_steps, pct_start=rise, cycle_momentum=False,
            div_factor=1 / start, final_div_factor=start / final,
        ),
        num_steps,
    )  # fmt: skip
    ours = our_rates(OneCycle(rise=rise, start=start, final=final), num_steps, 1)
    assert ours == exactly(theirs, rel=1e-9, abs=1e-15)


def test_one_cycle_by_default_is_that_of_one_cycle_lr() -> None:
    theirs = torch_rates(
        lambda optimizer: lr_scheduler.OneCycleLR(optimizer, LR, total_steps=50, cycle_momentum=False), 50
    )
    assert our_rates(OneCycle(), 10, 5) == exactly(theirs, rel=1e-9)


@given(
    st.lists(st.floats(0, 10) | st.just(math.nan), max_size=30),
    st.integers(0, 4),
    st.floats(0.05, 0.9),
    st.floats(0, 0.5),
    st.sampled_from([0.0, 0.01, 0.3]),
)
@settings(max_examples=50, deadline=None)
def test_plateau_falls_as_reduce_lr_on_plateau(
    losses: list[float], patience: int, factor: float, min_delta: float, minimum: float
) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=LR)
    theirs = lr_scheduler.ReduceLROnPlateau(
        optimizer, patience=patience, factor=factor, threshold=min_delta, min_lr=minimum * LR, eps=0
    )
    ours = build_schedule(Plateau(patience=patience, factor=factor, min_delta=min_delta, minimum=minimum), LR, 2, 30)
    for epoch, loss in enumerate(losses):
        assert ours.rate(2 * epoch) == exactly(optimizer.param_groups[0]["lr"], rel=1e-9)
        theirs.step(loss)
        ours.epoch_ended(loss)
    assert ours.rate(2 * len(losses)) == exactly(optimizer.param_groups[0]["lr"], rel=1e-9)


def test_a_plateau_does_not_count_an_improvement_below_its_share_of_the_best_loss() -> None:
    shallow, steep = (build_schedule(Plateau(patience=1, min_delta=0.1), LR, 1, 9) for _ in range(2))
    for shallow_loss, steep_loss in [(1.0, 1.0), (0.95, 0.89), (0.91, 0.79)]:
        shallow.epoch_ended(shallow_loss)
        steep.epoch_ended(steep_loss)
    assert shallow.rate(3) == exactly(LR * 0.1)
    assert steep.rate(3) == LR


@pytest.mark.parametrize("num_warmup", [2, 5, 13])
def test_warm_up_rises_as_linear_lr_from_a_small_rate_to_the_full_one(num_warmup: int) -> None:
    theirs = torch_rates(
        lambda optimizer: lr_scheduler.LinearLR(optimizer, 1 / num_warmup, total_iters=num_warmup - 1), 20
    )
    ours = our_rates(Constant(warmup=num_warmup / 10), 10, 2)
    assert ours == exactly(theirs, rel=1e-12)
    assert ours[0] == exactly(LR / num_warmup)
    assert ours[num_warmup - 1 :] == [LR] * (21 - num_warmup)


def test_a_fraction_of_an_epoch_warms_up_for_that_share_of_its_updates() -> None:
    rates = our_rates(Constant(warmup=0.5), 4, 1)
    assert rates == [LR / 2, LR, LR, LR]


def test_after_warm_up_the_cosine_covers_the_updates_that_remain() -> None:
    ours = our_rates(Cosine(final=0.1, warmup=2), 5, 6)
    theirs = torch_rates(lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, 19, eta_min=0.1 * LR), 20)
    assert ours[10:] == exactly(theirs, rel=1e-9)
    assert ours[-1] == LR * 0.1


@pytest.mark.parametrize("spec", [Step(every=2, factor=0.5), Exponential(factor=0.5)], ids=lambda spec: spec.name)
def test_after_warm_up_epochs_still_count_from_the_start_of_training(spec: Step | Exponential) -> None:
    warmed = spec.model_copy(update={"warmup": 3.0})
    assert our_rates(warmed, 4, 6)[12:] == our_rates(spec, 4, 6)[12:]
    assert our_rates(warmed, 4, 6)[:12] == exactly([LR * (step + 1) / 12 for step in range(12)])


@given(schedule_specs, st.integers(0, 4), st.integers(0, 5))
def test_every_rate_of_every_schedule_lies_between_zero_and_the_base_rate(
    spec: ScheduleSpec, steps_per_epoch: int, epochs: int
) -> None:
    schedule = build_schedule(spec, LR, steps_per_epoch, epochs)
    for step in range(steps_per_epoch * epochs + 3):
        assert 0 <= schedule.rate(step) <= LR * (1 + 1e-12)


@pytest.mark.parametrize("spec", ALL, ids=lambda spec: spec.name)
def test_a_lone_update_has_the_full_rate(spec: ScheduleSpec) -> None:
    assert our_rates(spec, 1, 1) == [LR]


@pytest.mark.parametrize("spec", ALL, ids=lambda spec: spec.name)
def test_no_epochs_at_all_still_have_a_rate_to_report(spec: ScheduleSpec) -> None:
    assert build_schedule(spec, LR, 10, 0).rate(0) == LR


def test_a_warm_up_longer_than_training_rises_to_the_end() -> None:
    for spec in (Constant(warmup=10), Cosine(warmup=10), Step(warmup=10), Plateau(warmup=10)):
        assert our_rates(spec, 2, 3) == exactly([LR * (step + 1) / 20 for step in range(6)])
