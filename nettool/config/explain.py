"""Pydantic's errors in a user's words: what was written, why it can't be, what is probably meant."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from nettool.config.hints import meant_number, nearest, unknown_key
from nettool.config.layers import CUSTOM_LAYERS, LAYERS
from nettool.config.schema import NAMED_SECTIONS, field_docs, spec_at
from nettool.config.yaml import Node
from nettool.errors import ConfigPath, Mistake

_A_MAPPING = "a mapping of `key: value`"
_EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "text",
    "bool_type": "true or false",
    "tuple_type": "a list, such as [a, b]",
    "dict_type": _A_MAPPING,
    "mapping_type": _A_MAPPING,
    "model_type": _A_MAPPING,
    "model_attributes_type": _A_MAPPING,
}
_BOUNDS = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("at most", "le"),
}


def explain(error: ValidationError, root: Node, known_keys: dict[ConfigPath, Sequence[str]]) -> list[Mistake]:
    """One mistake for each value that is wrong, with its path in the expanded tree and its place in the text.

    known_keys: names that an unknown key at this path may have meant, where the spec alone does not tell.
    """
    located = [_Located(detail, root) for detail in error.errors(include_url=False)]
    by_path: dict[ConfigPath, list[ErrorDetails]] = {}
    for one in _best_branches(located) or located:  # whatever is left out, an error is never without a word
        by_path.setdefault(one.path, []).append(one.detail)
    return [_mistake(path, details, root, known_keys) for path, details in by_path.items()]


class _Located:
    """One of pydantic's errors. path: its place in the tree. labels: the branches of unions that were tried there."""

    def __init__(self, detail: ErrorDetails, root: Node) -> None:
        self.detail = detail
        self.labels: dict[ConfigPath, str] = {}
        path: list[str | int] = []
        node = root
        location = detail["loc"]
        for index, part in enumerate(location):
            if isinstance(node.value, dict) and part in node.value:
                node = node.value[str(part)]
                path.append(part)
            elif isinstance(node.value, list) and isinstance(part, int) and part < len(node.value):
                node = node.value[part]
                path.append(part)
            elif detail["type"] == "missing" and index == len(location) - 1:
                path.append(part)
            else:
                self.labels[tuple(path)] = str(part)
        self.path: ConfigPath = tuple(path)


def _best_branches(errors: list[_Located]) -> list[_Located]:
    """Of a union that failed inside (a list with one bad number), only what the branch that fits best says.

    And no complaint that a list is empty when it only seems so, because its items failed.
    """
    errors = [one for one in errors if not _lost_items(one.detail)]
    unions: dict[ConfigPath, dict[str, list[_Located]]] = {}
    for one in errors:
        for path, label in one.labels.items():
            unions.setdefault(path, {}).setdefault(label, []).append(one)
    dropped: set[int] = set()
    for path, branches in unions.items():
        inside = [found for found in branches.values() if all(len(one.path) > len(path) for one in found)]
        if inside:
            best = min(inside, key=len)
            dropped |= {id(one) for found in branches.values() if found is not best for one in found}
    return [one for one in errors if id(one) not in dropped]


def _lost_items(detail: ErrorDetails) -> bool:
    return detail["type"] == "too_short" and detail["ctx"]["actual_length"] < len(detail["input"])


def _mistake(
    path: ConfigPath, details: Sequence[ErrorDetails], root: Node, known_keys: dict[ConfigPath, Sequence[str]]
) -> Mistake:
    kind = details[0]["type"]
    value = details[0]["input"]
    if kind == "extra_forbidden":
        return Mistake(path, unknown_key(path, known_keys.get(path[:-1], ()), owner_of(path, root)))
    if kind == "missing":
        return Mistake(path, _missing(path, root))
    if kind == "union_tag_invalid":
        text = f'there is no {path[-1]} "{_show(value["name"]).strip(chr(34))}".'
        choices = list(NAMED_SECTIONS[str(path[-1])])
        return Mistake(path, f"{text}{nearest(str(value['name']), choices)} Choose one of {', '.join(choices)}.")
    if kind == "union_tag_not_found":
        choices = list(NAMED_SECTIONS[str(path[-1])])
        return Mistake(path, f"needs a name: `name: ...` or the name alone. Choose one of {', '.join(choices)}.")
    for detail in details:
        if detail["type"] == "value_error":
            return Mistake(path, f"{detail['ctx']['error']}.")
        if detail["type"] == "string_pattern_mismatch":
            text = f"{_show(value)} is not a name: use letters, digits, `-`, `_` and `.`, beginning with a letter"
            return Mistake(path, f"{text} or digit (no folders; `--run-dir` chooses where the run goes).")
    if any(detail["type"] in _BOUNDS for detail in details):
        return Mistake(path, _out_of_bounds(details, value))
    return Mistake(path, _wrong_type(path, details, value))


def _missing(path: ConfigPath, root: Node) -> str:
    """What the missing key is for, and what it may be."""
    if path == ("loss",):
        return f"is required. Choose one of {', '.join(NAMED_SECTIONS['loss'])}."
    owner = owner_of(path, root)
    spec = spec_at(path[:-1], owner)
    if spec is None:
        return "is required."
    purpose = field_docs(spec)[str(path[-1])].split(". ")[0].rstrip(".")
    example = f" (`- {owner}: ...`)" if owner in LAYERS and path[-1] == spec.main else ""
    return f"is required: {purpose[0].lower()}{purpose[1:]}{example}."


def _out_of_bounds(details: Sequence[ErrorDetails], value: Any) -> str:
    phrases, hint = [], ""
    for detail in details:
        if detail["type"] in _BOUNDS:
            word, key = _BOUNDS[detail["type"]]
            limit = detail["ctx"][key]
            phrases.append(f"{word} {f'{limit:g}' if isinstance(limit, float) else f'{limit:,}'}")
            if word in ("below", "at most") and limit == 1 and isinstance(value, int) and value <= 100:
                hint = f" {value:g} percent is {value / 100:g}."
        else:
            phrases.append(_expected(detail))
    return f"must be {' or '.join(filter(None, phrases))}; it is {_show(value)}.{hint}"


def _expected(detail: ErrorDetails) -> str:
    if detail["type"] == "literal_error":
        options = _options(detail)
        return options[0] if len(options) == 1 else f"one of {', '.join(options)}"
    if detail["type"] == "too_short":
        least = detail["ctx"]["min_length"]
        return "a list that is not empty" if least == 1 else f"a list of {least} or more"
    if detail["type"] == "too_long":
        return f"a list of at most {detail['ctx']['max_length']}"
    return _EXPECTED.get(detail["type"], "")


def _options(detail: ErrorDetails) -> list[str]:
    return str(detail["ctx"]["expected"]).replace("'", "").replace(" or ", ", ").split(", ")


def _wrong_type(path: ConfigPath, details: Sequence[ErrorDetails], value: Any) -> str:
    """Several errors for one value are the branches of a union: the value may be any of these."""
    if len(details) == 1 and details[0]["type"] == "literal_error" and isinstance(value, str):
        options = _options(details[0])
        guess = nearest(value, options)
        if value.lower() == "softmax":
            guess = " The loss applies the softmax itself: leave it out."
        return f'"{value}" is none of the choices.{guess} Choose one of {", ".join(options)}.'
    expected = list(dict.fromkeys(filter(None, map(_expected, details))))
    if not expected:
        return f"{details[0]['msg']}; it is {_show(value)}."
    hint = ""
    if {"a number", "a whole number"} & set(expected):
        hint = meant_number(value)
    elif expected == ["text"] and isinstance(value, (bool, int, float)):
        hint = f' Put it in quotes: "{_show(value)}".'
    elif expected == [_A_MAPPING] and (spec := spec_at(path, None)) is not None:
        hint = f" Its keys are {', '.join(spec.model_fields)}."
    return f"must be {' or '.join(expected)}, not {_show(value)}.{hint}"


def _show(value: Any) -> str:
    """A value as a user would write it, cut where it is long."""
    if value is None:
        return "empty"
    text = json.dumps(value, ensure_ascii=False, default=str).replace("Infinity", ".inf").replace("NaN", ".nan")
    return text if len(text) <= 60 else text[:57] + "..."


def owner_of(path: ConfigPath, root: Node) -> str | None:
    """What the key at `path` is a setting of, where its section names it: the layer or the optimizer."""
    section = node_at(path[:-1], root).value
    tag = (section.get("layer") or section.get("name")) if isinstance(section, dict) else None
    return tag.value if tag is not None and isinstance(tag.value, str) else None


def label_of(path: ConfigPath, root: Node) -> str:
    """`layers.3 (conv2d).units`: the path, with the names of the layers that it passes."""
    words: list[str] = []
    node: Node | None = root
    for part in path:
        child: Node | None = None
        if node is not None and isinstance(node.value, dict):
            child = node.value.get(str(part))
        elif node is not None and isinstance(node.value, list) and isinstance(part, int):
            child = node.value[part] if part < len(node.value) else None
        words.append(str(part))
        if isinstance(part, int) and child is not None and isinstance(child.value, dict):
            name = owner_of((*path[: len(words)], "layer"), root)
            if name in LAYERS or name in CUSTOM_LAYERS:
                words[-1] += f" ({name})"
        node = child
    return ".".join(words)


def node_at(path: ConfigPath, root: Node) -> Node:
    """The deepest node on the way to `path`: where a message about it can point."""
    node = root
    for part in path:
        if isinstance(node.value, dict) and str(part) in node.value:
            node = node.value[str(part)]
        elif isinstance(node.value, list) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
        else:
            break
    return node
