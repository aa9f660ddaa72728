"""A learning rate for what is prepared: the range test, and the race around what it found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from nettool.config.optimization import OneCycle
from nettool.config.runtime import Checkpoint
from nettool.data.examples import spread
from nettool.errors import DivergedError
from nettool.training.loop import fit
from nettool.training.rate_race import MOST_EPOCHS, FoundRate, Lap, Measured, lowest_loss, race, steps_of
from nettool.training.rate_test import RateTest, raise_rate
from nettool.training.together import Member, fit_together
from nettool.workflows import machine
from nettool.workflows.build import build_job
from nettool.workflows.prepare import Prepared
from nettool.workflows.sweeps.build import build_members, fitting_threads
from nettool.workflows.sweeps.units import is_small

AROUND_TOGETHER, AROUND_ALONE = 3, 2
"""Rates on either side of the first: networks that are trained side by side cost less each."""
MOST_SEEDS, FLOPS_OF_SEEDS = 5, 1e7
"""Of networks side by side, each rate is tried with several first weights, so that one lucky draw decides nothing: as
many as have this much arithmetic in a step together.
"""
MOST_MEASURED = 5000
"""Examples of the validation split that a lap is judged by."""


def find_rate(prepared: Prepared) -> FoundRate:
    """Raise the learning rate until the loss rises (Smith 2017), and train shortly with some rates below."""
    prepared = _for_laps(prepared)
    test, in_epoch = _test(prepared)
    runner = _Laps(prepared, in_epoch)
    around = AROUND_TOGETHER if runner.is_together else AROUND_ALONE
    with machine.random_numbers(prepared.loaded.experiment.seed, prepared.device):
        laps = () if test.promising is None else race(test.promising, runner.train, around)
    measured: Measured = "validation loss" if "validation" in prepared.data.splits else "training loss"
    return FoundRate(test, laps, runner.steps, runner.num_seeds, measured)


def try_rates(prepared: Prepared, rates: Sequence[float], most_flops: float) -> tuple[tuple[Lap, ...], int]:
    """Train shortly with these rates and no others; and how many steps each had at most.

    Without any training, and with no laps, where all of them together would take more arithmetic than that.
    """
    prepared = _for_laps(prepared)
    with machine.random_numbers(prepared.loaded.experiment.seed, prepared.device):
        runner = _Laps(prepared, build_job(prepared)[0].steps_per_epoch)
        if runner.steps * runner.flops * len(rates) > most_flops:
            return (), runner.steps
        return tuple(map(Lap, rates, runner.train(rates))), runner.steps


def _for_laps(prepared: Prepared) -> Prepared:
    if prepared.engine.kind == "compiled":  # which would compile each of the networks
        prepared = replace(prepared, engine=replace(prepared.engine, kind="autograd"))
    return _with_few_to_measure(prepared)


def _with_few_to_measure(prepared: Prepared) -> Prepared:
    """A lap is short; to measure a large validation split after each of its epochs would take longer than the lap."""
    split = prepared.data.splits.get("validation")
    if split is None or len(split) <= MOST_MEASURED:
        return prepared
    splits = {**prepared.data.splits, "validation": split.take(spread(len(split), MOST_MEASURED))}
    return replace(prepared, data=replace(prepared.data, splits=splits))


def _test(prepared: Prepared) -> tuple[RateTest, int]:
    """The range test, and how many steps an epoch has."""
    experiment = prepared.loaded.experiment
    with (
        machine.computing(experiment.runtime, prepared.device, prepared.threads),
        machine.random_numbers(experiment.seed, prepared.device),
    ):
        job, _ = build_job(replace(prepared, loaded=prepared.loaded.with_rate(1.0)))
        return raise_rate(job), job.steps_per_epoch


class _Laps:
    """Short trainings, from rates to the losses that they reach, one for each seed.

    flops: of a step. steps: of each training at most. epochs: of each. share: of the training that the config
    describes; its warm-up is that much shorter. is_together: whether networks are trained side by side. num_seeds: with
    how many each rate is then tried.
    """

    def __init__(self, prepared: Prepared, in_epoch: int) -> None:
        experiment = prepared.loaded.experiment
        self.flops = flops = 3 * prepared.plan.flops * prepared.batch_size * experiment.accumulate
        whole = max(1, experiment.epochs) * in_epoch
        self.prepared = prepared
        self.steps = min(steps_of(flops), whole, MOST_EPOCHS * in_epoch)
        self.epochs, self.share = max(1, self.steps // in_epoch), self.steps / whole
        self.is_together = prepared.engine.kind == "closed_form" and is_small(prepared.plan, prepared.batch_size)
        fitting = max(1, min(MOST_SEEDS, int(FLOPS_OF_SEEDS / max(flops, 1))))
        self.num_seeds = fitting if self.is_together else 1

    def _lap(self, rate: float, seed: int) -> Prepared:
        """For a training that gives a sign of life after so many steps."""
        experiment = self.prepared.loaded.experiment
        schedule = experiment.schedule
        if not isinstance(schedule, OneCycle):
            schedule = schedule.model_copy(update={"warmup": schedule.warmup * self.share})
        checkpoint = Checkpoint(every=f"{self.steps} steps")
        update = {"epochs": self.epochs, "seed": seed, "schedule": schedule, "checkpoint": checkpoint}
        changed = experiment.with_rate(rate).model_copy(update=update)
        return replace(self.prepared, loaded=replace(self.prepared.loaded, experiment=changed))

    def train(self, rates: Sequence[float]) -> list[tuple[float, ...]]:
        """To the losses that each reaches, one for each seed."""
        return self._together(rates) if self.is_together else [(self._alone(rate),) for rate in rates]

    def _alone(self, rate: float) -> float:
        experiment = self.prepared.loaded.experiment
        with (
            machine.computing(experiment.runtime, self.prepared.device, self.prepared.threads),
            machine.random_numbers(experiment.seed, self.prepared.device),
        ):
            job, state = build_job(self._lap(rate, experiment.seed))
            try:
                for _ in fit(job, state):
                    if state.update >= self.steps:
                        break
                return lowest_loss(job, state)
            except DivergedError:
                return math.inf

    def _together(self, rates: Sequence[float]) -> list[tuple[float, ...]]:
        """All at once, each with several seeds."""
        first = self.prepared.loaded.experiment.seed
        seeds = [(first + number) % 2**32 for number in range(self.num_seeds)]
        prepared = [self._lap(rate, seed) for rate in rates for seed in seeds]
        runtime, threads = self.prepared.loaded.experiment.runtime, fitting_threads(self.prepared, len(prepared))
        with machine.computing(runtime, self.prepared.device, threads):
            trained, step = build_members(prepared)
            members = [Member(number, *each) for number, each in enumerate(trained)]
            diverged = set()
            for number, what in fit_together(members, step):
                if isinstance(what, DivergedError):
                    diverged.add(number)
                elif number is None and max(member.state.update for member in members) >= self.steps:
                    break
            losses = [
                math.inf if member.number in diverged else lowest_loss(member.training, member.state)
                for member in members
            ]
        count = len(seeds)
        return [tuple(losses[place : place + count]) for place in range(0, len(losses), count)]
