"""Checks of the layers: whether their units and their gradients live, and what a batch's gradient is worth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from nettool.analysis.gradients import Signal, gradient_noise, signals
from nettool.analysis.layers import SATURATED, Health
from nettool.analysis.verdicts import Verdict
from nettool.model.verdicts import linear_warning
from nettool.workflows.diagnosis.patient import MOST_LOOKED_AT, Patient, sized
from nettool.workflows.pictures.subject import Unsuitable
from nettool.workflows.words import capitalised, plural

MANY = 0.5
"""Of the units of a layer: some always are dead, or at an end."""
VANISHING, EXPLODING = 1e-3, 1e3
"""Of the gradient at the output, how much is left at the first layer."""
NOISY = 0.9
"""Of the squared length of a batch's gradient: so much of it is chance."""
MOST_OF_ALL = 0.25
"""Of the training examples: a batch that would be large enough has no more."""
FEWEST_EXAMPLES = 4
_LEAKY = ("leaky_relu", "lets a little through below 0; a lower learning rate kills fewer units, too")
_UNENDING = ("relu", "has no upper end; or keep it with smaller first weights, scaled data, a lower learning rate")


def linearity(patient: Patient) -> Verdict | str:
    """Whether the layers compose to a straight line though nobody asked for one."""
    if linear_warning(patient.plan) is None:
        return "what is between input and output bends, or there is nothing between them"
    num = sum(layer.num_parameters > 0 for layer in patient.plan.leaves()) - 1
    return Verdict(
        "linear by mistake",
        "The network can draw nothing but straight lines: linear functions composed remain linear.",
        (f"It has {plural(num, 'hidden layer')}, and nothing between input and output bends.",),
        patient.activation("relu", [layer.name for layer in patient.plan.leaves()], "so that it can bend"),
    )


def dead_units(patient: Patient) -> Verdict | str:
    """Whether units of relu put out nothing any more."""
    text = "Units put out 0 for every training example, so that no gradient reaches them and they learn no more."
    return _ill(patient, "dead ReLUs", text, ("relu",), lambda health: health.dead, _LEAKY)


def saturated_units(patient: Patient) -> Verdict | str:
    """Whether units of sigmoid and tanh are at their ends."""
    text = "Units are at an end of their activation for nearly every example, where its slope is nearly 0."
    return _ill(patient, "saturated units", text, tuple(SATURATED), lambda health: health.saturated, _UNENDING)


def _ill(
    patient: Patient,
    name: str,
    text: str,
    activations: Sequence[str],
    count: Callable[[Health], int],
    other: tuple[str, str],
) -> Verdict | str:
    units = [health for activation, health in patient.units if activation in activations]
    if not units:
        raise Unsuitable(f"no layer has {' or '.join(activations)}")
    found = [one for one in units if count(one) >= max(MANY * one.num_units, 1)]
    if not found:
        return f"{sum(map(count, units))} of {sum(one.num_units for one in units):,} units"
    evidence = tuple(f"{one.name}: {count(one)} of {one.num_units} units." for one in found)
    cure = patient.first_the_causes() or patient.activation(other[0], [one.name for one in found], other[1])
    return Verdict(name, text, evidence, cure)


def reach_of_gradients(patient: Patient) -> Verdict | str:
    """Whether the gradient that reaches the first layer is of the size of that at the output."""
    trained = patient.trained
    found = partial(signals, plan=trained.plan, batch=patient.batch(MOST_LOOKED_AT // 4), loss=trained.loss.mean)
    with patient.subject.computing():
        first = patient.trained.first_network()
        at_start = found(first.train())
        at_best = found(trained.network)
    told = (
        f"{sized(_left(at_start))} times the gradient at the output reaches the first layer when training begins, "
        f"{sized(_left(at_best))} times with the best weights"
    )
    if len(at_start) < 2 or VANISHING < _left(at_start) < EXPLODING:
        return told
    vanishes = _left(at_start) <= VANISHING
    by_layer = "; ".join(f"{one.layer} {one.size / max(at_start[-1].size, 1e-300):.1g}" for one in _some(at_start))
    return Verdict(
        "vanishing gradients" if vanishes else "exploding gradients",
        "The first layers hardly learn: the gradient that reaches them is next to nothing."
        if vanishes
        else "The gradient grows from layer to layer on its way back, so that single steps may go anywhere.",
        (f"{capitalised(told)}.", f"By layer, when training began: {by_layer}."),
        patient.activation("relu", [one.layer for one in at_start], "its slope is 1")
        + "\n# or `norm: batch_norm` in each layer, or `residual` around them"
        if vanishes
        else f"{patient.optimizer(clip_norm=1)}\n# and `init: he`, or `norm: layer_norm` in each layer",
    )


def _left(found: Sequence[Signal]) -> float:
    return found[0].size / max(found[-1].size, 1e-300) if found else 1.0


def _some(found: Sequence[Signal]) -> list[Signal]:
    step = max(1, -(-len(found) // 6))
    return [*found[:-1:step], found[-1]]


def noise_of_batches(patient: Patient) -> Verdict | str:
    """Whether what the batches say is mostly chance."""
    trained = patient.trained
    size = patient.experiment.batch_size
    num = len(patient.subject.train)
    size = (num if size == "full" else min(size, num)) * patient.experiment.accumulate
    batch = patient.batch(MOST_LOOKED_AT)
    if len(batch.features) < FEWEST_EXAMPLES:
        raise Unsuitable(f"a variance needs more than {len(batch.features)} examples")
    network, epoch = patient.network_when(0.5)
    with patient.subject.computing():
        at_start = gradient_noise(patient.trained.first_network(), batch, trained.loss.mean)
        later = gradient_noise(network, batch, trained.loss.mean)
    shares = (at_start.share(size), later.share(size))
    told = (
        f"the square of a gradient of {size:,} at a time is {shares[0]:.0%} chance when training begins, and "
        f"{shares[1]:.0%} in epoch {epoch}"
    )
    better = max(2 * size, 2 ** max(1, round(at_start.scale)).bit_length()) if at_start.signal > 0 else num
    if min(shares) < NOISY or better > MOST_OF_ALL * num:  # else it is the task that is hard, and no batch is enough
        return told
    return Verdict(
        "batches too small",
        "What a single batch says is mostly chance, so that training wanders more than it goes down.",
        (
            f"{capitalised(told)}.",
            f"Of {better:,} at a time it is {at_start.share(better):.0%} when training begins.",
        ),
        f"batch_size: {better}   # fewer and surer steps, and faster; `accumulate` where memory is short",
    )
