"""The loss, the gradients and the update, as `nettool explain` tells them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nettool.analysis.formulas import SLOPES
from nettool.analysis.loss_steps import OutputLoss, SoftmaxLoss
from nettool.analysis.neurons import Neurons
from nettool.analysis.steps import LayerStep, ParameterStep, Update
from nettool.workflows.explain import Explanation
from nettool_cli.explain_forward import (
    FEW_TERMS,
    FEW_UNITS,
    MOST_TERMS,
    MOST_UNITS,
    print_dot,
    shown_of,
)
from nettool_cli.page import Page, fine, number, some

MOST_CLASSES, FEW_CLASSES, MOST_STEPS, MOST_SUMS = 12, 5, 5, 12


def print_loss(page: Page, found: Explanation) -> None:
    """What the outputs say, and how wrong that is."""
    page.heading("3. The prediction and the loss")
    losses = found.walk.losses
    loss = losses[0]
    if len(losses) > 1:
        _print_steps(page, found)
    page.say(loss.rule, 0)
    if isinstance(loss, SoftmaxLoss):
        _print_classes(page, loss)
    else:
        count = shown_of(len(loss.names), MOST_CLASSES, FEW_CLASSES)
        for output in range(count):
            name = f" ({loss.names[output]})"
            formula = loss.predicted(output)
            page.sum(f"{formula.name}{name}", formula.written(number), number(formula.value))
        if count < len(loss.names):
            page.say(f"... and {len(loss.names) - count:,} more outputs in the same way")
    page.space()
    formulas = loss.losses()
    count = shown_of(len(formulas), MOST_CLASSES, FEW_CLASSES)
    for formula in [*formulas[: count - 1], formulas[-1]]:
        page.formula(formula, indent=0)
    if len(losses) > 1:
        total = sum(each.value for each in losses)
        page.sum("L", "the mean over all steps", f"{number(total)} / {len(losses)}", number(found.walk.loss), indent=0)


def _print_steps(page: Page, found: Explanation) -> None:
    shown, losses = found.shown, found.walk.losses
    rows = []
    for step, loss in enumerate(losses[:MOST_STEPS]):
        assert isinstance(loss, SoftmaxLoss)
        p = float(loss.probabilities[loss.truth])
        rows.append(
            (str(step + 1), repr(shown.tokens[step]), repr(loss.names[loss.truth]), number(p), number(loss.value))
        )
    page.table(("step", "token", "the next is", "p of it", "-log(p)"), rows, text_columns=3)
    left = len(losses) - len(rows)
    page.say(f"... and {left:,} more step{'s' if left > 1 else ''}. Step 1 in full:" if left else "Step 1 in full:", 0)
    page.space()


def _print_classes(page: Page, loss: SoftmaxLoss) -> None:
    order = list(range(len(loss.names)))
    if len(order) > MOST_CLASSES:
        surest = np.argsort(-loss.probabilities, kind="stable")[:FEW_CLASSES].tolist()
        order = list(dict.fromkeys([*surest, loss.truth]))
    top = 0.0 if np.abs(loss.z).max() < 300 else float(loss.z.max())
    rows = [
        (
            f"{k + 1}",
            loss.names[k] if len(loss.names[k]) > 1 else repr(loss.names[k]).strip("'") or loss.names[k],
            number(float(loss.z[k])),
            number(float(np.exp(loss.z[k] - top))),
            number(float(loss.probabilities[k])),
            number(float(loss.y[k])),
        )
        for k in order
    ]
    power = "exp(z)" if not top else "exp(z - z max)"
    page.table(("output", "class", "z", power, "p", "y"), rows, text_columns=2)
    total = number(float(np.exp(loss.z - top).sum()))
    left = len(loss.names) - len(order)
    page.say(f"{f'... and {left:,} more classes; ' if left else ''}the sum of all {power} is {total}", 0)
    page.formula(loss.predicted(loss.truth), symbols=False, indent=0)


def print_gradients(page: Page, found: Explanation) -> None:
    """How the loss changes with each number, from the last layer to the first."""
    page.heading("4. Backward: the gradients, by the chain rule")
    page.say(
        "dL/dw says how fast the loss L rises with a weight w. It is a product of factors, one for each calculation "
        "between w and L, and is found from the last layer back to the first.",
        0,
    )
    last = found.walk.layers[-1]
    for layer in reversed(found.walk.layers):
        if not layer.is_first_turn or (layer.plan.inner and not layer.parameters):
            continue
        page.title(layer.plan.name)
        if layer.neurons is None:
            _print_large(page, layer, found.walk.losses if layer is last else ())
        else:
            _print_neurons(page, layer.neurons, found.walk.losses[0] if layer is last else None)
    if (chain := found.walk.chain) is not None:
        page.space()
        above = found.walk.layers[-1].plan.name
        page.say(f"One of these gradients with all its factors; v are the weights of {above}:", 0)
        page.formula(chain)
    for parameter in found.walk.embeddings:
        page.title("the embeddings of categories")
        _print_parameter(page, parameter)


def _print_neurons(page: Page, neurons: Neurons, loss: OutputLoss | None) -> None:
    units = shown_of(neurons.num_units, MOST_UNITS, FEW_UNITS)
    if loss is None and neurons.activation != "linear":
        page.say(f"g'(z) = {SLOPES[neurons.activation][0]}; dL/da came back from the layer above, as its dL/dx.")
    for unit in range(units):
        if loss is not None:
            page.formula(loss.delta(unit))
        elif neurons.normed is not None:
            page.sum(f"dL/dz{unit + 1}", "dL/da through g' and the norm", number(float(neurons.dz[unit])))
        elif neurons.activation == "linear":
            page.sum(f"dL/dz{unit + 1}", f"dL/da{unit + 1}", number(float(neurons.dz[unit])))
        else:
            if slope := _slope(neurons, unit):
                page.sum(f"g'(z{unit + 1})", *slope)
            page.formula(neurons.delta(unit))
    _print_more(page, neurons.num_units - units, "units")
    page.space()
    _print_weight_gradients(page, neurons, units)
    if neurons.dx is not None:
        page.space()
        page.say("Handed back to the layer below, through the weights:")
        inputs = shown_of(neurons.num_inputs, MOST_TERMS, FEW_UNITS)
        for source in range(inputs):
            print_dot(page, neurons.handed_back(source), shown_of(neurons.num_units, MOST_TERMS, FEW_TERMS))
        _print_more(page, neurons.num_inputs - inputs, "inputs")


def _slope(neurons: Neurons, unit: int) -> tuple[str, ...]:
    formula = neurons.slope(unit)
    return formula.written(number), number(formula.value)


def _print_weight_gradients(page: Page, neurons: Neurons, units: int) -> None:
    inputs = shown_of(neurons.num_inputs, MOST_TERMS, FEW_UNITS)
    places = [(unit, source) for unit in range(units) for source in range(inputs)][:MOST_SUMS]
    for unit, source in places:
        page.formula(neurons.weight_gradient(unit, source))
    _print_more(page, neurons.weights.size - len(places), "weights")
    if neurons.dbias is not None:
        names = ", ".join(f"dL/db{unit + 1} = {number(float(neurons.dbias[unit]))}" for unit in range(units))
        page.say(f"{names}: as dL/dz, for a bias is a weight whose input is 1.")


def _print_more(page: Page, left: int, what: str) -> None:
    if left:
        page.say(f"... and {left:,} more {what if left > 1 else what.removesuffix('s')} in the same way")


def _print_large(page: Page, layer: LayerStep, losses: tuple[OutputLoss, ...]) -> None:
    """By autograd, which does for each number what is written out for small layers."""
    for loss in losses[:1]:
        page.say("At step 1:" if len(losses) > 1 else "")
        for output in range(min(FEW_UNITS, len(loss.names))):
            page.formula(loss.delta(output))
    page.say(f"dL/dout, {layer.dout.size:,} numbers: {some(layer.dout.reshape(-1).tolist())}")
    for parameter in layer.parameters:
        _print_parameter(page, parameter)
    if layer.dx is not None:
        page.say(f"Handed back, dL/dx: {some(layer.dx.reshape(-1).tolist())}")


def _print_parameter(page: Page, parameter: ParameterStep) -> None:
    gradient = parameter.gradient.reshape(-1)
    shape = " x ".join(map(str, parameter.gradient.shape))
    length = number(float(np.linalg.norm(gradient)))
    moved = gradient[gradient != 0]
    zeros = f", {len(gradient) - len(moved):,} of them 0; the others" if len(moved) < len(gradient) else ""
    values = f": {some(moved.tolist())}" if len(moved) else ""
    page.say(f"dL/d {parameter.name} ({shape}), of length {length}{zeros}{values}")


def print_update(page: Page, found: Explanation) -> None:
    """What the optimizer makes of the gradients, and whether the loss fell."""
    walk = found.walk
    update = walk.update
    page.heading(f"5. The update: {update.spec.name}")
    page.say(", ".join(_settings(update)), 0)
    names = list(update.remembered)
    if names:
        page.say(f"What it remembers of earlier gradients ({', '.join(names)}) is 0 before the first step.", 0)
    if update.is_clipped:
        page.say(f"The gradients together are {number(update.norm)} long: they are shortened to clip_norm.", 0)
    for parameter in walk.embeddings:
        _print_moved(page, parameter)
    for layer in walk.layers:
        if not layer.is_first_turn or not layer.parameters:
            continue
        page.title(layer.plan.name)
        if layer.neurons is None or layer.neurons.norm:
            if layer is walk.layers[-1]:
                _print_rule(page, layer.parameters[0], update)
            for parameter in layer.parameters:
                _print_moved(page, parameter)
        else:
            _print_updates(page, layer, layer.neurons, update)
    _print_after(page, found)


def _settings(update: Update) -> Iterator[str]:
    yield f"lr = {update.lr:g}"
    for name, value in update.spec.model_dump().items():
        if name not in ("name", "lr") and value not in (None, 0, False):
            yield f"{name} = {value if value is True else format(value, 'g')}"


def _print_rule(page: Page, weights: ParameterStep, update: Update) -> None:
    """All that the rule does with one weight, the first that has a gradient."""
    moved = np.flatnonzero(weights.gradient)
    first = tuple(int(i) for i in np.unravel_index(int(moved[0]) if len(moved) else 0, weights.gradient.shape))
    page.say(f"For w{_index(first)}, where g = dL/dw{_index(first)} = {fine(float(weights.gradient[first]))}:")
    for formula in update.written(weights, first):
        page.formula(formula, indent=4, exact=True)


def _print_updates(page: Page, layer: LayerStep, neurons: Neurons, update: Update) -> None:
    """One weight with all that the rule does, and the last line of it for others."""
    weights = layer.parameters[0]
    _print_rule(page, weights, update)
    page.space()
    units = shown_of(neurons.num_units, MOST_UNITS, FEW_UNITS)
    inputs = shown_of(neurons.num_inputs, MOST_TERMS, FEW_UNITS)
    places = [(unit, source) for unit in range(units) for source in range(inputs)][:MOST_SUMS]
    for place in places:
        last = update.written(weights, place)[-1]
        page.sum(f"w{_index(place)}", last.written(fine), fine(last.value))
    _print_more(page, weights.gradient.size - len(places), "weights")
    for bias in layer.parameters[1:]:
        for unit in range(units):
            last = update.written(bias, (unit,))[-1]
            page.sum(f"b{unit + 1}", last.written(fine), fine(last.value))
        _print_more(page, neurons.num_units - units, "biases")


def _index(place: tuple[int, ...]) -> str:
    return ",".join(str(index + 1) for index in place)


def _print_moved(page: Page, parameter: ParameterStep) -> None:
    before, after = parameter.before.reshape(-1), parameter.after.reshape(-1)
    changes = after - before
    moved = np.flatnonzero(changes)
    if not len(moved):
        page.say(f"{parameter.name}: stays as it is")
        return
    first = moved[:2].tolist()
    pairs = ", ".join(f"{fine(float(before[i]))} to {fine(float(after[i]))}" for i in first)
    more = f" and {len(moved) - len(first):,} more" if len(moved) > len(first) else ""
    page.say(f"{parameter.name}: {pairs}{more}; the largest change is {number(float(np.abs(changes).max()))}")


def _print_after(page: Page, found: Explanation) -> None:
    walk = found.walk
    page.space()
    if walk.loss_after == walk.loss:
        verdict = "It stayed: the gradient is 0, or the step too small to see."
    elif walk.loss_after < walk.loss:
        verdict = "It fell."
    else:
        verdict = "It rose: the step was too long for this example."
    before, after = fine(walk.loss), fine(walk.loss_after)
    page.say(f"The loss of this example was {before}; with the new weights it is {after}. {verdict}", 0)
    if len(walk.losses) > 1:
        return
    loss = walk.losses[0]
    output = loss.truth if isinstance(loss, SoftmaxLoss) else 0
    told = loss.predicted(output)
    new = loss.prediction_of(output, float(walk.outputs_after[output]))
    page.say(f"{told.name} ({loss.names[output]}) was {number(told.value)}, and is {number(new)} now.", 0)
