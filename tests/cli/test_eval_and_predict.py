import csv
import io
import json
import os
import random
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch

from nettool.runs import checkpoint
from tests.cli.conftest import CONFIGS, Nettool


@pytest.fixture
def run(nettool: Nettool, config: Path) -> str:
    return nettool("train", config).out.strip()


def test_the_newest_run_is_evaluated_on_its_test_split(nettool: Nettool, run: str) -> None:
    result = nettool("eval")
    assert result.code == 0
    assert result.out.startswith(f"{run}/best.safetensors on test (")
    assert {"accuracy", "auroc", "f1", "baseline"} <= set(result.out.split())


def test_eval_on_validation_gives_the_recorded_numbers_to_the_bit(nettool: Nettool, run: str) -> None:
    record = json.loads(Path(run, "run.json").read_text())
    answer = json.loads(nettool("eval", run, "--split", "validation", "--json").out)
    assert answer["loss"] == record["metrics"]["validation_loss"]
    assert answer["metrics"]["accuracy"] == record["metrics"]["accuracy"]
    assert answer["baseline"]["accuracy"] == record["baseline"]["accuracy"]


def test_the_recorded_numbers_hold_for_numbers_with_weights_and_other_scales(nettool: Nettool, config: Path) -> None:
    data = pd.read_csv("students.csv")
    data["importance"] = np.linspace(0.1, 3, len(data))
    data["grade"] = data["lectures"] * 7.5 + data["hours"] ** 1.5
    data.to_csv("students.csv", index=False)
    changes = ("data.target=grade", "data.weights=importance", "loss=huber", "data.features=[lectures, hours, group]")
    run = nettool("train", config, *changes).out.strip()
    record = json.loads(Path(run, "run.json").read_text())
    answer = json.loads(nettool("eval", run, "--split", "validation", "--json").out)
    for name in ("rmse", "mae", "r2"):
        assert answer["metrics"][name] == record["metrics"][name]
    assert answer["loss"] == record["metrics"]["validation_loss"]
    assert record["metrics"]["rmse"] < record["baseline"]["rmse"]


def test_the_weights_file_alone_is_enough_to_predict(nettool: Nettool, run: str, tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    weights = (tmp_path / run / "best.safetensors").rename(tmp_path / "far" / "model.safetensors")
    result = nettool("predict", weights, "lectures=10", "hours=12", "group=a")
    assert result.code == 0
    assert dict(line.split() for line in result.out.splitlines())["predicted_passed"] == "yes"


def test_predictions_keep_the_inputs_columns_and_order(nettool: Nettool, run: str) -> None:
    Path("new.csv").write_text("name,hours,lectures,group\nzoë,0,0,b\nbob,12,10,a\n")
    rows = list(csv.DictReader(io.StringIO(nettool("predict", run, "new.csv").out)))
    assert [row["name"] for row in rows] == ["zoë", "bob"]
    assert [row["predicted_passed"] for row in rows] == ["no", "yes"]
    assert list(rows[0]) == [
        "name",
        "hours",
        "lectures",
        "group",
        "predicted_passed",
        "probability_no",
        "probability_yes",
    ]
    assert float(rows[0]["probability_no"]) + float(rows[0]["probability_yes"]) == pytest.approx(1, abs=1e-6)


def test_cells_stay_as_they_are_written(nettool: Nettool, run: str) -> None:
    lines = ["id,zip,lectures,hours,group,note", '007,02139,1.50,3,a,"a ""quoted"", note"', "008,NA,2,3e0,b,=1+1"]
    Path("new.csv").write_text("\n".join(lines) + "\n")
    written = nettool("predict", run, "new.csv").out.splitlines()
    assert [line.startswith(f"{old},") for line, old in zip(written, lines, strict=True)] == [True] * 3


def test_a_table_gives_the_same_predictions_as_its_rows_one_by_one(nettool: Nettool, run: str) -> None:
    rows = list(csv.DictReader(io.StringIO(nettool("predict", run, "students.csv").out)))
    for row in rows[:5]:
        values = [f"{name}={row[name]}" for name in ("lectures", "hours", "group")]
        alone = dict(line.split() for line in nettool("predict", run, *values).out.splitlines())
        assert float(alone["probability_yes"]) == pytest.approx(float(row["probability_yes"]), abs=1e-5)


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet", "jsonl"])
def test_predictions_are_written_in_every_format_and_never_over_a_file(nettool: Nettool, run: str, ending: str) -> None:
    result = nettool("predict", run, "students.csv", "-o", f"out.{ending}")
    assert (result.code, result.out) == (0, f"out.{ending}\n")
    readers = {
        "csv": pd.read_csv,
        "tsv": lambda path: pd.read_csv(path, sep="\t"),
        "parquet": lambda path: pq.read_table(path).to_pandas(),
        "jsonl": lambda path: pd.read_json(path, lines=True),
    }
    frame = readers[ending](f"out.{ending}")
    assert len(frame) == 200
    assert set(frame["predicted_passed"]) == {"yes", "no"}
    again = nettool("predict", run, "students.csv", "-o", f"out.{ending}")
    assert again.code == 2
    assert "is there already" in again.err


def test_what_predict_wrote_predict_reads_in_every_format(nettool: Nettool, run: str) -> None:
    for ending in ("parquet", "jsonl", "tsv"):
        nettool("predict", run, "students.csv", "-o", f"first.{ending}")
        result = nettool("predict", run, f"first.{ending}")
        assert result.code == 2
        assert "already has a column predicted_passed" in result.err


def test_a_run_alone_is_answered_with_what_it_takes(nettool: Nettool, run: str) -> None:
    result = nettool("predict", run)
    assert result.code == 2
    assert "name a table, or the values of one example. It takes lectures, hours, group." in result.err


def test_a_missing_feature_is_named(nettool: Nettool, run: str) -> None:
    Path("new.csv").write_text("lectures,Hours,group\n1,2,a\n")
    result = nettool("predict", run, "new.csv")
    assert result.code == 2
    assert '"hours"' in result.err
    assert '"Hours"' in result.err


def test_text_in_a_number_column_is_named_with_its_row(nettool: Nettool, run: str) -> None:
    Path("new.csv").write_text("lectures,hours,group\n1,2,a\n3,many,a\n")
    result = nettool("predict", run, "new.csv")
    assert result.code == 2
    assert "row 2" in result.err
    assert "many" in result.err


def test_an_unseen_level_and_a_missing_number_are_predicted_all_the_same(nettool: Nettool, run: str) -> None:
    result = nettool("predict", run, "lectures=", "hours=3", "group=never seen")
    assert result.code == 0
    assert result.err == "note: group: never seen was not in the training data, and counts as unknown.\n"
    Path("new.csv").write_text("lectures,hours,group\n1,2,a\n1,2,c\n1,2,d\n")
    assert "note: group: c, d were not in the training data" in nettool("predict", run, "new.csv").err
    Path("new.csv").write_text("lectures,hours,group\n1,2,a\n1,2,\n")
    assert nettool("predict", run, "new.csv").err == ""


def test_groups_add_up_to_the_whole(nettool: Nettool, run: str) -> None:
    answer = json.loads(nettool("eval", run, "--by", "group", "--json").out)
    assert {group["value"] for group in answer["groups"]} == {"a", "b"}
    assert sum(group["num_examples"] for group in answer["groups"]) == answer["num_examples"]
    right = sum(group["metrics"]["accuracy"] * group["num_examples"] for group in answer["groups"])
    assert right / answer["num_examples"] == pytest.approx(answer["metrics"]["accuracy"])
    assert "group" in nettool("eval", run, "--by", "group").out
    assert "--by: the data has no column grup" in nettool("eval", run, "--by", "grup").err


def test_another_file_can_be_evaluated(nettool: Nettool, run: str) -> None:
    Path("new.csv").write_text("lectures,hours,group,passed\n10,12,a,yes\n0,0,b,no\n")
    answer = json.loads(nettool("eval", run, "--data", "new.csv", "--json").out)
    assert (answer["data"], answer["num_examples"], answer["metrics"]["accuracy"]) == ("new.csv", 2, 1.0)


def test_moved_data_is_found_where_the_user_says_and_changed_data_refused(nettool: Nettool, run: str) -> None:
    before = nettool("eval", run, "--json").out
    Path("students.csv").rename("moved.csv")
    gone = nettool("eval", run)
    assert gone.code == 2
    assert "students.csv" in gone.err
    assert nettool("eval", run, "data.path=moved.csv", "--json").out == before
    assert nettool("eval", "data.path=moved.csv", "--json").out == before
    Path("moved.csv").write_text(Path("moved.csv").read_text() + "1,1,a,no\n")
    changed = nettool("eval", run, "data.path=moved.csv")
    assert changed.code == 2
    assert "is not the data that the run was trained on" in changed.err


def test_only_the_datas_place_can_be_changed_when_evaluating(nettool: Nettool, run: str) -> None:
    result = nettool("eval", run, "optimizer.lr=0.1")
    assert result.code == 2
    assert "a trained run only takes where its data is now" in result.err


def test_a_run_that_does_not_exist_is_named(nettool: Nettool, run: str) -> None:
    result = nettool("eval", "runs/student-0001")
    assert (result.code, result.out) == (2, "")
    assert result.err == "nettool: runs/student-0001: no such run. Did you mean runs/students-0001?\n"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_run_on_cuda_is_evaluated_there_to_the_bit(nettool: Nettool, config: Path) -> None:
    run = nettool("train", config, "--device", "cuda", "dropout=0.2").out.strip()
    record = json.loads(Path(run, "run.json").read_text())
    answer = json.loads(nettool("eval", run, "--split", "validation", "--json").out)
    assert record["device"] == "cuda"
    assert answer["loss"] == record["metrics"]["validation_loss"]
    assert nettool("predict", run, "students.csv").code == 0


def test_a_run_from_a_device_that_is_missing_here_is_evaluated_with_a_note(nettool: Nettool, run: str) -> None:
    weights = Path(run, "best.safetensors")
    tensors, facts = checkpoint.load(weights)
    checkpoint.save(weights, tensors, {**facts, "device": "cuda:7"})
    result = nettool("eval", run)
    assert result.code == 0
    assert result.err == "note: trained on cuda:7, measured on cpu: the last digits may differ.\n"


def test_a_device_that_is_missing_is_named(nettool: Nettool, config: Path) -> None:
    result = nettool("train", config, "--device", "mps")
    assert result.code == 2
    assert "runtime.device=mps  runtime.device: this machine has no mps" in result.err


def test_the_lectures_neuron_gives_the_lectures_number(nettool: Nettool) -> None:
    run = nettool("train", CONFIGS / "perceptron.yaml").out.strip()
    answer = dict(line.split() for line in nettool("predict", run, "x1=-1", "x2=2").out.splitlines())
    assert float(answer["probability_1"]) == pytest.approx(1 / (1 + np.exp(6)), abs=1e-7)


def test_several_numbers_and_several_labels_are_predicted_side_by_side(nettool: Nettool, config: Path) -> None:
    data = pd.read_csv("students.csv")
    data["late"] = np.where(data["hours"] > 6, "yes", "no")
    data.to_csv("students.csv", index=False)
    two = ("data.target=[lectures, hours]", "loss=mse", "data.features=[group, passed]")
    run = nettool("train", config, *two).out.strip()
    assert {"predicted_lectures", "predicted_hours"} <= set(
        next(csv.reader(io.StringIO(nettool("predict", run, "students.csv").out)))
    )
    run = nettool("train", config, "data.target=[passed, late]").out.strip()
    answer = dict(
        line.split() for line in nettool("predict", run, "lectures=10", "hours=12", "group=a").out.splitlines()
    )
    assert answer["predicted_passed"] == answer["predicted_late"] == "True"
    assert json.loads(nettool("eval", run, "--json").out)["metrics"]["accuracy"] > 0.8


def test_what_is_swapped_or_forgotten_is_told(nettool: Nettool, run: str) -> None:
    swapped = nettool("predict", "students.csv", run)
    assert swapped.code == 2
    assert "students.csv is no run." in swapped.err
    assert "the run comes before the table" in swapped.err
    assert "It takes lectures, hours, group." in nettool("predict", "students-0001").err
    assert nettool("runs", "show", f"{run}/best.safetensors").code == 0


def test_log_loss_is_the_loss_where_nothing_is_weighted_or_smoothed(nettool: Nettool, run: str) -> None:
    answer = json.loads(nettool("eval", run, "--json").out)
    assert answer["metrics"]["log_loss"] == pytest.approx(answer["loss"], rel=1e-5)


def test_the_training_table_itself_is_read_as_in_training(nettool: Nettool, folder: Path) -> None:
    """Truths that are written 0.0 and 1.0, categories that are True and False: no note, and no refusal."""
    chance = random.Random(1)
    rows = [(chance.choice(["0.0", "1.0"]), chance.choice(["True", "False"]), chance.random()) for _ in range(80)]
    lines = [f"{a},{b},{c:.3f},{'yes' if c > 0.5 else 'no'}" for a, b, c in rows]
    Path("t.csv").write_text("a,b,c,y\n" + "\n".join(lines) + "\n")
    Path("t.yaml").write_text(
        "data: {path: t.csv, target: y, columns: {a: boolean, b: category}}\n"
        "layers: [output]\nloss: binary_cross_entropy\nepochs: 1\n"
    )
    assert nettool("train", "t.yaml", "--quiet").code == 0
    result = nettool("predict", "t-0001", "t.csv", "--output", "p.csv")
    assert (result.code, result.err) == (0, "")


def test_a_pipe_is_called_a_pipe(nettool: Nettool, run: str) -> None:
    os.mkfifo("pipe.csv")
    for command in (("eval", run, "--data", "pipe.csv"), ("predict", run, "pipe.csv")):
        result = nettool(*command)
        assert (result.code, result.out) == (2, "")
        assert "pipe.csv is a pipe or a device" in result.err


def test_a_run_that_diverged_before_an_epoch_was_over_is_not_to_be_gone_on_with(nettool: Nettool, config: Path) -> None:
    assert (
        nettool("train", config, "--quiet", "optimizer={name: sgd, lr: 1e30}", "loss=mse", "data.target=hours").code
        == 3
    )
    for command in ("eval", "predict", "plot", "diagnose"):
        arguments = ("lectures=1",) if command == "predict" else ()
        result = nettool(command, "students-0001", *arguments)
        assert result.code == (0 if command == "diagnose" else 2)
        assert "--resume" not in result.out + result.err
        assert "diverged" in result.out + result.err
