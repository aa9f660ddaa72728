"""`nettool train --resume`: what a user types, what may change and what may not."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest

from nettool.runs import checkpoint, directory
from nettool.runs.directory import RunDirectory
from tests.cli.conftest import CONFIGS, Nettool
from tests.same_run import assert_same_run, journal

RUN = "runs/students-0001"


@pytest.fixture
def run(nettool: Nettool, config: Path, folder: Path) -> Path:
    """Six epochs of what may be more."""
    assert nettool("train", config, "--quiet", "dropout=0.2", "epochs=6").code == 0
    return folder / RUN


def test_a_run_goes_on_to_more_epochs_as_if_it_had_never_stopped(nettool: Nettool, config: Path, run: Path) -> None:
    result = nettool("train", "--resume", RUN, "--epochs", "15")
    assert (result.code, result.out) == (0, f"{RUN}\n")
    assert "epoch 15/15" in result.err
    assert "epoch 1 to 15" in result.err  # the chart begins where the run began
    nettool("train", config, "--quiet", "dropout=0.2", "epochs=15")
    assert_same_run(run, run.parent / "students-0002")
    record = json.loads((run / "run.json").read_text())
    assert (record["status"], record["epochs"]) == ("finished", 15)
    assert [(stay["epoch"], stay["overrides"]) for stay in record["resumed"]] == [(6, ["epochs=15"])]
    assert "resumed in epoch 7 at step 30" in (run / "log.txt").read_text()
    assert re.search(r"resumed in epoch 7 +epochs=15", nettool("runs", "show", RUN).out)


def test_resume_without_a_run_says_how(nettool: Nettool) -> None:
    result = nettool("train", "--resume")
    assert result.code == 2
    assert "Name one, or take the newest: nettool train --resume last" in result.err


@pytest.mark.parametrize("name", ["last", RUN, "students-0001"])
def test_the_run_is_named_as_everywhere_or_is_the_last(nettool: Nettool, run: Path, name: str) -> None:
    assert nettool("train", "--resume", name, "epochs=7", "--quiet").out == f"{RUN}\n"
    assert len(journal(run)) == 1 + 7


def test_a_complete_run_is_left_alone_and_says_how_it_goes_further(nettool: Nettool, run: Path) -> None:
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in run.iterdir() if path.name != ".lock"}
    result = nettool("train", "--resume", RUN)
    assert (result.code, result.out) == (0, f"{RUN}\n")
    assert result.err == f"note: {RUN} is complete. Take it further with epochs=N or early_stopping.patience=N.\n"
    after = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in run.iterdir() if path.name != ".lock"}
    assert after == before


@pytest.mark.parametrize(
    ("override", "words"),
    [
        (
            "layers.0.units=9",
            "layers.0 (dense).units: cannot change while a run goes on (it was 8). Epochs, early_stopping,",
        ),
        ("optimizer.lr=0.1", "optimizer.lr: cannot change while a run goes on (it was 0.05)"),
        ("seed=1", "seed: cannot change"),
        ("data.target=group", "data.target: cannot change"),
        ("batch_size=8", "batch_size: cannot change"),
        ("early_stopping={patience: 3, monitor: accuracy}", "the best weights so far were chosen by validation_loss"),
        (
            "optimizer={name: sgd, lr: 0.1}",
            "optimizer.name: cannot change while a run goes on (it was adam).",
        ),
        ("epochs=5", "epochs: 6 are done already; name as many or more."),
        ("epoch=9", 'epoch: no such key. Did you mean "epochs"?'),
    ],
)
def test_what_would_make_another_run_of_it_is_refused_with_its_place(
    nettool: Nettool, run: Path, override: str, words: str
) -> None:
    before = (run / "config.yaml").read_bytes(), (run / "last.safetensors").read_bytes()
    result = nettool("train", "--resume", RUN, override)
    assert (result.code, result.out) == (2, "")
    assert words in " ".join(result.err.split())
    assert result.err.startswith(override[:20])
    assert ((run / "config.yaml").read_bytes(), (run / "last.safetensors").read_bytes()) == before


def test_a_config_edited_by_hand_is_held_against_the_checkpoint(nettool: Nettool, run: Path) -> None:
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text.replace("units: 8", "units: 9").replace("epochs: 6", "epochs: 9"))
    result = nettool("train", "--resume", RUN)
    assert result.code == 2
    assert re.match(rf"{RUN}/config\.yaml:\d+:\d+ +layers\.0 \(dense\)\.units: cannot change", result.err), result.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--resume", RUN, "--run-dir", "x"), "leave --run-dir out"),
        (("--resume", RUN, "--dry-run"), "leave --dry-run out"),
        (("students.yaml", "--resume", RUN), "a run goes on with its own config: leave students.yaml out"),
        (("--resume", "student-0001"), "no such run. Did you mean students-0001?"),
        (("--resume", "students.csv"), "students.csv is no run"),
        ((), "name a config to train: nettool train CONFIG"),
    ],
)
def test_commands_that_make_no_sense_are_answered(
    nettool: Nettool, run: Path, arguments: tuple[str, ...], words: str
) -> None:
    result = nettool("train", *arguments)
    assert (result.code, result.out) == (2, "")
    assert words in result.err


def test_data_that_changed_is_refused_and_data_that_moved_is_found(nettool: Nettool, run: Path, table: Path) -> None:
    moved = table.rename(table.with_name("elsewhere.csv"))
    result = nettool("train", "--resume", RUN, "epochs=7")
    assert result.code == 2
    assert "there is no such file" in " ".join(result.err.split())  # the width of its lines follows from the path
    table.write_text(moved.read_text().replace("yes", "no", 1))
    result = nettool("train", "--resume", RUN, "epochs=7")
    assert result.code == 2
    assert "is not the data that the run was trained on (its sha256 differs)" in result.err
    assert nettool("train", "--resume", RUN, "epochs=7", f"data.path={moved}", "--quiet").code == 0


def test_a_moved_run_goes_on_where_it_is(nettool: Nettool, run: Path, folder: Path) -> None:
    shutil.move(run, folder / "kept")
    assert nettool("train", "--resume", "kept", "epochs=7").out == "kept\n"


def test_a_run_that_was_stopped_before_its_first_checkpoint_begins_again_where_it_is(
    nettool: Nettool, run: Path
) -> None:
    again = run.parent / "students-0002"
    again.mkdir()
    shutil.copy(run / "config.yaml", again)
    (again / "metrics.csv").write_text("epoch,step\n1,")  # cut off
    assert nettool("train", "--resume", str(again)).code == 0
    assert_same_run(run, again)


def test_a_damaged_checkpoint_gives_way_to_the_one_before_with_one_warning(
    nettool: Nettool, config: Path, folder: Path
) -> None:
    nettool("train", config, "--quiet", "epochs=6", "checkpoint.every=2 epochs")
    run = folder / RUN
    content = bytearray((run / "last.safetensors").read_bytes())
    content[len(content) // 2] ^= 8
    (run / "last.safetensors").write_bytes(content)
    result = nettool("train", "--resume", RUN, "epochs=8")
    assert result.code == 0
    warnings = [line for line in result.err.splitlines() if "warning" in line]
    assert warnings == [
        f"warning: {RUN}/last.safetensors is damaged: its checksum does not match its content. "
        "Going on from the checkpoint before it, in epoch 5 at step 20."
    ]
    nettool("train", config, "--quiet", "epochs=8", "checkpoint.every=2 epochs")
    assert_same_run(run, run.parent / "students-0002")


def test_where_no_checkpoint_is_whole_nothing_is_begun(nettool: Nettool, run: Path) -> None:
    (run / "last.safetensors").write_bytes(b"no")
    result = nettool("train", "--resume", RUN, "epochs=8")
    assert result.code == 2
    assert f"There is no whole checkpoint before it either. Train again: nettool train {RUN}/config.yaml" in result.err


def test_a_run_in_use_exits_5_and_names_who_uses_it(nettool: Nettool, run: Path) -> None:
    with directory.locked(RunDirectory(run)):
        result = nettool("train", "--resume", RUN, "epochs=8")
    assert (result.code, result.out) == (5, "")
    assert re.fullmatch(
        rf"nettool: {RUN} is in use by process {os.getpid()} on \S+, since .+\. Wait for it to end, or stop it\.\n",
        result.err,
    )
    assert nettool("train", "--resume", RUN, "epochs=8", "--quiet").code == 0


def test_a_schedule_over_all_epochs_says_that_it_changes(nettool: Nettool, config: Path) -> None:
    nettool("train", config, "--quiet", "epochs=6", "schedule=cosine")
    result = nettool("train", "--resume", "last", "epochs=9")
    assert (
        "note: the schedule cosine spans all epochs: so far it was that of 6, from here on it is that of 9. So the "
        "learning rate jumps here" in result.err
    )
    result = nettool("train", "--resume", "last", "early_stopping=100", "epochs=9")
    assert "the schedule" not in result.err


def test_other_versions_are_said_before_going_on(nettool: Nettool, run: Path) -> None:
    record = json.loads((run / "run.json").read_text())
    record["versions"]["torch"] = "2.9.0"
    (run / "run.json").write_text(json.dumps(record))
    result = nettool("train", "--resume", RUN, "epochs=7")
    assert result.code == 0
    assert "note: the run was made with torch 2.9.0 (here " in result.err
    assert "the last digits may differ from those of an uncut run" in result.err


def test_the_threads_are_those_that_the_run_began_with(nettool: Nettool, config: Path, folder: Path) -> None:
    nettool("train", config, "--quiet", "epochs=2", "runtime.threads=2")
    text = (folder / RUN / "config.yaml").read_text()
    (folder / RUN / "config.yaml").write_text(
        text.replace("runtime: {device: auto, threads: 2}", "runtime: {device: auto}")
    )
    result = nettool("train", "--resume", RUN, "epochs=3")
    assert "2 threads" in result.err
    assert checkpoint.load(folder / RUN / "last.safetensors")[1]["threads"] == 2


def test_every_kind_of_example_goes_on(nettool: Nettool, folder: Path) -> None:
    for name, changes in (("series", ()), ("music_lstm", ("layers.1.units=8",)), ("digits_cnn", ("data.limit=200",))):
        assert nettool("train", CONFIGS / f"{name}.yaml", "--quiet", "epochs=1", *changes).code == 0
        result = nettool("train", "--resume", "last", "epochs=2", "--quiet")
        assert result.code == 0, result.err


def test_several_changes_are_told_with_the_rule_once(nettool: Nettool, run: Path) -> None:
    said = " ".join(nettool("train", "--resume", RUN, "optimizer.lr=0.1", "seed=3", "dropout=0.3").err.split())
    assert said.count("cannot change while a run goes on") == said.count("Train a new run for the rest.") == 1
    assert said.count("cannot change either") == 2


def test_a_run_without_a_checkpoint_begins_again_and_says_so(nettool: Nettool, config: Path, folder: Path) -> None:
    nettool("train", config, "--quiet", "epochs=4")
    run = folder / RUN
    for name in ("best", "last"):
        (run / f"{name}.safetensors").unlink()
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**record, "status": "running"}))
    result = nettool("train", "--resume", RUN)
    assert (result.code, "note: the run had saved nothing yet: it begins again." in result.err) == (0, True)
    nettool("train", config, "--quiet", "epochs=4")
    assert_same_run(run, run.parent / "students-0002")


@pytest.mark.parametrize("gone", [("last",), ("last", "best")])
def test_a_run_whose_checkpoints_are_gone_is_not_begun_again(
    nettool: Nettool, run: Path, gone: tuple[str, ...]
) -> None:
    for name in gone:
        (run / f"{name}.safetensors").unlink()
    before = (run / "metrics.csv").read_bytes()
    result = nettool("train", "--resume", RUN, "epochs=8")
    assert (result.code, "holds no checkpoint to go on from" in result.err) == (2, True)
    assert (run / "metrics.csv").read_bytes() == before


def test_damaged_best_weights_of_a_complete_run_are_written_again(nettool: Nettool, run: Path) -> None:
    before = (run / "best.safetensors").read_bytes()
    (run / "best.safetensors").write_bytes(before[:-1])
    said = nettool("eval", RUN).err
    cure = f"nettool train --resume {RUN}"
    assert said.rstrip().endswith(cure)
    assert nettool(*cure.split()[1:]).code == 0
    assert (run / "best.safetensors").read_bytes() == before
