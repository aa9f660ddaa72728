import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.conftest import CONFIGS, Nettool
from tests.same_run import assert_same_run, journal

NETTOOL = [sys.executable, "-m", "nettool_cli"]


def test_standard_output_is_the_run_directory_and_nothing_else(nettool: Nettool, config: Path) -> None:
    result = nettool("train", config)
    assert (result.code, result.out) == (0, "runs/students-0001\n")
    assert "validation loss" in result.err
    assert "next: nettool eval runs/students-0001" in result.err


def test_a_run_directory_holds_what_is_promised(nettool: Nettool, config: Path, folder: Path) -> None:
    nettool("train", config, "optimizer.lr=0.01")
    run = folder / "runs/students-0001"
    assert {path.name for path in run.iterdir()} == {
        ".lock", "best.safetensors", "config.yaml", "last.safetensors", "log.txt", "metrics.csv", "run.json",
        "trace.safetensors",
    }  # fmt: skip
    record = json.loads((run / "run.json").read_text())
    assert record["status"] == "finished"
    assert record["overrides"] == ["optimizer.lr=0.01"]
    assert record["data"]["path"]["rows"] == 200
    assert record["metrics"].keys() == {"validation_loss", "accuracy"}
    assert record["baseline"].keys() == {"accuracy"}
    with (run / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == [str(epoch) for epoch in range(1, 16)]
    best = rows[record["best_epoch"] - 1]
    assert float(best["validation_loss"]) == record["metrics"]["validation_loss"]
    assert float(best["validation_loss"]) == min(float(row["validation_loss"]) for row in rows)
    assert "epoch 15/15" in (run / "log.txt").read_text()


def test_training_a_runs_config_again_gives_the_same_bytes(nettool: Nettool, config: Path, folder: Path) -> None:
    nettool("train", config, "dropout=0.3", "schedule=cosine", "early_stopping=3")
    (folder / "elsewhere").mkdir()
    nettool("train", folder / "runs/students-0001/config.yaml")
    first, second = (folder / f"runs/students-000{number}" for number in (1, 2))
    assert_same_run(first, second)
    assert len(journal(first)) > 1


def test_another_seed_gives_other_weights_but_meets_the_same_split(
    nettool: Nettool, config: Path, folder: Path
) -> None:
    nettool("train", config)
    nettool("train", config, "--seed", "1")
    first, second = (json.loads(nettool("eval", f"students-000{number}", "--json").out) for number in (1, 2))
    assert first["num_examples"] == second["num_examples"]
    assert first["baseline"] == second["baseline"]
    assert first["loss"] != second["loss"]


def test_flags_are_overrides(nettool: Nettool, config: Path, folder: Path) -> None:
    nettool("train", config, "--seed", "3", "--epochs", "2", "--device", "cpu")
    record = json.loads((folder / "runs/students-0001/run.json").read_text())
    assert record["overrides"] == ["runtime.device=cpu", "seed=3", "epochs=2"]
    assert (record["seed"], record["epochs"]) == (3, 2)


def test_json_prints_the_record(nettool: Nettool, config: Path) -> None:
    answer = json.loads(nettool("train", config, "--json").out)
    assert answer["run"] == "runs/students-0001"
    assert answer["status"] == "finished"


def test_quiet_says_nothing(nettool: Nettool, config: Path) -> None:
    result = nettool("train", config, "--quiet")
    assert (result.out, result.err) == ("runs/students-0001\n", "")


def test_a_dry_run_shows_the_network_and_writes_nothing(nettool: Nettool, config: Path, folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    result = nettool("train", config, "--dry-run")
    assert result.code == 0
    assert "0 dense" in result.out
    assert sorted(folder.rglob("*")) == before


def test_a_dry_run_finds_the_mistakes_of_a_real_one(nettool: Nettool, config: Path) -> None:
    result = nettool("train", config, "--dry-run", "data.target=pased")
    assert result.code == 2
    assert "pased" in result.err
    assert "passed" in result.err


def test_the_run_directory_can_be_named_once(nettool: Nettool, config: Path, folder: Path) -> None:
    assert nettool("train", config, "--run-dir", "mine/first").out == "mine/first\n"
    assert (folder / "mine/first/best.safetensors").is_file()
    again = nettool("train", config, "--run-dir", "mine/first")
    assert (again.code, again.out) == (5, "")
    assert "mine/first is there already" in again.err


def test_bad_configs_leave_nothing_behind(nettool: Nettool, config: Path, folder: Path) -> None:
    for override in ("data.target=none", "data.path=none.csv", "loss=mse", "epochs=-1", "layers.0=output", "name=../x"):
        result = nettool("train", config, override)
        assert (result.code, result.out) == (2, ""), override
        assert "Traceback" not in result.err
    assert not (folder / "runs").exists()


def test_a_diverged_run_is_said_kept_and_exits_3(nettool: Nettool, config: Path, folder: Path) -> None:
    diverging = ("loss=mse", "data.target=hours", "optimizer={name: sgd, lr: 1e20}")
    result = nettool("train", config, *diverging)
    assert (result.code, result.out) == (3, "runs/students-0001\n")
    assert "Training diverged: try a learning rate ten times smaller" in result.err
    record = json.loads((folder / "runs/students-0001/run.json").read_text())
    assert record["status"] == "diverged"
    assert "epoch 1" in record["why"]


def test_a_last_step_into_infinity_is_a_divergence_too(nettool: Nettool, config: Path, folder: Path) -> None:
    result = nettool(
        "train", config, "epochs=1", "batch_size=full", "optimizer={name: sgd, lr: 1e38}", "data.scale=none"
    )
    assert result.code == 3
    assert "step 1 in epoch 1 took the weights of " in result.err
    assert not (folder / "runs/students-0001/last.safetensors").exists()


def test_without_a_validation_split_the_last_weights_are_kept(nettool: Nettool, config: Path, folder: Path) -> None:
    result = nettool("train", config, "data.split=[0.8, 0, 0.2]")
    assert result.code == 0, result.err
    with (folder / "runs/students-0001/metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["validation_loss"] + row["accuracy"] for row in rows} == {""}
    assert json.loads(nettool("eval", "--json").out)["data"] == "test"
    assert json.loads((folder / "runs/students-0001/run.json").read_text())["best_epoch"] == 15


def test_a_monitor_that_is_never_a_number_loses_no_weights(nettool: Nettool, config: Path, table: Path) -> None:
    header, *rows = table.read_text().splitlines()
    Path("one_class.csv").write_text("\n".join([header, *(row for row in rows if row.endswith("yes"))]) + "\n")
    files = "data={train: students.csv, validation: one_class.csv, target: passed}"
    result = nettool("train", config, files, "metrics=[auroc]", "early_stopping={patience: 2, monitor: auroc}")
    assert result.code == 0, result.err
    assert nettool("eval", "--split", "validation").code == 0


def test_the_journal_names_the_rate_that_each_epoch_trained_with(nettool: Nettool, config: Path) -> None:
    nettool("train", config, "schedule={name: plateau, patience: 0, min_delta: 0.9}", "epochs=3", "optimizer.lr=0.1")
    with Path("runs/students-0001/metrics.csv").open() as file:
        assert [float(row["lr"]) for row in csv.DictReader(file)] == [0.1, 0.1, pytest.approx(0.01)]


def test_a_linear_network_is_warned_about(nettool: Nettool, config: Path) -> None:
    assert "linear functions composed remain linear" in nettool("train", config, "activation=linear").err
    assert "linear functions composed" not in nettool("train", config).err


def test_the_row_number_is_ignored_and_says_so(nettool: Nettool, config: Path, table: Path) -> None:
    lines = table.read_text().splitlines()
    numbered = [f"{number or ''},{line}" for number, line in enumerate(lines)]
    table.write_text("\n".join(numbered) + "\n")
    result = nettool("train", config)
    assert result.code == 0
    assert 'note: "" (column 1) is ignored' in result.err


def run_nettool(*arguments: str | Path, **options: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
        [*NETTOOL, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


def test_eight_at_once_get_eight_runs(config: Path, folder: Path) -> None:
    processes = [run_nettool("train", config, f"seed={seed}", "epochs=2") for seed in range(8)]
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * 8
    assert sorted(outputs) == [f"runs/students-000{number}\n" for number in range(1, 9)]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGUSR1, 138)])
def test_a_signal_saves_what_was_learned(config: Path, folder: Path, number: signal.Signals, code: int) -> None:
    process = run_nettool("train", config, "epochs=100000000")
    metrics = folder / "runs/students-0001/metrics.csv"
    wait_for(lambda: metrics.is_file() and len(metrics.read_text().splitlines()) > 3)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (code, "runs/students-0001\n")
    assert f"interrupted by {number.name}" in err
    assert "Traceback" not in err
    record = json.loads((folder / "runs/students-0001/run.json").read_text())
    assert record["status"] == "interrupted"
    assert len(metrics.read_text().splitlines()) == record["epochs"] + 1
    answer = subprocess.run([*NETTOOL, "eval", "--json"], capture_output=True, text=True, check=True)
    assert json.loads(answer.stdout)["num_examples"] > 0


@pytest.mark.parametrize("delay", [0.5, 1.0, 1.5])
def test_an_interrupt_before_training_leaves_at_once_and_nothing_behind(
    config: Path, folder: Path, delay: float
) -> None:
    process = run_nettool("train", config, "epochs=100000000")
    time.sleep(delay)
    if (folder / "runs").exists():
        process.kill()
        process.wait()
        pytest.skip("this machine is too fast: training had begun")
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=30) == ("", "nettool: interrupted.\n")
    assert process.returncode == 130
    assert not (folder / "runs").exists()


def wait_for(condition: object, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


@pytest.mark.parametrize("command", ["schema", "check students.yaml", "predict students-0001 students.csv"])
def test_a_reader_that_leaves_early_is_no_mistake(config: Path, command: str) -> None:
    subprocess.run([*NETTOOL, "train", str(config), "--quiet", "--epochs", "1"], check=True, capture_output=True)
    reader, writer = os.pipe()
    os.close(reader)
    answer = subprocess.run([*NETTOOL, *command.split()], stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (answer.returncode, answer.stderr) == (0, "")


@pytest.mark.parametrize("arguments", [["train", "students.yaml"], ["eval", "nowhere"]], ids=["train", "eval"])
def test_messages_that_nobody_can_read_change_nothing(config: Path, arguments: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    unread = subprocess.run([*NETTOOL, *arguments], stdout=subprocess.PIPE, stderr=writer, check=False)
    os.close(writer)
    read = subprocess.run([*NETTOOL, *arguments], capture_output=True, check=False)
    assert unread.returncode == read.returncode
    records = [json.loads(path.read_text()) for path in Path("runs").glob("*/run.json")]
    assert [record["status"] for record in records] == ["finished"] * len(records)
    assert len(records) == (2 if arguments[0] == "train" else 0)


def test_progress_is_plain_where_nobody_watches(config: Path) -> None:
    answer = subprocess.run([*NETTOOL, "train", str(config)], capture_output=True, text=True, check=True)
    assert "\x1b" not in answer.stdout + answer.stderr
    assert "\r" not in answer.stderr


def test_the_c_locale_and_no_home_are_fine(config: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "PYTHONIOENCODING": "ascii"}
    answer = subprocess.run([*NETTOOL, "train", str(config)], capture_output=True, env=environment, check=False)
    assert answer.returncode == 0, answer.stderr.decode()


EPOCHS = {"digits_cnn": 2, "mnist_mlp": 2, "mnist_cnn": 2, "mnist_resnet": 1, "music_lstm": 1, "music_gpt": 1}
"""What is enough to see that an example works, where training it whole takes minutes."""


@pytest.mark.parametrize("name", sorted(path.stem for path in CONFIGS.glob("*.yaml")))
def test_every_example_trains(nettool: Nettool, name: str) -> None:
    changes = [f"epochs={EPOCHS[name]}"] if name in EPOCHS else []
    result = nettool("train", CONFIGS / f"{name}.yaml", *changes)
    assert result.code == 0, result.err
    assert nettool("eval", "--json").code == 0
