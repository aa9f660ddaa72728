"""Write docs/reference/ from the code: the config language, the command line, the errors. `make docs` runs it.

Every sentence of a table is the docstring of the field, spec, command or error that it describes; to change one,
change it there. What stands here is the order of things, and the words between them.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import typer
from nettool_cli.main import app

import nettool.errors
from nettool.config.data import DataSpec, SplitSpec
from nettool.config.experiment import Experiment
from nettool.config.inputs import AugmentSpec, ImageSpec, TextSpec, WindowSpec
from nettool.config.layers import LAYERS
from nettool.config.optimization import EarlyStopping
from nettool.config.runtime import Checkpoint, Runtime
from nettool.config.schema import NAMED_SECTIONS, field_docs, json_schema, summary
from nettool.config.spec import Spec
from nettool.training.metrics import METRICS

FOLDER = Path(__file__).parent / "reference"
LINKED = ("data", "data.split", "data.image", "data.augment", "data.text", "data.window",
          "layers", "loss", "optimizer", "schedule", "early_stopping", "metrics", "runtime",
          "checkpoint")  # fmt: skip
"""Settings that have a heading of their own."""
WIDTH = 100
"""Columns of the help texts, whatever terminal this runs in."""

_WRITTEN = "<!-- Written by docs/generate.py from the code; edit the docstrings there, then run `make docs`. -->"

SHORTHAND: tuple[tuple[str, str], ...] = (
    ("layers: [dense: 64]", "layers: [dense: {units: 64}]"),
    ("layers: [activation: tanh]", "layers: [activation: {function: tanh}]"),
    ("layers: [dropout: 0.2]", "layers: [dropout: {rate: 0.2}]"),
    ("layers: [batch_norm, output]", "layers: [batch_norm: {}, output: {}]"),
    ("loss: mse", "loss: {name: mse}"),
    ("optimizer: sgd", "optimizer: {name: sgd}"),
    ("optimizer: {lr: 0.01}", "optimizer: {name: adam, lr: 0.01}"),
    ("schedule: cosine", "schedule: {name: cosine}"),
    ("early_stopping: 10", "early_stopping: {patience: 10}"),
    ("early_stopping: off", "early_stopping: null"),
    ("checkpoint: 60", "checkpoint: {every: 60 seconds}"),
    ("checkpoint: 5 epochs", "checkpoint: {every: 5 epochs}"),
    ("metrics: f1", "metrics: [f1]"),
    ("data: {target: price}", "data: {target: [price]}"),
    ("data: {features: age}", "data: {features: [age]}"),
    ("data: {split: [0.8, 0.1, 0.1]}", "data: {split: {train: 0.8, validation: 0.1, test: 0.1}}"),
)
"""What may be written, and what it is short for. tests/test_docs.py holds the two against each other."""

METRIC_TEXTS = {
    "accuracy": "share of the examples whose class is right; of several labels: share of the labels",
    "balanced_accuracy": "recall averaged over the classes, so that rare ones count the same",
    "precision": "share of those predicted to have the class that have it",
    "recall": "share of those that have the class that are predicted to",
    "f1": "harmonic mean of precision and recall",
    "log_loss": "mean of -log(probability of the true class), in nats",
    "brier": "mean squared distance between probabilities and truth",
    "auroc": "chance that a positive example is ranked above a negative one",
    "average_precision": "precision averaged over the recall gained at each threshold",
    "calibration_error": "mean distance between confidence and accuracy, in 15 bins of confidence",
    "top_5_accuracy": "share of examples whose true class is among the five most probable",
    "mse": "mean squared error",
    "rmse": "its root, in the target's units",
    "mae": "mean absolute error",
    "r2": "share of the variance that is explained; 0 is the mean's, below 0 is worse than the mean",
    "median_absolute_error": "the error that half of the examples stay below",
    "bits_per_character": "mean of -log2(probability of the next character, byte or word)",
    "perplexity": "2 to that power: among how many equally likely ones the network still chooses",
}


OPENING = """\
A config is a YAML 1.2 file: a mapping with the keys of the first table. Only `data`, `layers` and `loss` are
required. A default that is empty here means off, or is told by the description.

[The guide](../guide/README.md) explains what the words mean. `nettool check CONFIG` shows a config with every default
filled in, and `nettool schema` prints all of this as JSON Schema, for completion in an editor.
"""

SHORTHAND_TEXT = """\
An item of `layers` is `name: settings`. A layer's main setting may stand alone, and so may the name of a layer that
needs no settings. A section that picks one of several things is its name, or `name:` and settings.
"""

OVERRIDES_TEXT = """\
`base: other.yaml` takes another config and changes what is named here. Mappings merge key by key; a list or a single
value replaces the other one; a section of another `name` replaces the whole section, so that nothing of `sgd` is left
over for `adam`.

Overrides follow the config on the command line: `nettool train CONFIG optimizer.lr=0.01`. They apply after shorthand
is expanded, so that `layers.0.units=128` is the first layer's setting. They are parsed as YAML, `'layers=[output]'`
(the quotes are for the shell); a mapping or a bare name replaces its section. Paths in an override are relative to
the current folder, paths in a config to the config.
"""

OWN_LAYERS_TEXT = """\
`nettool.register_layer(name, spec, build)`, from Python, adds a layer that configs read in the same process may name.
"""

METRICS_TEXT = """\
Of two classes, precision, recall, f1, brier, auroc and average_precision are those of the second one (classes are in
the order of their numbers or letters, no before yes); of more classes they are averages. Metrics of numbers are in the
target's own units; for several numbers they are means. `nettool eval` shows every metric of the task, whatever is
asked for here.
"""


def config_page() -> str:
    """docs/reference/config.md."""
    parts = ["# The config", "", _WRITTEN, "", OPENING, *_contents()]
    parts += _section("The whole file", Experiment, extra=_base_row())
    parts += ["## Shorthand", "", SHORTHAND_TEXT]
    parts += _table(("short", "in full"), [(f"`{short}`", f"`{full}`") for short, full in SHORTHAND])
    parts += ["## Base and overrides", "", OVERRIDES_TEXT]
    parts += [*_section("data", DataSpec), *_section("data.split", SplitSpec)]
    parts += [*_section("data.image", ImageSpec), *_section("data.augment", AugmentSpec)]
    parts += [*_section("data.text", TextSpec), *_section("data.window", WindowSpec), *_layers()]
    parts += [*_choices("loss"), *_choices("optimizer"), *_choices("schedule")]
    parts += [*_section("early_stopping", EarlyStopping), *_metrics()]
    parts += [*_section("runtime", Runtime), *_section("checkpoint", Checkpoint)]
    return "\n".join(parts)


def _contents() -> Iterator[str]:
    names = ("The whole file", "Shorthand", "Base and overrides", "data", "data.split", "data.image", "data.augment",
             "data.text", "data.window", "layers", "loss", "optimizer", "schedule",
             "early_stopping", "metrics", "runtime", "checkpoint")  # fmt: skip
    yield from (" ·\n".join(f"[{name}](#{_anchor(name)})" for name in names), "")


def _anchor(heading: str) -> str:
    """The fragment that Markdown renderers give a heading."""
    return "".join(c for c in heading.lower().replace(" ", "-") if c.isalnum() or c in "-_")


def _base_row() -> list[tuple[str, str, str, str]]:
    return [("`base`", "text", "", json_schema()["properties"]["base"]["description"])]


def _section(title: str, spec: type[Spec], extra: Sequence[tuple[str, ...]] = ()) -> Iterator[str]:
    yield from (f"## {title}", "", _all_of_docstring(spec), "")
    yield from _settings_table(spec, title if title != "The whole file" else "", extra)
    if spec.main:
        yield from (f"`{spec.main}` may stand alone: `{title}: ...` for `{title}: {{{spec.main}: ...}}`.", "")


def _layers() -> Iterator[str]:
    yield from ("## layers", "", "From input to output; each layer gives its shape to the next.", "")
    alone = {name for name, spec in LAYERS.items() if not any(f.is_required() for f in spec.model_fields.values())}
    rows = []
    for name, spec in LAYERS.items():
        forms = [f"`- {name}`"] if name in alone else []
        forms += [f"`- {name}: {spec.main}`"] if spec.main else []
        forms += [f"`- {name}: {{...}}`"]
        rows.append((f"[{name}](#layer-{name})", ", ".join(forms), summary(spec)))
    yield from _table(("layer", "written", "what it does"), rows)
    for name, spec in LAYERS.items():
        yield from (f"### layer: {name}", "", _all_of_docstring(spec), "")
        yield from _settings_table(spec)
    yield from ("### layers of your own", "")
    yield OWN_LAYERS_TEXT


def _choices(key: str) -> Iterator[str]:
    yield from (f"## {key}", "", field_docs(Experiment)[key], "")
    rows = [(f"[{name}](#{key}-{name})", summary(spec)) for name, spec in NAMED_SECTIONS[key].items()]
    yield from _table(("name", "what it is"), rows)
    for name, spec in NAMED_SECTIONS[key].items():
        yield from (f"### {key}: {name}", "", _all_of_docstring(spec), "")
        yield from _settings_table(spec)


def _metrics() -> Iterator[str]:
    yield from ("## metrics", "", field_docs(Experiment)["metrics"], "")
    rows = []
    for name, metric in METRICS.items():
        better = "larger" if metric.mode == "max" else "smaller"
        rows.append((f"`{name}`", metric.task, better, METRIC_TEXTS[name]))
    yield from _table(("metric", "task", "better", "what it is"), rows)
    yield METRICS_TEXT


# --- tables of settings --------------------------------------------------------------------------------------


def _settings_table(spec: type[Spec], place: str = "", extra: Sequence[tuple[str, ...]] = ()) -> Iterator[str]:
    """A row for each setting. place: the dotted path of the section, for links to the sections inside it."""
    docs = field_docs(spec)
    schema = spec.model_json_schema()
    definitions = schema.get("$defs", {})
    properties = schema["properties"] if "$ref" not in schema else definitions[spec.__name__]["properties"]
    rows = []
    for key, field in spec.model_fields.items():
        if key == "layer" or (key == "name" and spec is not Experiment):
            continue
        path = f"{place}.{key}".lstrip(".")
        value = f"[{path}](#{_anchor(path)})" if path in LINKED else _value(properties[key], definitions)
        is_required = field.is_required() and (spec, key) != (Experiment, "name")
        rows.append((f"`{key}`", value, "required" if is_required else _default(field.default), docs[key]))
    if rows or extra:
        yield from _table(("key", "value", "default", "meaning"), [*rows, *extra])
    else:
        yield from ("It has no settings.", "")


def _value(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    """What may stand here, in words, from a field's JSON Schema."""
    if "anyOf" in schema:
        branches = [_value(branch, definitions) for branch in schema["anyOf"] if branch.get("type") != "null"]
        return " or ".join(dict.fromkeys(branches))
    if "oneOf" in schema:
        return "layers"
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{choice}`" for choice in schema["enum"])
    match schema.get("type"):
        case "integer":
            return "whole number" + _bounds(schema)
        case "number":
            return "number" + _bounds(schema)
        case "boolean":
            return "`true` or `false`"
        case "array" if "prefixItems" in schema:
            return f"list of {len(schema['prefixItems'])}"
        case "array":
            inner = _value(schema["items"], definitions)
            return "layers" if inner == "layers" else f"list ({inner})"
        case "object":
            return f"mapping ({_value(schema['additionalProperties'], definitions)})"
        case _:
            return "text"


def _bounds(schema: dict[str, Any]) -> str:
    words = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "to below"}
    parts = [f" {words[key]} {_number(schema[key])}" for key in words if key in schema]
    return "".join(parts)


def _number(value: float) -> str:
    if value == 2**63 - 1:
        return "2^63 - 1"
    return f"{value:,.0f}" if value >= 1e6 else f"{value:,g}".replace("e-0", "e-")


def _default(value: Any) -> str:
    if isinstance(value, Spec):
        return f"`{value.name}`" if hasattr(value, "name") else "its defaults"
    if value is None or value == {} or value.__class__.__name__ == "PydanticUndefinedType":
        return ""
    if isinstance(value, float):
        return f"`{_number(value)}`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _all_of_docstring(spec: type[Spec]) -> str:
    paragraphs = (spec.__doc__ or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(headers)} |"
    yield f"|{' --- |' * len(headers)}"
    yield from (f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows)
    yield ""


# --- the other two pages -------------------------------------------------------------------------------------


CLI_TEXT = """\
What `nettool --help` says, and `nettool COMMAND --help` for each command. The answer goes to standard output,
everything else to standard error. [Errors](errors.md) lists the exit codes.
"""


def cli_page() -> str:
    """docs/reference/cli.md: what `--help` says, of every command."""
    parts = ["# The command line", "", _WRITTEN, ""]
    parts += [CLI_TEXT]
    for path, text in _helps(typer.main.get_command(app), "nettool", None):
        parts += [f"## {path}", "", "```text", text, "```", ""]
    return "\n".join(parts)


def _helps(command: Any, name: str, parent: Any) -> Iterator[tuple[str, str]]:
    """The path and the help of a command and of those below it, in the order in which they are listed."""
    context = command.make_context(
        name, [], parent=parent, resilient_parsing=True, terminal_width=WIDTH, max_content_width=WIDTH
    )
    yield context.command_path, "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    for inner_name, inner in getattr(command, "commands", {}).items():
        yield from _helps(inner, inner_name, context)


ERRORS_TEXT = """\
Code 0 says that all is done. Code 1 is most likely a bug in nettool; the message then names a file with the
traceback. An interrupted run ends with 128 plus the number of its signal: 130 for Ctrl-C, 143 for SIGTERM. From
Python, all of these errors are caught as `nettool.NettoolError`.
"""


def errors_page() -> str:
    """docs/reference/errors.md: the tree, with every exit code."""
    opening, tree, *rest = (nettool.errors.__doc__ or "").strip("\n").split("\n\n")
    parts = ["# Errors and exit codes", "", _WRITTEN, "", opening, "", "```text", textwrap.dedent(tree), "```", ""]
    return "\n".join([*parts, *rest, "", ERRORS_TEXT])


PAGES = {"config.md": config_page, "cli.md": cli_page, "errors.md": errors_page}


def write(folder: Path) -> None:
    """Write every page into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, page in PAGES.items():
        (folder / name).write_text(page().rstrip("\n") + "\n", encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
