"""The tables of a page: epochs, layers, metrics, parts, mistakes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from nettool.model.plans import LayerPlan, NetworkPlan
from nettool.training.metrics import METRICS
from nettool.workflows.breakdown import Group
from nettool.workflows.diagnosis.diagnose import Looked
from nettool.workflows.evaluate import Evaluation
from nettool.workflows.pictures.mistakes import WorstExamples
from nettool.workflows.report.blocks import MOST_OPEN, Cell, Table, counted, measured, word
from nettool.workflows.report.pictures import image_uri
from nettool.workflows.words import capitalised

MOST_EPOCHS = 200
MOST_LETTERS = 120
"""Of a cell with a user's text."""
Row = Mapping[str, float | None]


def epochs_table(rows: Sequence[Row], best: int | None) -> Table:
    """The journal; of very many epochs some, spread over all of them."""
    every = -(-len(rows) // MOST_EPOCHS)
    places = sorted(
        {*range(0, len(rows), every), len(rows) - 1, *(p for p, row in enumerate(rows) if row["epoch"] == best)}
    )
    columns = [name for name in rows[0] if name not in ("epoch", "step", "examples_per_second")]
    columns = [name for name in columns if any(row.get(name) is not None for row in rows)]
    note = (
        f"Every {_ordinal(every)} of {len(rows):,} epochs, the best and the last one; metrics.csv has all."
        if every > 1
        else ""
    )
    return Table(
        "What was measured after each epoch",
        ("epoch", *(name.replace("_", " ") for name in columns)),
        [(counted(rows[p]["epoch"]), *(measured(rows[p].get(name)) for name in columns)) for p in places],
        best=next((index for index, p in enumerate(places) if rows[p]["epoch"] == best), None),
        note=note,
        folded=f"All {len(rows):,} epochs" if len(rows) > MOST_OPEN // 2 and every == 1 else "Epochs" * (every > 1),
    )  # fmt: skip


def _ordinal(count: int) -> str:
    ending = "th" if count % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(count % 10, "th")
    return f"{count:,}{ending}"


def network_table(plan: NetworkPlan) -> Table:
    """The layers with their shapes and parameters, as `nettool check` shows them."""
    rows = [_layer("input", "", str(plan.input), plan.num_embedded, 0)]
    for layer in plan.layers:
        rows += _layers(layer, "")
    rows.append(_layer("total", "", "", plan.num_parameters, plan.flops))
    folded = f"All {len(rows) - 2} layers" if len(rows) > 2 * MOST_OPEN else ""
    return Table(
        "The network", ("layer", "settings", "output", "parameters", "FLOPs for an example"), rows, folded=folded
    )


def _layers(layer: LayerPlan, indent: str) -> Iterator[tuple[Cell, ...]]:
    name = f"{indent}{layer.path[-1]} {layer.spec.layer}"
    yield _layer(name, layer.settings, str(layer.output), layer.num_parameters, layer.flops)
    for inner in layer.inner:
        yield from _layers(inner, indent + "\N{NO-BREAK SPACE}\N{NO-BREAK SPACE}")


def _layer(name: str, settings: str, output: str, parameters: int, flops: int) -> tuple[Cell, ...]:
    numbers = [counted(value) if value else Cell("", is_empty=True) for value in (parameters, flops)]
    return Cell(name), Cell(settings), Cell(output), *numbers


def metrics_table(found: Evaluation) -> Table:
    """Every metric beside that of the naive model, and which way is better."""
    caption = f"Every metric on the {found.data} split, beside a model that has learned next to nothing"
    return _metrics(caption, {"loss": found.loss, **found.metrics}, found.baseline)


def recorded_table(metrics: Row, baseline: Row) -> Table:
    """The same of what the run wrote down itself, where it cannot be measured again."""
    return _metrics("In validation, as it was written down at the best epoch", metrics, baseline)


def _metrics(caption: str, metrics: Row, baseline: Row) -> Table:
    rows = []
    for name, value in metrics.items():
        better = "larger" if name in METRICS and METRICS[name].mode == "max" else "smaller"
        beside = measured(baseline[name]) if name in baseline else Cell("", is_empty=True)
        rows.append((Cell(name.replace("_", " ")), measured(value), beside, Cell(better)))
    return Table(caption, ("metric", "network", "baseline", "better is"), rows)


def parts_table(parts: Sequence[Group]) -> Table:
    """Each class, or each of several numbers."""
    names = list(parts[0].metrics)
    what = "number" if "rmse" in names else "class"
    return Table(
        f"Each {what} on its own",
        (what, "examples", *(name.replace("_", " ") for name in names)),
        [(word(p.value), counted(p.num_examples), *(measured(p.metrics[n]) for n in names)) for p in parts],
        folded=f"All {len(parts):,}" if len(parts) > MOST_OPEN else "",
    )


def checks_table(looked: Sequence[Looked]) -> Table:
    """Everything that was looked at, and what was seen."""
    rows = [
        (
            Cell(each.check),
            Cell("found" if each.verdict else "fine" if each.is_told else "cannot be told"),
            Cell(each.seen),
        )
        for each in looked
    ]
    return Table("What was looked at", ("check", "state", "what was seen"), rows, folded=f"All {len(rows)} checks")


def mistakes_table(found: WorstExamples) -> Table:
    """The worst first; images as they are."""
    is_sure = any("sure" in each.how for each in found.mistakes)
    shows = ("image",) if found.pixels is not None else ()
    headers = ("row", *shows, "true", "predicted", "how sure" if is_sure else "too much by")
    rows = []
    for place, (each, row) in enumerate(zip(found.mistakes, found.numbers, strict=True)):
        images: list[Cell] = []
        if found.pixels is not None:
            alt = f"example {row}: {each.actual}, taken for {each.predicted}"
            images = [Cell(alt, image=image_uri(found.pixels[place]))]
        told = each.how.removesuffix(" sure")
        off = float(told.rstrip("%"))
        how = Cell(told, off if math.isfinite(off) else None)
        own = [word(_cut(cells[place])) for _, cells in found.columns]
        rows.append((counted(row), *images, word(_cut(each.actual)), word(_cut(each.predicted)), how, *own))
    names = [_cut(name) for name, _ in found.columns]
    return Table(capitalised(found.title), (*headers, *names), rows)


def _cut(text: str) -> str:
    return text if len(text) <= MOST_LETTERS else f"{text[: MOST_LETTERS - 1]}…"
