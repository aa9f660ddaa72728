import json
from pathlib import Path

import pytest
import torch

from nettool.training.closed_form.units import Product
from tests.cli.conftest import CONFIGS, Nettool


def test_init_lists_every_example_with_its_first_sentence(nettool: Nettool) -> None:
    out = nettool("init").out
    assert "a residual network (He et al. 2016): six blocks, in three stages of falling size." in out
    assert "by three dense layers with dropout, as in Srivastava et al. 2014." in out
    assert not [line for line in out.splitlines() if line.rstrip().endswith(" al.")]
    for path in CONFIGS.glob("*.yaml"):
        (line,) = (line for line in out.splitlines() if line.split()[:1] == [path.stem])
        assert len(line.split()) > 4
        assert line.rstrip().endswith((".", "?", "!"))


def test_a_template_comes_with_its_base_and_its_data(nettool: Nettool) -> None:
    result = nettool("init", "circles_linear")
    assert result.out.splitlines() == ["circles_linear.yaml", "circles.yaml", "data/circles.csv"]
    assert nettool("train", "circles_linear.yaml", "--quiet").code == 0
    assert nettool("init", "circles").code == 0, "files of the same content are not in the way"


def test_a_template_never_overwrites(nettool: Nettool) -> None:
    Path("circles.yaml").write_text("mine\n")
    result = nettool("init", "circles")
    assert result.code == 2
    assert "circles.yaml is there already, with other content" in result.err
    assert Path("circles.yaml").read_text() == "mine\n"
    assert not Path("data").exists()


def test_an_unknown_template_is_answered_with_the_nearest(nettool: Nettool) -> None:
    result = nettool("init", "pengins")
    assert result.code == 2
    assert 'there is no template "pengins"' in result.err
    assert 'Did you mean "penguins"?' in result.err


def test_a_table_gives_a_config_that_trains_as_it_stands(nettool: Nettool, table: Path) -> None:
    lines = table.read_text().splitlines()
    table.write_text("\n".join(f"{number or ''},{line}" for number, line in enumerate(lines)) + "\n")
    result = nettool("init", "students.csv", "--target", "passed")
    assert (result.code, result.out) == (0, "students.yaml\n")
    text = Path("students.yaml").read_text()
    for words in ('"": ignore', "lectures: number", "group: category", "loss: binary_cross_entropy", "target: passed"):
        assert words in text
    assert nettool("check", "students.yaml").code == 0
    trained = nettool("train", "students.yaml")
    assert trained.code == 0
    again = nettool("init", "students.csv", "--target", "passed")
    assert again.code == 2
    assert "students.yaml is there already" in again.err


@pytest.mark.parametrize(
    ("target", "loss"), [("hours", "mse"), ("lectures", "cross_entropy"), ("group", "binary_cross_entropy")]
)
def test_the_target_decides_the_loss(nettool: Nettool, table: Path, target: str, loss: str) -> None:
    nettool("init", "students.csv", "--target", target)
    assert f"loss: {loss}" in Path("students.yaml").read_text()
    assert nettool("train", "students.yaml", "--epochs", "1").code == 0


def test_init_asks_for_a_target_and_names_the_nearest(nettool: Nettool, table: Path) -> None:
    unasked = nettool("init", "students.csv")
    assert unasked.code == 2
    assert "which column is to be predicted? Name it with --target: lectures, hours, group, passed." in unasked.err
    wrong = nettool("init", "students.csv", "--target", "pased")
    assert wrong.code == 2
    assert 'Did you mean "passed"?' in wrong.err


def test_hostile_column_names_survive_init_check_train_and_predict(nettool: Nettool, folder: Path) -> None:
    names = ["no", "1e-3", "a: b", "[red]x[/red]", "=1+1", "\x1b[31mesc", "# c", "größe"]
    rows = [
        ",".join(f"{(row * (column + 3)) % 17}.5" for column in range(8)) + f",{'ny'[row % 17 > 8]}"
        for row in range(120)
    ]
    Path("odd.csv").write_text(",".join([*names, "target"]) + "\n" + "\n".join(rows) + "\n", encoding="utf-8")
    assert nettool("init", "odd.csv", "--target", "target").code == 0
    checked = nettool("check", "odd.yaml", "--data")
    assert checked.code == 0, checked.err
    assert "\x1b" not in checked.out
    assert "[red]x[/red]" in checked.out
    assert nettool("train", "odd.yaml", "--epochs", "2").code == 0
    assert nettool("predict", "odd.csv").code == 0


def test_check_shows_the_config_the_layers_and_the_memory(nettool: Nettool, config: Path) -> None:
    result = nettool("check", config, "layers.0.units=128")
    assert result.code == 0
    assert "dense: {units: 128" in result.out
    assert "training takes about" in result.out
    (total,) = (line for line in result.out.splitlines() if line.startswith("total"))
    assert total.split()[1] == str(128 * 4 + 128 + 129)  # lectures, hours, two groups


def test_check_data_shows_columns_splits_classes_and_suspects(nettool: Nettool, config: Path, table: Path) -> None:
    header, *rows = table.read_text().splitlines()
    leaky = [f"{header},copy", *(f"{row},{row.endswith('yes') * 7 + 1}" for row in rows)]
    table.write_text("\n".join(leaky) + "\n")
    out = nettool("check", config, "--data").out
    assert "suspect:" in out
    assert '"copy"' in out
    for words in ("lectures", "category", "train", "validation", "test", "yes", "no"):
        assert words in out


def test_check_exits_2_with_every_mistake_and_its_place(nettool: Nettool, config: Path) -> None:
    config.write_text(config.read_text().replace("dense: 8", "dense: eight").replace("epochs", "epoch"))
    result = nettool("check", config)
    assert (result.code, result.out) == (2, "")
    assert 'layers.0 (dense).units: must be a whole number, not "eight".' in result.err
    assert "students.yaml:3:5" in result.err
    assert 'epoch: no such key. Did you mean "epochs"?' in result.err


def test_runs_are_listed_with_overrides_and_sorted_the_best_first(nettool: Nettool, config: Path) -> None:
    for lr in ("1e-5", "0.05"):
        nettool("train", config, f"optimizer.lr={lr}")
    out = nettool("runs", "list", "--sort", "accuracy").out
    first, second = out.splitlines()[2:]
    assert first.split()[0] == "students-0002"
    assert "optimizer.lr=1e-5" in second
    assert [record["run"] for record in json.loads(nettool("runs", "list", "--json").out)] == [
        "runs/students-0001",
        "runs/students-0002",
    ]
    unknown = nettool("runs", "list", "--sort", "acuracy")
    assert unknown.code == 2
    assert "no run has measured acuracy. Sort by one of accuracy, validation_loss." in unknown.err


def test_a_damaged_record_does_not_hide_the_other_runs(nettool: Nettool, config: Path) -> None:
    assert "there are no runs in runs/ yet" in nettool("runs", "list").err
    for _ in range(2):
        nettool("train", config, "--epochs", "1")
    Path("runs/students-0001/run.json").write_text("{")
    out = nettool("runs", "list").out
    assert "damaged" in out
    assert "students-0002" in out


def test_a_run_is_shown_with_its_epochs(nettool: Nettool, config: Path) -> None:
    run = nettool("train", config).out.strip()
    out = nettool("runs", "show", run).out
    assert "finished" in out
    assert json.loads(nettool("runs", "show", "--json").out)["rows"][0]["epoch"] == 1


def test_the_schema_is_json_schema(nettool: Nettool) -> None:
    schema = json.loads(nettool("schema").out)
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert "layers" in schema["properties"]


def test_doctor_trains_and_says_that_everything_works(nettool: Nettool) -> None:
    result = nettool("doctor")
    assert result.code == 0
    assert result.out.endswith("everything works\n")
    assert "torch" in result.out
    assert "closed_form learns what autograd learns on the cpu" in " ".join(result.out.split())


@pytest.mark.parametrize("factor", [1.1, float("nan")])
def test_doctor_finds_an_engine_that_learns_something_else(
    nettool: Nettool, monkeypatch: pytest.MonkeyPatch, factor: float
) -> None:
    backward = Product.backward

    def wrong(product: Product, gradient: torch.Tensor) -> torch.Tensor:
        return backward(product, gradient.mul_(factor))

    monkeypatch.setattr(Product, "backward", wrong)
    result = nettool("doctor")
    assert result.code == 1
    assert "closed_form does not learn what autograd learns on the cpu" in " ".join(result.out.split())


def test_usage_errors_exit_2_without_a_traceback(nettool: Nettool) -> None:
    for arguments in (
        ["trian"],
        ["train"],
        ["train", "none.yaml"],
        ["eval", "none"],
        ["train", "x.yaml", "--epochs", "many"],
    ):
        result = nettool(*arguments)
        assert (result.code, result.out) == (2, ""), arguments
        assert result.err
        assert "Traceback" not in result.err


def test_a_large_table_gets_a_wider_network_and_a_rate_that_falls(nettool: Nettool, folder: Path) -> None:
    Path("large.csv").write_text("x,y\n" + "".join(f"{row * 7919 % 1000}.5,{row % 777}\n" for row in range(20_001)))
    nettool("init", "large.csv", "--target", "y")
    text = Path("large.yaml").read_text()
    assert "- dense: 128" in text
    assert "optimizer: {name: adam, lr: 0.003}\nschedule: cosine\n" in text
    assert nettool("check", "large.yaml").code == 0
