"""Which points are trained together, and which in processes of their own: by rule, never by a timing. Never torch.

Points of the same shapes, data and batch size are one network with a member axis. What may differ: the seed, the
numbers of the optimizer (not which one), dropout rates (not whether there is any), the schedule, the epochs, early
stopping, the first weights.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from nettool.config.optimization import SGD, OptimizerSpec, RMSprop
from nettool.memory import free_bytes
from nettool.model.memory import bytes_of_example, bytes_of_weights
from nettool.model.plans import LayerPlan, NetworkPlan
from nettool.model.verdicts import without_closed_form
from nettool.workflows.sweeps.points import CheckedPoint

MOST_MEMBERS = 64
"""More at a time are hardly any faster for each, and each has files open."""
SHARE_OF_MEMORY = 0.5
"""Of what is free, for the members of one unit."""
STEP_SECONDS = 1e-4
"""What a step costs beside its arithmetic, about."""
MOST_STEP_FLOPS = 50_000_000
"""Of one network's step. Beyond it a core is busy with one network, and more of them only fill its cache."""
FLOPS_A_SECOND = 3e10
WORTH_PROCESSES = 5.0
"""Seconds of work, by the two numbers above, from which on it pays to start processes that import torch once more."""


@dataclass(frozen=True)
class Unit:
    """Points that are trained as one, by their numbers; a lone one as `nettool train` would. seconds: by arithmetic."""

    numbers: tuple[int, ...]
    seconds: float

    @property
    def is_together(self) -> bool:
        """Whether it has a member axis."""
        return len(self.numbers) > 1


def plan_units(checked: Sequence[CheckedPoint], numbers: Sequence[int], on_cpu: bool) -> list[Unit]:
    """The points of these numbers as units, in the order of their first points. checked: of each number.

    on_cpu: whether `device: auto` is the cpu here.
    """
    groups: dict[Any, list[int]] = {}
    for number, each in zip(numbers, checked, strict=True):
        groups.setdefault(_kind(each) if _gains_by_company(each, on_cpu) else number, []).append(number)
    of_number = dict(zip(numbers, checked, strict=True))
    return [
        Unit(part, sum(_seconds(of_number[number]) for number in part))
        for group in groups.values()
        for part in _parts(group, _most_members(of_number[group[0]]))
    ]


def worth_processes(units: Sequence[Unit]) -> bool:
    """Whether the units are better trained beside each other than one after another in this process."""
    return len(units) > 1 and sum(unit.seconds for unit in units) >= WORTH_PROCESSES


def _gains_by_company(checked: CheckedPoint, on_cpu: bool) -> bool:
    """Whether it is one of those that can be trained with others, and small enough to be the faster for it."""
    runtime = checked.experiment.runtime
    is_here = on_cpu or runtime.device == "cpu"
    return (
        is_here
        and is_small(checked.plan, checked.batch_size)
        and runtime.allows_closed_form
        and not without_closed_form(checked.plan)
    )


def is_small(plan: NetworkPlan, batch_size: int) -> bool:
    """Whether a step is so short that several networks are trained faster side by side."""
    return 3 * plan.flops * batch_size <= MOST_STEP_FLOPS


def _kind(checked: CheckedPoint) -> str:
    """Equal for points that can be trained as one."""
    experiment = checked.experiment
    same = {
        "data": experiment.data.model_dump(mode="json"),
        "loss": experiment.loss.model_dump(mode="json"),
        "runtime": experiment.runtime.model_dump(mode="json"),
        "batch": (checked.batch_size, experiment.accumulate),
        "optimizer": _rule(experiment.optimizer),
        "layers": [_shape(layer) for layer in checked.plan.layers],
    }
    return json.dumps(same, sort_keys=True)


def _rule(optimizer: OptimizerSpec) -> tuple[object, ...]:
    """What an update rule remembers, and whether it looks ahead."""
    with_momentum = isinstance(optimizer, SGD | RMSprop) and optimizer.momentum > 0
    return optimizer.name, with_momentum, isinstance(optimizer, SGD) and optimizer.nesterov


def _shape(layer: LayerPlan) -> tuple[object, ...]:
    """What is computed, apart from the rate of a dropout and from the weights that it begins with."""
    beginnings = {"dropout", "rate", "init", "weights", "bias", "layers"}
    settings = {key: value for key, value in layer.spec.model_dump(mode="json").items() if key not in beginnings}
    has_bias = bool(getattr(layer.spec, "bias", True))
    drops = _drops(layer.dropout), _drops(getattr(layer.spec, "rate", 0.0))
    inner = [_shape(each) for each in layer.inner]
    return str(layer.input), str(layer.output), layer.activation, layer.num_parameters, has_bias, drops, settings, inner


def _drops(rate: float) -> bool:
    """Whether a dropout of this rate, exact to 1/65536, drops anything."""
    return round(rate * 65536) > 0


def _most_members(checked: CheckedPoint) -> int:
    """As many as memory has room for."""
    optimizer = checked.experiment.optimizer
    each = bytes_of_weights(checked.plan, optimizer) + 2 * checked.batch_size * bytes_of_example(checked.plan)
    return max(1, min(MOST_MEMBERS, int(SHARE_OF_MEMORY * free_bytes() // max(each, 1))))


def _parts(numbers: Sequence[int], most: int) -> Iterator[tuple[int, ...]]:
    """In parts of about the same size, none larger than that."""
    count = math.ceil(len(numbers) / most)
    ends = [len(numbers) * part // count for part in range(count + 1)]
    for start, end in pairwise(ends):
        yield tuple(numbers[start:end])


def _seconds(checked: CheckedPoint) -> float:
    """What training takes, about."""
    experiment, examples = checked.experiment, checked.num_examples
    steps = math.ceil(examples / checked.batch_size)
    return experiment.epochs * (steps * STEP_SECONDS + 3 * checked.plan.flops * examples / FLOPS_A_SECOND)


def describe(units: Iterable[Unit], in_processes: int) -> str:
    """How the points are trained, in a sentence."""
    units = list(units)
    together = [len(unit.numbers) for unit in units if unit.is_together]
    alone = sum(not unit.is_together for unit in units)
    parts = []
    if together:
        networks = "one batched network" if len(together) == 1 else f"{len(together)} batched networks"
        parts.append(f"{sum(together):,} trained together as {networks}")
    if alone:
        parts.append(f"{alone:,} on {'its' if alone == 1 else 'their'} own")
    how = f", in {in_processes} processes of one thread each" if in_processes > 1 else ""
    return f"{' and '.join(parts)}{how}"
