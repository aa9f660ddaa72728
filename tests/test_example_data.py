"""The data sets in configs/data: the script writes the made-up ones again, the real ones are the source's."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest
from sklearn.datasets import load_diabetes, load_digits

from nettool.data.idx import find_idx, read_idx_images

DATA = Path(__file__).parent.parent / "configs" / "data"

GENERATED = {"circles.csv", "neuron.csv", "wave.csv", "will_i_pass.csv"}
REAL = {"diabetes.csv", "digits.csv", "nino.csv", "penguins.csv"}


def read(name: str) -> tuple[list[str], list[list[str]]]:
    with (DATA / name).open(newline="") as file:
        header, *rows = csv.reader(file)
    return header, rows


def numbers(rows: list[list[str]]) -> list[list[float]]:
    return [[float(value) for value in row] for row in rows]


@pytest.fixture(scope="module")
def regenerated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    subprocess.run([sys.executable, DATA / "generate.py", folder], check=True)
    return folder


def test_script_writes_every_made_up_data_set_and_nothing_else(regenerated: Path) -> None:
    assert {file.name for file in regenerated.iterdir()} == GENERATED


@pytest.mark.parametrize("name", sorted(GENERATED))
def test_script_writes_the_bytes_that_are_kept(regenerated: Path, name: str) -> None:
    assert (regenerated / name).read_bytes() == (DATA / name).read_bytes()


def test_every_data_set_is_described() -> None:
    tables = {file.name for file in DATA.glob("*.csv")}
    assert tables == GENERATED | REAL
    others = {"irish_sample.abc", "mnist_sample/"}
    found = {f"{entry.name}/" if entry.is_dir() else entry.name for entry in DATA.iterdir()}
    assert found - {"README.md", "generate.py", "__pycache__/"} == tables | others
    description = (DATA / "README.md").read_text(encoding="utf-8")
    for name in tables | others:
        assert f"\n## {name}\n" in description


def test_the_sample_of_mnist_has_every_digit_in_both_parts() -> None:
    files = find_idx(DATA / "mnist_sample")
    for part, count in (("train", 1000), ("test", 200)):
        pixels, labels = read_idx_images(files[part])
        assert pixels.shape == (count, 1, 28, 28)
        assert sorted(set(labels.tolist())) == list(range(10))


def test_the_series_has_every_month_in_order() -> None:
    months = [month for month, _ in read("nino.csv")[1]]
    assert months == [f"{year}-{month:02d}-01" for year in range(1950, 2011) for month in range(1, 13)]


def test_the_tunes_are_whole() -> None:
    tunes = (DATA / "irish_sample.abc").read_text(encoding="utf-8").strip().split("\n\nX:")
    assert len(tunes) == 66
    assert all("\nK:" in tune for tune in tunes)


def test_digits_are_those_of_their_source() -> None:
    source = load_digits()
    header, rows = read("digits.csv")
    assert header == [*(f"p{row}{column}" for row in range(8) for column in range(8)), "digit"]
    assert numbers(rows) == [
        [*pixels, digit] for pixels, digit in zip(source.data.tolist(), source.target.tolist(), strict=True)
    ]


def test_diabetes_is_that_of_its_source() -> None:
    source = load_diabetes(scaled=False)
    header, rows = read("diabetes.csv")
    assert header == [*source.feature_names, "progression"]
    assert numbers(rows) == [
        [*patient, score] for patient, score in zip(source.data.tolist(), source.target.tolist(), strict=True)
    ]


def test_penguins_are_all_there_with_their_gaps() -> None:
    header, rows = read("penguins.csv")
    assert len(rows) == 344
    gaps = {name: sum(row[i] == "" for row in rows) for i, name in enumerate(header)}
    assert {name: count for name, count in gaps.items() if count} == {
        "bill_length_mm": 2,
        "bill_depth_mm": 2,
        "flipper_length_mm": 2,
        "body_mass_g": 2,
        "sex": 11,
    }


def test_the_lectures_examples_are_in_the_data() -> None:
    assert read("neuron.csv")[1][0] == ["-1.0", "2.0", "0"]

    _, students = read("will_i_pass.csv")
    alike = [passed for lectures, hours, passed, _ in students if lectures == "4" and 4 <= float(hours) <= 6]
    assert len(alike) >= 5
    assert alike.count("yes") / len(alike) >= 0.9
