"""`nettool verify`: what is whole is said to be, and whatever is not is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

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
        "run", "run.json", "best.safetensors", "last.safetensors", "previous.safetensors", "config.yaml", "metrics.csv",
        "data", "metrics", "this",
    ]  # fmt: skip
    assert "measured again, validation_loss, accuracy: the same to the bit" in result.out
    assert "trained again, the same bits" in result.out


@pytest.mark.parametrize("name", ["last", "previous", "best"])
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
    assert "running, or was killed: nettool train --resume" in nettool("verify").out


def test_what_is_missing_is_named(nettool: Nettool, run: Path) -> None:
    (run / "best.safetensors").unlink()
    (run / "run.json").write_text("{")
    found = wrong(nettool)
    assert "holds no best.safetensors" in found["network"]
    assert "cannot be read" in found["run.json"]
