"""A learning rate for what is prepared: the range test, and the race around what it found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from nettool.config.runtime import Checkpoint
from nettool.errors import DivergedError
from nettool.training.loop import fit
from nettool.training.rate_race import MOST_EPOCHS, FoundRate, lowest_loss, race, steps_of
from nettool.training.rate_test import raise_rate
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


def find_rate(prepared: Prepared) -> FoundRate:
    """Raise the learning rate until the loss rises (Smith 2017), and train shortly with some rates below."""
    if prepared.engine.kind == "compiled":  # which would compile each of the networks
        prepared = replace(prepared, engine=replace(prepared.engine, kind="autograd"))
    experiment = prepared.loaded.experiment
    flops = 3 * prepared.plan.flops * prepared.batch_size * experiment.accumulate
    is_together = prepared.engine.kind == "closed_form" and is_small(prepared.plan, prepared.batch_size)
    with machine.random_numbers(experiment.seed, prepared.device):
        with machine.computing(experiment.runtime, prepared.device, prepared.threads):
            job, _ = build_job(_changed(prepared, 1.0))
            test = raise_rate(job)
        steps = min(steps_of(flops), min(max(1, experiment.epochs), MOST_EPOCHS) * job.steps_per_epoch)
        seeds = max(1, min(MOST_SEEDS, int(FLOPS_OF_SEEDS / max(flops, 1)))) if is_together else 1
        runner = _Laps(prepared, steps, max(1, steps // job.steps_per_epoch), seeds)
        train, around = (runner.together, AROUND_TOGETHER) if is_together else (runner.alone, AROUND_ALONE)
        laps = () if test.promising is None else race(test.promising, train, around)
    return FoundRate(test, laps, steps, seeds)


def _changed(prepared: Prepared, rate: float, steps: int = 1, epochs: int = 1, seed: int | None = None) -> Prepared:
    """For a training of so many epochs, which says so after so many steps."""
    experiment = prepared.loaded.experiment
    seed = experiment.seed if seed is None else seed
    update = {"epochs": epochs, "seed": seed, "checkpoint": Checkpoint(every=f"{steps} steps")}
    changed = experiment.with_rate(rate).model_copy(update=update)
    return replace(prepared, loaded=replace(prepared.loaded, experiment=changed))


class _Laps:
    """Short trainings, each the beginning of a training of `epochs`, from rates to the losses that they reach."""

    def __init__(self, prepared: Prepared, steps: int, epochs: int, num_seeds: int) -> None:
        self.prepared, self.steps, self.epochs, self.num_seeds = prepared, steps, epochs, num_seeds

    def alone(self, rates: Sequence[float]) -> list[float]:
        """One after another."""
        experiment = self.prepared.loaded.experiment
        losses = []
        for rate in rates:
            with (
                machine.computing(experiment.runtime, self.prepared.device, self.prepared.threads),
                machine.random_numbers(experiment.seed, self.prepared.device),
            ):
                job, state = build_job(_changed(self.prepared, rate, self.steps, self.epochs))
                try:
                    for _ in fit(job, state):
                        if state.update >= self.steps:
                            break
                    losses.append(lowest_loss(job, state))
                except DivergedError:
                    losses.append(math.inf)
        return losses

    def together(self, rates: Sequence[float]) -> list[float]:
        """All at once, each with several seeds: the means over them."""
        first = self.prepared.loaded.experiment.seed
        seeds = [(first + number) % 2**32 for number in range(self.num_seeds)]
        prepared = [_changed(self.prepared, rate, self.steps, self.epochs, seed) for rate in rates for seed in seeds]
        runtime, threads = self.prepared.loaded.experiment.runtime, fitting_threads(self.prepared, len(prepared))
        with machine.computing(runtime, self.prepared.device, threads):
            trained, step = build_members(prepared)
            members = [Member(number, *each) for number, each in enumerate(trained)]
            diverged = set()
            for number, what in fit_together(members, step):
                if isinstance(what, DivergedError):
                    diverged.add(number)
                elif number is None and members[0].state.update >= self.steps:
                    break
            losses = [
                math.inf if member.number in diverged else lowest_loss(member.training, member.state)
                for member in members
            ]
        count = len(seeds)
        return [sum(losses[place : place + count]) / count for place in range(0, len(losses), count)]
