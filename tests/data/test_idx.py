"""MNIST's format: what is read, and every way in which a file can be wrong."""

from __future__ import annotations

import gzip
import math
import struct
import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nettool.data.idx import find_idx, is_idx, labels_of, read_idx, read_idx_images
from nettool.errors import DataError


def header(*sizes: int, kind: int = 0x08) -> bytes:
    return struct.pack(f">BBBB{len(sizes)}I", 0, 0, kind, len(sizes), *sizes)


def idx(array: np.ndarray) -> bytes:
    return header(*array.shape) + array.tobytes()


def counting(*sizes: int) -> np.ndarray:
    return (np.arange(math.prod(sizes)) % 251).astype(np.uint8).reshape(sizes)


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)
    return path


def refusal(path: Path, limit: int | None = None) -> str:
    with pytest.raises(DataError) as caught:
        read_idx(path, limit)
    return str(caught.value).removeprefix(f"{path}: ")


def refusal_of_images(images: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_idx_images(images)
    return str(caught.value).replace(f"{images.parent}/", "")


# Arrays


@given(st.lists(st.integers(1, 6), min_size=1, max_size=4), st.booleans(), st.none() | st.integers(1, 7))
@settings(max_examples=60)
def test_any_array_of_bytes_comes_back_whole_or_its_first_items(
    sizes: list[int], packed: bool, limit: int | None
) -> None:
    array = counting(*sizes)
    with tempfile.TemporaryDirectory() as folder:
        found = read_idx(write(Path(folder, f"x-idx{len(sizes)}-ubyte{'.gz' * packed}"), idx(array)), limit)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, array[:limit])


def test_an_array_larger_than_one_reading_comes_back(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 256, (50, 300, 201), np.uint8)
    for name in ("x", "x.gz"):
        np.testing.assert_array_equal(read_idx(write(tmp_path / name, idx(array))), array)


def test_a_limit_reads_nothing_behind_it(tmp_path: Path) -> None:
    content = gzip.compress(idx(np.random.default_rng(0).integers(0, 256, (5000, 28, 28), np.uint8)))
    (tmp_path / "x.gz").write_bytes(content[: len(content) // 2])
    assert read_idx(tmp_path / "x.gz", limit=10).shape == (10, 28, 28)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "the file is empty."),
        (b"\0\0", "no IDX file: it begins with 00 00, and not with 00 00 08"),
        (b"PNG.....", "no IDX file: it begins with 50 4e 47 2e, and not with 00 00 08"),
        (b"\0\1\x08\x01....", "no IDX file: it begins with 00 01 08 01, and not with 00 00 08"),
        (b"\0\0\x07\x01....", "no IDX file: it begins with 00 00 07 01, and not with 00 00 08"),
        (gzip.compress(idx(counting(3)), mtime=0), "this is a gzip archive. Cure: let its name end in .gz"),
        (header(2, kind=0x0D) + bytes(8), "the header says float32. Of IDX files, nettool reads those of unsigned bytes."),
        (header() + b"x", "the header says 0 dimensions. The file is damaged. Cure: copy it again."),
        (header(*[1] * 40) + b"x", "the header says 40 dimensions. The file is damaged."),
        (header(7, 8)[:-1], "the file ends inside its header. Cure: copy it again."),
        (header(0, 28, 28), "the header says 0 x 28 x 28, which is not a single value. Cure: a file with data."),
        (header(5) + b"four", "the header says 5 bytes, but there are 4. The file is damaged. Cure: copy it again."),
        (
            header(1000, 2, 2) + b"12345",
            "the header says 1,000 x 2 x 2 bytes, 4,000 in all, but there are 5. The file is damaged.",
        ),
        (header(3) + b"four", "the header says 3 bytes, but there are 4."),
        (header(120_000, 10_000, 10_000) + b"x", "120,000 x 10,000 x 10,000 bytes, 12,000,000,000,000 in all, but there are 1."),
    ],
)  # fmt: skip
def test_a_file_that_is_wrong_is_answered_with_what_is_wrong(tmp_path: Path, content: bytes, text: str) -> None:
    assert text in refusal(write(tmp_path / "x-idx3-ubyte", content))


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "the file is empty."),
        (header(5) + b"four", "the header says 5 bytes, but there are 4. The file is damaged."),
        (header(3) + b"four", "the header says 3 bytes, but there are more. The file is damaged."),
        (header(120_000, 10_000, 10_000), "12,000,000,000,000 in all, but that many cannot be packed into the file's "),
        (header(30_000_000) + bytes(30_000_000), "No table compresses like that"),
    ],
)
def test_an_archive_that_is_wrong_is_answered_with_what_is_wrong(tmp_path: Path, content: bytes, text: str) -> None:
    assert text in refusal(write(tmp_path / "x-idx3-ubyte.gz", content))


def test_an_archive_that_is_cut_off_or_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cut.gz").write_bytes(gzip.compress(idx(counting(100, 100)))[:-300])
    (tmp_path / "plain.gz").write_bytes(idx(counting(100)))
    flipped = bytearray(gzip.compress(idx(np.random.default_rng(0).integers(0, 256, 1000, np.uint8))))
    flipped[-5] ^= 1  # of the checksum
    (tmp_path / "flipped.gz").write_bytes(flipped)
    for name in ("cut.gz", "plain.gz", "flipped.gz"):
        assert "the compressed file is damaged or cut off" in refusal(tmp_path / name)


def test_memory_is_taken_for_what_is_there_and_not_for_what_is_declared(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).bytes(1_000_000)
    path = write(tmp_path / "x.gz", header(1_000_000_000) + noise)
    tracemalloc.start()
    assert "the header says 1,000,000,000 bytes, but there are 1,000,000." in refusal(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000


def test_what_fits_into_no_memory_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nettool.memory.free_bytes", lambda: 5_000)
    path = write(tmp_path / "x", idx(counting(100, 100)))
    assert refusal(path) == ("100 x 100 bytes: needs 1e-05 GB of memory, but 5e-06 GB are free. Cure: fewer images.")
    assert read_idx(path, limit=50).shape == (50, 100)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "x") == "cannot be read: No such file or directory."


# Names


@pytest.mark.parametrize(
    "name", ["train-images{}idx3-ubyte{}", "t10k-labels{}idx1-ubyte{}", "emnist-letters{}idx3-ubyte{}"]
)
def test_idx_files_are_known_by_their_names(name: str) -> None:
    assert all(is_idx(Path("mnist", name.format(mark, end))) for mark in "-." for end in ("", ".gz"))


@pytest.mark.parametrize("name", ["train.csv", "idx3-ubyte.csv", "train-images-idx3-ubyte.zip", "idx", "x.npz"])
def test_other_files_are_no_idx_files(name: str) -> None:
    assert not is_idx(Path(name))


@pytest.mark.parametrize(
    "name", ["{}-{}-{}-ubyte", "{}-{}-{}-ubyte.gz", "{}-{}.{}-ubyte", "{}-{}.{}-ubyte.gz"]
)  # fmt: skip
def test_the_files_of_both_splits_are_found_however_they_are_spelt(tmp_path: Path, name: str) -> None:
    for split in ("train", "t10k"):
        write(tmp_path / name.format(split, "images", "idx3"), idx(counting(2, 3, 4)))
        write(tmp_path / name.format(split, "labels", "idx1"), idx(counting(2)))
    found = find_idx(tmp_path)
    assert found == {
        "train": tmp_path / name.format("train", "images", "idx3"),
        "test": tmp_path / name.format("t10k", "images", "idx3"),
    }
    assert labels_of(found["test"]) == tmp_path / name.format("t10k", "labels", "idx1")


def test_an_unpacked_file_is_taken_before_a_packed_one(tmp_path: Path) -> None:
    for name in ("train-images-idx3-ubyte.gz", "train-images-idx3-ubyte"):
        write(tmp_path / name, idx(counting(2, 3, 4)))
    assert find_idx(tmp_path) == {"train": tmp_path / "train-images-idx3-ubyte"}


def test_a_folder_without_such_files_or_none_at_all_has_none(tmp_path: Path) -> None:
    write(tmp_path / "images.csv", b"a\n1\n")
    (tmp_path / "train-images-idx3-ubyte").mkdir()
    assert find_idx(tmp_path) == find_idx(tmp_path / "no") == {}


# Images and labels


def test_images_come_with_their_labels_though_one_is_packed(tmp_path: Path) -> None:
    images = write(tmp_path / "train-images-idx3-ubyte.gz", idx(counting(5, 3, 4)))
    write(tmp_path / "train-labels.idx1-ubyte", idx(counting(5)))
    pixels, labels = read_idx_images(images)
    np.testing.assert_array_equal(pixels, counting(5, 3, 4).reshape(5, 1, 3, 4))
    np.testing.assert_array_equal(labels, [0, 1, 2, 3, 4])
    pixels, labels = read_idx_images(images, limit=2)
    assert (pixels.shape, labels.tolist()) == ((2, 1, 3, 4), [0, 1])


def test_images_without_labels_of_their_own_are_refused(tmp_path: Path) -> None:
    images = write(tmp_path / "t10k-images-idx3-ubyte.gz", idx(counting(5, 3, 4)))
    write(tmp_path / "train-labels-idx1-ubyte", idx(counting(5)))
    assert refusal_of_images(images) == (
        "t10k-images-idx3-ubyte.gz: there is no file with its labels. Cure: put t10k-labels-idx1-ubyte (or .gz) "
        "beside it."
    )
    nameless = write(tmp_path / "digits-idx3-ubyte", idx(counting(5, 3, 4)))
    assert 'digits-idx3-ubyte: the name does not say "images"' in refusal_of_images(nameless)


def test_images_and_labels_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    images = write(tmp_path / "train-images-idx3-ubyte", idx(counting(5, 3, 4)))
    labels = write(tmp_path / "train-labels-idx1-ubyte", idx(counting(6)))
    assert refusal_of_images(images) == (
        "train-images-idx3-ubyte holds 5 images, but train-labels-idx1-ubyte 6 labels. Cure: two files that belong "
        "together."
    )
    with pytest.raises(DataError, match="holds 5 images, but"):
        read_idx_images(images, limit=2)
    write(labels, idx(counting(5, 1)))
    assert "train-labels-idx1-ubyte: the header says 5 x 1. Labels have one dimension." in refusal_of_images(images)
    write(images, idx(counting(5)))
    assert "train-images-idx3-ubyte: the header says 5. Images have three dimensions" in refusal_of_images(images)
