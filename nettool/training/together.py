"""fit_together(): networks of the same shapes trained side by side, each as `fit` would train it alone.

Each has its own optimizer, schedule, early stopping, best weights and divergence; they share the data, and what the
step computes for all of them at once. A member that is done leaves at the end of its epoch.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import torch

from nettool.data.member_batches import MemberBatching
from nettool.errors import DivergedError
from nettool.training.closed_form.members import MemberStep, Numbers
from nettool.training.divergence import check_weights, diverged_step
from nettool.training.epochs import (
    Clock,
    Progress,
    Training,
    batches_left,
    end_epoch,
    epoch_loss,
    forget_a_late_stop,
    progress_of,
    untrained,
    validate,
)
from nettool.training.evaluation import Measured
from nettool.training.history import EpochResult
from nettool.training.member_optimizers import Column
from nettool.training.state import TrainingState


@dataclass(frozen=True)
class Member:
    """One of the networks: what is to be done, and where it stands. number: what its events are called by."""

    number: int
    training: Training
    state: TrainingState

    @property
    def is_done(self) -> bool:
        """Whether its training has come to an end."""
        return self.state.epoch >= self.training.epochs or bool(self.state.stopped)


class Event(NamedTuple):
    """What happened to a member. None: a sign of life of all that are still there."""

    member: int | None
    what: Progress | EpochResult | DivergedError


def fit_together(members: Sequence[Member], step: MemberStep) -> Iterator[Event]:
    """Train until each has had its last epoch, was stopped, or has diverged.

    members: in the order of the step's networks. All stand at the same update of the same epoch, and have the same
    data and batch size. As with `fit`, every state is consistent at every yield.
    """
    for member in members:
        if member.training.epochs == 0 and not len(member.state.history):
            yield Event(member.number, untrained(member.training, member.state))
        forget_a_late_stop(member.training, member.state)
    group = _Group(members, step)
    group.go_on_with([member for member in members if not member.is_done])
    while group.members:
        yield from group.epoch()
        if group.members:  # however short the epoch was, whoever looks on may want to leave
            yield Event(None, progress_of(group.members[0].training, group.members[0].state))


class _Group:
    """Those that are still trained, and where they stand."""

    def __init__(self, members: Sequence[Member], step: MemberStep) -> None:
        self.members, self.step = list(members), step
        self.batching = MemberBatching(tuple(member.training.batching for member in members))
        self._diverged: set[int] = set()  # in this epoch, by their numbers

    @property
    def alive(self) -> list[Member]:
        return [member for member in self.members if member.number not in self._diverged]

    def go_on_with(self, members: Sequence[Member]) -> None:
        """Let the others leave."""
        if members and len(members) < len(self.members):
            rows = [row for row, member in enumerate(self.members) if member in members]
            self.step.keep(rows)
            self.batching = self.batching.keep(rows)
        self.members = list(members)

    def epoch(self) -> Iterator[Event]:
        """One epoch of all of them, from where they stand."""
        first, began = self.members[0].state.update, time.perf_counter()
        self._diverged = set()
        clock = Clock(self.members[0].state)
        yield from self._train(clock)
        trained = time.perf_counter() - began
        measured: list[tuple[Member, float, Measured | None]] = []
        for member in self.alive:
            try:
                train_loss = epoch_loss(member.state)
                check_weights(member.state)
            except DivergedError as error:
                yield self._end(member, error)
                continue
            for progress in (validation := _Validation(member, clock)):
                self._stamp(clock)
                yield Event(None, progress)
            measured.append((member, train_loss, validation.measured))
        self._stamp(clock)
        for member, train_loss, found in measured:
            speed = member.training.examples_from(first) / max(trained, 1e-9)
            yield Event(member.number, end_epoch(member.training, member.state, train_loss, found, speed))
        self.go_on_with([member for member, _, _ in measured if not member.is_done])

    def _train(self, clock: Clock) -> Iterator[Event]:
        """The steps of the epoch."""
        training, state = self.members[0].training, self.members[0].state
        for member in self.members:
            member.state.network.train()
        batches = self.batching.batches(
            training.train, state.epoch, self.step.own, first=state.update * training.accumulate
        )
        sums = _Sums(self.members)
        rates = _Rates(self.members, self.step)
        update, every = state.update, {member.training.yield_every for member in self.members} - {0}
        while update < training.steps_per_epoch and len(self._diverged) < len(self.members):
            means, weights = self.step.find_gradients(batches, training.num_batches(update))
            if not np.isfinite(means).all():
                yield from self._look_at(means, sums)
            self.step.update(rates.next())
            sums.add(means, weights)
            update += 1
            if clock.is_due() or any(sums.step % steps == 0 for steps in every):
                self._stamp(clock)
                sums.hand_over(self.alive)
                yield Event(None, progress_of(training, self.alive[0].state))
        sums.hand_over(self.alive)

    def _look_at(self, means: Numbers, sums: _Sums) -> Iterator[Event]:
        """End those whose loss left the finite numbers, before anything moves."""
        sums.hand_over(self.alive)
        for mean, member in zip(means.tolist(), self.members, strict=True):
            if member.number in self._diverged or np.isfinite(mean):
                continue
            state, training = member.state, member.training
            masks = state.network.dropout_generator.get_state()
            taken = partial(batches_left, training, state, training.num_batches(state.update))
            error = diverged_step(state, taken, mean)
            state.network.dropout_generator.set_state(masks)  # which others may draw from
            yield self._end(member, error)

    def _end(self, member: Member, error: DivergedError) -> Event:
        """It stays where it is until the epoch ends: what becomes of it concerns no other."""
        self._diverged.add(member.number)
        return Event(member.number, error)

    def _stamp(self, clock: Clock) -> None:
        clock.stamp()
        for member in self.alive:
            member.state.epoch_seconds = clock.state.epoch_seconds


class _Validation:
    """What `validate` yields, and then what it returned."""

    def __init__(self, member: Member, clock: Clock) -> None:
        self._member, self._clock = member, clock
        self.measured: Measured | None = None

    def __iter__(self) -> Iterator[Progress]:
        self.measured = yield from validate(self._member.training, self._member.state, self._clock)


class _Sums:
    """The epoch's losses and weights of all members, and how many updates they have had."""

    def __init__(self, members: Sequence[Member]) -> None:
        states = [member.state for member in members]
        self._rows = {member.number: row for row, member in enumerate(members)}
        self._losses = np.array([float(state.loss_sum) for state in states])
        self._weights = np.array([float(state.weight_sum) for state in states])
        self.step, self._update = states[0].step, states[0].update

    def add(self, means: Numbers, weights: Numbers | float) -> None:
        """Those of an update."""
        self._losses += means * weights
        self._weights += weights
        self.step += 1
        self._update += 1

    def hand_over(self, members: Sequence[Member]) -> None:
        """To the states, so that they are consistent."""
        for member in members:
            row, state = self._rows[member.number], member.state
            state.loss_sum, state.weight_sum = float(self._losses[row]), float(self._weights[row])
            state.step, state.update = self.step, self._update


class _Rates:
    """The learning rates of an epoch's updates, one after another: [M, 1], or a number where all have the same."""

    def __init__(self, members: Sequence[Member], step: MemberStep) -> None:
        self._schedules = [member.state.schedule for member in members]
        self._dtype = next(step.networks[0].parameters()).dtype
        self._step = members[0].state.step
        self._level = all(schedule.is_level(self._step) for schedule in self._schedules)
        self._column = self._now()

    def next(self) -> Column:
        """Of the next update."""
        column = self._column
        self._step += 1
        if not self._level:
            self._column = self._now()
        return column

    def _now(self) -> Column:
        rates = [schedule.rate(self._step) for schedule in self._schedules]
        return rates[0] if len(set(rates)) == 1 else torch.tensor(rates, dtype=self._dtype).unsqueeze(1)
