"""Reading tables: every format, and every way in which a file can be wrong."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nettool.data.sources import fingerprint, read_table
from nettool.errors import DataError

Write = Callable[[str, bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(name: str, content: bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


def refusal(path: Path, limit: int | None = None) -> str:
    with pytest.raises(DataError) as caught:
        read_table(path, limit=limit)
    return str(caught.value).removeprefix(f"{path.parent}/")


def zipped_array(shape: tuple[int, ...], kind: str, content: bytes) -> bytes:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": kind, "fortran_order": False, "shape": shape})
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("x.npy", header.getvalue() + content)
    return archive.getvalue()


def saved(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


# What is read


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", b"a,b\n1,x\n2,y\n"),
        ("t.csv", b"\xef\xbb\xbfa,b\r\n1,x\r\n2,y\r\n"),
        ("t.csv", b"a;b\n1;x\n2;y\n"),
        ("t.csv", b"a|b\n1|x\n2|y\n"),
        ("t.csv", b"a\tb\n1\tx\n2\ty"),
        ("t.tsv", b"a\tb\n1\tx\n2\ty\n"),
        ("T.CSV", b'"a","b"\n1,"x"\n2,"y"\n'),
        ("t.csv.gz", gzip.compress(b"a,b\n1,x\n2,y\n", mtime=0)),
        ("t.csv.bz2", bz2.compress(b"a,b\n1,x\n2,y\n")),
        ("t.tsv.xz", lzma.compress(b"a\tb\n1\tx\n2\ty\n")),
        ("t.csv.zst", pa.compress(b"a,b\n1,x\n2,y\n", codec="zstd", asbytes=True)),
        ("t.jsonl", b'{"a": 1, "b": "x"}\n\n{"b": "y", "a": 2}\n'),
        ("t.ndjson.gz", gzip.compress(b'{"a": 1, "b": "x"}\n{"a": 2, "b": "y"}\n', mtime=0)),
        ("t.npz", saved(a=np.array([1, 2]), b=np.array(["x", "y"]))),
    ],
)
def test_the_same_table_comes_out_of_every_format(write: Write, name: str, content: bytes) -> None:
    assert read_table(write(name, content)).to_pydict() == {"a": [1, 2], "b": ["x", "y"]}


def test_parquet_is_read(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1, 2, 3]}), tmp_path / "t.parquet")
    assert read_table(tmp_path / "t.parquet").to_pydict() == {"a": [1, 2, 3]}
    assert read_table(tmp_path / "t.parquet", limit=2).num_rows == 2


def test_usual_spellings_of_missing_are_missing_in_numbers_and_in_text(write: Write) -> None:
    table = read_table(write("t.csv", b'a,b\n1,x\nNA,NA\n?,?\n,""\nnull,None\n'))
    assert table.to_pydict() == {"a": [1, None, None, None, None], "b": ["x", None, None, None, None]}


def test_a_quoted_value_may_go_over_several_lines(write: Write) -> None:
    assert read_table(write("t.csv", b'a,b\n1,"x\r\ny"\n')).to_pydict() == {"a": [1], "b": ["x\r\ny"]}


def test_a_measure_in_inches_is_no_open_quotation(write: Write) -> None:
    assert read_table(write("t.csv", b'a,b\n1,5" pipe\n')).to_pydict() == {"a": [1], "b": ['5" pipe']}


def test_parquet_text_that_is_no_utf_8_is_refused(tmp_path: Path) -> None:
    latin = pa.array([b"caf\xe9"]).view(pa.string())
    pq.write_table(pa.table({"a": latin}), tmp_path / "t.parquet")
    assert "Invalid UTF8" in refusal(tmp_path / "t.parquet")


@pytest.mark.parametrize("late", [b"1.5", b"70000", b"3000000000", b"x"])
@pytest.mark.parametrize("limit", [None, 400_001])
def test_a_column_may_change_its_type_after_the_first_block(write: Write, late: bytes, limit: int | None) -> None:
    table = read_table(write("t.csv", b"a,b\n" + b"7,8\n" * 400_000 + late + b",8\n"), limit=limit)
    first, last = table["a"][0].as_py(), table["a"][-1].as_py()
    assert (float(first), str(last).removesuffix(".0")) == (7.0, late.decode())
    assert table.num_rows == 400_001


def test_a_column_may_begin_after_the_first_block(write: Write) -> None:
    table = read_table(write("t.csv", b"a,b\n" + b",8\n" * 600_000 + b"0.5,8\n"))
    assert table["a"][-1].as_py() == 0.5


def test_a_limit_reads_the_first_rows(write: Write) -> None:
    rows = b"".join(b"%d,x\n" % i for i in range(500_000))
    table = read_table(write("t.csv", b"a,b\n" + rows), limit=100)
    assert table["a"].to_pylist() == list(range(100))
    assert read_table(write("t.jsonl", b'{"a": 1}\n{"a": 2}\n{"a":'), limit=2)["a"].to_pylist() == [1, 2]


def test_json_numbers_and_text_in_one_column_become_text(write: Write) -> None:
    table = read_table(write("t.jsonl", b'{"a": 1, "b": null}\n{"a": "x"}\n{"a": true, "b": 2.5}\n'))
    assert table.to_pydict() == {"a": ["1", "x", "true"], "b": [None, None, 2.5]}


def test_the_columns_of_a_two_dimensional_array_are_numbered(write: Write) -> None:
    table = read_table(write("t.npz", saved(x=np.array([[1.0, 2.0], [3.0, 4.0]]), y=np.array([True, False]))))
    assert table.to_pydict() == {"x0": [1, 3], "x1": [2, 4], "y": [True, False]}


def test_dates_in_arrays_stay_dates(write: Write) -> None:
    table = read_table(write("t.npz", saved(d=np.array(["2026-01-31", "NaT"], "datetime64[D]"))))
    assert [str(day) for day in table["d"].to_pylist()] == ["2026-01-31", "None"]


def test_the_fingerprint_is_the_sha256_of_the_bytes(write: Write) -> None:
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert fingerprint(write("t.csv", b"abc")) == {"sha256": digest, "bytes": 3}


# What is refused


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("t.csv", b"", "t.csv: the file is empty."),
        ("t.csv", b"\n\n", "t.csv: the file is empty."),
        ("t.csv", b"\xef\xbb\xbf\n", "t.csv: the file is empty."),
        ("t.csv", b"a" + "é".encode() * 600_000, "t.csv: line 1 is longer than 1,048,576 bytes."),
        ("t.csv", b"a,b\n", "t.csv: there are column names, but not a single row. Cure: a file with data."),
        ("t.jsonl", b"\n", "t.jsonl: the file is empty."),
        (
            "t.csv",
            b"a,b\n1,2\n3,4,5\n",
            "t.csv: line 3 has 3 values, but the header names 2 columns. Cure: mend the line; a value that contains "
            '"," stands in quotation marks.',
        ),
        ("t.csv", b'a,b\n1,"x\ny"\n3\n', "line 4 has 1 value, but the header names 2 columns"),
        ("t.csv", b"a;b\n1;2\n3;4;5\n", "line 3 has 3 values, but the header names 2 columns"),
        ("t.csv", b'a,b\n1,2\n3,"x\n4,y\n', "t.csv: line 3: unexpected end of data. Perhaps a quotation mark is"),
        (
            "t.csv",
            b"a,b\n1,x\n2,caf\xe9\n",
            "t.csv: line 3, byte 6: 0xe9 is no UTF-8 text. Cure: save the file as UTF-8.",
        ),
        ("t.csv", b"caf\xe9,b\n1,x\n", "t.csv: line 1, byte 4: 0xe9 is no UTF-8 text."),
        ("t.csv", b"a,b\n" + b"1,x\n" * 400_000 + b"2,\xff\n", "t.csv: line 400,002, byte 3: 0xff is no UTF-8 text."),
        ("t.csv", "a,b\n1,2\n".encode("utf-16"), "t.csv: the text is UTF-16, not UTF-8."),
        ("t.csv", b"a,b,a\n1,2,3\n", 't.csv: line 1: columns 1 and 3 are called "a".'),
        ("t.csv", b"a,,\n1,2,3\n", "t.csv: line 1: columns 2 and 3 have no name."),
        ("t.csv", b"PK\x03\x04...", "t.csv: this is no text but a zip archive or an Excel workbook."),
        ("t.csv", b"\x80\x04\x95...", "t.csv: this is no text but a Python pickle, which nettool never opens."),
        ("t.csv.gz", gzip.compress(b"a,b\n1,2\n" * 9, mtime=0)[:-9], "t.csv.gz: the compressed file is damaged or cut off"),
        ("t.csv.gz", b"a,b\n1,2\n", "t.csv.gz: the compressed file is damaged or cut off"),
        ("t.csv.zst", b"a,b\n1,2\n", "t.csv.zst: the compressed file is damaged or cut off"),
        ("t.xlsx", b"PK", 't.xlsx: nettool does not read ".xlsx" files. It reads .csv, .tsv, .jsonl'),
        (
            "t.jsonl",
            b'{"a": 1}\n{"a": }\n',
            "t.jsonl: line 2, column 7: no JSON: Expecting value. Cure: one whole JSON object on each line.",
        ),
        ("t.jsonl", b"[1, 2]\n", 't.jsonl: line 1: "[1, 2]" is no JSON object.'),
        ("t.jsonl", b'{"a": "\xe9"}\n', "t.jsonl: line 1, byte 8 is no UTF-8 text."),
        ("t.parquet", b"PAR1 no PAR1", "t.parquet: not a parquet file, or a damaged one"),
        ("t.npz", b"\x80\x04\x95...", "t.npz: not an npz file, or a damaged one (a pickle is never opened)."),
        ("t.npz", saved(x=np.zeros(2), y=np.zeros(3)), 't.npz: the arrays differ in length: "x" has 2, "y" has 3 rows.'),
        ("t.npz", saved(x=np.zeros((2, 2, 2))), 't.npz: array "x" has the shape (2, 2, 2). Cure: one dimension for a'),
        ("t.npz", saved(x=np.array([{}, 1])), 't.npz: array "x" holds Python objects, which are pickled; nettool'),
        ("t.npz", saved(x=np.zeros(2, complex)), 't.npz: array "x" is of type complex128.'),
        ("t.npz", saved(x=np.zeros((1, 2)), x0=np.zeros(1)), 't.npz: two columns are called "x0".'),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_answered_with_place_and_cause(
    write: Write, name: str, content: bytes, text: str
) -> None:
    assert text in refusal(write(name, content))


def test_a_missing_file_is_answered_with_the_near_ones(write: Write, tmp_path: Path) -> None:
    write("penguins.csv", b"a\n1\n")
    assert refusal(tmp_path / "pengins.csv") == "pengins.csv: there is no such file. Did you mean penguins.csv?"
    assert (
        refusal(tmp_path / "no" / "x.csv") == f"x.csv: there is no such file. There is no folder {tmp_path}/no either."
    )


def test_a_folder_is_no_table(tmp_path: Path) -> None:
    assert "is a folder. A table is one file" in refusal(tmp_path)


def test_a_lying_array_header_allocates_nothing(write: Write) -> None:
    text = refusal(write("t.npz", zipped_array((10**12,), "<f8", b"12345678")))
    assert 'array "x" is said to have the shape (1000000000000,), 8,000,000,000,000 bytes, but holds 136' in text


@pytest.mark.parametrize(
    ("header", "text"),
    [
        (b"(((((", 'the header of "x.npy" says nothing'),
        (b"{[]: 1}", 'the header of "x.npy" says nothing'),
        (b"-" * 9_000 + b"1", 'the header of "x.npy" says nothing'),
        (b" 1\n  2\n 3", 'the header of "x.npy" says nothing'),
        (b"{'descr': '<f8', 'fortran_order': False, 'shape': (True,)}", 'the header of "x.npy" says (True,)'),
        (b"{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 1)}", 'the header of "x.npy" says (-1, 1)'),
        (b"{'descr': '<f8', 'fortran_order': False, 'shape': (0, 9999999)}", "shape (0, 9999999): no value at all. Cure: a file with"),
        (b"{'descr': '<U0', 'fortran_order': False, 'shape': (999999999,)}", "999,999,999 bytes, but holds 81. The file is"),
    ],
)  # fmt: skip
def test_a_header_that_makes_no_sense_is_refused(write: Write, header: bytes, text: str) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("x.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + b"12345678")
    assert text in refusal(write("t.npz", archive.getvalue()))


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_npz_with_any_byte_damaged_is_read_or_refused(write: Write, compression: int) -> None:
    archive, array = io.BytesIO(), io.BytesIO()
    np.save(array, np.random.default_rng(0).integers(0, 256, 150, np.uint8))
    with zipfile.ZipFile(archive, "w", compression) as file:
        file.writestr("x.npy", array.getvalue())
    whole = archive.getvalue()
    said = []
    for place in range(0, len(whole), 2):
        content = whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :]
        try:
            read_table(write("t.npz", content))
        except DataError as error:
            said.append("t.npz: " in str(error))
    assert len(said) > 50
    assert all(said)


def test_files_made_to_fill_the_memory_are_refused(write: Write, tmp_path: Path) -> None:
    rows = b"a,b\n" + b"1,2\n" * 5_000_000
    assert "No table compresses like that" in refusal(write("t.csv.gz", gzip.compress(rows)))
    packed = pa.compress(rows, codec="zstd", asbytes=True)
    assert "No table compresses like that" in refusal(write("t.csv.zst", packed), limit=10**9)
    pq.write_table(pa.table({"a": np.zeros(20_000_000, np.int8)}), tmp_path / "t.parquet")
    assert "No table compresses like that" in refusal(tmp_path / "t.parquet")


def test_deeply_nested_json_is_refused_and_overflows_no_stack(write: Write) -> None:
    assert "nested too deep" in refusal(write("t.jsonl", b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n"))


def test_names_from_a_file_cannot_steer_the_terminal(write: Write) -> None:
    assert refusal(write("t.csv", b"\x1b[31m,\x1b[31m\n1,2\n")).startswith(
        r't.csv: line 1: columns 1 and 2 are called "\x1b[31m"'
    )


def test_reading_a_table_imports_neither_torch_nor_pandas() -> None:
    code = """
import sys
from pathlib import Path
from nettool.config.data import DataSpec
from nettool.config.losses import CrossEntropy
from nettool.data.encode import encode_table
from nettool.data.prepare import prepare
from nettool.data.sources import read_table
from nettool.data.suspects import find_suspects
spec = DataSpec(path="configs/data/penguins.csv", target=("species",))
data = prepare(spec, CrossEntropy())
find_suspects(data.splits["train"], data.encoders)
encode_table(read_table(Path(spec.path)), data.encoders, needs_target=True)
data.encoders.features.decode(data.splits["train"].features)
print([name for name in ("torch", "pandas", "matplotlib") if name in sys.modules])
"""
    root = Path(__file__).parents[2]
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert shown.stdout == "[]\n"


def test_a_row_that_speaks_of_memory_is_a_mistake_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("time,what\n1,fine\n2,CUDA error: out of memory,3\n")
    with pytest.raises(DataError, match=r"log\.csv: "):
        read_table(path)
