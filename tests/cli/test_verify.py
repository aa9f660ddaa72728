"""`nettool verify`: what is whole is said to be, and whatever is not is named."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from nettool_cli import console

from nettool.runs.directory import RunDirectory, locked
from tests.cli.conftest import Nettool

RUN = "runs/students-0001"


@pytest.fixture
def run(nettool: Nettool, config: Path, folder: Path) -> Path:
    assert nettool("train", config, "--quiet", "epochs=4", "checkpoint.every=1 epochs").code == 0
    return folder / RUN


def wrong(nettool: Nettool, *arguments: str) -> dict[str, str]:
    """What is not as it should be, by name."""
    result = nettool("verify", RUN, "--json", *arguments)
    findings = json.loads(result.out)
    found = {finding["what"]: finding["value"] for finding in findings if not finding["fine"]}
    assert result.code == (2 if found else 0)
    assert bool(found) == ("not as the run left it" in result.err)
    return found


def test_a_run_is_whole_and_this_machine_gives_its_numbers_again(nettool: Nettool, run: Path) -> None:
    result = nettool("verify")
    assert result.code == 0
    lines = [line.split(maxsplit=1) for line in result.out.splitlines()]
    assert [line[0] for line in lines] == [
        "run", "run.json", "best.safetensors", "last.safetensors", "previous.safetensors", "trace.safetensors",
        "config.yaml", "metrics.csv", "data", "metrics", "this",
    ]  # fmt: skip
    assert "measured again, validation_loss, accuracy: the same to the bit" in result.out
    assert "to train again would give the same bits" in result.out


@pytest.mark.parametrize("name", ["last", "previous", "best", "trace"])
def test_a_flipped_bit_is_found(nettool: Nettool, run: Path, name: str) -> None:
    path = run / f"{name}.safetensors"
    content = bytearray(path.read_bytes())
    content[-3] ^= 64
    path.write_bytes(content)
    assert "its checksum does not match" in wrong(nettool)[f"{name}.safetensors"]


def test_another_config_is_found(nettool: Nettool, run: Path) -> None:
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text.replace("lr: 0.05", "lr: 0.06"))
    assert wrong(nettool) == {"config.yaml": "another than the weights were trained with: optimizer"}
    (run / "config.yaml").write_text("layers: 3")
    assert "data: is required" in wrong(nettool)["config.yaml"]


def test_a_journal_that_lacks_an_epoch_is_found(nettool: Nettool, run: Path) -> None:
    lines = (run / "metrics.csv").read_text().splitlines(keepends=True)
    (run / "metrics.csv").write_text("".join([*lines[:2], *lines[3:]]))
    assert wrong(nettool) == {"metrics.csv": "epochs are missing or stand there twice (3 rows)"}


def test_recorded_numbers_that_do_not_come_out_are_found(nettool: Nettool, run: Path) -> None:
    lines = (run / "metrics.csv").read_text().splitlines(keepends=True)
    best = json.loads((run / "run.json").read_text())["best_epoch"]
    cells = lines[best].split(",")
    cells[3] = repr(float(cells[3]) + 1e-12)
    (run / "metrics.csv").write_text("".join([*lines[:best], ",".join(cells), *lines[best + 1 :]]))
    assert "validation_loss is" in wrong(nettool)["metrics"]


def test_data_that_changed_or_is_gone_is_found_and_moved_data_is_named(
    nettool: Nettool, run: Path, table: Path
) -> None:
    moved = table.rename(table.with_name("moved.csv"))
    assert "If it was moved: nettool verify RUN data.path=..." in wrong(nettool)["data"]
    assert wrong(nettool, f"data.path={moved}") == {}
    table.write_text(moved.read_text() + "1,2,a,yes\n")
    assert "is no longer what the run was trained on" in wrong(nettool)["data"]


def test_another_machine_is_said_and_is_no_mistake(nettool: Nettool, run: Path) -> None:
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**record, "cpu": "Abacus 1", "resumed": [{"threads": 7}]}))
    result = nettool("verify")
    assert result.code == 0
    assert (
        "may differ in the last digits if it trains the run again: the run was made with cpu Abacus 1 (here"
        in result.out
    )
    assert "7 threads (here 1)" in result.out


def test_a_run_without_a_validation_split_has_nothing_to_measure(nettool: Nettool, config: Path, folder: Path) -> None:
    nettool("train", config, "--quiet", "data.split=[0.8, 0, 0.2]", "epochs=2")
    result = nettool("verify")
    assert (result.code, "there is no validation split to measure again" in result.out) == (0, True)


def test_a_run_that_was_killed_says_so(nettool: Nettool, run: Path) -> None:
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**record, "status": "running"}))
    words = f"killed: go on with: nettool train --resume {RUN}"
    assert words in nettool("verify").out
    assert "killed" in nettool("runs", "list").out
    assert nettool("runs", "show").out.splitlines()[2].split()[-1] == "killed"
    with locked(RunDirectory(run)):
        assert words not in nettool("verify").out
        assert "running" in nettool("runs", "list").out


def test_what_is_missing_is_named(nettool: Nettool, run: Path) -> None:
    (run / "best.safetensors").unlink()
    (run / "run.json").write_text("{")
    found = wrong(nettool)
    assert "holds no best.safetensors" in found["network"]
    assert "it is no JSON" in found["run.json"]


def test_the_journal_and_the_record_are_held_against_the_checkpoint(nettool: Nettool, run: Path) -> None:
    text, record = (run / "metrics.csv").read_text(), json.loads((run / "run.json").read_text())
    lines = text.splitlines(keepends=True)
    (run / "metrics.csv").write_text(text.replace(",20,", ",21,"))
    assert wrong(nettool) == {"metrics.csv": "step of epoch 4 is not what last.safetensors remembers"}
    (run / "metrics.csv").write_text("".join([*lines, lines[-1].replace("4,20", "5,25")]))
    assert wrong(nettool) == {"metrics.csv": "5 epochs, but last.safetensors remembers 4"}
    (run / "metrics.csv").write_text(text)
    changed = {**record, "metrics": {**record["metrics"], "accuracy": 0.999}}
    (run / "run.json").write_text(json.dumps(changed))
    assert wrong(nettool) == {"metrics": f"run.json has other ones than metrics.csv in epoch {record['best_epoch']}"}


@pytest.mark.parametrize("content", ["", "hello", "epoch,step\n1", "epoch,step\n1,two\n"])
def test_a_journal_that_is_none_is_named(nettool: Nettool, run: Path, content: str) -> None:
    (run / "metrics.csv").write_text(content)
    assert wrong(nettool)
    assert nettool("runs", "show").code == (2 if content != "hello" else 0)


@pytest.mark.parametrize("name", ["last", "best"])
def test_a_checkpoint_that_is_gone_is_found(nettool: Nettool, run: Path, name: str) -> None:
    (run / f"{name}.safetensors").unlink()
    assert wrong(nettool)[f"{name}.safetensors"] == "is missing"
    assert nettool("train", "--resume", RUN, "--quiet").code == 0
    assert wrong(nettool) == {}


def test_a_checkpoint_of_another_run_is_found(nettool: Nettool, run: Path, config: Path) -> None:
    nettool("train", config, "--quiet", "epochs=4", "seed=7")
    other = run.parent / "students-0002"
    mine = (run / "last.safetensors").read_bytes()
    (run / "last.safetensors").write_bytes((other / "last.safetensors").read_bytes())
    assert "is of another run: it differs in checkpoint, seed." in wrong(nettool)["last.safetensors"]
    (run / "last.safetensors").write_bytes((run / "best.safetensors").read_bytes())
    assert "does not fit together" in wrong(nettool)["last.safetensors"]
    (run / "last.safetensors").write_bytes(mine)
    assert wrong(nettool) == {}


def test_what_is_no_file_is_not_waited_for(nettool: Nettool, run: Path) -> None:
    for name in ("last.safetensors", "run.json"):
        (run / name).unlink()
        os.mkfifo(run / name)
    found = wrong(nettool)
    assert "no file" in found["run.json"]
    assert "no file" in found["last.safetensors"]


@pytest.mark.parametrize(
    "cells", ["nan,20,0.1,0.2,0.5,0.05,1,1", "4,nan,0.1,0.2,0.5,0.05,1,1", "4,20,,0.2,0.5,0.05,1,1"]
)
def test_a_row_that_is_no_epoch_is_damage(nettool: Nettool, run: Path, cells: str) -> None:
    lines = (run / "metrics.csv").read_text().splitlines()
    (run / "metrics.csv").write_text("\n".join([*lines[:4], cells]) + "\n")
    assert "metrics.csv is damaged" in wrong(nettool)["metrics.csv"]


@pytest.mark.parametrize(("schedule", "same"), [("cosine", False), ("{name: step, every: 2}", True), ("plateau", True)])
def test_a_schedule_that_spans_all_epochs_is_not_said_to_give_the_same_bits_once_they_have_changed(
    nettool: Nettool, config: Path, folder: Path, schedule: str, same: bool
) -> None:
    nettool("train", config, "--quiet", f"schedule={schedule}", "epochs=4")
    assert "to train again would give the same bits" in nettool("verify").out
    assert nettool("train", "--resume", "last", "--quiet", "epochs=6").code == 0
    out = nettool("verify").out
    assert ("to train again would give the same bits" in out) == same
    words = "gives other numbers if it trains the run again: the run went on to other epochs than it began with"
    assert (words in out) != same


def test_no_word_is_broken_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "60")
    console.finding("metrics", "measured again, " + "validation_loss, " * 6 + "the same", fine=False, width=20)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 2
    assert all(len(line) <= 60 for line in lines)
    assert all(line.startswith(" " * 21) for line in lines[1:])
    assert " ".join(" ".join(lines).split()).count("validation_loss,") == 6
