"""`nettool runs compare`, `runs list` with tags, and a sweep in the place of a run."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.conftest import Nettool

SWEEP = Path("runs/students-sweep-0001")


@pytest.fixture
def three(nettool: Nettool, config: Path) -> None:
    """Runs that differ in the rate, and one in the dropout too."""
    for changes in (("optimizer.lr=0.0001",), ("optimizer.lr=0.05",), ("optimizer.lr=0.05", "dropout=0.3")):
        assert nettool("train", config, *changes, "epochs=6", "--quiet", "--tag", f"n={len(changes)}").code == 0


def test_runs_stand_beside_each_other_with_what_they_differ_in(nettool: Nettool, three: None) -> None:
    result = nettool("runs", "compare", "students-0001", "runs/students-0002", "students-0003")
    assert result.code == 0
    header, _, *rows = result.out.splitlines()
    assert header.split() == ["run", "dropout", "optimizer.lr", "validation_loss", "accuracy", "status"]
    assert [row.split()[0] for row in rows][-1] == "students-0001"
    losses = [float(row.split()[3]) for row in rows]
    assert losses == sorted(losses)
    by_accuracy = nettool("runs", "compare", "students-0001", "students-0002", "--by", "accuracy").out.splitlines()
    assert by_accuracy[0].split()[:3] == ["run", "optimizer.lr", "accuracy"]
    accuracies = [float(row.split()[2]) for row in by_accuracy[2:]]
    assert accuracies == sorted(accuracies, reverse=True)


def test_csv_and_json_say_the_same(nettool: Nettool, three: None) -> None:
    arguments = ("runs", "compare", "students-0001", "students-0002", "students-0003")
    rows = list(csv.DictReader(io.StringIO(nettool(*arguments, "--csv").out)))
    found = json.loads(nettool(*arguments, "--json").out)
    assert found["differ"] == ["dropout", "optimizer.lr"]
    assert [row["run"] for row in rows] == [row["run"] for row in found["runs"]]
    assert [float(row["validation_loss"]) for row in rows] == [row["validation_loss"] for row in found["runs"]]


def test_csv_and_json_exclude_each_other(nettool: Nettool, three: None) -> None:
    result = nettool("runs", "compare", "students-0001", "students-0002", "--csv", "--json")
    assert (result.code, result.out, result.err) == (2, "", "nettool: --csv and --json: name one of them.\n")


def test_runs_of_different_tasks_are_not_ranked(nettool: Nettool, three: None, config: Path) -> None:
    numbers = ("data.target=hours", "loss=mse", "epochs=2", "--quiet")
    nettool("train", config, *numbers)
    nettool("train", config, "data.target=group", "epochs=2", "--quiet")
    nettool("train", config, *numbers, "data.target=lectures")
    result = nettool("runs", "compare", "students-0001", "students-0002", "students-0004")
    assert (result.code, result.out) == (2, "")
    assert " ".join(result.err.split()) == (
        "nettool: these runs have different tasks, so neither their losses nor their metrics can be compared: "
        "runs/students-0001 predicts passed (loss binary_cross_entropy), runs/students-0004 predicts hours (loss mse). "
        "Name runs of the same target and the same kind of loss."
    )
    for other in ("students-0005", "students-0006"):
        assert "have different tasks" in nettool("runs", "compare", "students-0004", other).err
    asked = nettool("runs", "compare", "students-0001", "students-0005", "--by", "accuracy")
    assert (asked.code, asked.out.split()[:1]) == (0, ["run"])  # who asks for it knows what it means


def test_different_losses_are_not_what_runs_are_ranked_by(nettool: Nettool, config: Path) -> None:
    for loss in ("mse", "{name: huber, delta: 0.1}", "{name: huber, delta: 0.2}"):
        nettool("train", config, "data.target=hours", f"loss={loss}", "epochs=4", "--quiet")
    runs = ("students-0001", "students-0002", "students-0003")
    result = nettool("runs", "compare", *runs)
    assert result.err == (
        "note: these runs were trained with different losses (mse, huber), whose values cannot be compared: "
        "ranked by rmse.\n"
    )
    header, _, *rows = result.out.splitlines()
    place = header.split().index("rmse") - len(header.split())
    ranked = [float(row.split()[place]) for row in rows]
    assert ranked == sorted(ranked)
    assert json.loads(nettool("runs", "compare", *runs, "--json").out)["monitor"] == "rmse"
    assert "with different settings of huber" in nettool("runs", "compare", *runs[1:]).err
    refused = nettool("runs", "compare", *runs, "--by", "validation_loss")
    assert refused.code == 2
    assert "Rank them by a metric that all have measured: rmse, mae, r2." in " ".join(refused.err.split())
    assert nettool("runs", "compare", *runs, "--by", "mae").err == ""


def test_a_sweep_over_losses_is_ranked_by_a_metric(nettool: Nettool, config: Path) -> None:
    nettool("sweep", config, "loss.label_smoothing=0,0.2", "epochs=3", "--seeds", "2", "--quiet")
    result = nettool("runs", "compare", SWEEP)
    assert "note: these runs were trained with different settings of binary_cross_entropy" in result.err
    assert result.out.split()[:3] == ["point", "loss.label_smoothing", "accuracy"]


def test_a_config_that_cannot_be_read_hides_no_other_run(nettool: Nettool, three: None) -> None:
    Path("runs/students-0002/config.yaml").write_text("layers: [oops")
    result = nettool("runs", "compare", "students-0001", "students-0002", "students-0003")
    assert result.code == 0
    assert "students-0001" in result.out
    assert "students-0002" not in result.out
    assert "left out: runs/students-0002/config.yaml cannot be read" in " ".join(result.err.split())
    assert nettool("report", "students-0001", "students-0002", "students-0003", "--to", "all.html").code == 0
    assert "students-0002/config.yaml cannot be read" in Path("all.html").read_text()
    assert nettool("runs", "compare", "students-0001", "students-0002").code == 2


def test_tags_group_runs(nettool: Nettool, three: None, config: Path) -> None:
    assert json.loads(Path("runs/students-0001/run.json").read_text())["tags"] == {"n": "1"}
    listed = json.loads(nettool("runs", "list", "--tag", "n=1", "--json").out)
    assert [record["run"] for record in listed] == ["runs/students-0001", "runs/students-0002"]
    assert nettool("runs", "list", "--tag", "n=3").err.startswith("there are no runs")
    nettool("sweep", config, "dropout=0.1,0.2", "epochs=2", "--tag", "n=1", "--quiet")
    found = json.loads(nettool("runs", "compare", "--tag", "n=1", "--json").out)
    assert len(found["runs"]) == 4
    assert nettool("train", "--resume", "students-0001", "epochs=7", "--quiet").code == 0
    assert json.loads(Path("runs/students-0001/run.json").read_text())["tags"] == {"n": "1"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "there are no runs to compare"),
        (("students-0001",), "there is 1 run to compare"),
        (("students-0001", "runs/students-0001"), "there is 1 run to compare"),
        (("students-0001", "nowhere"), "no such run"),
        (("students-0001", "students-0002", "--by", "f1"), "none of the runs has measured f1"),
        (("--tag", "n"), "a tag is written KEY=VALUE"),
    ],
)
def test_what_cannot_be_compared_is_told(nettool: Nettool, three: None, arguments: tuple[str, ...], told: str) -> None:
    result = nettool("runs", "compare", *arguments)
    assert result.code == 2
    assert told in " ".join(result.err.split())


def test_a_sweep_is_compared_as_a_whole_and_drawn(nettool: Nettool, config: Path) -> None:
    nettool(
        "sweep", config, "optimizer.lr=1e-4..1e-1:log:4", "activation=relu,tanh", "--seeds", "2", "epochs=3", "--quiet"
    )
    result = nettool("runs", "compare", SWEEP)
    assert result.code == 0
    assert len(result.out.splitlines()) == 2 + 8  # settings, of two seeds each
    assert "the noise of 2 seeds" in result.err
    assert len(nettool("runs", "compare", SWEEP, "--csv").out.splitlines()) == 1 + 16
    names = ["curves", "by_optimizer_lr", "by_activation"]
    assert result.err.splitlines()[1:] == [f"drawn: {SWEEP}/plots/{name}.png" for name in names]
    for name in names:
        with Image.open(SWEEP / "plots" / f"{name}.png") as picture:
            assert picture.size[0] > 800
            assert len(picture.convert("RGB").getcolors(10**6) or ()) > 20, "nothing is drawn"


def test_runs_are_drawn_where_asked(nettool: Nettool, three: None) -> None:
    result = nettool("runs", "compare", "students-0001", "students-0002", "--plots", "pictures")
    assert result.err == "drawn: pictures/curves.png\n"
    assert Path("pictures/curves.png").is_file()


def test_a_sweep_stands_for_its_best_point(nettool: Nettool, config: Path) -> None:
    nettool("sweep", config, "optimizer.lr=0.0001,0.05", "epochs=4", "--quiet")
    assert f"{SWEEP}/0002/best.safetensors" in nettool("eval", SWEEP).out
    assert f"{SWEEP}/0002" in nettool("runs", "show", "students-sweep-0001").out
    listed = nettool("runs", "list", SWEEP, "--sort", "validation_loss").out.splitlines()
    assert [line.split()[0] for line in listed[2:]] == ["0002", "0001"]
    sweeps = nettool("runs", "list").out.splitlines()
    assert sweeps[2].split() == ["students-sweep-0001", "finished", "2", "points:", "optimizer.lr", "0002"]
    record = json.loads((SWEEP / "sweep.json").read_text())
    (SWEEP / "sweep.json").write_text(json.dumps({**record, "best": None}))
    result = nettool("eval", SWEEP)
    assert result.code == 2
    assert "no point of this sweep has come to its end yet" in result.err


def test_a_finished_run_of_the_same_experiment_is_not_trained_again(
    nettool: Nettool, config: Path, table: Path
) -> None:
    first = nettool("train", config, "epochs=3", "--quiet", "--skip-done").out
    again = nettool("train", config, "epochs=3", "name=other", "--skip-done")
    assert (again.code, again.out) == (0, first)
    assert "is this very experiment, and finished" in again.err
    assert json.loads(nettool("train", config, "epochs=3", "--skip-done", "--json").out)["status"] == "finished"
    assert nettool("train", config, "epochs=4", "--quiet", "--skip-done").out != first
    nettool("sweep", config, "epochs=5,6", "--quiet")
    assert nettool("train", config, "epochs=6", "--quiet", "--skip-done").out == f"{SWEEP}/0002\n"
    record = json.loads(Path("runs/students-0001/run.json").read_text())
    Path("runs/students-0001/run.json").write_text(json.dumps({**record, "status": "interrupted"}))
    assert nettool("train", config, "epochs=3", "--quiet", "--skip-done").out != first
    table.write_text(table.read_text() + "3,4.5,a,no\n")
    assert nettool("train", config, "epochs=4", "--quiet", "--skip-done").out.startswith("runs/students-000")
    assert len(list(Path("runs").glob("students-0*"))) == 4


def test_no_cell_is_a_formula_to_a_spreadsheet(nettool: Nettool, config: Path, table: Path) -> None:
    table.write_text(table.read_text().replace("lectures,hours", "=cmd(),hours"))
    nettool("sweep", config, "data.features=['=cmd()'],[hours]", "epochs=1", "--quiet", "--tag", "a==1")
    written = (SWEEP / "sweep.csv").read_text() + nettool("runs", "compare", SWEEP, "--csv").out
    cells = [cell for row in csv.reader(io.StringIO(written)) for cell in row]
    assert any("=cmd()" in cell for cell in cells)
    assert not [cell for cell in cells if cell[:1] in ("=", "@", "+")]
