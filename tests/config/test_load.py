"""Files, bases and overrides: what replaces what, which path is relative to what, and who is named for a mistake."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from refusals import GOOD, Read, Refuse

from nettool.config.experiment import Experiment
from nettool.config.load import load, load_mapping
from nettool.config.optimization import SGD, Adam
from nettool.errors import ConfigError, Mistake, UsageError


def write(name: str, text: str) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def load_child(text: str, base: str = GOOD, overrides: Sequence[str] = ()) -> Experiment:
    write("base.yaml", base)
    return load(write("child.yaml", f"base: base.yaml\n{text}\n"), overrides).experiment


def mistakes(path: str, overrides: Sequence[str] = ()) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(Path(path), overrides)
    return [
        f"{one.place} {one.name}: {one.text}" if one.name else f"{one.place} {one.text}"
        for one in caught.value.mistakes
    ]


# --- names and files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "name"),
    [("digits.yaml", "digits"), ("my digits!.yaml", "my-digits"), ("größe.v2.yml", "gr-e.v2"), (".yaml", "yaml"),
     ("---.yaml", "experiment"), ("x" * 200 + ".yaml", "x" * 100)],
)  # fmt: skip
def test_a_run_is_named_after_its_file(file: str, name: str) -> None:
    assert load(write(file, GOOD)).experiment.name == name


def test_a_child_is_named_after_itself_and_not_after_its_base() -> None:
    assert load_child("").name == "child"
    assert load_child("", base=f"name: mine\n{GOOD}").name == "mine"


def test_a_missing_file_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"^digit\.yaml: no such file\. `nettool init` writes one\.$"):
        load(Path("digit.yaml"))
    write("digits.yaml", GOOD)
    with pytest.raises(UsageError, match=r'^digit\.yaml: no such file\. Did you mean "digits\.yaml"\?$'):
        load(Path("digit.yaml"))
    with pytest.raises(UsageError, match=r"^zebra: no such file\. There are digits\.yaml\.$"):
        load(Path("zebra"))
    with pytest.raises(UsageError, match=r"^no/where/zebra: no such file\. There are digits\.yaml\.$"):
        load(Path("no/where/zebra"))


def test_what_cannot_be_opened_is_a_usage_error() -> None:
    Path("folder").mkdir()
    with pytest.raises(UsageError, match=r"^folder is a folder; name the config file in it\.$"):
        load(Path("folder"))
    with pytest.raises(UsageError, match=r"File name too long\.$"):
        load(Path("x" * 5000))


def test_data_paths_are_relative_to_the_file_that_names_them(folder: Path) -> None:
    write("a/deep/base.yaml", GOOD.replace("table.csv", "../table.csv"))
    child = load(write("b/child.yaml", "base: ../a/deep/base.yaml\n")).experiment
    assert child.data.path == str(folder.resolve() / "a/table.csv")
    other = load(write("b/other.yaml", "base: ../a/deep/base.yaml\ndata: {path: own.csv}\n")).experiment
    assert other.data.path == str(folder.resolve() / "b/own.csv")
    splits = GOOD.replace("path: table.csv", "train: t.csv\n  validation: /v.csv\n  test: ~/x.csv")
    data = load(write("c/splits.yaml", splits)).experiment.data
    assert (data.train, data.validation) == (str(folder.resolve() / "c/t.csv"), "/v.csv")
    assert data.test == str((Path.home() / "x.csv").resolve())


def test_a_link_to_a_config_finds_the_base_and_the_data_of_the_file_it_leads_to(folder: Path) -> None:
    write("a/base.yaml", GOOD)
    write("a/child.yaml", "base: base.yaml\n")
    Path("link.yaml").symlink_to("a/child.yaml")
    assert load(Path("link.yaml")).experiment.data.path == str(folder.resolve() / "a/table.csv")


# --- bases -------------------------------------------------------------------------------------------------


def test_a_base_is_merged_section_by_section() -> None:
    base = f"{GOOD}optimizer: {{name: sgd, lr: 0.5, momentum: 0.9}}\nearly_stopping: {{patience: 3, monitor: rmse}}\n"
    child = load_child("optimizer: {lr: 20}\nearly_stopping: 7\nepochs: 3\nlayers: [output]", base)
    assert child.optimizer == SGD(lr=20.0, momentum=0.9)
    assert child.early_stopping is not None
    assert (child.early_stopping.patience, child.early_stopping.monitor) == (7, "rmse")
    assert (child.epochs, [layer.layer for layer in child.layers]) == (3, ["output"])


def test_another_name_replaces_the_section_and_the_same_name_does_not() -> None:
    base = f"{GOOD}optimizer: {{name: sgd, lr: 0.5, momentum: 0.9}}\n"
    assert load_child("optimizer: adam", base).optimizer == Adam()
    assert load_child("optimizer: {name: adam, beta1: 0.5}", base).optimizer == Adam(beta1=0.5)
    assert load_child("optimizer: sgd", base).optimizer == SGD(lr=0.5, momentum=0.9)


def test_a_column_that_is_called_name_is_no_name_of_a_section() -> None:
    base = GOOD.replace("target: y", "target: y\n  columns: {name: category, x: date}")
    assert load_child("data: {columns: {name: ignore}}", base).data.columns == {"name": "ignore", "x": "date"}


def test_off_and_null_take_back_what_the_base_sets() -> None:
    assert load_child("early_stopping: off", f"{GOOD}early_stopping: 3\n").early_stopping is None
    assert load_child("data: {path: null, train: a.csv}").data.path is None


def test_bases_have_bases() -> None:
    write("a.yaml", f"{GOOD}epochs: 1\nseed: 1\nbatch_size: 1\n")
    write("b.yaml", "base: a.yaml\nepochs: 2\nseed: 2\n")
    child = load(write("c.yaml", "base: b.yaml\nepochs: 3\n")).experiment
    assert (child.epochs, child.seed, child.batch_size) == (3, 2, 1)


def test_bases_in_a_circle_are_refused() -> None:
    write("a.yaml", "base: ./b.yaml\n")
    write("b.yaml", "epochs: 3\nbase: a.yaml\n")
    assert mistakes("a.yaml") == ["b.yaml:2:7 base: a.yaml leads back to this file."]
    write("self.yaml", "base: self.yaml\n")
    assert mistakes("self.yaml") == ["self.yaml:1:7 base: self.yaml leads back to this file."]


def test_a_chain_of_more_than_ten_bases_is_refused() -> None:
    write("0.yaml", GOOD)
    for number in range(1, 12):
        write(f"{number}.yaml", f"base: {number - 1}.yaml\n")
    assert load(Path("10.yaml"))
    assert mistakes("11.yaml") == ["1.yaml:1:7 base: more than 10 bases."]


def test_a_base_that_is_no_config_is_refused() -> None:
    write("list.yaml", "- a\n")
    write("c.yaml", f"{GOOD}base: list.yaml\n")
    assert mistakes("c.yaml") == [
        "list.yaml:1:1 a config is a mapping of `key: value`, beginning with `data:`; this is a list."
    ]
    write("c.yaml", "base: lst.yaml\n")
    assert mistakes("c.yaml") == ['c.yaml:1:7 base: lst.yaml: no such file. Did you mean "list.yaml"?']
    for value in ("", "[a]", "5", "''", '"a\\0b"'):
        write("c.yaml", f"base: {value}\n")
        (said,) = mistakes("c.yaml")
        assert said.endswith(" base: must be the path of another config.")


def test_a_mistake_in_a_base_is_placed_in_the_base() -> None:
    write("a/base.yaml", f"{GOOD}epocs: 3\n")
    write("c.yaml", "base: a/base.yaml\nlr: 3\n")
    assert mistakes("c.yaml") == [
        'a/base.yaml:8:1 epocs: no such key. Did you mean "epochs"?',
        'c.yaml:2:1 lr: no such key. Did you mean "optimizer.lr"?',
    ]


def test_base_is_for_files_alone(refuse: Refuse) -> None:
    said = "base: only a file has a base; name the file that you mean instead of this one."
    assert refuse("", ["base=a.yaml"]) == [f"base=a.yaml {said}"]


# --- overrides ---------------------------------------------------------------------------------------------


def test_overrides_set_values_after_shorthand_is_expanded(read: Read) -> None:
    experiment = read("", ["layers.0.units=128", "epochs=3", "optimizer.lr=1e-2", "data.columns.my column=ignore"])
    assert experiment.layers[0].units == 128  # type: ignore[union-attr]
    assert (experiment.epochs, experiment.optimizer) == (3, Adam(lr=0.01))
    assert experiment.data.columns == {"my column": "ignore"}


def test_a_mapping_or_a_bare_name_replaces_its_section(read: Read) -> None:
    sgd = "optimizer: {name: sgd, lr: 0.5, momentum: 0.9}\n"
    assert read(sgd, ["optimizer=adam"]).optimizer == Adam()
    assert read(sgd, ["optimizer=sgd"]).optimizer == SGD()
    assert read(sgd, ["optimizer={name: sgd, lr: 0.1}"]).optimizer == SGD(lr=0.1)
    assert read(sgd, ["optimizer.lr=0.1"]).optimizer == SGD(lr=0.1, momentum=0.9)
    assert read(sgd, ["optimizer=adam", "optimizer.lr=0.1"]).optimizer == Adam(lr=0.1)
    assert read("", ["layers=[dense: 3, output]"]) == read("", ["layers.0=dense: 3"]) == read("", ["layers.0.units=3"])


def test_overrides_are_shorthand_too(read: Read) -> None:
    assert read("", ["early_stopping=3", "metrics=r2"]) == read("early_stopping: 3\nmetrics: [r2]\n")
    assert read("early_stopping: 3\n", ["early_stopping=off"]).early_stopping is None
    assert read("", ["data.split=[0.5, 0.3, 0.2]"]).data.split.train == 0.5


def test_paths_in_overrides_are_relative_to_the_current_folder(folder: Path) -> None:
    write("configs/c.yaml", GOOD)
    experiment = load(Path("configs/c.yaml"), ["data.path=other.csv"]).experiment
    assert experiment.data.path == str(folder.resolve() / "other.csv")


WRITE = "an override is written key=value, without spaces, such as optimizer.lr=0.01 or layers.0.units=128."
OVERRIDES = {
    "optimizer.lr": WRITE,
    "optimizer.lr 0.1": WRITE,
    "=3": WRITE,
    "optimizer..lr=3": WRITE,
    ".epochs=3": WRITE,
    "0.units=3": WRITE,
    "lr=0.1": 'lr: no such key. Did you mean "optimizer.lr"?',
    "optimizer.lr=fast": 'optimizer.lr: must be a number or auto, not "fast".',
    "optimizer.lr=": "optimizer.lr: must be a number or auto, not empty.",
    "optimizer={lr: 0.1": "not valid YAML: did not find expected ',' or '}'. A bracket or brace is not closed.",
    "epochs=!!int 3": "tags (`!!int`) are not read; a config is plain data.",
    "name=\udcff": "holds bytes that are not UTF-8 text.",
    "seed.x=3": 'seed: must be a whole number, not {"x": 3}.',
    "epochs.a.b=3": 'epochs: must be a whole number, not {"a": {"b": 3}}.',
    "loss.name.x=3": "loss.name.x: loss.name is a single value; nothing can be set inside it.",
    "layers.0.unts=3": 'layers.0 (dense).unts: no such key. Did you mean "units"?',
    "layers.0=64": "layers.0: a layer is written `- name`, `- name: value` or `- name: {setting: value}`.",
    "layers.2=output": "layers.2: there is no item 2: the list has 2, numbered 0 to 1.",
    "layers.-1=output": "layers.-1: there is no item -1: the list has 2, numbered 0 to 1.",
    "layers.².units=3": "layers.².units: there is no item ²: the list has 2, numbered 0 to 1.",
    "layers.first.units=3": "layers.first.units: there is no item first: the list has 2, numbered 0 to 1.",
    "layers.9999999999.units=3": "layers.9999999999.units: there is no item 9999999999: the list has 2, numbered 0 to 1.",
    "data.path=a\0b": "data.path: is no path that can be followed: embedded null byte.",
}  # fmt: skip


@pytest.mark.parametrize("override", OVERRIDES)
def test_a_mistake_in_an_override_is_named_by_the_override(override: str, refuse: Refuse) -> None:
    if "\0" in override:
        override_text, said = 'data.path="a\\0b"', OVERRIDES[override]
    else:
        override_text, said = override, OVERRIDES[override]
    assert refuse("", [override_text]) == [f"{override_text} {said}"]


def test_an_item_of_an_empty_list_cannot_be_set(refuse: Refuse) -> None:
    assert refuse("metrics: []\n", ["metrics.0=r2"]) == [
        "metrics.0=r2 metrics.0: there is no item 0: the list is empty."
    ]


def test_a_number_of_thousands_of_digits_in_a_key_is_no_crash(refuse: Refuse) -> None:
    (said,) = refuse("", [f"layers.{'9' * 5000}.units=3"])
    assert said.startswith(f"layers.{'9' * 70}... layers.999")


def test_mistakes_of_the_file_and_of_overrides_are_reported_together(refuse: Refuse) -> None:
    assert refuse("epochs: -1\n", ["seed=a", "nope"]) == [
        "c.yaml:8:1 epochs: must be at least 0; it is -1.",
        f"nope {WRITE}",
        'seed=a seed: must be a whole number, not "a".',
    ]


# --- from Python -------------------------------------------------------------------------------------------


def test_a_config_from_python_is_the_same_as_a_file(read: Read, folder: Path) -> None:
    config: dict[str, Any] = {
        "data": {"path": Path("table.csv"), "target": "y", "split": (0.5, 0.25, 0.25)},
        "layers": [{"dense": 8}, "output"],
        "loss": "mse",
    }
    loaded = load_mapping(config, ["epochs=3"], name="mine")
    assert loaded.experiment == read("name: mine\nepochs: 3\n", ["data.split=[0.5, 0.25, 0.25]"])


def test_mistakes_from_python_are_named_by_key() -> None:
    with pytest.raises(ConfigError) as caught:
        load_mapping({"layers": [{"dense": "8"}, "output"], "loss": "mse"})
    assert str(caught.value) == (
        "experiment  data: is required: where the examples come from.\n"
        'experiment  layers.0 (dense).units: must be a whole number, not "8". Remove the quotes.'
    )


def test_mistakes_found_later_get_their_place() -> None:
    loaded = load(write("c.yaml", GOOD), ["epochs=3"])
    with pytest.raises(ConfigError) as caught, loaded.located():
        raise ConfigError([Mistake(("layers", 0, "weights"), "too many."), Mistake(("epochs",), "too few.")])
    assert str(caught.value) == "c.yaml:5:5  layers.0 (dense).weights: too many.\nepochs=3    epochs: too few."


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_a_usage_error() -> None:
    write("c.yaml", GOOD).chmod(0)
    with pytest.raises(UsageError, match=r"^c\.yaml: Permission denied\.$"):
        load(Path("c.yaml"))
