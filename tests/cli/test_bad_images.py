"""Every kind of bad images, and of networks that do not fit them: a clear error, exit code 2, nothing written."""

from __future__ import annotations

import gzip
import os
import pickle
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.conftest import Nettool
from tests.cli.test_images import draw, predicted, save, train, write_csv, write_folders, write_idx, write_npz

CONFIG = """\
data: {path: DATA}
layers:
  - LAYERS
  - output
loss: cross_entropy
epochs: 1
"""
SOUND = "conv2d: 4\n  - flatten"
PIXELS, LABELS = draw()
IMAGES = "drawn/train-images-idx3-ubyte"


def folders() -> None:
    write_folders(Path("drawn"), PIXELS, LABELS)


def idx() -> None:
    write_idx(Path("drawn"), PIXELS, LABELS)


def table() -> None:
    write_csv(Path("drawn"), PIXELS, LABELS)


def add_ages() -> None:
    lines = Path("drawn/list.csv").read_text().splitlines()
    change("drawn/list.csv", "".join(f"{line},{row or 'age'}\n" for row, line in enumerate(lines)).encode())


def npz(**arrays: Any) -> Callable[[], None]:
    return lambda: np.savez("drawn.npz", **{"x": PIXELS, "y": LABELS, **arrays})


def numbers() -> None:
    Path("table.csv").write_text("a,b,y\n" + "".join(f"{row % 11},{row % 7}.5,{'xyz'[row % 3]}\n" for row in range(90)))


def png(width: int, height: int) -> bytes:
    """A file that declares this size and holds next to nothing."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(bytes(99))), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*content) for content in chunks)


def declare(path: str, *sizes: int, kind: int = 8, content: bytes = b"x") -> None:
    """An IDX file that says of itself what is not so."""
    content = struct.pack(f">BBBB{len(sizes)}I", 0, 0, kind, len(sizes), *sizes) + content
    Path(path).write_bytes(gzip.compress(content) if path.endswith(".gz") else content)


def terabytes(ending: str = "") -> None:
    Path("drawn").mkdir()
    declare(f"{IMAGES}{ending}", 120_000, 10_000, 10_000)
    declare("drawn/train-labels-idx1-ubyte", 120_000, content=bytes(120_000))


def zip_bomb() -> None:
    with zipfile.ZipFile("drawn.npz", "w", zipfile.ZIP_DEFLATED) as archive, archive.open("x.npy", "w") as file:
        np.lib.format.write_array(file, np.zeros((90, 1000, 1000), np.uint8))  # type: ignore[arg-type]


def png_bomb() -> None:
    folders()
    Path("drawn/circle/bomb.png").write_bytes(png(60_000, 60_000))


def change(path: str, content: bytes | None = None, cut: int | None = None) -> None:
    Path(path).parent.mkdir(exist_ok=True)
    Path(path).write_bytes(Path(path).read_bytes()[:cut] if content is None else content)


@dataclass(frozen=True)
class Case:
    """What is done in an empty folder, what is written behind `path:`, and the words that the error must hold."""

    name: str
    words: tuple[str, ...]
    make: tuple[Callable[[], Any], ...]
    data: str = "drawn"
    layers: str = SOUND


LISTED = "drawn/list.csv, target: shape, columns: {file: image}"
REPLACE = "Cure: replace the file, or delete it."
COPY = "The file is damaged. Cure: copy it again."
CASES = [
    Case("images of several sizes", ("drawn/circle/000.png is 9 high and 7 wide", "is 8 high and 8 wide. Cure: `data.image.size`"), (folders, lambda: save(Path("drawn/circle/000.png"), PIXELS[0].repeat(2, axis=0)[:9, :7]))),
    Case("a truncated image", ("drawn/cross/001.png: a damaged image (", REPLACE), (folders, lambda: change("drawn/cross/001.png", cut=60))),
    Case("a text called png", ("drawn/cross/a.png: no image of a kind that nettool reads (PNG, JPEG", REPLACE), (folders, lambda: change("drawn/cross/a.png", b"hello"))),
    Case("an empty class folder", ("drawn/none: no image in a folder that stands for a class. Cure: images in it (.png",), (folders, lambda: Path("drawn/none").mkdir())),
    Case("one class", ("bad.yaml:1:1", '"class" is "circle" in every row: one class only'), (lambda: write_folders(Path("drawn"), PIXELS, LABELS * 0),)),
    Case("no class folders", ("drawn/circle: there are 25 images, but no folder in it. Cure: a folder for each class with its images in it",), (folders,), "drawn/circle"),
    Case("nothing at all", ("drawn: there is no folder in it. Cure: a folder for each class",), (lambda: Path("drawn").mkdir(),)),
    Case("a folder that is not there", ("drawn: there is no such f",), ()),
    Case("idx with too many images", (f"{IMAGES} holds 1,000 images, but", "60 labels. Cure: two files that belong together."), (idx, lambda: declare(IMAGES, 1000, 8, 8))),
    Case("idx with larger images", (f"{IMAGES}: the header says 60 x 9 x 8 bytes, 4,320 in all, but there are 3,840.", COPY), (idx, lambda: declare(IMAGES, 60, 9, 8, content=PIXELS[:60].tobytes()))),
    Case("idx of another type", (f"{IMAGES}: the header says float32. Of IDX files, nettool reads those of unsigned bytes. Cure: save the array as npz.",), (idx, lambda: declare(IMAGES, 60, 8, 8, kind=0x0D))),
    Case("idx with labels of another count", (f"{IMAGES} holds 60 images, but", "train-labels-idx1-ubyte 61 labels. Cure:"), (idx, lambda: declare("drawn/train-labels-idx1-ubyte", 61))),
    Case("idx without labels", (f"{IMAGES}: there is no file with its labels. Cure: put train-labels-idx1-ubyte (or .gz) beside it.",), (idx, lambda: Path("drawn/train-labels-idx1-ubyte").unlink())),
    Case("labels for images", (f"{IMAGES}: the header says 60. Images have three dimensions: number, height and width. Cure: the file that is called ...-images-idx3-ubyte.",), (idx, lambda: declare(IMAGES, 60, content=bytes(60)))),
    Case("a header of 12 TB", (f"{IMAGES}: the header says 120,000 x 10,000 x 10,000 bytes, 12,000,000,000,000 in all, but there are 1.", COPY), (terabytes,)),
    Case("a packed header of 12 TB", (f"{IMAGES}.gz: the header says", "12,000,000,000,000 in all, but that many cannot be packed into the file's", COPY), (lambda: terabytes(".gz"),)),
    Case("floats up to 300", ('drawn.npz: array "x" holds floats from 0 to 300. As floats, black is 0 and white is 1. Cure: save them as bytes',), (npz(x=np.linspace(0, 300, 75 * 64).reshape(75, 8, 8)),), "drawn.npz"),
    Case("channels first", ('drawn.npz: array "x" (75, 3, 8, 8) is no array of images.', "the channels last. Cure: numpy.moveaxis(array, 1, -1)."), (npz(x=np.stack([PIXELS] * 3, axis=1)),), "drawn.npz"),
    Case("pickled objects", ('drawn.npz: array "x" holds Python objects, which are pickled; nettool unpickles nothing. Cure: save it as numbers',), (npz(x=np.array([*PIXELS, None], object)[:75]),), "drawn.npz"),
    Case("labels of another count", ('drawn.npz: the arrays differ in length: "x" has 75 images, "y" has 74 values. Cure: one value for each image.',), (npz(y=LABELS[:74]),), "drawn.npz"),
    Case("a pickle called npz", ("drawn.npz: not an npz file, or a damaged one (a pickle is never opened). Cure: write it with numpy.savez",), (lambda: change("drawn.npz", pickle.dumps(PIXELS)),), "drawn.npz"),
    Case("a zip bomb", ("drawn.npz: ", "No table compresses like that; the file was made to fill the memory", "Cure: unpack it yourself"), (zip_bomb,), "drawn.npz"),
    Case("a png bomb", ("drawn/circle/bomb.png: declares more pixels than a file can be trusted with (89,478,485).", REPLACE), (png_bomb,)),
    Case("a missing cell", ('drawn/list.csv: column "file", row 76: there is no path of an image. Cure:',), (table, lambda: change("drawn/list.csv", Path("drawn/list.csv").read_bytes() + b",cross\n")), LISTED),
    Case("a path to nothing", ("drawn/gone.png: cannot be read: No such file or directory. Cure:",), (table, lambda: change("drawn/list.csv", Path("drawn/list.csv").read_bytes() + b"gone.png,cross\n")), LISTED),
    Case("a column of paths that is not there", ('drawn/list.csv: there is no column "fil" with the paths of the images. Did you mean "file"?',), (table,), LISTED.replace("file", "fil")),
    Case("an image and another feature", ("bad.yaml:1:", "data.features", '"file"', '"age"'), (table, add_ages), f"{LISTED}, features: [file, age]"),
    Case("rows of images in time order", ("bad.yaml:1:21 data.window", "Remove"), (folders,), "drawn, window: 4"),
    Case("augmentation of a table", ("bad.yaml:1:36 data.augment: is for images, but the data is a table. Remove it.",), (numbers,), "table.csv, target: y, augment: {shift: 1}", "dense: 4"),
    Case("image settings of a table", ("bad.yaml:1:36 data.image: which column holds the paths of images? Name it: `data.columns: {NAME: image}`.",), (numbers,), "table.csv, target: y, image: {size: 8}", "dense: 4"),
    Case("a convolution over a table", ("bad.yaml:3:5  layers.0 (conv2d): needs an image (channels, height, width), but the data gives a flat vector of 2 numbers.", "`- reshape: [channels, height, width]`"), (numbers,), "table.csv, target: y"),
    Case("a kernel larger than its image", ("layers.0 (conv2d).size: the kernel of 9 x 9 is larger than its input of 8 x 8, padding included. Take a smaller size, `padding: same`",), (folders,), layers="conv2d: {filters: 4, size: 9, padding: 0}\n  - flatten"),
    Case("a dense layer on an image", ("bad.yaml:4:5  layers.1 (dense): needs a flat vector", "but layers.0 (conv2d) gives an image of 4 x 8 x 8", "Put `- flatten` or `- global_avg_pool` before it."), (folders,), layers="conv2d: 4\n  - dense: 8"),
    Case("pooling until nothing is left", ("bad.yaml:6:5  layers.3 (max_pool).size: the window of 2 x 2 is larger than its input of 1 x 1. Take a smaller size, or less pooling.",), (folders,), layers="max_pool\n  - max_pool\n  - max_pool\n  - max_pool\n  - flatten"),
    Case("no flatten before the output", ("bad.yaml:4:5  layers.1 (output): needs a flat vector", "Put `- flatten` or `- global_avg_pool` before it."), (folders,), layers="conv2d: 4"),
]  # fmt: skip


def write(case: Case) -> None:
    for make in case.make:
        make()
    Path("bad.yaml").write_text(CONFIG.replace("DATA", case.data).replace("LAYERS", case.layers))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("command", ["check", "train"])
def test_a_clear_error_and_nothing_written(nettool: Nettool, folder: Path, case: Case, command: str) -> None:
    write(case)
    before = sorted(folder.rglob("*"))
    result = nettool(command, "bad.yaml")
    assert (result.code, result.out) == (2, ""), result.err
    said = " ".join(result.err.split())
    for words in case.words:
        assert " ".join(words.split()) in said, result.err
    assert "Traceback" not in said
    assert len(result.err.splitlines()) <= 24
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("make", [folders, idx, npz()], ids=["folders", "idx", "npz"])
def test_the_good_images_they_are_made_from_are_sound(nettool: Nettool, make: Callable[[], None]) -> None:
    write(Case("good", (), (make,), "drawn.npz" if make not in (folders, idx) else "drawn"))
    assert nettool("check", "bad.yaml").code == 0


# What a refusal takes


MEASURED = """
import atexit, time
from pathlib import Path
from nettool_cli.main import main
status = lambda: Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]
atexit.register(lambda: print(status(), time.process_time()))
main()
"""


def measure(path: Path) -> tuple[int, int, float]:
    """Check the config there in a process of its own: exit code, most bytes of memory, seconds of the processor."""
    command = [sys.executable, "-c", MEASURED, "check", "bad.yaml"]
    shown = subprocess.run(command, capture_output=True, text=True, cwd=path, check=False)
    kilobytes, seconds = shown.stdout.split()[-2:]
    return shown.returncode, 1024 * int(kilobytes), float(seconds)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not tell the memory of a process")
def test_bombs_are_refused_in_no_time_and_no_memory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {}
    for name in ("good", "a header of 12 TB", "a packed header of 12 TB", "a zip bomb", "a png bomb"):
        (folder / name).mkdir()
        monkeypatch.chdir(folder / name)
        write(next((case for case in CASES if case.name == name), Case("good", (), (folders,))))
        found[name] = measure(folder / name)
    code, memory, seconds = found.pop("good")
    assert code == 0
    for name, (code, peak, took) in found.items():
        assert code == 2, name
        assert peak < memory + 64 * 2**20, name
        assert took < seconds + 2, name


@pytest.mark.parametrize("make", [folders, idx, npz()], ids=["folders", "idx", "npz"])
def test_a_size_that_fits_into_no_memory_is_refused(
    nettool: Nettool, monkeypatch: pytest.MonkeyPatch, make: Callable[[], None]
) -> None:
    data = "drawn" if make in (folders, idx) else "drawn.npz"
    write(Case("large", (), (make,), f"{data}, image: {{size: 400}}"))
    monkeypatch.setattr("nettool.memory.free_bytes", lambda: 1_000_000)
    result = nettool("check", "bad.yaml")
    assert result.code == 2, result.out
    assert "400 high and 400 wide: needs 0.0" in result.err
    assert "Cure: a smaller `data.image.size`" in result.err


# Names, links


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_file_whose_name_is_no_utf_8_is_an_image_like_any_other(nettool: Nettool) -> None:
    write(Case("good", (), (folders,)))
    os.rename(b"drawn/circle/000.png", b"drawn/circle/\xff.png")  # noqa: PTH104
    assert nettool("train", "bad.yaml").code == 0


def test_a_changed_image_behind_a_link_is_noticed(nettool: Nettool) -> None:
    write(Case("good", (), (folders,)))
    Path("drawn/circle").rename("elsewhere")
    Path("drawn/circle").symlink_to(Path("elsewhere").resolve())
    run = nettool("train", "bad.yaml").out.strip()
    save(Path("elsewhere/000.png"), 255 - PIXELS[0])
    assert nettool("eval", run).code == 2


# Prediction


def test_an_image_of_another_size_is_scaled(nettool: Nettool) -> None:
    run = train(nettool)
    large, labels = draw(6, 32, seed=5)
    write_folders(Path("new"), large, labels)
    assert all(row["predicted_class"] == Path(row["image"]).parent.name for row in predicted(nettool, run, "new"))


def test_what_cannot_be_predicted_is_told(nettool: Nettool, config: Path) -> None:
    run, tabular = train(nettool, "class folders", "epochs=1"), nettool("train", config, "epochs=1").out.strip()
    Path("empty").mkdir()
    Path("bad.png").write_bytes(b"hello")
    write_npz(Path("floats"), PIXELS / 2, LABELS)
    for arguments, words in (
        ((run, "gone.png"), ("gone.png", "No such file")),
        ((run, "image=gone.png"), ("gone.png", "No such file")),
        ((run, "bad.png"), ("bad.png: no image of a kind that nettool reads", REPLACE)),
        ((run, "empty"), ("empty", "no image")),
        ((run, "students.csv"), ('students.csv: there is no column "image" with the paths of the images',)),
        ((run, "floats.npz"), ("floats.npz: ", 'array "x"', "Cure:")),
        ((tabular, "drawn/circle/000.png"), ("drawn/circle/000.png: nettool does not read", ".png", "It reads .csv")),
        ((tabular, "drawn"), ("drawn is a folder", "table")),
        ((tabular, "image=drawn/circle/000.png"), ('"lectures"', '"hours"', '"group"', "missing")),
    ):
        result = nettool("predict", *arguments)
        assert (result.code, result.out) == (2, ""), arguments
        assert all(word in result.err for word in words), result.err
