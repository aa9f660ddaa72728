"""Folders of images: which files count, and what their pixels become."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from pictures import COLOUR, RAMP, decode_one, refused, save
from PIL import Image

from nettool.data.image_files import decode_images, list_class_folders

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
    assert refused(lambda: list_class_folders(tmp_path), tmp_path) == f".: there is no folder in it. {shown}"
    save(tmp_path / "1.png", RAMP)
    assert ".: there is 1 image, but no folder in it. Cure: a folder" in refused(
        lambda: list_class_folders(tmp_path), tmp_path
    )


def test_class_folders_without_an_image_are_named(tmp_path: Path) -> None:
    save(tmp_path / "full" / "1.png", RAMP)
    for name in "abcdefg":
        (tmp_path / name).mkdir()
    (tmp_path / "a" / "x.txt").touch()
    said = refused(lambda: list_class_folders(tmp_path), tmp_path)
    assert said.startswith(
        "a, b, c, d, e, and 2 more: no image in a folder that stands for a class. Cure: images in it (.png,"
    )
    assert "or, if it is no class, another `data.path`" in said


def test_a_folder_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    said = refused(lambda: list_class_folders(tmp_path / "no"), tmp_path)
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
    said = refused(lambda: decode_one(tmp_path / "a.png"), tmp_path)
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
