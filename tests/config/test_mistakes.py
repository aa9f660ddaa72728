"""Mistakes inside one section: what was written, where, why it can't be, and what is probably meant."""

from __future__ import annotations

import pytest
from refusals import GOOD, Refuse

from nettool.config.experiment import Experiment
from nettool.config.hints import nearest

OPTIMIZERS = "Choose one of sgd, adam, adamw, adadelta, adagrad, rmsprop."
LOSSES = "Choose one of cross_entropy, binary_cross_entropy, mse, mae, huber."
ACTIVATIONS = "Choose one of relu, leaky_relu, elu, gelu, silu, tanh, sigmoid, softplus, linear."
KEYS = f"The keys here are {', '.join(Experiment.model_fields)}, base."
INTERVAL = "write a number of seconds, epochs or steps: `30 seconds`, `5 epochs`, `500 steps`."
A_NAME = "is a name, or a mapping with a name in it"

# Behind a good config of 7 lines; the column of the mistake, and the mistake.
ONE = {
    # Names
    "optimizer: adm": f'1 optimizer: there is no optimizer "adm". Did you mean "adam"? {OPTIMIZERS}',
    "optimizer: {name: SDG}": f'1 optimizer: there is no optimizer "SDG". Did you mean "sgd"? {OPTIMIZERS}',
    "optimizer: {name: 5}": f'1 optimizer: there is no optimizer "5". {OPTIMIZERS}',
    "optimizer: {name: [1]}": f'1 optimizer: there is no optimizer "[1]". {OPTIMIZERS}',
    "optimizer: {name: }": f'1 optimizer: there is no optimizer "empty". {OPTIMIZERS}',
    "schedule: cosin": (
        '1 schedule: there is no schedule "cosin". Did you mean "cosine"? '
        "Choose one of constant, step, exponential, cosine, one_cycle, plateau."
    ),
    "metrics: [rms, mae]": (
        '11 metrics.0: "rms" is none of the choices. Did you mean "rmse"? Choose one of accuracy, balanced_accuracy, '
        "precision, recall, f1, log_loss, brier, auroc, average_precision, calibration_error, top_5_accuracy, mse, rmse, mae, r2, "
        "median_absolute_error, bits_per_character, perplexity."
    ),
    "activation: ReLU": f'1 activation: "ReLU" is none of the choices. Did you mean "relu"? {ACTIVATIONS}',
    "activation: none": f'1 activation: "none" is none of the choices. Did you mean "linear"? {ACTIVATIONS}',
    "activation: softmax": (
        '1 activation: "softmax" is none of the choices. The loss applies the softmax itself: leave it out. '
        f"{ACTIVATIONS}"
    ),
    "runtime: {device: gpu}": (
        '11 runtime.device: "gpu" is none of the choices. Did you mean "cuda"? Choose one of auto, cpu, cuda, mps.'
    ),
    # Keys
    "optimzer: adam": '1 optimzer: no such key. Did you mean "optimizer"?',
    "Epochs: 3": '1 Epochs: no such key. Did you mean "epochs"?',
    "early-stopping: 3": '1 early-stopping: no such key. Did you mean "early_stopping"?',
    "zebra: 3": f"1 zebra: no such key. {KEYS}",
    "optimizer: {name: sgd, momentun: 0.9}": '24 optimizer.momentun: no such key. Did you mean "momentum"?',
    "optimizer: {name: adam, momentum: 0.9}": "25 optimizer.momentum: adam has no momentum; sgd and rmsprop have one.",
    "optimizer: {momentum: 0.9}": "13 optimizer.momentum: adam has no momentum; sgd and rmsprop have one.",
    "schedule: {name: cosine, rise: 0.1}": "26 schedule.rise: cosine has no rise; one_cycle has one.",
    # Keys in the wrong section, or as other tools call them
    "lr: 0.1": '1 lr: no such key. Did you mean "optimizer.lr"?',
    "learning_rate: 0.1": '1 learning_rate: no such key. Did you mean "optimizer.lr"?',
    "momentum: 0.9": '1 momentum: no such key. Did you mean "optimizer.momentum"?',
    "target: y": '1 target: no such key. Did you mean "data.target"?',
    "patience: 5": '1 patience: no such key. Did you mean "early_stopping.patience"?',
    "device: cuda": '1 device: no such key. Did you mean "runtime.device"?',
    "class_weights: balanced": '1 class_weights: no such key. Did you mean "loss.class_weights"?',
    "units: 64": "1 units: no such key. It is a setting of a layer: `- dense: {units: ...}`.",
    "repeat: 3": "1 repeat: no such key. repeat is a layer: make it an item of `layers`.",
    "optimizer: {learning_rate: 0.1}": '13 optimizer.learning_rate: no such key. Did you mean "lr"?',
    "optimizer: {epochs: 5}": '13 optimizer.epochs: no such key. Did you mean "epochs" at the top of the file, not inside optimizer?',
    "optimizer.lr: 0.1": (
        "1 optimizer.lr: keys with points are for the command line; in a file, write `lr:` below `optimizer:`."
    ),
    "optimizer: {lr:0.1}": "13 optimizer.lr:0.1: no such key. A space is needed after the colon: `lr: ...`.",
    # Sections that are something else
    "optimizer: {adam: {lr: 0.1}}": (
        "1 optimizer: the name is a setting like the others: `optimizer: {name: adam, ...}`."
    ),
    "optimizer:": f"1 optimizer: is empty: `optimizer: sgd`. {OPTIMIZERS}",
    "optimizer: [adam]": f"1 optimizer: {A_NAME}: `optimizer: sgd`. {OPTIMIZERS}",
    "optimizer: 0.1": f"1 optimizer: {A_NAME}: `optimizer: sgd`. {OPTIMIZERS}",
    "runtime: cuda": (
        '1 runtime: must be a mapping of `key: value`, not "cuda". Its keys are device, threads, engine, compile, '
        "precision, deterministic."
    ),
    "early_stopping: true": (
        "1 early_stopping: say after how many epochs without improvement: `early_stopping: {patience: 20}`."
    ),
    "early_stopping: {monitor: rmse}": (
        "1 early_stopping.patience: is required: epochs without improvement that are borne before training ends."
    ),
    # Types
    'epochs: "10"': '1 epochs: must be a whole number, not "10". Remove the quotes.',
    'optimizer: {lr: "1e-3"}': '13 optimizer.lr: must be a number or auto, not "1e-3". Remove the quotes.',
    "epochs: 1.5": "1 epochs: must be a whole number, not 1.5.",
    "epochs: 20.0": "1 epochs: must be a whole number, not 20.0. Write 20.",
    "epochs: 1_000": '1 epochs: must be a whole number, not "1_000". Write 1000.',
    "epochs: 1,000,000": '1 epochs: must be a whole number, not "1,000,000". Write 1000000.',
    "epochs:": "1 epochs: must be a whole number, not empty.",
    "epochs: true": "1 epochs: must be a whole number, not true.",
    "epochs: ten": '1 epochs: must be a whole number, not "ten".',
    "dropout: 0,5": '1 dropout: must be a number, not "0,5". Write 0.5, with a point.',
    "dropout: 50%": '1 dropout: must be a number, not "50%". Write 0.5.',
    "dropout: [0.5]": "1 dropout: must be a number, not [0.5].",
    "batch_size: all": '1 batch_size: must be a whole number or full, not "all".',
    "optimizer: {name: sgd, momentum: 0.9, nesterov: yes}": (
        '39 optimizer.nesterov: must be true or false, not "yes".'
    ),
    "name: 2024": '1 name: must be text, not 2024. Put it in quotes: "2024".',
    "metrics: {r2: true}": '1 metrics: must be a list, such as [a, b], not {"r2": true}.',
    # Numbers out of range
    "epochs: -1": "1 epochs: must be at least 0; it is -1.",
    "seed: 4294967296": "1 seed: must be at most 4,294,967,295; it is 4294967296.",
    "dropout: 1": "1 dropout: must be below 1; it is 1. 1 percent is 0.01.",
    "dropout: 50": "1 dropout: must be below 1; it is 50. 50 percent is 0.5.",
    "dropout: -0.5": "1 dropout: must be at least 0; it is -0.5.",
    "batch_size: 0": "1 batch_size: must be at least 1 or full; it is 0.",
    "early_stopping: 0": "17 early_stopping.patience: must be at least 1; it is 0.",
    "optimizer: {lr: 0}": "13 optimizer.lr: must be above 0 or auto; it is 0.",
    "optimizer: {lr: .inf}": "13 optimizer.lr: must be a finite number or auto, not .inf.",
    "optimizer: {lr: 1e999}": "13 optimizer.lr: must be a finite number or auto, not .inf.",
    "dropout: .nan": "1 dropout: must be a finite number, not .nan.",
    "runtime: {threads: 0}": "11 runtime.threads: must be at least 1; it is 0.",
    "checkpoint: 0": f"13 checkpoint.every: {INTERVAL}",
    "checkpoint: {every: often}": f"14 checkpoint.every: {INTERVAL}",
    # Names of runs
    **{
        f"name: {name}": f'1 name: "{name}" is not a name: use letters, digits, `-`, `_` and `.`, beginning with a letter '
        "or digit (no folders; `--run-dir` chooses where the run goes)."
        for name in ("a/b", "../up", ".hidden", "a b", "größe")
    },
}  # fmt: skip


@pytest.mark.parametrize("line", ONE)
def test_a_mistake_in_one_line_is_explained(line: str, refuse: Refuse) -> None:
    assert refuse(f"{line}\n") == [f"c.yaml:8:{ONE[line]}"]


PATHS = "name one table with `path`, or a table for each split: `train`, `validation`, `test`."
ADD_UP = "add up to {}, not to 1; name all three."
FRACTIONS = "is three fractions, for training, validation and test: `split: [0.7, 0.15, 0.15]`."
DATA = {
    "data: table.csv": "1:1 data: names a table and its target: `data: {path: table.csv, target: COLUMN}`.",
    "data: {target: y}": f"1:1 data: {PATHS}",
    "data: {path: a, train: b, target: y}": f"1:1 data: {PATHS}",
    "data: {path: a, test: b, target: y}": (
        "1:1 data: `path` is one table to be split; beside `validation` or `test`, call it `train`."
    ),
    "data: {path: a.csv}": "1:1 data.target: is required: the column to predict.",
    "data: {path: a, target: }": "1:17 data.target: must be a list, such as [a, b], not empty.",
    "data: {path: a, target: []}": "1:17 data.target: must be a list that is not empty, not [].",
    "data: {path: a, target: 5}": '1:25 data.target.0: must be text, not 5. Put it in quotes: "5".',
    "data: {path: a, target: y, features: [x, 2020]}": (
        '1:42 data.features.1: must be text, not 2020. Put it in quotes: "2020".'
    ),
    "data: {path: a, target: y, features: [x, y]}": (
        '1:1 data: "y" is the target and a feature; the network would only have to copy it.'
    ),
    "data: {path: a, target: y, features: [x, x]}": "1:28 data.features: x: named twice.",
    "data: {path: a, target: y, weights: y}": '1:28 data.weights: "y" is the target and the weights; it can only be one.',
    "data: {path: a, target: y, split: {validation: 0.2}}": (
        f"1:28 data.split: train 0.7, validation 0.2 and test 0.15 {ADD_UP.format('1.05')}"
    ),
    "data: {path: a, target: y, split: [0.5, 0.2, 0.2]}": (
        f"1:28 data.split: train 0.5, validation 0.2 and test 0.2 {ADD_UP.format('0.9')}"
    ),
    "data: {path: a, target: y, split: 0.8}": f"1:28 data.split: {FRACTIONS}",
    "data: {path: a, target: y, split: [0.8, 0.2]}": f"1:28 data.split: {FRACTIONS}",
    "data: {path: a, target: y, split: {train: 80}}": (
        "1:36 data.split.train: must be at most 1; it is 80. 80 percent is 0.8."
    ),
    "data: {path: a, target: y, columns: {x: int}}": (
        '1:38 data.columns.x: "int" is none of the choices. Did you mean "number"? '
        "Choose one of number, category, boolean, date, text, image, ignore."
    ),
    "data: {path: a, target: y, columns: [x]}": '1:28 data.columns: must be a mapping of `key: value`, not ["x"].',
    "data: {path: a, target: y, limit: 0}": "1:28 data.limit: must be at least 1 or above 0; it is 0.",
    "data: {path: a, target: y, limit: 1.5}": "1:28 data.limit: must be a whole number or at most 1; it is 1.5.",
    'data: {path: "a\\0b", target: y}': "1:8 data.path: is no path that can be followed: embedded null byte.",
    "data: {path: ~no-such-user/a, target: y}": (
        "1:8 data.path: is no path that can be followed: Could not determine home directory."
    ),
}  # fmt: skip


@pytest.mark.parametrize("line", DATA)
def test_a_mistake_in_the_data_is_explained(line: str, refuse: Refuse) -> None:
    assert refuse(f"{line}\nlayers: [output]\nloss: mse\n") == [f"c.yaml:{DATA[line]}"]


LOSS = {
    "loss:": f"is empty: `loss: cross_entropy`. {LOSSES}",
    "loss: MSE": f'there is no loss "MSE". Did you mean "mse"? {LOSSES}',
    "loss: bce": f'there is no loss "bce". Did you mean "binary_cross_entropy"? {LOSSES}',
    "loss: {delta: 2}": f"needs a name: `name: ...` or the name alone. {LOSSES}",
    "loss: {huber: {delta: 2}}": "the name is a setting like the others: `loss: {name: huber, ...}`.",
    "": f"is required. {LOSSES}",
}


@pytest.mark.parametrize("line", LOSS)
def test_a_mistake_in_the_loss_is_explained(line: str, refuse: Refuse) -> None:
    place = "3:1" if line else "1:1"
    assert refuse(f"data: {{path: a, target: y}}\nlayers: [output]\n{line}\n") == [f"c.yaml:{place} loss: {LOSS[line]}"]


SETTINGS = {
    "{units: 64, actvation: tanh}": '24 layers.0 (dense).actvation: no such key. Did you mean "activation"?',
    "{units: 0}": "13 layers.0 (dense).units: must be at least 1; it is 0.",
    "{units: 2000000}": "13 layers.0 (dense).units: must be at most 1,000,000; it is 2000000.",
    "{units: 1, bias: [1, a]}": '33 layers.0 (dense).bias.1: must be a number, not "a".',
    "{units: 1, bias: a}": (
        '23 layers.0 (dense).bias: must be true or false or a number or a list, such as [a, b], not "a".'
    ),
    "{units: 1, weights: [[1, a], [2, 3]]}": '37 layers.0 (dense).weights.0.1: must be a number, not "a".',
    "{units: 1, weights: [1, a]}": '36 layers.0 (dense).weights.1: must be a number, not "a".',
    "{units: 1, weights: [1, .inf]}": "36 layers.0 (dense).weights.1: must be a finite number, not .inf.",
    "{units: 1, weights: [1, 2, [3]]}": "39 layers.0 (dense).weights.2: must be a number, not [3].",
    "{units: 1, weights: []}": "23 layers.0 (dense).weights: must be a list that is not empty, not [].",
}


@pytest.mark.parametrize("settings", SETTINGS)
def test_a_mistake_in_a_layer_is_explained(settings: str, refuse: Refuse) -> None:
    assert refuse(GOOD.replace("dense: 8", f"dense: {settings}")) == [f"c.yaml:5:{SETTINGS[settings]}"]


def test_the_units_of_output_are_not_for_the_user_to_choose(refuse: Refuse) -> None:
    assert refuse(GOOD.replace("- output", "- output: {units: 3}")) == [
        "c.yaml:6:14 layers.1 (output).units: leave it out: the units of output follow from target and loss."
    ]


def test_a_class_weight_is_checked_below_its_class(refuse: Refuse) -> None:
    assert refuse(GOOD.replace("mse", "{name: cross_entropy, class_weights: {a: -1}}")) == [
        "c.yaml:7:45 loss.class_weights.a: must be at least 0; it is -1."
    ]


def test_nesterov_asks_for_momentum(refuse: Refuse) -> None:
    said = ["c.yaml:8:1 optimizer: nesterov needs momentum: add `momentum: 0.9`."]
    assert refuse("optimizer: {name: sgd, nesterov: true}\n") == said
    assert refuse("optimizer: {name: sgd, nesterov: true, momentum: 0}\n") == said


def test_a_long_value_is_cut(refuse: Refuse) -> None:
    (said,) = refuse(f"epochs: {'x' * 500}\n")
    assert said == f'c.yaml:8:1 epochs: must be a whole number, not "{"x" * 56}....'


def test_nearest_prefers_a_known_word_over_another_tools() -> None:
    assert nearest("loss", ["loss", "validation_loss"]) == ' Did you mean "loss"?'
    assert nearest("loss", ["validation_loss", "rmse"]) == ' Did you mean "validation_loss"?'
    assert nearest("xyz", ["abc"]) == ""
