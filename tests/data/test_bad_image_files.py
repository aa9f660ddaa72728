"""Files that are no images, or only half: every way in which they can be wrong is answered with their names."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import tempfile
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import RAMP, decode_one, refused, save
from PIL import Image

from nettool.data.image_files import decode_images, list_class_folders
from nettool.errors import DataError

# What is refused


def test_images_of_several_sizes_are_answered_with_two_of_them(tmp_path: Path) -> None:
    paths = [save(tmp_path / f"{i}.png", np.zeros(shape, np.uint8)) for i, shape in enumerate([(2, 3), (2, 3), (3, 2)])]
    assert refused(lambda: decode_images(paths, None, None), tmp_path) == (
        "the images are of several sizes: 0.png is 2 high and 3 wide, 2.png is 3 high and 2 wide. "
        "Cure: `data.image.size`, a number or [height, width], to which all are scaled."
    )
    assert decode_images(paths, (2, 2), None).shape == (3, 1, 2, 2)


def encoded(image: np.ndarray, kind: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind)
    return file.getvalue()


def png_of_size(width: int, height: int, name: bytes = b"IDAT") -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = zlib.compress(b"\0" * 99)
    chunks = [(b"IHDR", header), (b"IDAT", data[:4]), (name, data[4:]), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*content) for content in chunks)


NOISE = np.random.default_rng(0).integers(0, 256, (50, 50, 3), np.uint8)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no image of a kind that nettool reads (PNG, JPEG, BMP, GIF, TIFF, WEBP, PPM), or a damaged one"),
        (b"hello", "no image of a kind that nettool reads"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no image of a kind that nettool reads"),
        (encoded(NOISE, "ICO"), "no image of a kind that nettool reads"),
        (encoded(NOISE, "PNG")[:3000], "a damaged image ("),
        (
            encoded(NOISE, "PNG").replace(encoded(NOISE, "PNG")[3000:3030], b"\xff" * 30),
            "a damaged image (broken data stream",
        ),
        (encoded(NOISE, "JPEG")[:800], "a damaged image (image file is truncated"),
        (encoded(NOISE, "GIF")[:1500], "a damaged image (image file is truncated"),
        (encoded(NOISE, "BMP")[:3000], "a damaged image (image file is truncated"),
        (
            encoded(np.zeros((50, 50), np.float32), "TIFF"),
            "its pixels are numbers without a known white; save it with 8",
        ),
        (encoded(np.zeros((50, 50), np.int32), "TIFF"), "its pixels are numbers without a known white; save it with 8"),
        (png_of_size(50, 50, b"c\xb8\x9c\xb4"), "a damaged image (broken PNG file (chunk b'c\\xb8\\x9c\\xb4'))"),
        (png_of_size(10_000, 10_000), "declares more pixels than a file can be trusted with (89,478,485)"),
        (png_of_size(60_000, 60_000), "declares more pixels than a file can be trusted with (89,478,485)"),
    ],
)
@pytest.mark.parametrize("size", [None, (4, 4)])
def test_a_file_that_cannot_be_read_is_named_with_the_reason(
    tmp_path: Path, content: bytes, reason: str, size: tuple[int, int] | None
) -> None:
    (tmp_path / "bad.png").write_bytes(content)
    paths = [save(tmp_path / "good.png", NOISE), tmp_path / "bad.png"]
    for channels in (None, 3):
        said = refused(lambda: decode_images(paths, size, channels), tmp_path)  # noqa: B023
        assert said.startswith("bad.png: ")
        assert reason in said
        assert said.endswith(". Cure: replace the file, or delete it.")


def test_of_many_files_that_cannot_be_read_five_are_named(tmp_path: Path) -> None:
    paths = [tmp_path / f"{i:02}.png" for i in range(70)]
    for index, path in enumerate(paths):
        if index % 10:
            save(path, RAMP)
    assert refused(lambda: decode_images(paths, (2, 2), 1), tmp_path) == (
        "7 of 70 images cannot be read:\n"
        "  00.png: cannot be read: No such file or directory\n"
        "  10.png: cannot be read: No such file or directory\n"
        "  20.png: cannot be read: No such file or directory\n"
        "  30.png: cannot be read: No such file or directory\n"
        "  40.png: cannot be read: No such file or directory\n"
        "  and 2 more\n"
        "Cure: replace the files, or delete them."
    )


def test_names_of_files_cannot_steer_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "\x1b[31m.png").write_bytes(b"x")
    said = refused(lambda: decode_images([path for path, _ in list_class_folders(tmp_path)], None, None), tmp_path)
    assert said.startswith(r"a/\x1b[31m.png: no image")


@given(
    st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM"]),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=6),
    st.integers(1, 10_000),
)
@settings(max_examples=150)
def test_a_damaged_file_is_decoded_or_refused_and_nothing_else(
    kind: str, changes: list[tuple[int, int]], length: int
) -> None:
    content = bytearray(encoded(NOISE[:9, :7], kind))
    for place, value in changes:
        content[place % len(content)] = value
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.png")
        path.write_bytes(content[: max(1, length % (2 * len(content)))])
        for size in (None, (5, 5)):
            try:
                assert decode_images([path], size, None).dtype == np.uint8
            except DataError as error:
                assert str(path) in str(error) or "of memory" in str(error)


def test_warnings_about_metadata_are_kept_from_the_user(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpg", NOISE, exif=b"Exif\0\0II*\0\x08\0\0\0\x09\0")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decode_one(path).shape == (3, 50, 50)


def test_no_reader_is_loaded_that_starts_other_programs(tmp_path: Path) -> None:
    paths = [save(tmp_path / "a.tif", RAMP), save(tmp_path / "a.webp", RAMP), save(tmp_path / "a.png", RAMP)]
    code = """
import sys
from pathlib import Path
from nettool.data.image_files import decode_images
decode_images([Path(name) for name in sys.argv[1:]], None, None)
print([name for name in sys.modules if "Eps" in name or name == "torch"])
"""
    command = [sys.executable, "-c", code, *map(str, paths)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    assert shown.stdout == "[]\n"


# Memory


def test_images_that_fit_into_no_memory_are_refused_after_their_headers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png_of_size(9000, 9000))
    monkeypatch.setattr("nettool.memory.free_bytes", lambda: 2_000_000_000)
    said = refused(lambda: decode_images([path] * 100, None, None), tmp_path)
    assert said == (
        "100 images, 9000 high and 9000 wide: needs 8.1 GB of memory, but 2.0 GB are free. "
        "Cure: a smaller `data.image.size`, or fewer images."
    )
