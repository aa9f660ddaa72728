"""Every kind of bad input: a clear error with its place and its cure, exit code 2, nothing written."""

import os
import pickle
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.conftest import Nettool

CONFIG = """\
data:
  path: table.csv
  target: passed
layers:
  - dense: 8
  - output
loss: binary_cross_entropy
epochs: 2
"""
HEADER = "lectures,hours,passed\n"
ROWS = "".join(f"{row % 11},{row % 7}.5,{'yes' if row % 11 > 5 else 'no'}\n" for row in range(100))


@dataclass(frozen=True)
class Case:
    """What is changed in a good config and a good table, and the words that the error must hold."""

    name: str
    words: tuple[str, ...]
    config: tuple[str, str] = ("", "")
    table: str | bytes = HEADER + ROWS


CASES = [
    Case("a missing file", ("tabel.csv", "no such file", "table.csv"), ("table.csv", "tabel.csv")),
    Case("a missing column", ("bad.yaml:3:3", 'data.target: the table has no column "pased". Did you mean "passed"?'), ("passed", "pased")),
    Case("an empty table", ("table.csv", "not a single row"), table=HEADER),
    Case("an empty file", ("table.csv", "empty"), table=""),
    Case("a target with one class", ("data.target", '"no"', "one class"), table=HEADER + "1,2,no\n2,3,no\n" * 20),
    Case(
        "more classes than the loss allows",
        ("bad.yaml:7:1", "loss: binary_cross_entropy has two classes", "has 3", "Use cross_entropy."),
        table=HEADER + ROWS + "3,3.5,maybe\n" * 10,
    ),
    Case("text with a loss for numbers", ("bad.yaml:7:1", "loss", "mse", "binary_cross_entropy"), ("binary_cross_entropy", "mse")),
    Case(
        "numbers with a loss for classes",
        ("loss", "mse"),
        ("target: passed", "target: hours"),
        HEADER + "".join(f"{row % 11},{row * 1.37:.3f},yes\n" for row in range(100)),
    ),
    Case("text in a number column", ('"hours"', "row 101", '"a lot"'), table=HEADER + "".join(f"{row % 11},{row},{'yes' if row % 3 else 'no'}\n" for row in range(100, 0, -1)) + "3,a lot,yes\n"),
    Case("a missing target", ('"passed"', "row 101"), table=HEADER + ROWS + "3,4,\n"),
    Case("NaN in a number target", ('"hours"', "row 101"), ("target: passed\nlayers:\n  - dense: 8\n  - output\nloss: binary_cross_entropy", "target: hours\nlayers: [output]\nloss: mse"), HEADER + ROWS + "3,nan,yes\n"),
    Case("an infinite value", ('"hours"', "row 101", "inf"), table=HEADER + ROWS + "3,inf,yes\n"),
    Case("a class too rare for every split", ('"yes"', "split"), table=HEADER + ROWS.replace("yes", "no") + "3,99,yes\n"),
    Case("an unknown key", ("bad.yaml:8:1", 'epoch: no such key. Did you mean "epochs"?'), ("epochs", "epoch")),
    Case("an unknown layer", ("bad.yaml:5:5", 'no layer "dens". Did you mean "dense"?'), ("dense", "dens")),
    Case("an unknown loss", ("bad.yaml:7:1", 'Did you mean "binary_cross_entropy"?'), ("binary_cross_entropy", "binary_crossentropy")),
    Case("an unknown optimizer", ("bad.yaml:8:1", '"adma"', 'Did you mean "adam'), ("epochs: 2", "optimizer: adma")),
    Case("a wrong type", ("bad.yaml:5:5", 'must be a whole number, not "eight"'), ("dense: 8", "dense: eight")),
    Case("a number out of range", ("bad.yaml:8:1", "dropout: must be below 1", "1.5"), ("epochs: 2", "dropout: 1.5")),
    Case(
        "shapes that do not fit",
        ("bad.yaml:5:5", "layers.0 (residual)", "a flat vector of 8 numbers", "projection: true"),
        ("- dense: 8", "- residual: {layers: [dense: 8]}"),
    ),
    Case("weights of another shape", ("layers.1 (output).weights", "1 x 2 numbers", "1 x 8"), ("- output", "- output: {weights: [1, 2]}")),
    Case("a layer after output", ("bad.yaml:7:5", "layers.2 (dense)", "output comes last"), ("- output", "- output\n  - dense: 3")),
    Case("no output", ("bad.yaml:4:1", "layers", "without an output", "- output"), ("  - output\n", "")),
    Case("duplicate keys", ("bad.yaml:8:1", "loss: this key is written twice", "line 7"), ("epochs: 2", "loss: mse")),
    Case("duplicate columns", ("table.csv: line 1", 'columns 1 and 2 are called "hours"'), table="hours,hours,passed\n" + ROWS),
    Case("a feature that is the target", ("bad.yaml:1:1", '"passed" is the target and a feature'), ("target: passed", "target: passed\n  features: [hours, passed]")),
    Case("text that is not UTF-8", ("table.csv", "line 102", "UTF-8"), table=(HEADER + ROWS + "1,2,größe\n").encode("latin-1")),
    Case("a ragged csv", ("table.csv", "line 102", "3", "2"), table=HEADER + ROWS + "3,4\n"),
    Case("a name with a path in it", ("bad.yaml:8:1", '"../x" is not a name'), ("epochs: 2", "name: ../x")),
    Case("a pickle that is called csv", ("table.csv", "a Python pickle, which nettool never opens"), table=pickle.dumps({"a": "é" * 10})),
    Case("a fraction too many", ("data.split", "add up to 1.3"), ("target: passed", "target: passed\n  split: {train: 1.0}")),
    Case("no feature left", ("no column is left to predict", "hours"), ("target: passed", "target: passed\n  columns: {hours: ignore, lectures: ignore}")),
    Case("a weights column that is text", ('"name"',), ("target: passed", "target: passed\n  weights: name"), "name," + HEADER + "".join(f"x{i % 3},{line}\n" for i, line in enumerate(ROWS.splitlines()))),
    Case("an unknown class weight", ("loss.class_weights", '"yse"', '"yes"'), ("loss: binary_cross_entropy", "loss: {name: binary_cross_entropy, class_weights: {no: 1, yse: 2}}")),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("command", ["check", "train"])
def test_a_clear_error_and_nothing_written(nettool: Nettool, folder: Path, case: Case, command: str) -> None:
    assert case.config[0] in CONFIG
    (folder / "bad.yaml").write_text(CONFIG.replace(*case.config))
    (folder / "table.csv").write_bytes(case.table if isinstance(case.table, bytes) else case.table.encode())
    before = sorted(folder.rglob("*"))
    result = nettool(command, "bad.yaml")
    assert (result.code, result.out) == (2, ""), result.err
    said = " ".join(result.err.split())
    for words in case.words:
        assert words in said, result.err
    assert "Traceback" not in said
    assert sorted(folder.rglob("*")) == before


def test_the_good_config_they_are_made_from_trains(nettool: Nettool, folder: Path) -> None:
    (folder / "bad.yaml").write_text(CONFIG)
    (folder / "table.csv").write_text(HEADER + ROWS)
    assert nettool("train", "bad.yaml").code == 0


def test_a_table_where_a_config_should_be_is_answered_with_init(nettool: Nettool, folder: Path) -> None:
    (folder / "table.csv").write_text(HEADER + ROWS)
    result = nettool("train", "table.csv")
    assert result.code == 2
    assert "Write a config for it first: nettool init table.csv --target COLUMN" in result.err
    assert "the config comes first" in nettool("train", "epochs=3", "table.yaml").err


def test_a_category_of_almost_as_many_levels_as_rows_is_noted(nettool: Nettool, folder: Path) -> None:
    (folder / "bad.yaml").write_text(CONFIG)
    rows = [f"{line},x{index * 2 // 3}" for index, line in enumerate(ROWS.splitlines())]
    (folder / "table.csv").write_text(f"{HEADER.strip()},who\n" + "\n".join(rows) + "\n")
    assert 'note: "who" is a category of 67 levels in 100 rows' in nettool("train", "bad.yaml").err


PIPES = {
    "song.txt": "{path: song.txt, target: next, text: {length: 5}}",
    "song.txt.gz": "{path: song.txt.gz, target: next, text: {length: 5}}",
    "cat.png": "{path: pictures.csv, target: label, columns: {image: image}}",
    "train-images-idx3-ubyte": "{path: train-images-idx3-ubyte, target: label}",
    "shapes.npz": "{path: shapes.npz, target: y}",
    "rows.csv": "{path: rows.csv, target: y}",
}


@pytest.mark.parametrize("name", PIPES)
def test_a_pipe_in_the_place_of_data_is_not_waited_for(nettool: Nettool, folder: Path, name: str) -> None:
    os.mkfifo(folder / name)
    (folder / "train-labels-idx1-ubyte").write_bytes(b"")
    (folder / "pictures.csv").write_text("image,label\n" + "cat.png,x\ncat.png,y\n" * 4)
    (folder / "c.yaml").write_text(f"data: {PIPES[name]}\nlayers: [flatten, output]\nloss: cross_entropy\n")
    result = nettool("check", "c.yaml", "--data")
    assert result.code == 2
    assert name in result.err
    assert "a pipe or a device" in result.err or "the file is empty" in result.err


def test_a_run_whose_data_has_become_a_pipe_is_verified_without_waiting(
    nettool: Nettool, config: Path, table: Path
) -> None:
    assert nettool("train", config, "--quiet", "epochs=1").code == 0
    table.unlink()
    os.mkfifo(table)
    for command in (("verify",), ("eval",)):
        result = nettool(*command)
        assert (result.code, "a pipe or a device" in result.out + result.err) == (2, True), result
