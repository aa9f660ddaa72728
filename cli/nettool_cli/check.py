"""nettool check."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nettool_cli import console
from nettool_cli.arguments import ConfigArgument, OverridesArgument

if TYPE_CHECKING:
    from nettool.model.plans import LayerPlan
    from nettool.workflows.check import Checked


def check(
    config: ConfigArgument,
    overrides: OverridesArgument = None,
    data: Annotated[
        bool, typer.Option("--data", help="Read all of the data and show what is in it, not just its first rows.")
    ] = False,
) -> None:
    """Find every mistake in a config; show it complete, with its layers and the memory that training needs.

    Example: nettool check configs/digits.yaml --data
    """
    from nettool.config.load import load
    from nettool.config.write import to_yaml
    from nettool.workflows.check import check_config

    checked = check_config(load(config, overrides or ()), all_rows=data)
    typer.echo(to_yaml(checked.loaded.experiment))
    if data:
        print_data(checked)
    print_network(checked)


def print_network(checked: Checked) -> None:
    """The layers with their shapes, the totals, and what the user should know."""
    out = console.stdout()
    plan = checked.plan
    rows = [("input", "", str(plan.input), _count(plan.num_embedded), "")]
    for layer in plan.layers:
        rows += _layer_rows(layer, "")
    rows.append(("total", "", "", _count(plan.num_parameters), _count(plan.flops)))
    out.print(console.table(("layer", "settings", "output", "parameters", "FLOPs"), rows, text_columns=2))
    out.print(f"training takes about {_bytes(checked.training_bytes)} beside Python and torch themselves")
    for note in checked.notes:
        out.print(console.printable(f"note: {note}"))


def _layer_rows(layer: LayerPlan, indent: str) -> list[tuple[str, str, str, str, str]]:
    """A layer, and below it the layers inside it."""
    name = f"{indent}{layer.path[-1]} {layer.spec.layer}"
    row = (name, layer.settings, str(layer.output), _count(layer.num_parameters), _count(layer.flops))
    return [row, *(inner for child in layer.inner for inner in _layer_rows(child, indent + "  "))]


def _count(number: int | None) -> str:
    return f"{number:,}" if number else ""


def _bytes(number: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if number < 1000 or unit == "TB":
            return f"{number:.3g} {unit}" if unit != "bytes" else f"{number:.0f} bytes"
        number /= 1000
    raise AssertionError


def print_data(checked: Checked) -> None:
    """The columns, the splits, the balance of the classes, and what looks like a leak."""
    from nettool.data.suspects import find_suspects
    from nettool.workflows.check import class_shares, describe_vocabulary, summarise

    out = console.stdout()
    data = checked.data
    if data.columns:
        rows = [(c.name or '""', c.kind, c.role, summarise(c), _count(c.num_missing)) for c in data.columns]
        out.print(console.table(("column", "kind", "role", "what is in it", "missing"), rows, text_columns=4))
        out.print()
    if line := describe_vocabulary(data):
        out.print(console.printable(line))
        out.print()
    sizes = [(name, _count(size)) for name, size in data.sizes.items()]
    out.print(console.table(("split", "examples"), sizes))
    out.print()
    if balance := class_shares(data):
        names = list(data.splits)
        shares = [(name, *(f"{of[split]:.1%}" for split in names)) for name, of in balance.items()]
        out.print(console.table(("class", *names), shares))
        out.print()
    for suspect in find_suspects(data.splits["train"], data.encoders):
        out.print(console.printable(f"suspect: {suspect.sentence}"))
