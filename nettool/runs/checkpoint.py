"""Named tensors and JSON, to and from one safetensors file with a checksum over every byte of it.

The file is what any safetensors library reads. It is written here, since the library would first build the whole file
in memory, with Python held still meanwhile; a checkpoint is written beside training, tensor after tensor.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from nettool.errors import DamagedError, RunError
from nettool.limits import MAX_HEADER_BYTES, MAX_HEADER_LISTS
from nettool.runs import durable
from nettool.runs.directory import FORMAT_VERSION

_DTYPES = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64",
    torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
}  # fmt: skip
_OF_OTHERS = {b"PK\x03\x04": "a zip archive, as torch.save writes", b"\x80": "a Python pickle"}
"""How files begin that may be taken for a checkpoint."""
_NO_DIGEST = "0" * 64
"""Stands in the place of the checksum while it is computed: the first in the file, whatever the facts say."""


def save(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], previous: Path | None = None) -> None:
    """Write the tensors, and the facts as JSON in the file's metadata. Raises ResourceError.

    tensors: on the cpu, and nobody's to change meanwhile. previous: a name that the file before keeps.
    """
    text = json.dumps({"format_version": FORMAT_VERSION, **facts}, ensure_ascii=False, sort_keys=True)
    # The widest numbers first, so that each tensor begins at a multiple of its width.
    names = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
    views = [tensors[name].contiguous().reshape(-1).view(torch.uint8).numpy().data for name in names]
    table: dict[str, Any] = {"__metadata__": {"sha256": _NO_DIGEST, "nettool": text}}
    end = 0
    for name, view in zip(names, views, strict=True):
        begin, end = end, end + len(view)
        tensor = tensors[name]
        table[name] = {"dtype": _DTYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [begin, end]}
    header = json.dumps(table, ensure_ascii=False).encode()
    header += b" " * (-len(header) % 8)
    _check_size(header, path)
    start = len(header).to_bytes(8, "little") + header
    digest = hashlib.sha256(start)
    for view in views:
        digest.update(view)
    start = start.replace(_NO_DIGEST.encode(), digest.hexdigest().encode(), 1)
    durable.write_file(path, [start, *views], previous)


def load(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `save` wrote; nothing in the file is ever executed.

    Raises RunError where there is no such file or a newer nettool wrote it, DamagedError for anything else.
    """
    content = _read(path)
    facts = _verified_facts(content, path)
    try:
        return safetensors.torch.load(content), facts
    except (safetensors.SafetensorError, ValueError, KeyError, RuntimeError) as error:
        raise DamagedError(f"{path} is no intact safetensors file ({error}).") from None


def read_facts(path: Path) -> dict[str, Any]:
    """The facts of a file whose checksum is that of its bytes, without its tensors. Raises as `load` does."""
    return _verified_facts(_read(path), path)


def _read(path: Path) -> bytes:
    """The whole file at once: it may be replaced meanwhile."""
    try:
        if path.exists() and not path.is_file():  # reading a pipe would wait for ever
            raise DamagedError(f"{path} is damaged: it is a folder, or something else that is no file.")
        return path.read_bytes()
    except FileNotFoundError:
        raise RunError(f"{path}: no such file.") from None
    except OSError as error:
        raise DamagedError(f"{path} cannot be read: {error.strerror}.") from None
    except MemoryError:
        raise DamagedError(f"{path} cannot be read: it is larger than the memory.") from None


def restore_previous(previous: Path, last: Path) -> None:
    """Put the checkpoint before the last one in its place, where the last one is damaged or gone.

    Else the next save would keep the damaged one as the previous, and for an instant no whole one would be there.
    """
    durable.rename(previous, last)


def _verified_facts(content: bytes, path: Path) -> dict[str, Any]:
    """What stands in the metadata of a file, if the checksum is that of its bytes."""
    header = _header(content, path)
    try:
        metadata = json.loads(header)["__metadata__"]
        digest = metadata.get("sha256")
        facts = _parse(metadata["nettool"].encode())
        version = int(facts["format_version"])
    except (KeyError, ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        raise DamagedError(f"{path} was not written by nettool: its metadata is missing or damaged.") from None
    # Before anything that they say is believed. Format 1 had no checksum, and a later one may have another.
    if (digest is not None or version == FORMAT_VERSION) and digest != _digest(content, len(header), str(digest)):
        raise DamagedError(f"{path} is damaged: its checksum does not match its content.")
    if version > FORMAT_VERSION:
        written_by = str(facts.get("nettool", "a newer version"))[:100]
        raise RunError(f"{path} was written by nettool {written_by} (format {version}); upgrade nettool to read it.")
    return facts


def _digest(content: bytes, header_length: int, found: str) -> str:
    """The checksum of a file with a blank in the place of its checksum."""
    end = 8 + header_length
    digest = hashlib.sha256(content[:end].replace(found.encode(), _NO_DIGEST.encode(), 1))
    digest.update(memoryview(content)[end:])
    return digest.hexdigest()


def _parse(text: bytes) -> dict[str, Any]:
    """JSON with few lists and mappings, which take a hundred times the memory of what they look like."""
    if text.count(b"[") + text.count(b"{") > MAX_HEADER_LISTS:
        raise ValueError("too many lists")
    facts = json.loads(text)
    if not isinstance(facts, dict):
        raise TypeError("no mapping")
    return facts


def _header(content: bytes, path: Path) -> bytes:
    """The JSON in front of the tensors."""
    length = int.from_bytes(content[:8], "little")
    header = content[8 : 8 + min(length, MAX_HEADER_BYTES)]
    if not header.startswith(b"{"):
        what = next((what for magic, what in _OF_OTHERS.items() if content.startswith(magic)), "")
        raise DamagedError(f"{path} is {what or 'no safetensors file'}: nettool reads only what it wrote itself.")
    if len(header) < length:
        raise DamagedError(f"{path} is no intact safetensors file: it ends in its header, or that is too long.")
    if header.count(b"[") + header.count(b"{") > 2 * MAX_HEADER_LISTS:
        raise DamagedError(f"{path} is no intact safetensors file (its header holds too much).")
    return header


def _check_size(header: bytes, path: Path) -> None:
    if len(header) > MAX_HEADER_BYTES:
        raise RunError(
            f"{path}: the fitted encoders take {len(header):,} bytes, more than the {MAX_HEADER_BYTES:,} that a "
            "checkpoint holds. Is there a column of names or numbers of which each row has its own? Set it to ignore."
        )
