"""The way of an example through the layers, as `nettool explain` tells it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from nettool.analysis.encoding import EncodedColumn
from nettool.analysis.formulas import ACTIVATIONS, Detail, Dot, Formula, Some
from nettool.analysis.neurons import Neurons
from nettool.analysis.outcomes import Array
from nettool.analysis.steps import LayerStep
from nettool.config.signature import describe_shape
from nettool.workflows.explain import Explanation, Shown
from nettool_cli.page import UNBROKEN, Page, number, some

MOST_ROWS, MOST_UNITS, MOST_TERMS, MOST_TOKENS = 20, 8, 8, 12
FEW_UNITS, FEW_TERMS = 3, 5
"""Of a layer with more."""
WIDEST_PICTURE, HIGHEST_PICTURE = 40, 40
LONGEST_CELL = 40
RAMP = " .:-=+*#%@"


def print_example(page: Page, found: Explanation) -> None:
    """The example as it stands in the data, and the numbers that the network gets."""
    shown = found.shown
    weights = "its best weights" if found.is_trained else "its first weights"
    size = f"{found.plan.num_parameters:,} weights and biases"
    page.say(f"{found.source} with {weights}: {size}, {found.plan.flops:,} multiplications and additions (FLOPs).", 0)
    for note in found.notes:
        page.say(f"- {note}", 0)
    page.heading("1. The example")
    where = f"row {shown.row:,} of {_from_here(shown.file)}" if shown.row else _from_here(shown.file)
    last = ", the last one that it looks back on" if shown.series is not None else ""
    page.say(f"Example {shown.number:,} of {shown.num_examples:,} in the training split: {where}{last}.", 0)
    if shown.columns:
        _print_columns(page, found)
    if shown.pixels is not None:
        _print_picture(page, shown.pixels)
    if shown.tokens:
        _print_tokens(page, shown)
    if shown.targets:
        rows = [
            (shortened(each.name), shortened(each.raw), _how(each.how), number(each.number))
            for each in shown.targets[:MOST_ROWS]
        ]
        page.table(("to be predicted", "in the data", "how", "y"), rows, text_columns=3)


def _from_here(file: str) -> Path:
    path = Path(file)
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _print_columns(page: Page, found: Explanation) -> None:
    shown = found.shown
    # Behind an embedding, or in a series, the inputs of the first layer are others.
    is_vector = found.walk.inputs.ndim == 1 and not found.plan.embeddings
    rows = list(_column_rows(shown.columns, is_vector))
    headers = ["", "column", "in the table", "input", "how", "x"]
    if all(column.names == (column.name,) for column in shown.columns):
        headers.remove("input")
        rows = [(*row[:3], *row[4:]) for row in rows]
    page.table(headers, rows[:MOST_ROWS], text_columns=len(headers) - 1)
    if len(rows) > MOST_ROWS:
        page.say(f"... and {len(rows) - MOST_ROWS:,} more numbers", 0)
    if shown.series is not None:
        for index, name in enumerate(name for column in shown.columns for name, _ in column.numbers[:MOST_ROWS]):
            page.say(f"{name}, the earliest first: {some(shown.series[:, index].tolist(), MOST_TERMS)}", 0)
    if found.plan.embeddings:
        page.space()
        page.say(
            f"A learned vector stands for the code of each category with many levels. Behind the other numbers they "
            f"make the inputs of the first layer, {len(found.walk.inputs):,} in all: "
            f"{some(found.walk.inputs.tolist(), MOST_TERMS)}",
            0,
        )


def _column_rows(columns: Sequence[EncodedColumn], is_vector: bool) -> Iterator[tuple[str, ...]]:
    place = 0
    for column in columns:
        for index, (name, value) in enumerate(column.numbers):
            place += 1
            label, part = f"x{place}" if is_vector else "", name.removeprefix(column.name).strip(" :")
            if index:
                yield label, "", "", part, "", number(value)
                continue
            raw = "(missing)" if column.raw is None else shortened(column.raw)
            yield label, shortened(column.name), raw, part, _how(column.how), number(value)


def shortened(text: str) -> str:
    """A cell of a table, no longer than is needed to know it."""
    return text if len(text) <= LONGEST_CELL else f"{text[: LONGEST_CELL - 3]}..."


def _how(how: Formula | str) -> str:
    return how if isinstance(how, str) else how.written(number)


def _print_picture(page: Page, pixels: Array) -> None:
    channels, height, width = pixels.shape
    page.say(f"An image, {channels} x {height} x {width} pixels from 0 to 255 (channels, height, width).", 0)
    if height > HIGHEST_PICTURE or width > WIDEST_PICTURE:
        page.say(f"The first pixels: {some(pixels.reshape(-1).tolist(), 12)}", 0)
        return
    shades = pixels.mean(axis=0) / 256 * len(RAMP)
    page.lines(["".join(RAMP[int(shade)] * 2 for shade in row).rstrip() for row in shades])


def _print_tokens(page: Page, shown: Shown) -> None:
    pairs = [f"{token!r}{UNBROKEN}{code}" for token, code in zip(shown.tokens, shown.codes, strict=True)]
    left = len(pairs) - MOST_TOKENS
    more = f" and {left:,} more" if left > 0 else ""
    page.say(f"{len(pairs):,} tokens, each with its code: {', '.join(pairs[:MOST_TOKENS])}{more}", 0)
    if shown.next_tokens:
        page.say("To be predicted at each step: the token after it.", 0)


def print_layers(page: Page, found: Explanation) -> None:
    """Every layer with what it does to the example."""
    page.heading("2. Forward, layer by layer")
    given = describe_shape(found.plan.input)
    page.say(f"The first layer gets x, {given}. In every later layer x is what the layer before it put out.", 0)
    for layer in found.walk.layers:
        if layer.is_first_turn:
            _print_layer(page, layer)
    _print_left_out(page, found.walk.layers)


def _print_left_out(page: Page, layers: Sequence[LayerStep]) -> None:
    """Of a repeat only the first turn is shown."""
    later = [
        each for each in layers if each.turns and all(turn == 1 for turn in each.turns[:-1]) and each.turns[-1] > 1
    ]
    for path, turns in groupby(later, key=lambda each: each.plan.path[:-2]):
        last = max(each.turns[-1] for each in turns)
        which = "turn 2 follows" if last == 2 else f"turns 2 to {last} follow"
        page.space()
        name = ".".join(map(str, path))
        page.say(f"In {name} (repeat), {which} in the same way, with weights of their own; --json has them.", 0)


def _print_layer(page: Page, layer: LayerStep) -> None:
    plan = layer.plan
    sizes = f"{plan.num_parameters:,} parameters, {plan.flops:,} FLOPs" if plan.num_parameters else "no parameters"
    page.title(f"{layer.plan.name}: {plan.input} to {plan.output}, {sizes}")
    page.say(layer.sentence)
    if layer.neurons is not None:
        _print_neurons(page, layer, layer.neurons)
        return
    for detail in layer.details:
        print_detail(page, detail)
    if not plan.inner and layer.out.size:
        low, high = float(layer.out.min()), float(layer.out.max())
        page.say(f"out: {some(layer.out.reshape(-1).tolist())}; from {number(low)} to {number(high)}")


def print_detail(page: Page, detail: Detail) -> None:
    """A calculation of one number, or some numbers that say something."""
    match detail:
        case Formula():
            page.formula(detail)
        case Dot():
            print_dot(page, detail, FEW_TERMS)
        case Some():
            page.say(f"{detail.name}: {some(detail.values.tolist(), MOST_TERMS)}")


def print_dot(page: Page, dot: Dot, most: int) -> None:
    """A dot product with its factors, its products, and what comes out."""
    factors, products = dot.factors(number, most)
    page.sum(dot.name, factors, products, number(dot.value))


def shown_of(count: int, most: int, few: int) -> int:
    """All of them, or a few where there are many."""
    return count if count <= most else few


def _print_neurons(page: Page, layer: LayerStep, neurons: Neurons) -> None:
    units = shown_of(neurons.num_units, MOST_UNITS, FEW_UNITS)
    if neurons.num_units <= MOST_UNITS and neurons.num_inputs <= MOST_UNITS:
        _print_weights(page, neurons)
    if neurons.activation != "linear":
        page.say(f"g(z) = {ACTIVATIONS[neurons.activation][0]}")
    norms = {index: each for index, each in enumerate(layer.details) if isinstance(each, Formula)}
    for unit in range(units):
        print_dot(page, neurons.dot(unit), shown_of(neurons.num_inputs, MOST_TERMS, FEW_TERMS))
        if unit in norms:
            page.formula(norms[unit])
        if neurons.activation != "linear":
            page.formula(neurons.activated(unit), symbols=False)
    if units < neurons.num_units:
        rest = f"... and {neurons.num_units - units:,} more units in the same way, with the results "
        page.say(f"{rest}{some(neurons.a[units:].tolist())}")


def _print_weights(page: Page, neurons: Neurons) -> None:
    headers = ["weights", *(f"of x{index + 1}" for index in range(neurons.num_inputs))]
    rows = []
    for unit in range(neurons.num_units):
        row = [f"unit {unit + 1}", *map(number, neurons.weights[unit].tolist())]
        rows.append([*row, number(float(neurons.bias[unit]))] if neurons.bias is not None else row)
    page.table([*headers, "bias"] if neurons.bias is not None else headers, rows)
    page.space()
