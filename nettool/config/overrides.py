"""Overrides: `key.path=value`, put into the tree of a config."""

from __future__ import annotations

import re
from dataclasses import replace

from nettool.config import yaml
from nettool.config.yaml import Node, Place
from nettool.errors import ConfigError, ConfigPath, Mistake


def apply_override(root: Node, override: str, mistakes: list[Mistake]) -> Node:
    """The expanded tree with the override in it; or as it was, with what is wrong with the override in `mistakes`."""
    place = Place(override if len(override) <= 80 else f"{override[:77]}...")
    key, equals, text = override.partition("=")
    if not equals or not re.fullmatch(r"[A-Za-z_][\w-]*(\.[^.=]+)*", key):
        text = "an override is written key=value, without spaces, such as optimizer.lr=0.01 or layers.0.units=128."
        mistakes.append(Mistake((), text, str(place)))
        return root
    try:
        value = yaml.parse(text, place)
    except ConfigError as error:
        mistakes += error.mistakes
        return root
    path = tuple(int(part) if re.fullmatch("[0-9]{1,9}", part) else part for part in key.split("."))
    try:
        return _replace_at(root, path, replace(value, key_place=place), path)
    except LookupError as error:
        mistakes.append(Mistake(path, str(error.args[0]), str(place)))
        return root


def _replace_at(node: Node, path: ConfigPath, value: Node, whole: ConfigPath) -> Node:
    """The tree with the node at `path` replaced. Mappings on the way are made; list items must exist."""
    if not path:
        return value
    head, rest = path[0], path[1:]
    if isinstance(node.value, list):
        if not isinstance(head, int) or head >= len(node.value):
            count = len(node.value)
            listed = f"has {count}, numbered 0 to {count - 1}" if count else "is empty"
            raise LookupError(f"there is no item {head}: the list {listed}.")
        items = list(node.value)
        items[head] = _replace_at(items[head], rest, value, whole)
        return replace(node, value=items)
    if isinstance(node.value, dict):
        missing = Node(None, value.place, value.place)
        child = _replace_at(node.value.get(str(head), missing), rest, value, whole)
        return replace(node, value={**node.value, str(head): child})
    if node.value is None:
        return replace(node, value={str(head): _replace_at(Node(None, value.place, value.place), rest, value, whole)})
    reached = ".".join(str(part) for part in whole[: len(whole) - len(path)])
    raise LookupError(f"{reached} is a single value; nothing can be set inside it.")
