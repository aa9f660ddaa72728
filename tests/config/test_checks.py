"""What no section shows alone, and how all mistakes of a file come together."""

from __future__ import annotations

import pytest
from refusals import GOOD, Read, Refuse

from nettool.config.load import load_mapping
from nettool.errors import ConfigError

CLASSIFY = GOOD.replace("mse", "cross_entropy")
REGRESSION = "Choose from mse, rmse, mae, r2, median_absolute_error."


def test_output_comes_last_and_once(refuse: Refuse) -> None:
    start = "data: {path: a, target: y}\nloss: mse\nlayers:\n"
    assert refuse(f"{start}  - dense: 3\n") == [
        "c.yaml:3:1 layers: the list ends without an output. Add `- output` as its last item."
    ]
    assert refuse(f"{start}  - output\n  - dense: 3\n  - output\n") == [
        "c.yaml:5:5 layers.1 (dense): stands after output (layers.0); output comes last. Move it up."
    ]
    assert refuse(f"{start}  - residual: {{layers: [output]}}\n  - repeat: {{times: 2, layers: [output]}}\n  - output\n") == [
        "c.yaml:4:25 layers.0 (residual).layers.0 (output): output stands once, at the end of the whole list; remove it here.",
        "c.yaml:5:33 layers.1 (repeat).layers.0 (output): output stands once, at the end of the whole list; remove it here.",
    ]  # fmt: skip


def test_a_metric_must_fit_the_loss(refuse: Refuse, read: Read) -> None:
    assert refuse("metrics: [r2, accuracy, f1]\n") == [
        f"c.yaml:8:15 metrics.1: accuracy does not fit the loss mse, which predicts numbers. {REGRESSION}",
        f"c.yaml:8:25 metrics.2: f1 does not fit the loss mse, which predicts numbers. {REGRESSION}",
    ]
    (said,) = refuse(f"{CLASSIFY}metrics: rmse\n")
    assert said.startswith(
        "c.yaml:8:10 metrics.0: rmse does not fit the loss cross_entropy, which classifies. Choose from acc"
    )
    assert read(f"{CLASSIFY}metrics: f1\n").metrics == ("f1",)


def test_a_monitor_must_be_measured(refuse: Refuse, read: Read) -> None:
    for monitor in ("validation_loss", "train_loss", "mae"):
        assert read(f"early_stopping: {{patience: 3, monitor: {monitor}}}\n").early_stopping is not None
    choices = "Choose one of validation_loss, train_loss, rmse, mae, r2."
    assert refuse("early_stopping: {patience: 3, monitor: val_loss}\n") == [
        f'c.yaml:8:31 early_stopping.monitor: "val_loss" is not measured. Did you mean "validation_loss"? {choices}'
    ]
    assert refuse("metrics: []\nearly_stopping: {patience: 3, monitor: mae}\n") == [
        'c.yaml:9:31 early_stopping.monitor: "mae" is not measured. Choose one of validation_loss, train_loss.'
    ]


def test_a_monitor_needs_a_validation_split(refuse: Refuse, read: Read) -> None:
    unsplit = GOOD.replace("target: y", "target: y\n  split: {train: 0.9, validation: 0, test: 0.1}")
    said = (
        "there is no validation split to measure {} on. Give data.split.validation a fraction, "
        "or set `monitor: train_loss`."
    )
    assert refuse(f"{unsplit}early_stopping: 3\n") == [
        f"c.yaml:9:1 early_stopping.monitor: {said.format('validation_loss')}"
    ]
    assert refuse(f"{unsplit}early_stopping: {{patience: 3, monitor: mae}}\n") == [
        f"c.yaml:9:31 early_stopping.monitor: {said.format('mae')}"
    ]
    assert read(f"{unsplit}early_stopping: {{patience: 3, monitor: train_loss}}\n")
    separate = unsplit.replace("path: table.csv", "train: a.csv\n  validation: b.csv")
    assert read(f"{separate}early_stopping: 3\n").early_stopping


def test_losses_say_how_many_targets_they_take(refuse: Refuse, read: Read) -> None:
    two = CLASSIFY.replace("target: y", "target: [y, z]")
    assert refuse(two) == [
        "c.yaml:7:1 loss: cross_entropy chooses one class of one target, but there are 2 (y, z). "
        "For several yes/no targets: binary_cross_entropy."
    ]
    binary = two.replace("cross_entropy", "{name: binary_cross_entropy, class_weights: balanced}")
    assert refuse(binary) == [
        "c.yaml:7:36 loss.class_weights: class weights are for one target, but there are 2. Remove them."
    ]
    assert read(binary.replace(", class_weights: balanced", "")).data.target == ("y", "z")


def test_repeats_of_repeats_are_counted_before_anything_is_built(refuse: Refuse, read: Read) -> None:
    bomb = "dense: 1"
    for _ in range(4):
        bomb = f"repeat: {{times: 1000, layers: [{bomb}]}}"
    assert refuse(GOOD.replace("dense: 8", bomb)) == [
        "c.yaml:4:1 layers: would be 1,000,000,000,001 layers; nettool stops at 10,000."
    ]
    assert read(GOOD.replace("dense: 8", "repeat: {times: 999, layers: [residual: {layers: [dense: 1]}]}"))


ALL = """\
data:
  path: table.csv
  target: [y, y]
  split: [0.9, 0.2, 0.2]
layers:
  - dens: 8
  - dense: "64"
  - dropout: 50
  - output: {units: 3}
  - dense: {units: 8, activation: ReLU}
loss: mse
metrics: [accuracy]
optimizer: {name: sdg}
epochs: 1.5
early_stopping: {patience: 3, monitor: f1}
zebra: 1
zebras: 2
"""


def test_all_mistakes_of_a_file_come_at_once_in_reading_order(refuse: Refuse) -> None:
    said = refuse(ALL, ["lr=0.1"])
    assert [line.split(":")[1] for line in said[:-1]] == [
        "3",
        "4",
        "6",
        "7",
        "8",
        "9",
        "10",
        "10",
        "12",
        "13",
        "14",
        "16",
        "17",
    ]
    assert said[1].startswith("c.yaml:4:3 data.split: train 0.9, validation 0.2 and test 0.2 add up to 1.3, not to 1")
    assert said[-1].startswith("lr=0.1 lr: no such key.")


def test_checks_go_on_where_other_sections_have_mistakes(refuse: Refuse) -> None:
    assert refuse("metrics: [accuracy]\nepochs: a\nlr: 3\n") == [
        f"c.yaml:8:11 metrics.0: accuracy does not fit the loss mse, which predicts numbers. {REGRESSION}",
        'c.yaml:9:1 epochs: must be a whole number, not "a".',
        'c.yaml:10:1 lr: no such key. Did you mean "optimizer.lr"?',
    ]


def test_a_check_keeps_silent_where_a_section_it_looks_at_has_mistakes(refuse: Refuse) -> None:
    said = refuse("metrics: [acc]\nearly_stopping: {patience: 3, monitor: f1}\n")
    assert [line.split(" ")[1] for line in said] == ["metrics.0:"]


def test_at_most_24_lines_are_shown() -> None:
    config = {"data": {"path": "a", "target": "y"}, "layers": ["output"], "loss": "mse"}
    with pytest.raises(ConfigError) as caught:
        load_mapping({**config, **{f"key{number}": 1 for number in range(1000)}})
    lines = str(caught.value).splitlines()
    assert len(lines) <= 24
    assert len(caught.value.mistakes) == 1000
    assert lines[-1].startswith("... and 9")
    assert lines[-1].endswith("more mistakes.")


@pytest.mark.parametrize(
    ("layer", "said"),
    [("reshape: [64]", "must be a list of 2 or more, not [64]."), ("reshape: [1, 2, 3, 4]", "must be a list of at most 3, not [1, 2, 3, 4]."),
     ("conv2d: {filters: 2, size: [3, 3, 3]}", "must be a whole number or a list of at most 2, not [3, 3, 3].")],
)  # fmt: skip
def test_a_list_of_the_wrong_length_is_told_its_length(layer: str, said: str, refuse: Refuse) -> None:
    (told,) = refuse(GOOD.replace("dense: 8", layer))
    assert told.endswith(said)


@pytest.mark.parametrize(("layer", "key"), [("lstm", "init"), ("lstm", "activation"), ("flatten", "dropout")])
def test_a_setting_that_a_layer_lacks_is_not_looked_for_at_the_top(layer: str, key: str, refuse: Refuse) -> None:
    settings = "{units: 3, " if layer == "lstm" else "{"
    (told,) = refuse(GOOD.replace("dense: 8", f"{layer}: {settings}{key}: relu}}"))
    assert f"{layer} has no {key}." in told
    assert "at the top" not in told
