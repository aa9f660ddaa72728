"""Named tensors and JSON, to and from one safetensors file with a checksum over every byte of it.

The file is what any safetensors library reads. It is written here, since the library would first build the whole file
in memory, with Python held still meanwhile; a checkpoint is written beside training, tensor after tensor.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from nettool.errors import DamagedError, ResourceError, RunError
from nettool.limits import MAX_HEADER_BYTES, MAX_JSON_VALUES
from nettool.memory import free_bytes, gigabytes
from nettool.runs import durable
from nettool.runs.directory import FORMAT_VERSION
from nettool.runs.strict_json import is_moderate, read_mapping

_DTYPES = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64",
    torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
}  # fmt: skip
_OF_OTHERS = {b"PK\x03\x04": "a zip archive, as torch.save writes", b"\x80": "a Python pickle"}
"""How files begin that may be taken for a checkpoint."""
_DIGEST = re.compile("[0-9a-f]{64}")
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

    Raises RunError where there is no such file, it cannot be read, or a newer nettool wrote it; ResourceError where it
    is larger than the memory; DamagedError for anything else.
    """
    header, content = _read(path, copies=2)
    facts = _verified_facts(header, content, path)
    try:
        return safetensors.torch.load(content), facts
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError, RuntimeError, OverflowError) as error:
        raise DamagedError(f"{path} is no intact safetensors file ({error}).") from None


def read_facts(path: Path) -> dict[str, Any]:
    """The facts of a file whose checksum is that of its bytes, without its tensors. Raises as `load` does."""
    return _verified_facts(*_read(path, copies=1), path)


def _read(path: Path, copies: int) -> tuple[bytes, bytes]:
    """Header and whole content, of one file that is held open: another may take its place meanwhile.

    No more is read than the header speaks of, and nothing where memory has no room for so many copies of it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a pipe is not waited for
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise DamagedError(f"{path} is damaged: it is a folder, or something else that is no file.")
            header = _header(file, path)
            size = 8 + len(header) + _length_of_tensors(header, path)
            if status.st_size != size:
                raise DamagedError(
                    f"{path} is damaged: it has {status.st_size:,} bytes, not the {size:,} that its header speaks of."
                )
            if copies * size > free_bytes():
                raise ResourceError(
                    f"{path} cannot be read: it takes {gigabytes(copies * size)} of memory, which are not free."
                )
            file.seek(0)
            return header, file.read(size)
    except FileNotFoundError:
        raise RunError(f"{path}: no such file.") from None
    except IsADirectoryError:
        raise DamagedError(f"{path} is damaged: it is a folder, or something else that is no file.") from None
    except OSError as error:  # it may be whole, and readable again tomorrow
        raise RunError(f"{path} cannot be read: {error.strerror}.") from None
    except MemoryError:
        raise ResourceError(f"{path} cannot be read: memory ran out.") from None


def _verified_facts(header: bytes, content: bytes, path: Path) -> dict[str, Any]:
    """What stands in the metadata of a file, if the checksum is that of its bytes."""
    try:
        metadata = json.loads(header)["__metadata__"]
        digest = metadata.get("sha256")
        facts = read_mapping(metadata["nettool"].encode())
        version = facts["format_version"]
        if type(version) is not int or not (digest is None or _DIGEST.fullmatch(digest)):
            raise TypeError("no version, or no digest")
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
        raise DamagedError(f"{path} was not written by nettool: its metadata is missing or damaged.") from None
    # Before anything that they say is believed. Format 1 had no checksum, and a later one may have another.
    if (digest is not None or version == FORMAT_VERSION) and digest != _digest(content, len(header), digest):
        raise DamagedError(f"{path} is damaged: its checksum does not match its content.")
    if version > FORMAT_VERSION:
        written_by = str(facts.get("nettool", "a newer version"))[:100]
        raise RunError(f"{path} was written by nettool {written_by} (format {version}); upgrade nettool to read it.")
    return facts


def _digest(content: bytes, header_length: int, found: str | None) -> str:
    """The checksum of a file with a blank in the place of its checksum."""
    end = 8 + header_length
    start = content[:end] if found is None else content[:end].replace(found.encode(), _NO_DIGEST.encode(), 1)
    digest = hashlib.sha256(start)
    digest.update(memoryview(content)[end:])
    return digest.hexdigest()


def _header(file: BinaryIO, path: Path) -> bytes:
    """The JSON in front of the tensors."""
    start = file.read(8)
    length = int.from_bytes(start, "little")
    header = file.read(min(length, MAX_HEADER_BYTES))
    if not header.startswith(b"{"):
        what = next((what for magic, what in _OF_OTHERS.items() if start.startswith(magic)), "")
        raise DamagedError(f"{path} is {what or 'no safetensors file'}: nettool reads only what it wrote itself.")
    if len(header) < length:
        raise DamagedError(f"{path} is no intact safetensors file: it ends in its header, or that is too long.")
    if not is_moderate(header):
        raise DamagedError(f"{path} is no intact safetensors file (its header holds too much).")
    return header


def _length_of_tensors(header: bytes, path: Path) -> int:
    """Bytes behind the header: where the last tensor ends."""
    try:
        table = json.loads(header)
        ends = [table[name]["data_offsets"][1] for name in table if name != "__metadata__"]
        return int(max(ends, default=0))
    except (KeyError, ValueError, TypeError, IndexError, OverflowError, RecursionError):
        raise DamagedError(f"{path} is no intact safetensors file (its header cannot be understood).") from None


def _check_size(header: bytes, path: Path) -> None:
    if len(header) > MAX_HEADER_BYTES or not is_moderate(header):
        raise RunError(
            f"{path}: the fitted encoders take {len(header):,} bytes, more than a checkpoint holds "
            f"({MAX_HEADER_BYTES:,} bytes, {MAX_JSON_VALUES:,} values). Is there a column of names or numbers of which "
            "each row has its own? Set it to ignore."
        )
