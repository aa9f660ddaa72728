"""nettool schema."""

from __future__ import annotations

from nettool_cli import console


def schema() -> None:
    """Print the JSON Schema of configs, for completion and hints in editors.

    Save it beside the configs (nettool schema > nettool.schema.json) and begin a config with the comment
    `# yaml-language-server: $schema=nettool.schema.json`.
    """
    from nettool.config.schema import json_schema

    console.print_json(json_schema())
