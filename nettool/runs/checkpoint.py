"""Named tensors and JSON, to and from one safetensors file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from nettool.errors import RunError
from nettool.runs import durable
from nettool.runs.directory import FORMAT_VERSION


def save(path: Path, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
    """Write the tensors, and the facts as JSON in the file's metadata. Raises ResourceError."""
    text = json.dumps({"format_version": FORMAT_VERSION, **facts}, ensure_ascii=False, sort_keys=True)
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    durable.write_file(path, safetensors.torch.save(contiguous, {"nettool": text}))


def load(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `save` wrote. Raises RunError for anything else; nothing in the file is ever executed."""
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except FileNotFoundError:
        raise RunError(f"{path}: no such file.") from None
    except (safetensors.SafetensorError, OSError) as error:
        raise RunError(f"{path} is no intact safetensors file ({error}).") from None
    try:
        facts = json.loads(metadata["nettool"])
        version = int(facts["format_version"])
    except (KeyError, ValueError, TypeError):
        raise RunError(f"{path} was not written by nettool: its metadata is missing or damaged.") from None
    if version > FORMAT_VERSION:
        written_by = facts.get("nettool", "a newer version")
        raise RunError(f"{path} was written by nettool {written_by} (format {version}); upgrade nettool to read it.")
    return tensors, facts
