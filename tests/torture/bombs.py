"""Row 6: small files that ask for a lot take neither time nor memory."""

from __future__ import annotations

import gzip
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests.torture.lab import Lab
from tests.torture.strangers import Stranger, lay_out

MOST_SECONDS = 2.0
MOST_MEBIBYTES = 64


def bombs(folder: Path) -> Iterator[Stranger]:
    """Small files that ask for a lot."""
    check = ("check", "bomb.yaml")
    config = (folder / "table.yaml").read_text()
    aliases = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9) if n else 'x'}]\n" for n in range(12))
    yield "an alias bomb", check, {"bomb.yaml": (aliases + config).encode()}
    yield "brackets 3,000 deep", check, {"bomb.yaml": ("layers: " + "[" * 3000 + "]" * 3000).encode()}
    yield "mappings 3,000 deep", check, {"bomb.yaml": ("layers: " + "{a: " * 3000 + "}" * 3000).encode()}
    blocks = "\n".join(" " * depth + "a:" for depth in range(3000))
    yield "blocks 3,000 deep", check, {"bomb.yaml": blocks.encode()}
    yield "a number of 5,000 digits", check, {"bomb.yaml": (config + "seed: " + "9" * 5000).encode()}
    yield "a hundred thousand layers", check, {"bomb.yaml": (config + "  - dense: 1\n" * 100_000).encode()}
    yield "a config of 40 MB", check, {"bomb.yaml": b"#" * 40_000_000}
    yield "an override that is deep", ("check", "table.yaml", "layers=" + "[" * 3000), {}
    yield "repeats of repeats", ("check", "table.yaml", _repeats()), {}
    yield "a layer of 10 TB", ("check", "table.yaml", "layers=[{dense: 1000000}, {dense: 1000000}, output]"), {}
    yield "an embedding of 10 TB", ("check", "table.yaml", "layers.0.units=9999999999999"), {}
    train = ("train", "table.yaml", "--quiet", "data.path=bomb.npz", "data.target=y")
    yield "an array of 12 TB", train, {"bomb.npz": _claims((1_500_000_000_000,))}
    yield "a table of 12 TB", train, {"bomb.npz": _claims((1_500_000, 1_000_000))}
    yield "a zip bomb", train, {"bomb.npz": _zeros()}
    yield (
        "a gzip bomb",
        ("train", "table.yaml", "data.path=bomb.csv.gz"),
        {"bomb.csv.gz": gzip.compress(bytes(500_000_000), 6)},
    )
    image = ("train", "table.yaml", "data={path: pictures}")
    yield "an image of 10 gigapixels", image, {"pictures/a/x.png": _png(100_000), "pictures/b/x.png": _png(100_000)}
    idx = ("train", "table.yaml", "data={path: train-images-idx3-ubyte}")
    yield (
        "images of 12 TB",
        idx,
        {
            "train-images-idx3-ubyte": struct.pack(">IIII", 0x803, 4_000_000_000, 60, 50) + bytes(99),
            "train-labels-idx1-ubyte": struct.pack(">II", 0x801, 4_000_000_000) + bytes(99),
        },
    )
    weights = ("eval", "bomb.safetensors")
    yield "a header of exabytes", weights, {"bomb.safetensors": (1 << 62).to_bytes(8, "little") + b"{}"}
    yield "a deep header", weights, {"bomb.safetensors": _header(b'{"a":' + b"[" * 200_000)}
    yield "a header of lists", weights, {"bomb.safetensors": _header(b'{"a":[' + b"[]," * 5_000_000 + b"[]]}")}
    facts = b'{"__metadata__":{"nettool":"%s"}}'
    yield "deep facts", weights, {"bomb.safetensors": _header(facts % (b"[" * 200_000))}
    yield "facts with a number of 5,000 digits", weights, {"bomb.safetensors": _header(facts % (b"9" * 5000))}
    yield (
        "a tensor of 12 TB",
        weights,
        {
            "bomb.safetensors": _header(
                b'{"a":{"dtype":"F64","shape":[1500000000000],"data_offsets":[0,12000000000000]}}'
            )
        },
    )
    yield "deep json lines", ("train", "table.yaml", "data.path=bomb.jsonl"), {"bomb.jsonl": b'{"a":' + b"[" * 100_000}
    run = {"uncut/run.json": b"[" * 200_000}
    yield "a deep record", ("runs", "show", "uncut"), run


def _repeats() -> str:
    inner = "{dense: 1}"
    for _ in range(8):
        inner = f"{{repeat: {{times: 1000, layers: [{inner}]}}}}"
    return f"layers=[{inner}, output]"


def _header(header: bytes) -> bytes:
    return len(header).to_bytes(8, "little") + header


def _claims(shape: tuple[int, ...]) -> bytes:
    """An npz whose array says that it is larger than it is."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": shape})  # type: ignore[no-untyped-call]
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("x.npy", header.getvalue() + bytes(800))
    return file.getvalue()


def _zeros() -> bytes:
    """An npz of 4 GB that is 4 MB."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (500_000_000,)})  # type: ignore[no-untyped-call]
    file = io.BytesIO()
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive,
        archive.open("x.npy", "w", force_zip64=True) as member,
    ):
        member.write(header.getvalue())
        for _ in range(400):
            member.write(bytes(10_000_000))
    return file.getvalue()


def _png(side: int) -> bytes:
    """A PNG that says how large it is, and holds a little of it."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1_000_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def defuse_bombs(lab: Lab) -> None:
    """Each is refused in two seconds of processor time and 64 MiB above what was there."""
    folder = lab.case("table")
    for what, arguments, files in bombs(folder):
        place = lay_out(folder, files)
        with lab.point(what):
            measured = folder / "measured"
            measured.unlink(missing_ok=True)
            result = lab.run(place, *arguments, measure=str(measured))
            assert result.code == 2, (result.code, result.err)
            assert "Traceback" not in result.err, result.err
            cost = json.loads(measured.read_text())
            assert cost["seconds"] <= MOST_SECONDS, f"{cost['seconds']:.1f} s"
            assert cost["mebibytes"] <= MOST_MEBIBYTES, f"{cost['mebibytes']:.0f} MiB"
