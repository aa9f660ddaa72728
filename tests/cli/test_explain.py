"""`nettool explain`: one example through the network, in words and numbers, and as JSON."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import nettool as package
from nettool.config.load import load
from nettool.data.examples import Split
from nettool.workflows.explain import explain
from nettool.workflows.prepare import prepare_training
from tests.analysis.written import done_again
from tests.cli.conftest import CONFIGS, Nettool

RUN = Path("runs/students-0001")
ALL = sorted(path.name for path in CONFIGS.glob("*.yaml"))


@pytest.fixture
def small(config: Path) -> Path:
    """A network of a size that is written out whole."""
    text = config.read_text().replace("dense: 8", "dense: {units: 2, activation: tanh}")
    config.write_text(text.replace("{name: adam, lr: 0.05}", "{name: sgd, lr: 0.5}"))
    return config


def test_all_that_is_written_adds_up(nettool: Nettool, small: Path) -> None:
    result = nettool("explain", small, "data.features=[lectures,hours]")
    assert result.code == 0
    assert not result.err
    for title in ("1. The example", "2. Forward", "3. The prediction", "4. Backward", "5. The update: sgd"):
        assert f"\n{title}" in result.out
    sums = [line.split(" = ") for line in result.out.splitlines() if re.match(r"  \S+ = .*\d$", line)]
    assert len(sums) > 20
    for name, *sides in sums:
        values = [
            done_again(side) for side in sides if re.fullmatch(r"[\d\s.,()+·²√/e-]*", re.sub("exp|tanh|log", "", side))
        ]
        assert len(values) > 1 or len(sides) == 1, (name, sides)
        assert values == pytest.approx([values[-1]] * len(values), rel=0.01, abs=1e-3), (name, sides)
    before, after = re.findall(r"was ([\d.]+); with the new weights it is ([\d.]+)\.", result.out)[0]
    assert float(after) < float(before)
    assert "It fell." in result.out


def test_the_row_is_that_of_the_table(nettool: Nettool, small: Path, table: Path) -> None:
    result = nettool("explain", small, "--example", "5")
    row = int(re.findall(r"row (\d+) of students.csv", result.out)[0])
    lectures, hours, group, passed = table.read_text().splitlines()[row].split(",")
    assert re.search(rf"^x1 +lectures +{lectures} ", result.out, re.MULTILINE)
    assert re.search(rf"^x2 +hours +{hours} ", result.out, re.MULTILINE)
    assert re.search(rf"^x3 +group +{group} +=a +1 for its level", result.out, re.MULTILINE)
    assert re.search(rf"^passed +{passed} +yes is 1, no is 0 +{int(passed == 'yes')}$", result.out, re.MULTILINE)


def test_the_numbers_are_those_of_the_split_that_training_has(small: Path) -> None:
    split = prepare_training(load(small)).data.splits["train"]
    assert isinstance(split, Split)
    for number in (1, 7, len(split)):
        found = explain(small, example=number)
        assert found.walk.inputs.tolist() == split.features[number - 1].astype(np.float64).tolist()
        assert found.walk.losses[0].y.tolist() == split.target[number - 1].tolist()
        assert found.shown.row == split.rows[number - 1] + 1


def test_json_has_all_numbers(nettool: Nettool, small: Path) -> None:
    found = json.loads(nettool("explain", small, "--json").out)
    hidden, output = found["layers"]
    weights, bias = (
        next(each for each in found["parameters"] if each["name"] == name) for name in hidden["parameters"]
    )
    z = np.array(weights["before"]) @ np.array(hidden["x"]) + np.array(bias["before"])
    assert hidden["neurons"]["z"] == pytest.approx(z, rel=1e-5)
    assert np.tanh(z) == pytest.approx(output["x"], rel=1e-5)
    assert np.outer(hidden["neurons"]["dL/dz"], hidden["x"]) == pytest.approx(np.array(weights["gradient"]), rel=1e-5)
    assert np.array(weights["before"]) - 0.5 * np.array(weights["gradient"]) == pytest.approx(
        np.array(weights["after"])
    )
    assert found["loss"] == found["losses"][0]["formulas"][-1]["value"] > found["loss_after"]
    assert found["example"]["columns"][0]["in_table"] is not None


def test_a_run_is_explained_with_its_best_weights(nettool: Nettool, small: Path) -> None:
    nettool("train", small, "--quiet", "epochs=5")
    for target in ([], [RUN], ["students-0001"], [RUN / "best.safetensors"]):
        found = json.loads(nettool("explain", *target, "--json").out)
        assert found["weights"] == "best"
        weights = package.load(RUN).network.state_dict()
        assert {each["name"]: each["before"] for each in found["parameters"]} == {
            name: tensor.tolist() for name, tensor in weights.items()
        }
    result = nettool("explain")
    assert result.out.startswith(f"{RUN}/best.safetensors with its best weights")
    assert "optimizer's memory" in " ".join(result.out.split())


def test_the_same_command_says_the_same(nettool: Nettool, small: Path) -> None:
    assert nettool("explain", small).out == nettool("explain", small).out


@pytest.mark.parametrize("name", ALL)
def test_every_example_config_is_explained(nettool: Nettool, name: str) -> None:
    result = nettool("explain", CONFIGS / name)
    assert result.code == 0, result.err
    assert max(map(len, result.out.splitlines())) < 120
    assert "nan" not in result.out.split()
    assert len(result.out.splitlines()) < 900
    titles = [line for line in result.out.splitlines() if re.match(r"layers[.\w]* \(\w+\): ", line)]
    assert len(set(titles)) == len(titles)
    layers = load(CONFIGS / name).experiment.layers
    for index, layer in enumerate(layers):
        assert f"layers.{index} ({layer.layer}): " in result.out


def test_what_is_otherwise_in_training_is_said(nettool: Nettool, config: Path) -> None:
    layers = "layers=[{dense: {units: 4, norm: batch_norm, dropout: 0.2}}, output]"
    said = " ".join(nettool("explain", config, layers, "schedule=cosine", "schedule.warmup=2").out.split())
    for part in (
        "the gradient is the mean over a batch of 32 examples",
        "Dropout is off",
        "Batch norms take their running mean and variance",
        "first update under the schedule cosine",
        "Its dropout of 0.2 is off here.",
        "lr = 0.005,",  # 0.05 / 10 updates of warm-up
    ):
        assert part in said


def test_of_a_thousand_features_some_are_shown(nettool: Nettool, folder: Path) -> None:
    names = [f"f{index}" for index in range(1000)]
    rows = [",".join([*(str((row * 7 + column) % 11) for column in range(1000)), "ab"[row % 2]]) for row in range(40)]
    (folder / "wide.csv").write_text("\n".join([",".join([*names, "y"]), *rows]) + "\n")
    (folder / "wide.yaml").write_text(
        "data: {path: wide.csv, target: y}\nlayers: [dense: 500, output]\nloss: binary_cross_entropy\n"
    )
    result = nettool("explain", "wide.yaml")
    assert result.code == 0
    assert "... and 980 more numbers" in result.out
    assert "(995 more products: " in result.out
    assert "... and 497 more units in the same way" in result.out
    assert len(result.out.splitlines()) < 200


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ("students.yaml", "--example", "0"),
            "--example 0: the training split has 140 examples, numbered from 1 to 140.",
        ),
        (("students.yaml", "--example", "141"), "--example 141: the training split has 140 examples"),
        (("nope.yaml",), "nope.yaml: no such file"),
        (("nope",), "nope: no such run"),
        ((), "there are no runs in runs/ yet"),
        (("students.yaml", "data.path=gone.csv"), "gone.csv: there is no such file"),
        (("students.yaml", "optimzer.lr=1"), 'optimzer: no such key. Did you mean "optimizer"?'),
    ],
)
def test_what_cannot_be_explained_is_told(
    nettool: Nettool, config: Path, arguments: tuple[str, ...], told: str
) -> None:
    result = nettool("explain", *arguments)
    assert result.code == 2
    assert told in " ".join(result.err.split())
    assert not result.out


def test_a_run_without_weights_or_with_other_data_is_told(nettool: Nettool, small: Path, table: Path) -> None:
    nettool("train", small, "--quiet", "epochs=2")
    table.write_text(table.read_text() + "1,2.0,a,no\n")
    assert "is not the data that the run was trained on" in nettool("explain", RUN).err
    assert "only takes where its data is now" in nettool("explain", RUN, "optimizer.lr=1").err
    (RUN / "best.safetensors").unlink()
    result = nettool("explain", RUN)
    assert result.code == 2
    assert "holds no best.safetensors" in result.err


def test_an_example_without_weight_is_refused(nettool: Nettool, config: Path, table: Path) -> None:
    lines = table.read_text().splitlines()
    weighted = [f"{lines[0]},w", *(f"{line},{index % 2}" for index, line in enumerate(lines[1:]))]
    table.write_text("\n".join(weighted) + "\n")
    codes = {number: nettool("explain", config, "data.weights=w", "--example", str(number)) for number in range(1, 7)}
    assert {result.code for result in codes.values()} == {0, 2}
    assert any("its weight is 0, so its loss moves nothing" in result.err for result in codes.values())


def test_names_from_the_data_do_not_steer_the_terminal(nettool: Nettool, folder: Path) -> None:
    rows = "".join(
        f"{index * index % 37},{['red', 'b[bold]ue$'][index % 2]}\x1b[2J,{index // 2 % 2}\n" for index in range(90)
    )
    (folder / "odd.csv").write_text(f"a\x1b[31m,colour,y\n{rows}", encoding="utf-8")
    (folder / "odd.yaml").write_text("data: {path: odd.csv, target: y}\nlayers: [output]\nloss: cross_entropy\n")
    result = nettool("explain", "odd.yaml", "--example", "2")
    assert result.code == 0
    assert "\x1b" not in result.out
    assert "[bold]ue$" in result.out


def test_texts_and_missing_values_are_shown_as_they_are(nettool: Nettool, folder: Path) -> None:
    rows = "".join(
        f'"{["good fun", "so bad it is", ""][index % 3]} {index}",{["yes", "no"][index % 2]}\n' for index in range(60)
    )
    (folder / "texts.csv").write_text(f"review,liked\n{rows}")
    (folder / "texts.yaml").write_text(
        "data: {path: texts.csv, target: liked, columns: {review: text}, text: {unit: word, length: 4}}\n"
        "layers: [embedding: 4, lstm: {units: 3, bidirectional: true}, output]\nloss: binary_cross_entropy\n"
    )
    said = [nettool("explain", "texts.yaml", "--example", str(number)) for number in (1, 2, 3)]
    assert all(result.code == 0 for result in said)
    assert any("'good' " in result.out and "'padding' 0" in result.out for result in said)
