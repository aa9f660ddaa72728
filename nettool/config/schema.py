"""JSON Schema of the config language as a user writes it, for completion and hints in editors.

Made from the specs: their fields, bounds and the docstring under each field. What pydantic generates is the full
form; here the shorthand is added (`- dense: 64`, `optimizer: adam`).
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from functools import cache
from typing import Any, get_args

from nettool.config.data import DataSpec, SplitSpec
from nettool.config.experiment import Experiment
from nettool.config.inputs import AugmentSpec, ImageSpec, TextSpec, WindowSpec
from nettool.config.layers import CONTAINERS, LAYERS
from nettool.config.losses import LossSpec
from nettool.config.optimization import EarlyStopping, OptimizerSpec, ScheduleSpec
from nettool.config.runtime import Checkpoint, Runtime
from nettool.config.spec import Spec
from nettool.errors import ConfigPath

_Json = dict[str, Any]


def _choices(union: Any) -> dict[str, type[Spec]]:
    """The specs of a union that is told apart by `name`."""
    return {spec.model_fields["name"].default: spec for spec in get_args(get_args(union)[0])}


NAMED_SECTIONS: dict[str, dict[str, type[Spec]]] = {
    "loss": _choices(LossSpec),
    "optimizer": _choices(OptimizerSpec),
    "schedule": _choices(ScheduleSpec),
}
"""Sections that pick one of several things by name."""

SECTIONS: dict[ConfigPath, type[Spec]] = {
    (): Experiment,
    ("data",): DataSpec,
    ("data", "split"): SplitSpec,
    ("data", "image"): ImageSpec,
    ("data", "augment"): AugmentSpec,
    ("data", "text"): TextSpec,
    ("data", "window"): WindowSpec,
    ("early_stopping",): EarlyStopping,
    ("runtime",): Runtime,
    ("checkpoint",): Checkpoint,
}
"""Sections with one spec each."""


def spec_at(path: ConfigPath, tag: Any) -> type[Spec] | None:
    """The spec of the mapping at `path` of an expanded config; `tag` is its `layer` or `name`."""
    if path in SECTIONS:
        return SECTIONS[path]
    if not isinstance(tag, str):
        return None
    if len(path) == 1 and path[0] in NAMED_SECTIONS:
        return NAMED_SECTIONS[str(path[0])].get(tag)
    if len(path) > 1 and path[-2] == "layers":
        return LAYERS.get(tag)
    return None


@cache
def field_docs(spec: type[Spec]) -> dict[str, str]:
    """The docstring under each field, inherited fields included, on one line each."""
    docs: dict[str, str] = {}
    for owner in reversed(spec.__mro__):
        if not issubclass(owner, Spec):
            continue
        (body,) = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
        assert isinstance(body, ast.ClassDef)
        for field, text in zip(body.body, body.body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and _is_text(text):
                docs[field.target.id] = " ".join(text.value.value.split())  # type: ignore[attr-defined]
    return docs


def _is_text(node: ast.stmt) -> bool:
    is_constant = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return is_constant and isinstance(node.value.value, str)  # type: ignore[attr-defined]


def summary(spec: type[Spec]) -> str:
    """The first paragraph of a spec's docstring, on one line."""
    return " ".join((inspect.getdoc(spec) or "").split("\n\n")[0].split())


def json_schema() -> _Json:
    """The schema of a whole config file."""
    schema = _settings(Experiment, hidden=())
    properties = schema["properties"]
    properties["base"] = {"type": "string", "description": "Another config, of which this one changes what it names."}
    for key, choices in NAMED_SECTIONS.items():
        properties[key] = _described(properties[key], _named(choices, nameless=key != "loss"))
    properties["layers"] = _described(properties["layers"], {"$ref": "#/$defs/layers"})
    properties["data"] = _described(properties["data"], _data())
    properties["early_stopping"] = _described(
        properties["early_stopping"],
        {"anyOf": [_settings(EarlyStopping), {"type": "integer"}, {"enum": ["off", False]}, {"type": "null"}]},
    )
    properties["checkpoint"] = _described(
        properties["checkpoint"], {"anyOf": [_settings(Checkpoint), {"type": ["string", "number"]}]}
    )
    properties["runtime"] = _described(properties["runtime"], _settings(Runtime))
    properties["metrics"] = _one_or_several(properties["metrics"])
    schema.pop("required")  # a config with a `base` may leave out anything
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "nettool config",
        **schema,
        "$defs": {"layers": {"type": "array", "minItems": 1, "items": {"anyOf": _layer_items()}}},
    }


def _described(old: _Json, new: _Json) -> _Json:
    return {"description": old["description"], **new}


def _settings(spec: type[Spec], hidden: tuple[str, ...] = ("layer",)) -> _Json:
    """The full form of one spec, its references resolved, its fields described."""
    schema = spec.model_json_schema()
    definitions = schema.pop("$defs", {})
    if "$ref" in schema:  # a spec that contains itself
        schema = definitions[spec.__name__]
    properties = {
        key: {"description": field_docs(spec)[key], **_inlined(value, definitions)}
        for key, value in schema["properties"].items()
        if key not in (*hidden, "name") or (key == "name" and spec is Experiment)
    }
    required = [key for key in schema.get("required", []) if key in properties]
    return {
        "type": "object",
        "description": summary(spec),
        "properties": properties,
        "additionalProperties": False,
        **({"required": required} if required else {}),
    }


def _inlined(value: Any, definitions: _Json) -> Any:
    """Without references and titles; nested layers refer to the one definition of layers."""
    if isinstance(value, list):
        return [_inlined(item, definitions) for item in value]
    if not isinstance(value, dict):
        return value
    if "oneOf" in value or "discriminator" in value:
        return {}
    if "$ref" in value:
        return _inlined(definitions[value["$ref"].rsplit("/", 1)[1]], definitions)
    return {key: _inlined(item, definitions) for key, item in value.items() if key != "title"}


def _named(choices: dict[str, type[Spec]], nameless: bool) -> _Json:
    """A section with a name: the name alone, or the name and its settings."""
    forms: list[_Json] = [{"enum": list(choices)}]
    for name, spec in choices.items():
        form = _settings(spec)
        form["properties"] = {"name": {"const": name, "description": summary(spec)}, **form["properties"]}
        is_default = nameless and name in ("adam", "constant")
        form["required"] = [*([] if is_default else ["name"]), *form.get("required", [])]
        forms.append(form)
    return {"anyOf": forms}


def _layer_items() -> list[_Json]:
    alone = [name for name, spec in LAYERS.items() if not any(f.is_required() for f in spec.model_fields.values())]
    items: list[_Json] = [{"enum": alone}]
    for name, spec in LAYERS.items():
        settings = _settings(spec)
        if name in CONTAINERS:
            described = {"description": field_docs(spec)["layers"], "$ref": "#/$defs/layers"}
            settings["properties"]["layers"] = described
        forms = [settings]
        if spec.main:
            forms.append(settings["properties"][spec.main])
        if name in alone:
            forms.append({"type": "null"})
        item = {"description": summary(spec), "anyOf": forms}
        items.append({"type": "object", "properties": {name: item}, "required": [name], "additionalProperties": False})
    return items


def _data() -> _Json:
    schema = _settings(DataSpec)
    for key in ("target", "features"):
        schema["properties"][key] = _one_or_several(schema["properties"][key])
    split = _settings(SplitSpec)
    fractions = {"type": "array", "items": {"type": "number"}, "minItems": 3, "maxItems": 3}
    schema["properties"]["split"] = {"description": field_docs(DataSpec)["split"], "anyOf": [split, fractions]}
    for key, spec in (("image", ImageSpec), ("augment", AugmentSpec), ("text", TextSpec), ("window", WindowSpec)):
        forms: list[_Json] = [_settings(spec), {"type": "null"}, *([{"type": "integer"}] if spec.main else [])]
        schema["properties"][key] = {"description": field_docs(DataSpec)[key], "anyOf": forms}
    return schema


def _one_or_several(schema: _Json) -> _Json:
    description = schema.pop("description")
    return {"description": description, "anyOf": [schema, {"type": "string"}]}
