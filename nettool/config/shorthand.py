"""Shorthand to its full form: `dense: 64` becomes {layer: dense, units: 64}, `adam` becomes {name: adam}.

Expanding an expanded tree changes nothing, so that overrides can be put into it and expanded again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from nettool.config.hints import unknown_layer
from nettool.config.layers import CONTAINERS, CUSTOM_LAYERS, LAYERS
from nettool.config.schema import NAMED_SECTIONS
from nettool.config.yaml import Node
from nettool.errors import ConfigPath, Mistake

DEFAULT_NAMES = {"optimizer": "adam", "schedule": "constant"}
"""What a section without a `name` sets: `optimizer: {lr: 0.1}` is adam's."""


def expand(root: Node, mistakes: list[Mistake]) -> Node:
    """The tree of a whole config, in full form. Mistakes found on the way are appended to `mistakes`."""
    if not isinstance(root.value, dict):
        return root
    entries = {
        key: _SECTIONS[key](node, (key,), mistakes) if key in _SECTIONS else node for key, node in root.value.items()
    }
    return replace(root, value=entries)


def _scalar(node: Node) -> bool:
    return not isinstance(node.value, (list, dict))


def _add(mistakes: list[Mistake], path: ConfigPath, text: str, node: Node, label: str = "") -> None:
    mistakes.append(Mistake(path, text, str(node.shown_place), label))


def _named_section(node: Node, path: ConfigPath, mistakes: list[Mistake]) -> Node:
    key = str(path[-1])
    choices = NAMED_SECTIONS[key]
    if isinstance(node.value, str):
        return replace(node, value={"name": replace(node, key_place=None)})
    if not isinstance(node.value, dict):
        what = "is empty" if node.value is None else "is a name, or a mapping with a name in it"
        _add(mistakes, path, f"{what}: `{key}: {next(iter(choices))}`. Choose one of {', '.join(choices)}.", node)
    elif "name" not in node.value and (name := next((name for name in node.value if name in choices), None)):
        _add(mistakes, path, f"the name is a setting like the others: `{key}: {{name: {name}, ...}}`.", node)
    return node


def fill_names(root: Node) -> Node:
    """Name what `optimizer: {lr: 0.1}` sets: adam. Only once bases and overrides are in, which may name another."""
    assert isinstance(root.value, dict)
    entries = dict(root.value)
    for key, default in DEFAULT_NAMES.items():
        section = entries.get(key)
        if section is not None and isinstance(section.value, dict) and "name" not in section.value:
            entries[key] = replace(section, value={"name": Node(default, section.place), **section.value})
    return replace(root, value=entries)


def _list(node: Node, path: ConfigPath, mistakes: list[Mistake]) -> Node:
    if _scalar(node) and node.value is not None:
        return replace(node, value=[replace(node, key_place=None)])
    return node


def _early_stopping(node: Node, path: ConfigPath, mistakes: list[Mistake]) -> Node:
    if node.value is False or node.value == "off":
        return replace(node, value=None)
    if node.value is True:
        text = "say after how many epochs without improvement: `early_stopping: {patience: 20}`."
        _add(mistakes, path, text, node)
    if _scalar(node) and node.value is not None:
        return replace(node, value={"patience": replace(node, key_place=None)})
    return node


def _checkpoint(node: Node, path: ConfigPath, mistakes: list[Mistake]) -> Node:
    if _scalar(node) and node.value is not None:
        node = replace(node, value={"every": replace(node, key_place=None)})
    if isinstance(node.value, dict) and "every" in node.value:
        every = node.value["every"]
        if isinstance(every.value, (int, float)) and not isinstance(every.value, bool):
            every = replace(every, value=f"{every.value} seconds")
        return replace(node, value={**node.value, "every": every})
    return node


def _data(node: Node, path: ConfigPath, mistakes: list[Mistake]) -> Node:
    if not isinstance(node.value, dict):
        if isinstance(node.value, str):
            text = f"names a table and its target: `data: {{path: {node.value}, target: COLUMN}}`."
            _add(mistakes, path, text, node)
        return node
    entries = dict(node.value)
    for key in ("target", "features"):
        if key in entries:
            entries[key] = _list(entries[key], (*path, key), mistakes)
    split = entries.get("split")
    if split and isinstance(split.value, list) and len(split.value) == 3:
        names = ("train", "validation", "test")
        entries["split"] = replace(split, value=dict(zip(names, split.value, strict=True)))
    elif split and not isinstance(split.value, dict):
        text = "is three fractions, for training, validation and test: `split: [0.7, 0.15, 0.15]`."
        _add(mistakes, (*path, "split"), text, split)
    window = entries.get("window")
    if window and _scalar(window) and window.value is not None:
        entries["window"] = replace(window, value={"length": replace(window, key_place=None)})
    return replace(node, value=entries)


def _layers(node: Node, path: ConfigPath, mistakes: list[Mistake]) -> Node:
    if not isinstance(node.value, list):
        example = next(iter(node.value), "dense") if isinstance(node.value, dict) else "dense: 64"
        example = f"{example}: ..." if isinstance(node.value, dict) else example
        text = f"is a list: one layer a line, each behind a dash (`- {example}`), the last one `- output`."
        _add(mistakes, path, text, node)
        return node
    items = [_layer(item, (*path, index), mistakes) for index, item in enumerate(node.value)]
    return replace(node, value=items)


def _layer(node: Node, path: ConfigPath, mistakes: list[Mistake]) -> Node:
    """One item of a list of layers as {layer: name, **settings}."""
    if isinstance(node.value, dict) and "layer" in node.value:
        return _check_name(node, node.value["layer"], path, mistakes)
    if isinstance(node.value, str):
        return _check_name(replace(node, value={"layer": node}), node, path, mistakes)
    if not isinstance(node.value, dict) or not node.value:
        _add(mistakes, path, "a layer is written `- name`, `- name: value` or `- name: {setting: value}`.", node)
        return node
    (name, settings), *others = node.value.items()
    if others:
        _add(mistakes, path, _several_keys(name, settings, [key for key, _ in others]), node)
        return node
    head = {"layer": Node(name, settings.shown_place)}
    spec = LAYERS.get(name) or CUSTOM_LAYERS.get(name)
    if isinstance(settings.value, dict):
        if "layer" in settings.value:
            _add(mistakes, (*path, "layer"), f"no such key in {name}.", settings.value["layer"])
        body = {key: value for key, value in settings.value.items() if key != "layer"}
    elif settings.value is None:
        body = {}
    elif spec is None or spec.main:
        body = {(spec and spec.main) or "value": replace(settings, key_place=settings.key_place)}
    else:
        known = ", ".join(key for key in spec.model_fields if key != "layer")
        example = "Leave the value out" if name == "output" else f"`- {name}: {{...}}`"
        text = f"takes no value of its own; its settings are {known}. {example}."
        _add(mistakes, path, text, settings, f"{'.'.join(map(str, path))} ({name})")
        body = {}
    return _check_name(replace(node, value={**head, **body}), head["layer"], path, mistakes)


def _several_keys(name: str, first: Node, others: list[str]) -> str:
    """An item with several keys: settings that are not indented below their layer, or another tool's way."""
    if name not in LAYERS and isinstance(first.value, str) and first.value in LAYERS:
        return f"a layer is written with its name first: `- {first.value}: {{{others[0]}: ...}}`."
    are_settings = "is a setting" if len(others) == 1 else "are settings"
    return (
        f"one layer an item. If {', '.join(others)} {are_settings} of {name}, indent below `{name}:`, "
        f"or write `- {name}: {{{others[0]}: ...}}`."
    )


def _check_name(expanded: Node, name: Node, path: ConfigPath, mistakes: list[Mistake]) -> Node:
    """Report an unknown layer; give a layer added from Python its settings in one place."""
    assert isinstance(expanded.value, dict)
    if not isinstance(name.value, str):
        _add(mistakes, path, "a layer is written `- name`, `- name: value` or `- name: {setting: value}`.", expanded)
        return expanded
    if name.value in CUSTOM_LAYERS:
        return _custom(expanded)
    if name.value not in LAYERS:
        _add(mistakes, path, unknown_layer(name.value, [*LAYERS, *CUSTOM_LAYERS]), name)
    return _inner_layers(expanded, path, mistakes)


def _custom(layer: Node) -> Node:
    assert isinstance(layer.value, dict)
    old = layer.value.get("settings")
    settings = {key: value for key, value in layer.value.items() if key != "layer"}
    if old is not None and isinstance(old.value, dict):
        del settings["settings"]
        settings = {**old.value, **settings}
    return replace(layer, value={"layer": layer.value["layer"], "settings": Node(settings, layer.place)})


def _inner_layers(node: Node, path: ConfigPath, mistakes: list[Mistake]) -> Node:
    assert isinstance(node.value, dict)
    if "layers" not in node.value or node.value["layer"].value not in CONTAINERS:
        return node
    inner = _layers(node.value["layers"], (*path, "layers"), mistakes)
    return replace(node, value={**node.value, "layers": inner})


_SECTIONS: dict[str, Callable[[Node, ConfigPath, list[Mistake]], Node]] = {
    "data": _data,
    "layers": _layers,
    "loss": _named_section,
    "optimizer": _named_section,
    "schedule": _named_section,
    "early_stopping": _early_stopping,
    "checkpoint": _checkpoint,
    "metrics": _list,
}
