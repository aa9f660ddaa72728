"""Folders of images: which files count, what their pixels become, and every way in which a file can be wrong."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import tempfile
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from nettool.data.image_files import decode_images, list_class_folders
from nettool.data.memory import check_memory
from nettool.errors import DataError

RAMP = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
COLOUR = np.random.default_rng(0).integers(0, 256, (3, 4, 3), np.uint8)


def save(path: Path, image: Image.Image | np.ndarray, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    image.save(path, **options)
    return path


def decode_one(path: Path, size: tuple[int, int] | None = None, channels: int | None = None) -> np.ndarray:
    return decode_images([path], size, channels)[0]


def refusal(call: Callable[[], object], folder: Path) -> str:
    with pytest.raises(DataError) as caught:
        call()
    return str(caught.value).replace(f"{folder}/", "").replace(str(folder), ".")


# Folders


def test_every_image_under_a_class_folder_is_listed_by_class_and_path(tmp_path: Path) -> None:
    for name in ("dog/b.PNG", "dog/a.jpeg", "cat/x/2.webp", "cat/x/10.tif", "cat/1.bmp", "cat/notes.txt", "readme.md"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for name in (".git/a.png", "cat/.thumbs/a.png", "cat/.hidden.png", "loose.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    listed = [(str(path.relative_to(tmp_path)), label) for path, label in list_class_folders(tmp_path)]
    assert listed == [
        ("cat/1.bmp", "cat"),
        ("cat/x/10.tif", "cat"),
        ("cat/x/2.webp", "cat"),
        ("dog/a.jpeg", "dog"),
        ("dog/b.PNG", "dog"),
    ]


def test_folders_that_link_to_themselves_are_listed_once(tmp_path: Path) -> None:
    save(tmp_path / "a" / "1.png", RAMP)
    (tmp_path / "a" / "again").symlink_to(tmp_path / "a")
    assert len(list_class_folders(tmp_path)) == 1


def test_a_folder_without_class_folders_is_answered_with_the_layout(tmp_path: Path) -> None:
    shown = "Cure: a folder for each class with its images in it, as in cat/1.png and dog/1.png."
    assert refusal(lambda: list_class_folders(tmp_path), tmp_path) == f".: there is no folder in it. {shown}"
    save(tmp_path / "1.png", RAMP)
    assert ".: there is 1 image, but no folder in it. Cure: a folder" in refusal(
        lambda: list_class_folders(tmp_path), tmp_path
    )


def test_class_folders_without_an_image_are_named(tmp_path: Path) -> None:
    save(tmp_path / "full" / "1.png", RAMP)
    for name in "abcdefg":
        (tmp_path / name).mkdir()
    (tmp_path / "a" / "x.txt").touch()
    said = refusal(lambda: list_class_folders(tmp_path), tmp_path)
    assert said.startswith("a, b, c, d, e, and 2 more: no image in a folder that stands for a class. Cure: delete the")


def test_a_folder_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    said = refusal(lambda: list_class_folders(tmp_path / "no"), tmp_path)
    assert said == "no: cannot be read: No such file or directory."


# Pixels


@pytest.mark.parametrize("suffix", ["png", "bmp", "gif", "tif", "tiff", "webp", "ppm", "pgm"])
def test_grey_and_colour_pixels_come_out_of_every_lossless_format(tmp_path: Path, suffix: str) -> None:
    options = {"lossless": True} if suffix == "webp" else {}
    path = save(tmp_path / f"grey.{suffix}", RAMP, **options)
    np.testing.assert_array_equal(decode_one(path, channels=1)[0], RAMP)
    if suffix not in ("gif", "pgm"):
        path = save(tmp_path / f"colour.{suffix}", COLOUR, **options)
        np.testing.assert_array_equal(decode_one(path), COLOUR.transpose(2, 0, 1))


def test_jpeg_comes_out_nearly(tmp_path: Path) -> None:
    smooth = np.broadcast_to(np.array([200, 100, 50], np.uint8), (16, 24, 3))
    found = decode_one(save(tmp_path / "a.jpg", smooth.copy(), quality=95))
    assert np.abs(found.astype(int) - smooth.transpose(2, 0, 1)).max() <= 3


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.fromarray(RAMP > 100), np.where(RAMP > 100, 255, 0)[None]),
        (Image.fromarray(RAMP.astype(np.uint16) * 257), RAMP[None]),
        (Image.fromarray(COLOUR).quantize(256, dither=Image.Dither.NONE), COLOUR.transpose(2, 0, 1)),
        (Image.fromarray(RAMP).convert("RGB").convert("P", palette=Image.Palette.ADAPTIVE), RAMP[None]),
    ],
)
def test_other_kinds_of_pixels_become_bytes(tmp_path: Path, image: Image.Image, expected: np.ndarray) -> None:
    np.testing.assert_array_equal(decode_one(save(tmp_path / "a.png", image)), expected)


@pytest.mark.parametrize("kind", [">u2", "<u2"])
def test_sixteen_bits_become_eight_by_rounding(tmp_path: Path, kind: str) -> None:
    values = np.array([[0, 127, 128, 129], [385, 386, 65535, 65000]])
    (tmp_path / "a.pgm").write_bytes(b"P5 4 2 65535\n" + values.astype(">u2").tobytes())
    expected = [[0, 0, 0, 1], [1, 2, 255, 253]]
    assert decode_one(tmp_path / "a.pgm")[0].tolist() == expected
    image = Image.frombytes("I;16" if kind == "<u2" else "I;16B", (4, 2), values.astype(kind).tobytes())
    assert decode_one(save(tmp_path / "a.tif", image))[0].tolist() == expected


def test_cmyk_becomes_colour(tmp_path: Path) -> None:
    cyan = Image.new("CMYK", (8, 8), (255, 0, 0, 0))
    found = decode_one(save(tmp_path / "a.tif", cyan))
    assert found[:, 0, 0].tolist() == [0, 255, 255]


def test_what_is_transparent_lies_over_white(tmp_path: Path) -> None:
    clear = Image.new("RGBA", (3, 1), (0, 0, 0, 0))
    clear.putpixel((1, 0), (255, 0, 0, 255))
    clear.putpixel((2, 0), (0, 0, 0, 128))
    found = decode_one(save(tmp_path / "a.png", clear))
    assert found[:, 0].T.tolist() == [[255, 255, 255], [255, 0, 0], [127, 127, 127]]
    grey = Image.merge("LA", [Image.new("L", (1, 1), 10), Image.new("L", (1, 1), 0)])
    assert decode_one(save(tmp_path / "b.png", grey)).tolist() == [[[255]]]
    path = save(tmp_path / "c.png", np.array([[7, 8]], np.uint8), transparency=7)
    assert decode_one(path).tolist() == [[[255, 8]]]
    palette = Image.fromarray(COLOUR).quantize(256, dither=Image.Dither.NONE)
    path = save(tmp_path / "d.gif", palette, transparency=palette.getpixel((0, 0)))
    assert decode_one(path)[:, 0, :2].T.tolist() == [[255, 255, 255], COLOUR[0, 1].tolist()]


def test_channels_are_three_if_one_image_has_colour(tmp_path: Path) -> None:
    grey, colour = save(tmp_path / "a.png", RAMP), save(tmp_path / "b.png", COLOUR)
    assert decode_images([grey, grey], None, None).shape == (2, 1, 3, 4)
    both = decode_images([grey, colour], None, None)
    np.testing.assert_array_equal(both, [np.stack([RAMP] * 3), COLOUR.transpose(2, 0, 1)])
    luma = np.round(COLOUR @ [0.299, 0.587, 0.114])
    assert np.abs(decode_one(colour, channels=1)[0] - luma).max() <= 1


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "packed.tif", "webp"])
@pytest.mark.parametrize("size", [None, (4, 3)])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_stand_upright(tmp_path: Path, suffix: str, size: tuple[int, int] | None, orientation: int) -> None:
    upright = np.zeros((4, 3), np.uint8)
    upright[0] = 200
    upright[0, 0] = 255
    stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1], 5: upright.T,
        6: np.rot90(upright), 7: upright[::-1, ::-1].T, 8: np.rot90(upright, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"jpg": {"quality": 100}, "webp": {"lossless": True}, "packed.tif": {"compression": "tiff_lzw"}}.get(
        suffix, {}
    )
    path = save(tmp_path / f"a.{suffix}", np.ascontiguousarray(stored), exif=exif, **options)
    np.testing.assert_allclose(decode_one(path, size, 1)[0], upright, atol=4)


def test_pixels_whose_metadata_are_damaged_are_read(tmp_path: Path) -> None:
    odd = b"MM\0*\0\0\0\x08\0\2\1\7\0\2\0\0\0\6\0\0\0&\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0hello\0"
    for data, shape in ((b"M\xff" + odd[2:], (3, 4)), (odd[:20], (3, 4)), (odd, (4, 3))):
        path = save(tmp_path / "a.webp", RAMP, exif=data, lossless=True)
        assert decode_one(path, channels=1)[0].shape == shape
        assert decode_one(path, (4, 3), 1)[0, 0, 0] == RAMP[2 if shape == (4, 3) else 0, 0]


def test_an_image_that_only_turns_out_to_lie_on_its_side_is_not_squeezed(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    content = save(tmp_path / "a.png", RAMP, exif=exif).read_bytes()
    begin = content.index(b"eXIf") - 4
    (length,) = struct.unpack_from(">I", content, begin)
    late = content[begin : begin + 12 + length]
    end = content.index(b"IEND") - 4
    (tmp_path / "a.png").write_bytes(content[:begin] + content[begin + len(late) : end] + late + content[end:])
    said = refusal(lambda: decode_one(tmp_path / "a.png"), tmp_path)
    assert said.startswith("a.png: a damaged image (its header says (3, 4) pixels, but it holds (4, 3)).")
    assert decode_one(tmp_path / "a.png", (4, 3)).shape == (1, 4, 3)


def test_scaling_is_antialiased_and_may_change_the_proportions(tmp_path: Path) -> None:
    stripes = np.zeros((64, 64), np.uint8)
    stripes[:, ::2] = 255
    found = decode_one(save(tmp_path / "a.png", stripes), (16, 8))[0]
    assert found.shape == (16, 8)
    assert np.abs(found.astype(int) - 127).max() <= 5
    halves = np.zeros((64, 64), np.uint8)
    halves[32:] = 255
    found = decode_one(save(tmp_path / "b.png", halves), (4, 6))[0]
    assert (found[:1] < 10).all()
    assert (found[3:] > 245).all()


def test_a_large_jpeg_is_scaled_like_the_same_png(tmp_path: Path) -> None:
    y, x = np.mgrid[:600, :400]
    photo = np.stack([x * 255 / 400, y * 255 / 600, 127 + 120 * np.sin(x / 40)], axis=2).astype(np.uint8)
    jpeg, png = save(tmp_path / "a.jpg", photo, quality=98), save(tmp_path / "a.png", photo)
    found = decode_images([jpeg, png], (20, 30), None).astype(int)
    assert np.abs(found[0] - found[1]).max() <= 4


def test_the_order_is_that_of_the_paths(tmp_path: Path) -> None:
    paths = [save(tmp_path / f"{i}.png", np.full((i % 7 + 1, 2), i, np.uint8)) for i in range(150)]
    order = np.random.default_rng(0).permutation(150)
    found = decode_images([paths[i] for i in order], (1, 1), 1)
    assert found.shape == (150, 1, 1, 1)
    assert found[:, 0, 0, 0].tolist() == order.tolist()


def test_of_an_animation_the_first_picture_counts(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.full((2, 2), value, np.uint8)) for value in (50, 200)]
    path = save(tmp_path / "a.gif", frames[0], save_all=True, append_images=frames[1:])
    assert (decode_one(path) == 50).all()


# What is refused


def test_images_of_several_sizes_are_answered_with_two_of_them(tmp_path: Path) -> None:
    paths = [save(tmp_path / f"{i}.png", np.zeros(shape, np.uint8)) for i, shape in enumerate([(2, 3), (2, 3), (3, 2)])]
    assert refusal(lambda: decode_images(paths, None, None), tmp_path) == (
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
        said = refusal(lambda: decode_images(paths, size, channels), tmp_path)  # noqa: B023
        assert said.startswith("bad.png: ")
        assert reason in said
        assert said.endswith(". Cure: replace the file, or delete it.")


def test_of_many_files_that_cannot_be_read_five_are_named(tmp_path: Path) -> None:
    paths = [tmp_path / f"{i:02}.png" for i in range(70)]
    for index, path in enumerate(paths):
        if index % 10:
            save(path, RAMP)
    assert refusal(lambda: decode_images(paths, (2, 2), 1), tmp_path) == (
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
    said = refusal(lambda: decode_images([path for path, _ in list_class_folders(tmp_path)], None, None), tmp_path)
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
    monkeypatch.setattr("nettool.data.memory._free_bytes", lambda: 2_000_000_000)
    said = refusal(lambda: decode_images([path] * 100, None, None), tmp_path)
    assert said == (
        "100 images, 9000 high and 9000 wide: needs 8.1 GB of memory, but 2.0 GB are free. "
        "Cure: a smaller `data.image.size`, or fewer examples (`data.limit`)."
    )


def test_free_memory_is_the_least_of_the_machine_and_its_control_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = tmp_path / "groups"
    (groups / "slice" / "job").mkdir(parents=True)
    for name in ("MEMINFO", "OWN_GROUPS"):
        monkeypatch.setattr(f"nettool.data.memory.{name}", tmp_path / name)
    monkeypatch.setattr("nettool.data.memory.GROUPS", groups)
    (tmp_path / "MEMINFO").write_text("MemTotal: 99 kB\nMemAvailable:    50000000 kB\n")
    (tmp_path / "OWN_GROUPS").write_text("1:name=systemd:/x\n0::/slice/job\n")

    def free() -> str:
        with pytest.raises(DataError) as caught:
            check_memory(10**15, "t.npz: everything", "less")
        return str(caught.value)

    assert free() == "t.npz: everything: needs 1,000,000.0 GB of memory, but 51.2 GB are free. Cure: less."
    (groups / "slice" / "memory.max").write_text("8000000000\n")
    (groups / "slice" / "memory.current").write_text("6000000000\n")
    assert "but 2.0 GB are free" in free()
    (groups / "slice" / "memory.stat").write_text("anon 5\ninactive_file 1500000000\n")
    assert "but 3.5 GB are free" in free()
    (groups / "slice" / "job" / "memory.max").write_text("max\n")
    (groups / "slice" / "job" / "memory.current").write_text("6000000000\n")
    assert "but 3.5 GB are free" in free()
    (groups / "slice" / "job" / "memory.max").write_text("100000000\n")
    assert "but 0 GB are free" in free()


def test_a_machine_that_does_not_tell_what_is_free_counts_with_all_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MEMINFO", "OWN_GROUPS", "GROUPS"):
        monkeypatch.setattr(f"nettool.data.memory.{name}", tmp_path / "no")
    monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": 1000, "SC_PAGE_SIZE": 4096}.__getitem__)
    check_memory(4_096_000, "it fits")
    with pytest.raises(DataError, match=r"needs 0.0041 GB of memory, but 0.0041 GB are free"):
        check_memory(4_096_001, "it does not")
