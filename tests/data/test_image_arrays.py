"""Arrays of images in an npz: what is read, and every way in which a file can be wrong."""

from __future__ import annotations

import io
import pickle
import tempfile
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nettool.data.image_arrays import BLOCK_BYTES, has_images, read_image_arrays
from nettool.errors import DataError

X = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
Y = np.array([0, 1])
MOST = 5_000_000
"""Bytes that a refusal may take, where the file promises far more."""


def member(shape: tuple[int, ...], content: bytes, kind: str = "|u1") -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": kind, "fortran_order": False, "shape": shape})
    return file.getvalue() + content


def with_header(text: bytes) -> bytes:
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def zipped(path: Path, compression: int = zipfile.ZIP_STORED, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


def saved(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def refusal(path: Path, features: str = "x") -> str:
    with pytest.raises(DataError) as caught:
        read_image_arrays(path, features)
    return str(caught.value).removeprefix(f"{path}: ")


# What is read


@given(
    st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 5)),
    st.sampled_from([(), (1,), (3,)]),
    st.sampled_from(["u1", "<f4", ">f8", "<f2"]),
    st.booleans(),
    st.sampled_from([np.savez, np.savez_compressed]),
    st.integers(0, 2**31),
)
@settings(max_examples=100)
def test_images_come_back_with_their_channels_first(
    shape: tuple[int, ...], channels: tuple[int, ...], kind: str, fortran: bool, save: Any, seed: int
) -> None:
    images = np.random.default_rng(seed).integers(0, 256, shape + channels, np.uint8)
    written = images if kind == "u1" else (images / 255).astype(kind)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "t.npz")
        save(path, x=np.asfortranarray(written) if fortran else written, y=np.arange(shape[0]))
        assert has_images(path)
        pixels, table = read_image_arrays(path)
    expected = images.reshape(shape + (channels or (1,)))
    np.testing.assert_array_equal(pixels, np.moveaxis(expected, 3, 1))
    assert (pixels.dtype, pixels.flags.c_contiguous) == (np.uint8, True)
    assert table.to_pydict() == {"y": list(range(shape[0]))}


@pytest.mark.parametrize("kind", [np.uint8, np.float64])
def test_images_of_more_than_one_block_come_back(tmp_path: Path, kind: Any) -> None:
    size = BLOCK_BYTES // 8 // 3 // 20**2
    images = np.random.default_rng(0).integers(0, 256, (3 * size, 20, 20, 3), np.uint8)
    written = images if kind == np.uint8 else images / 255
    pixels, _ = read_image_arrays(saved(tmp_path / "t.npz", x=written))
    np.testing.assert_array_equal(pixels, np.moveaxis(images, 3, 1))


@pytest.mark.parametrize("array", [np.ascontiguousarray, np.asfortranarray])
def test_images_are_never_in_memory_twice_unless_they_are_stored_crosswise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, array: Any
) -> None:
    monkeypatch.setattr("nettool.data.image_arrays.BLOCK_BYTES", 1 << 20)
    images = np.random.default_rng(0).integers(0, 256, (10_000, 30, 30), np.uint8)
    path = saved(tmp_path / "t.npz", x=array(images))
    tracemalloc.start()
    pixels, _ = read_image_arrays(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(pixels[:, 0], images)
    assert peak < 13_000_000 or array is np.asfortranarray


def test_a_header_may_have_any_length(tmp_path: Path) -> None:
    header = with_header(b"{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3, 4)}")
    pixels, _ = read_image_arrays(zipped(tmp_path / "t.npz", x=header + X.tobytes()))
    np.testing.assert_array_equal(pixels[:, 0], X)


def test_the_other_arrays_are_the_columns_of_the_table(tmp_path: Path) -> None:
    day = np.array(["2026-01-31", "NaT"], "datetime64[D]")
    path = saved(tmp_path / "t.npz", names=np.array(["a", "é"]), x=X, w=np.array([0.5, 2]), day=day, ok=Y > 0)
    pixels, table = read_image_arrays(path)
    assert pixels.shape == (2, 1, 3, 4)
    assert table.select(["names", "w", "ok"]).to_pydict() == {"names": ["a", "é"], "w": [0.5, 2], "ok": [False, True]}
    assert [str(day) for day in table["day"].to_pylist()] == ["2026-01-31", "None"]


def test_the_images_may_have_another_name_and_come_alone(tmp_path: Path) -> None:
    path = saved(tmp_path / "t.npz", pictures=X)
    assert not has_images(path)
    assert has_images(path, "pictures")
    pixels, table = read_image_arrays(path, "pictures")
    assert (pixels.shape, table.num_columns) == ((2, 1, 3, 4), 0)


def test_images_are_told_from_tables_and_from_everything_else(tmp_path: Path) -> None:
    assert has_images(saved(tmp_path / "three.npz", x=X))
    assert has_images(saved(tmp_path / "four.npz", x=X[..., None], y=Y))
    assert not has_images(saved(tmp_path / "table.npz", x=X[0], y=X))
    assert not has_images(saved(tmp_path / "five.npz", x=X[None, None]))
    assert not has_images(tmp_path / "missing.npz")
    assert not has_images(tmp_path)
    for name, content in (("t.csv", b"x\n1\n"), ("t.npz", b"PK\x03\x04"), ("p.npz", pickle.dumps(X))):
        (tmp_path / name).write_bytes(content)
        assert not has_images(tmp_path / name)
    assert not has_images(zipped(tmp_path / "junk.npz", x=with_header(b"(((((")))
    assert not has_images(zipped(tmp_path / "text.npz", x=b"hello"))


def test_only_headers_are_read_to_tell_images(tmp_path: Path) -> None:
    assert has_images(zipped(tmp_path / "cut.npz", x=member((1000, 28, 28), b"")))


# What is refused


@pytest.mark.parametrize(
    ("arrays", "text"),
    [
        ({"a": X, "b": Y}, 'there is no array "x". There are: "a" (2, 3, 4), "b" (2,). Cure: save the images under that name, numpy.savez(path, x=..., y=...).'),
        ({"x": Y}, 'array "x" (2,) is no array of images. Their shape is (number, height, width) or (number, height, width, channels) with 1 or 3 channels. Cure: numpy.reshape.'),
        ({"x": X[None, None]}, 'array "x" (1, 1, 2, 3, 4) is no array of images.'),
        ({"x": X[:0]}, 'array "x" (0, 3, 4) is no array of images. It holds not a single pixel. Cure: a file with data.'),
        ({"x": np.zeros((5, 3, 8, 9), np.uint8)}, "the channels last. Cure: numpy.moveaxis(array, 1, -1)."),
        ({"x": np.zeros((5, 8, 9, 4), np.uint8)}, "a fourth tells what is transparent. Cure: lay the images over a colour, and save three."),
        ({"x": np.zeros((5, 8, 9, 7), np.uint8)}, "with 1 or 3 channels. Cure: save that many."),
        ({"x": X.astype(np.int64)}, 'array "x" is of type int64. Images are bytes from 0 to 255, or floats from 0 to 1. Cure: save it with .astype(numpy.uint8).'),
        ({"x": X > 3}, 'array "x" is of type bool.'),
        ({"x": X / 10}, 'array "x" holds floats from 0 to 2.3. As floats, black is 0 and white is 1. Cure: save them as bytes from 0 to 255, with'),
        ({"x": X / 23 - 0.5}, 'array "x" holds floats from -0.5 to 0.5.'),
        ({"x": np.where(X == 3, np.nan, X / 23)}, 'array "x" holds floats from nan to nan.'),
        ({"x": X, "y": np.arange(3)}, 'the arrays differ in length: "x" has 2 images, "y" has 3 values. Cure: one value for each image.'),
        ({"x": X, "x_test": X}, 'array "x_test" (2, 3, 4) cannot stand beside the images "x" (2, 3, 4): one value belongs to each image. Cure: one 1-D array for each column; another split in a file of its own.'),
        ({"x": X, "y": Y[:, None]}, 'array "y" (2, 1) cannot stand beside the images'),
        ({"x": X, "y": np.array([1j, 2])}, 'array "y" is of type complex128. Cure: an array of numbers, text or dates.'),
        ({"x": np.array([X[0], X[1][:2], None], object)}, 'array "x" holds Python objects, which are pickled; nettool unpickles nothing.'),
        ({"x": X, "y": np.array([{}, 1])}, 'array "y" holds Python objects, which are pickled'),
    ],
)  # fmt: skip
def test_arrays_that_are_no_images_are_answered_with_the_cure(
    tmp_path: Path, arrays: dict[str, np.ndarray], text: str
) -> None:
    assert text in refusal(saved(tmp_path / "t.npz", **arrays))


def test_a_late_float_outside_of_zero_to_one_is_found(tmp_path: Path) -> None:
    images = np.zeros((BLOCK_BYTES // 8 // 100 + 5, 10, 10))
    images[-1, -1, -1] = 200
    assert 'array "x" holds floats from 0 to 200.' in refusal(saved(tmp_path / "t.npz", x=images))


def test_no_object_is_ever_unpickled(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "sprung",)

    content = pickle.dumps(np.array([Trap()], object))
    for name in ("x", "y"):
        members = {"x": member((1, 1, 1), b"0"), "y": member((1,), b"0"), name: member((1,), content, "|O")}
        assert "nettool unpickles nothing" in refusal(zipped(tmp_path / "t.npz", **members))
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("shape", [(10**4, 10**4, 10**4), (3, 10**6, 10**3, 1)])
def test_a_lying_header_allocates_nothing(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = zipped(tmp_path / "t.npz", x=member(shape, b"12345678"))
    tracemalloc.start()
    said = refusal(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert f'array "x" is said to have the shape {shape}, ' in said
    assert said.endswith(" bytes, but holds 136. The file is damaged.")
    assert peak < MOST


def test_files_made_to_fill_the_memory_are_refused(tmp_path: Path) -> None:
    zeros = member((40, 1000, 1000), bytes(40_000_000))
    path = zipped(tmp_path / "t.npz", zipfile.ZIP_DEFLATED, x=zeros)
    assert "No table compresses like that" in refusal(path)
    endless = b"\x93NUMPY\x02\x00" + (40_000_000).to_bytes(4, "little") + b" " * 40_000_000
    path = zipped(tmp_path / "t.npz", zipfile.ZIP_DEFLATED, x=endless)
    tracemalloc.start()
    assert not has_images(path)
    assert "not an npz file, or a damaged one" in refusal(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < MOST


def test_what_fits_into_no_memory_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.zeros((10, 1000, 1000), np.uint8)
    path = saved(tmp_path / "t.npz", x=images, y=np.zeros(10))
    monkeypatch.setattr("nettool.memory.free_bytes", lambda: 20_000_079)
    tracemalloc.start()
    assert refusal(path) == (
        'array "x" (10, 1000, 1000): needs 0.02 GB of memory, but 0.02 GB are free. Cure: smaller or fewer images.'
    )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < MOST
    monkeypatch.setattr("nettool.memory.free_bytes", lambda: 20_000_080)
    assert read_image_arrays(path)[0].shape == (10, 1, 1000, 1000)


def test_two_arrays_of_one_name_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "t.npz", "w") as archive:
        archive.writestr("x.npy", member((1, 1, 1), b"0"))
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("x.npy", member((1, 1, 1), b"1"))
    assert refusal(tmp_path / "t.npz") == 'two arrays are called "x". Cure: rename one of them.'


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "not an npz file, or a damaged one (a pickle is never opened). Cure: write it with numpy.savez("),
        (pickle.dumps(X), "not an npz file, or a damaged one (a pickle is never opened)."),
    ],
)
def test_what_is_no_npz_is_refused(tmp_path: Path, content: bytes, text: str) -> None:
    (tmp_path / "t.npz").write_bytes(content)
    assert text in refusal(tmp_path / "t.npz")


@pytest.mark.parametrize(
    "content",
    [
        b"hello",
        member((-1, -1, 1), b"0"),
        with_header(b"((((("),
        with_header(b"{[]: 1}"),
        with_header(b"-" * 9_000 + b"1"),
        with_header(b" 1\n  2\n 3"),
        with_header(b"{'descr': ('|u1', (2, 'x')), 'fortran_order': False, 'shape': (1, 1, 1)}"),
    ],
)
def test_a_member_that_is_no_array_is_refused(tmp_path: Path, content: bytes) -> None:
    assert refusal(zipped(tmp_path / "t.npz", x=content)).startswith("not an npz file, or a damaged one (")


def test_names_from_a_file_cannot_steer_the_terminal(tmp_path: Path) -> None:
    assert r'There are: "\x1b[31m" (2, 3, 4).' in refusal(saved(tmp_path / "t.npz", **{"\x1b[31m": X}))


@given(
    st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=4),
)
@settings(max_examples=200)
def test_a_damaged_file_is_read_or_refused_and_nothing_else(compression: int, changes: list[tuple[int, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = zipped(Path(folder, "t.npz"), compression, x=member((2, 3, 4), X.tobytes()), y=member((2,), b"01"))
        content = bytearray(path.read_bytes())
        for place, value in changes:
            content[place % len(content)] = value
        path.write_bytes(content)
        has_images(path)
        try:
            pixels, _ = read_image_arrays(path)
        except DataError as error:
            assert str(error).startswith(f"{path}: ")
        else:
            assert pixels.dtype == np.uint8
