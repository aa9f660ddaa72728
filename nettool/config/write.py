"""An Experiment back to YAML, complete: reading the text again gives an equal Experiment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from nettool.config.experiment import Experiment
from nettool.config.layers import CONTAINERS, LAYERS
from nettool.config.yaml import resolve_scalar


def to_yaml(experiment: Experiment) -> str:
    """The config as a user writes it, every default filled in, keys in the order of the reference."""
    return dump(to_plain(experiment))


def to_plain(experiment: Experiment) -> dict[str, Any]:
    """Nested dicts and lists in the form that a user writes, what is unset left out."""
    plain = experiment.model_dump(mode="json", exclude_none=True)
    for key, section in plain.items():
        if isinstance(section, dict) and "name" in section:
            first = {setting: section.pop(setting) for setting in ("name", "lr") if setting in section}
            plain[key] = {**first, **section}
    if not plain["data"]["target"]:
        del plain["data"]["target"]
    plain["layers"] = [_layer(layer) for layer in plain["layers"]]
    return plain


def dump(value: Any) -> str:
    """YAML 1.2 text of plain values; innermost mappings and lists of numbers on one line."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def _layer(layer: dict[str, Any]) -> Any:
    name = layer.pop("layer")
    settings = layer if name in LAYERS else layer["settings"]
    if name in CONTAINERS:
        settings["layers"] = [_layer(inner) for inner in settings["layers"]]
    main = LAYERS[name].main if name in LAYERS else None
    if main is not None and main in settings:  # what a layer is mainly about comes first, as one would write it
        settings = {main: settings.pop(main), **settings}
    return {name: settings} if settings else name


class _Dumper(yaml.SafeDumper):
    """Quotes text that YAML 1.2 would read as something else; keeps the innermost collections in a line."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def check_simple_key(self) -> bool:
        """Write a column without a name as `"": kind`, not in the long form for complicated keys."""
        is_empty = isinstance(self.event, yaml.ScalarEvent) and self.event.value == ""
        return is_empty or bool(super().check_simple_key())


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    try:
        is_text = resolve_scalar(text) == text and text.isprintable()  # some line breaks would become spaces
    except ValueError:
        is_text = False
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if is_text else '"')


def _represent_mapping(dumper: yaml.SafeDumper, mapping: Mapping[str, Any]) -> yaml.MappingNode:
    flat = not any(isinstance(value, (dict, list)) and value for value in mapping.values())
    return dumper.represent_mapping("tag:yaml.org,2002:map", mapping.items(), flow_style=flat)


def _represent_list(dumper: yaml.SafeDumper, items: list[Any]) -> yaml.SequenceNode:
    flat = not any(isinstance(item, (dict, list)) for item in items)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=flat)


_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(dict, _represent_mapping)
_Dumper.add_representer(list, _represent_list)
