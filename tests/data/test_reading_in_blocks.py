"""A file that is read in blocks, by several threads: what is read has nothing to do with where they end."""

from __future__ import annotations

import csv
import time
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from people import bits, people, write

from nettool.config.data import DataSpec
from nettool.config.losses import CrossEntropy
from nettool.data import arrow, delimited, parallel
from nettool.data.arrow import gather, stretches
from nettool.data.prepare import prepare
from nettool.data.scaling import CLIP, Scaler, moments
from nettool.data.sources import read_table
from nettool.data.values import MISSING, ends, numbers
from nettool.errors import DataError

BLOCK = 256


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "SMALL_BLOCK", BLOCK)
    monkeypatch.setattr(delimited, "LARGE_BLOCK", BLOCK)
    monkeypatch.setattr(delimited, "MAX_TABLE_HEADER_BYTES", BLOCK)


CELLS = st.text('ab,"\n ;', max_size=12).filter(lambda text: text.strip() not in MISSING)
PLAIN = st.text("abc;.-", min_size=1, max_size=12).filter(lambda text: text.strip() not in MISSING)


@pytest.mark.usefixtures("small_blocks")
@given(
    st.lists(st.tuples(PLAIN, PLAIN), min_size=15, max_size=60),
    st.lists(st.tuples(CELLS, PLAIN), max_size=20),
    st.sampled_from(["\n", "\r\n"]),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_read_is_what_the_csv_module_reads(
    tmp_path: Path, first: list[tuple[str, str]], later: list[tuple[str, str]], end: str
) -> None:
    """Quotation marks and line breaks inside of values may come late, where reading goes by lines already."""
    path = tmp_path / "t.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator=end).writerows([("x", "y"), *first])
        csv.writer(file, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(later)
    with path.open(newline="", encoding="utf-8") as file:
        expected = list(csv.reader(file))[1:]
    table = read_table(path)
    found = [table.column(name).cast(pa.string()).to_pylist() for name in "xy"]
    assert [list(row) for row in zip(*found, strict=True)] == expected


@pytest.mark.usefixtures("small_blocks")
def test_a_quotation_mark_that_is_never_closed_is_found_in_the_last_block(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("x,y\n" + "1,some words\n" * 100 + '2,"no end\n' + "3,other words\n" * 3)
    with pytest.raises(DataError, match=r"line 102: .*Perhaps a quotation mark is opened and never closed"):
        read_table(path)


@pytest.mark.usefixtures("small_blocks")
def test_a_line_in_the_last_block_that_lacks_a_value_is_named(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("x,y\n" + "1,some words\n" * 100 + "2\n" + "3,other words\n")
    with pytest.raises(DataError, match="line 102 has 1 value, but the header names 2 columns"):
        read_table(path)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize(
    ("late", "kind"), [("1.5", pa.float64()), ("70000", pa.int64()), ("none", pa.string()), ("NA", pa.int16())]
)
def test_a_column_has_the_type_of_all_its_values_not_of_the_first(tmp_path: Path, late: str, kind: pa.DataType) -> None:
    path = tmp_path / "t.csv"
    path.write_text("x,y\n" + "1,2\n" * 200 + f"{late},2\n")
    column = read_table(path).column("x")
    assert column.type == kind
    assert column.cast(pa.string()).to_pylist()[-1] == (None if late == "NA" else late)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("spelling", MISSING)
@pytest.mark.parametrize("row", [0, 199])
def test_every_spelling_of_a_missing_value_is_one_in_every_kind_of_column(
    tmp_path: Path, spelling: str, row: int
) -> None:
    path = tmp_path / "t.csv"
    lines = [
        f"{index % 3},{index}.5,{'abc'[index % 3]},{index % 2},2026-01-0{index % 9 + 1},{'yn'[index // 100]}"
        for index in range(200)
    ]
    prepared = []
    for written in (spelling, ""):
        lines[row] = ",".join([written] * 5) + (",y" if row == 0 else ",n")
        path.write_text("whole,number,level,truth,date,target\n" + "\n".join(lines) + "\n")
        prepared.append(prepare(DataSpec(path=str(path), target=("target",)), CrossEntropy()))
    data, empty = prepared
    names = {"whole": "number", "number": "number", "level": "category", "truth": "boolean", "date": "date"}
    kinds = {column.name: (column.kind, column.num_missing) for column in data.columns}
    assert kinds == {**{name: (kind, 1) for name, kind in names.items()}, "target": ("boolean", 0)}
    assert [bits(split) for split in data.splits.values()] == [bits(split) for split in empty.splits.values()]


@pytest.mark.usefixtures("small_blocks")
def test_the_memory_that_a_file_is_read_into_is_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.csv"
    path.write_text("x,y\n" + "".join(f"{row},words {row}\n" for row in range(5000)))
    sizes: list[tuple[int, ...]] = []
    monkeypatch.setattr(delimited, "LONGEST_WAIT", 60)
    monkeypatch.setattr(delimited, "empty", lambda shape, dtype: sizes.append(shape) or np.empty(shape, dtype))
    table = read_table(path)
    assert table.column("x").to_pylist() == list(range(5000))
    assert table.column("y").to_pylist() == [f"words {row}" for row in range(5000)]
    assert 1 <= len(sizes) <= pa.cpu_count() + 2 < path.stat().st_size / BLOCK


@pytest.mark.usefixtures("small_blocks")
def test_a_value_of_several_lines_may_be_cut_where_types_are_looked_for(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    rows = [("line one\nline two, which is longer\nline three", str(row)) for row in range(40)]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("y", "x"), *rows])
    table = read_table(path)
    assert table.column("x").type == pa.int16()  # which is found there, and is not Arrow's own choice
    assert table.column("x").to_pylist() == list(range(40))
    assert table.column("y").to_pylist() == [text for text, _ in rows]


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_blocks_and_threads_change_no_bit_of_what_is_trained_on(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / f"people{suffix}", people(1000))
    spec = DataSpec(path=path, target=("label",), weights="weight")
    alone = prepare(spec, CrossEntropy())
    monkeypatch.setattr(delimited, "SMALL_BLOCK", 1 << 20)
    monkeypatch.setattr(delimited, "LARGE_BLOCK", 1 << 20)
    monkeypatch.setattr(arrow, "CELLS", 37)
    monkeypatch.setattr(parallel, "MANY_ROWS", 0)
    again = prepare(spec, CrossEntropy())
    assert [bits(split) for split in alone.splits.values()] == [bits(split) for split in again.splits.values()]
    assert (alone.encoders, alone.columns, alone.notes) == (again.encoders, again.columns, again.notes)


def test_what_comes_of_the_pieces_is_in_their_order_whatever_thread_is_done_first() -> None:
    is_last_done = Event()

    def work(piece: int) -> int:
        if piece == 0:
            is_last_done.wait(1)
            time.sleep(0.1)
        is_last_done.set()
        return piece

    assert parallel.each(work, [0, 1], parallel.MANY_ROWS) == [0, 1]


def test_of_several_mistakes_the_first_column_s_is_told_whatever_thread_meets_one_first() -> None:
    is_last_met = Event()

    def work(piece: int) -> int:
        if piece == 0:
            is_last_met.wait(1)
            time.sleep(0.1)
        is_last_met.set()
        raise DataError(f"piece {piece}")

    with pytest.raises(DataError, match="piece 0"):
        parallel.each(work, [0, 1], parallel.MANY_ROWS)


def in_stretches_of(cells: int, table: pa.Table) -> list[tuple[int, list[pa.RecordBatch]]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arrow, "CELLS", cells)
        return list(stretches(table))


FLOATS = st.none() | st.floats(width=64, allow_infinity=True)


@given(st.lists(st.lists(FLOATS, max_size=5), max_size=5), st.randoms(use_true_random=False))
def test_pieces_of_a_column_say_what_the_column_says(pieces: list[list[float | None]], random: Any) -> None:
    column = pa.chunked_array([pa.array(piece, pa.float64()) for piece in pieces], pa.float64())
    values = np.array([value for piece in pieces for value in piece], np.float64)
    rows = np.array(sorted(random.sample(range(len(values)), random.randint(0, len(values)))), np.int64)
    assert gather(numbers, column, rows).tobytes() == values[rows].tobytes() or np.isnan(values[rows]).any()
    np.testing.assert_array_equal(gather(numbers, column, rows), values[rows])
    known = values[~np.isnan(values)]
    np.testing.assert_array_equal(ends(column), (known.min(), known.max()) if len(known) else (np.nan, np.nan))
    if len(values):
        parts = in_stretches_of(3, pa.table({"x": column}))
        assert [start for start, _ in parts] == list(range(0, len(values), 3))
        assert all(sum(batch.num_rows for batch in batches) == 3 for _, batches in parts[:-1])
        found = [numbers(batch.column(0)) for _, batches in parts for batch in batches]
        np.testing.assert_array_equal(np.concatenate(found), values)


def moments_step_by_step(values: np.ndarray) -> tuple[float, float]:
    largest = float(np.abs(values).max()) or 1.0
    mean = float(np.mean(values / largest)) * largest
    with np.errstate(over="ignore"):
        centred = np.nan_to_num(values - mean)
    spread = float(np.abs(centred).max())
    return mean, float(np.sqrt(np.mean(np.square(centred / spread)))) * spread if spread else 0.0


@example([1.7e308, 1.7e308, -1.7e308], False)  # whose difference to the mean is infinite
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=40), st.booleans())
def test_statistics_and_scaled_numbers_have_the_bits_of_each_step_by_itself(values: list[float], some: bool) -> None:
    array = np.array(values)
    kept = array.copy()
    assert moments(array) == moments_step_by_step(array)
    scaler = Scaler.fit(array, "standard")
    with_gap = np.append(array, np.nan) if some else array
    filled = np.where(np.isnan(with_gap), scaler.fill, with_gap)
    with np.errstate(over="ignore"):
        expected = np.clip((filled - scaler.shift) / scaler.scale, -CLIP, CLIP) if scaler.scale else 0 * with_gap[:0]
    if scaler.scale:
        assert scaler.encode(with_gap).tobytes() == expected.tobytes()
    else:
        assert not scaler.encode(with_gap).any()
    assert array.tobytes() == kept.tobytes()
