"""`nettool train --resume` and `verify` where something is lost, moved, damaged or changed on the way."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from nettool.runs import checkpoint, durable
from nettool.workflows import machine
from tests.cli.conftest import Nettool
from tests.same_run import assert_same_run

RUN = "runs/students-0001"
SAME = "to train again would give the same bits"


@pytest.fixture
def run(nettool: Nettool, config: Path, folder: Path) -> Path:
    """Six epochs of what may be more, with a checkpoint before the last."""
    assert nettool("train", config, "--quiet", "epochs=6", "checkpoint.every=2 epochs").code == 0
    return folder / RUN


def facts_of(path: Path) -> dict[str, Any]:
    return checkpoint.read_facts(path)


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def as_if_killed(run: Path) -> None:
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**record, "status": "running"}))


def test_the_best_weights_are_never_of_an_epoch_that_the_run_does_not_have(
    nettool: Nettool, config: Path, run: Path
) -> None:
    """It was killed while it went on to 30 epochs, after their best was written, and then ended with 8."""
    earlier = (run / "last.safetensors").read_bytes(), (run / "metrics.csv").read_bytes()
    assert nettool("train", "--resume", RUN, "epochs=30", "--quiet").code == 0
    assert facts_of(run / "best.safetensors")["epoch"] > 8
    (run / "last.safetensors").write_bytes(earlier[0])
    (run / "metrics.csv").write_bytes(earlier[1])
    as_if_killed(run)
    assert nettool("train", "--resume", RUN, "epochs=8", "--quiet").code == 0
    assert nettool("train", config, "--quiet", "epochs=8", "checkpoint.every=2 epochs").code == 0
    assert_same_run(run, run.parent / "students-0002")


def test_a_checkpoint_that_cannot_be_read_now_keeps_its_place(
    nettool: Nettool, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path.name: path.read_bytes() for path in run.glob("*.safetensors")}
    opened = os.open

    def fail(path: Any, *arguments: Any, **named: Any) -> int:
        if str(path).endswith("last.safetensors"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return opened(path, *arguments, **named)

    monkeypatch.setattr(os, "open", fail)
    result = nettool("train", "--resume", RUN, "epochs=8")
    assert (result.code, result.err) == (
        2,
        f"nettool: {RUN}/last.safetensors cannot be read: Input/output error.\n",
    )
    assert {path.name: path.read_bytes() for path in run.glob("*.safetensors")} == before
    monkeypatch.undo()


def test_a_run_that_goes_on_no_longer_says_how_it_ended_before(nettool: Nettool, run: Path) -> None:
    """Killed after it was gone on with, it has neither the numbers nor the reason of its first end."""
    watched: list[dict[str, Any]] = []
    write = durable.write_file

    def look(path: Path, *arguments: Any) -> None:
        write(path, *arguments)
        if path.name == "last.safetensors":
            watched.append(json.loads((run / "run.json").read_text()))

    durable.write_file = look
    try:
        assert nettool("train", "--resume", RUN, "epochs=20", "--quiet").code == 0
    finally:
        durable.write_file = write
    assert watched[0]["status"] == "running"
    assert not watched[0].keys() & {"why", "finished", "seconds", "epochs", "best_epoch", "metrics", "baseline"}
    (run / "run.json").write_text(json.dumps(watched[0]))
    assert nettool("verify", RUN).code == 0


@pytest.mark.parametrize("left", [None, "epoch,step\n1,", "half"])
def test_a_journal_that_is_lost_is_written_again(nettool: Nettool, run: Path, left: str | None) -> None:
    journal = run / "metrics.csv"
    before = journal.read_text()
    if left is None:
        journal.unlink()
    else:
        journal.write_text("".join(before.splitlines(keepends=True)[:4]) if left == "half" else left)
    found = nettool("verify", RUN)
    assert found.code == 2
    assert "no validation split" not in found.out
    assert nettool("train", "--resume", RUN, "--quiet").code == 0
    assert journal.read_text() == before
    assert nettool("verify", RUN).code == 0


def test_a_damaged_journal_says_how_it_comes_back(nettool: Nettool, run: Path) -> None:
    (run / "metrics.csv").write_text("epoch,step\n1,")
    for command in ("verify", "runs show"):
        result = nettool(*command.split(), RUN)
        said = " ".join((result.out + result.err).split())
        assert f"Write it again from the last checkpoint: nettool train --resume {RUN}" in said


def test_more_epochs_for_a_run_that_is_out_of_patience_say_so(nettool: Nettool, config: Path) -> None:
    stopped = ("early_stopping={patience: 2, min_delta: 5}", "epochs=20")
    assert nettool("train", config, "--quiet", *stopped).code == 0
    assert "used up" not in nettool("train", "--resume", RUN).err
    result = nettool("train", "--resume", RUN, "epochs=30")
    assert result.code == 0
    assert "note: its patience of 2 epochs is used up, so that no epoch is added. Give it more, with" in result.err
    result = nettool("train", "--resume", RUN, "early_stopping.patience=4")
    assert "used up" not in result.err


@pytest.mark.parametrize("command", ["eval", "train --resume"])
def test_data_that_was_moved_can_be_named(nettool: Nettool, run: Path, command: str) -> None:
    Path("students.csv").rename("moved.csv")
    result = nettool(*command.split(), RUN, *(["epochs=8"] if "train" in command else []))
    assert result.code == 2
    assert "students.csv: there is no such file or folder any more. Was it moved? Then add data.path=..." in result.err


def test_a_refused_resumption_moves_no_checkpoint(nettool: Nettool, run: Path) -> None:
    damage(run / "last.safetensors")
    before = {path.name: path.read_bytes() for path in run.glob("*.safetensors")}
    assert nettool("train", "--resume", RUN, "optimizer.lr=1").code == 2
    assert nettool("train", "--resume", RUN, "epochs=3").code == 2
    assert {path.name: path.read_bytes() for path in run.glob("*.safetensors")} == before
    assert "warning: " in nettool("train", "--resume", RUN, "epochs=8").err


def test_early_stopping_that_would_have_ended_it_before_is_said_and_not_claimed_to_repeat(
    nettool: Nettool, run: Path
) -> None:
    assert SAME in nettool("verify").out
    result = nettool("train", "--resume", RUN, "epochs=9", "early_stopping={patience: 1, min_delta: 10}")
    assert result.code == 0
    note = "note: early_stopping as it is now would have ended this run with epoch 2. One from the beginning does."
    assert note in result.err
    assert note in (run / "log.txt").read_text()
    said = nettool("verify").out
    assert "early_stopping was changed on the way: as it is now, it ends the run with epoch 2" in said
    assert SAME not in said


def test_a_stop_in_the_very_last_epoch_is_the_end_all_the_same(nettool: Nettool, config: Path, folder: Path) -> None:
    changes = ("early_stopping={patience: 3, min_delta: 10}", "epochs=4", "checkpoint.every=1 epochs", "--quiet")
    assert nettool("train", config, *changes).code == 0
    run = folder / RUN
    assert json.loads((run / "run.json").read_text())["status"] == "finished"
    as_if_killed(run)
    assert nettool("train", "--resume", RUN, "--quiet").code == 0
    assert json.loads((run / "run.json").read_text())["status"] == "finished"


def test_a_machine_that_would_choose_other_threads_is_told(
    nettool: Nettool, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "ONE_THREAD_FLOPS", 0)
    monkeypatch.setattr(machine, "num_cores", lambda: 3)
    assert "the run was made with 1 thread (here 3)" in nettool("verify").out
    assert nettool("train", "--resume", RUN, "epochs=7", "--quiet").code == 0
    assert facts_of(run / "last.safetensors")["threads"] == 1


@pytest.mark.parametrize("lost", ["run.json", "nothing"])
def test_where_the_run_has_been_is_known_without_its_record(
    nettool: Nettool, run: Path, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    """Of every stay, the ones before the last one too."""
    assert nettool("train", "--resume", RUN, "epochs=7", "--quiet", "runtime.threads=2").code == 0
    assert nettool("train", "--resume", RUN, "epochs=8", "--quiet", "runtime.threads=1").code == 0
    if lost != "nothing":
        (run / lost).unlink()
    said = nettool("verify").out
    assert "2 threads (here 1)" in said
    assert SAME not in said
    result = nettool("train", "--resume", RUN, "epochs=9")
    assert "note: the run was made with 2 threads (here 1) so far: the last digits may differ" in result.err
    assert "2 threads (here 1)" in nettool("verify").out
    assert "resumed in epoch 9" in nettool("runs", "show").out


def test_nothing_is_claimed_of_a_run_whose_machine_nobody_knows(
    nettool: Nettool, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = checkpoint.load
    monkeypatch.setattr(checkpoint, "load", lambda path: (load(path)[0], {**load(path)[1], "machines": []}))
    (run / "run.json").unlink()
    said = nettool("verify").out
    assert "nothing says any more what it was made with" in said
    assert SAME not in said


@pytest.fixture
def files(folder: Path, table: Path) -> Path:
    """A config with a file for each split."""
    lines = table.read_text().splitlines(keepends=True)
    for number, name in enumerate(("train", "validation")):
        (folder / f"{name}.csv").write_text("".join([lines[0], *lines[1 + 100 * number : 101 + 100 * number]]))
    path = folder / "files.yaml"
    path.write_text(
        "data: {train: train.csv, validation: validation.csv, target: passed}\n"
        "layers: [dense: 4, output]\nloss: binary_cross_entropy\nepochs: 2\n"
    )
    return path


def test_a_split_cannot_go_while_a_run_goes_on(nettool: Nettool, files: Path) -> None:
    assert nettool("train", files, "--quiet", "--run-dir", "run").code == 0
    result = nettool("train", "--resume", "run", "epochs=4", "data.validation=null")
    assert result.code == 2
    assert "data.validation: cannot go while a run goes on. Train a new run for that." in " ".join(result.err.split())
    assert nettool("train", "--resume", "run", "epochs=4", "--quiet").code == 0


def test_a_split_that_the_weights_do_not_know_is_not_verified(nettool: Nettool, files: Path, folder: Path) -> None:
    assert nettool("train", files, "--quiet", "--run-dir", "run").code == 0
    result = nettool("verify", "run", f"data.test={folder / 'train.csv'}")
    assert (result.code, "is no longer what the run was trained on" in result.out) == (2, True)


def test_a_run_that_diverged_before_its_first_checkpoint_begins_again(
    nettool: Nettool, config: Path, folder: Path
) -> None:
    diverging = ("optimizer={name: sgd, lr: 1e38}", "layers=[{dense: 8}, {dense: 8}, output]", "batch_size=200")
    assert nettool("train", config, "--quiet", *diverging).code == 3
    run = folder / RUN
    assert not (run / "last.safetensors").exists()
    (run / "best.safetensors").write_bytes(b"of an epoch before it diverged")
    result = nettool("train", "--resume", RUN)
    assert (result.code, "note: the run had saved nothing yet: it begins again." in result.err) == (3, True)


def test_a_run_that_diverges_on_a_full_disk_says_that_it_diverged(
    nettool: Nettool, config: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(operation: durable.Operation) -> None:
        if operation.path.name.startswith((".last", ".best")):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(durable, "watch", fail)
    result = nettool("train", config, "--quiet", "optimizer={name: sgd, lr: 1e38}", "batch_size=200")
    assert result.code == 3
    assert json.loads((folder / RUN / "run.json").read_text())["status"] == "diverged"


def test_a_last_state_in_the_place_of_the_best_weights_is_written_over(nettool: Nettool, run: Path) -> None:
    (run / "best.safetensors").write_bytes((run / "last.safetensors").read_bytes())
    assert nettool("train", "--resume", RUN, "epochs=8", "--quiet").code == 0
    assert nettool("verify").code == 0


def test_a_column_that_the_user_has_added_to_the_journal_is_named(nettool: Nettool, run: Path) -> None:
    lines = (run / "metrics.csv").read_text().splitlines()
    (run / "metrics.csv").write_text("\n".join([f"{lines[0]},mine", *(f"{line},1" for line in lines[1:])]) + "\n")
    result = nettool("verify")
    assert (result.code, "metrics.csv is damaged: its columns are not epoch, step" in result.out) == (2, True)
    assert nettool("runs", "show").code == 0


def test_a_run_that_ends_while_one_looks_is_not_called_killed(
    nettool: Nettool, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nettool.workflows import runs

    ended = (run / "run.json").read_text()
    as_if_killed(run)

    def is_busy(run_: object) -> bool:
        (run / "run.json").write_text(ended)
        return False

    monkeypatch.setattr(runs, "is_busy", is_busy)
    assert "killed" not in nettool("runs", "show").out


def test_a_schedule_that_was_stretched_within_its_first_epoch_is_remembered(
    nettool: Nettool, config: Path, folder: Path
) -> None:
    """The journal cannot tell: it has the rate at the end of each epoch, and that is of the new schedule everywhere."""
    setting = ("schedule=cosine", "epochs=30", "checkpoint.every=2 steps", "batch_size=8")
    write, saves = durable.write_file, []

    def stop(path: Path, *arguments: Any) -> None:
        write(path, *arguments)
        saves.append(path.name)
        if saves.count("last.safetensors") == 2:
            raise KeyboardInterrupt

    durable.write_file = stop
    try:
        with pytest.raises(KeyboardInterrupt):
            nettool("train", config, "--quiet", *setting)
    finally:
        durable.write_file = write
    assert facts_of(folder / RUN / "last.safetensors")["state"]["position"]["epoch"] == 0
    assert nettool("train", "--resume", RUN, "epochs=2", "--quiet").code == 0
    out = nettool("verify", RUN).out
    assert SAME not in out
    assert "gives other numbers if it trains the run again: the run went on to other epochs than it began with" in out
    (folder / RUN / "metrics.csv").unlink()
    assert SAME not in nettool("verify", RUN).out


@pytest.mark.parametrize(
    "change",
    [{"versions": {}}, {"versions": {"torch": "x"}}, {"name": "\ud800"}, {"cpu": "\ud800"}, {"threads": 1e400}],
)
def test_a_record_of_strange_values_is_no_bug(nettool: Nettool, run: Path, change: dict[str, Any]) -> None:
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**record, **change}))
    result = nettool("train", "--resume", RUN, "epochs=8")
    assert result.code == 0, result.err
    assert json.loads((run / "run.json").read_text())["epochs"] == 8


def test_a_record_that_cannot_be_read_now_is_not_written_over(
    nettool: Nettool, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (run / "run.json").read_text()
    read = Path.read_bytes

    def fail(path: Path) -> bytes:
        if path.name == "run.json":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", fail)
    result = nettool("train", "--resume", RUN, "epochs=8")
    assert (result.code, result.err) == (2, f"nettool: {RUN}/run.json cannot be read: Input/output error.\n")
    monkeypatch.undo()
    assert (run / "run.json").read_text() == before


def test_the_tensors_of_another_network_are_refused_in_a_line(nettool: Nettool, config: Path, run: Path) -> None:
    assert nettool("train", config, "--quiet", "epochs=6", "layers=[{dense: 4}, output]").code == 0
    tensors, _ = checkpoint.load(run.parent / "students-0002/last.safetensors")
    checkpoint.save(run / "last.safetensors", tensors, facts_of(run / "last.safetensors"))
    result = nettool("train", "--resume", RUN, "epochs=8")
    assert result.code == 2
    assert f"{RUN}/last.safetensors does not fit the run's config: Error(s) in loading state_dict" in result.err
    assert len(result.err.splitlines()[-1]) < 400


def test_a_step_beyond_all_counting_is_damage(nettool: Nettool, run: Path) -> None:
    lines = (run / "metrics.csv").read_text().splitlines()
    cells = lines[1].split(",")
    (run / "metrics.csv").write_text(
        "\n".join([lines[0], ",".join([cells[0], "1e308", *cells[2:]]), *lines[2:]]) + "\n"
    )
    result = nettool("verify", RUN)
    assert result.code == 2
    assert "metrics.csv is damaged" in " ".join(result.out.split())
