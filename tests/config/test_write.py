"""to_yaml: reading what was written gives an equal experiment, whatever the columns are called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import GOOD, Read

from nettool.config import losses, optimization
from nettool.config.checks import check_experiment
from nettool.config.data import DataSpec, SplitSpec
from nettool.config.experiment import Experiment
from nettool.config.layers import (
    ActivationLayer,
    BatchNorm,
    Dense,
    Dropout,
    LayerNorm,
    Output,
    Repeat,
    Residual,
)
from nettool.config.load import load, load_mapping
from nettool.config.runtime import Checkpoint, Runtime
from nettool.config.write import dump, to_plain, to_yaml
from nettool.config.yaml import Place, parse

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))
HOSTILE = [
    "no", "1e-3", "null", "~", "true", "", " ", "a: b", "#x", "a #b", "- a", "*a", "&a", "!a", "@a", "%a", "{a", "[a", "'", '"',
    "größe", "价格", "a\nb", "a\tb", "\x1b[31m", "\x85", "\u2028", "\ufeff", "0x1f", "0o7", ".inf", ".nan", "<<", "=", "2020-01-01", "?",
    "a\\b", "name", "layer", "layers", "\x7f", "trailing ", " leading", "x" * 300, "word " * 60, "\U0001f600", "12:30", "---", "...",
]  # fmt: skip

fractions = st.floats(0.01, 1)
positive = st.floats(1e-12, 1e12)
texts = st.sampled_from(HOSTILE) | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
activations = st.sampled_from([None, "relu", "tanh", "linear"])
numbers = st.floats(-1e30, 1e30)
biases = st.booleans() | numbers | st.lists(numbers, min_size=1, max_size=3).map(tuple)
rows = st.lists(numbers, min_size=1, max_size=3).map(tuple)
weights = st.none() | rows | st.lists(rows, min_size=1, max_size=3).map(tuple)

leaves: st.SearchStrategy[Any] = st.one_of(
    st.builds(
        Dense,
        units=st.integers(1, 1_000_000),
        activation=activations,
        dropout=st.none() | st.floats(0, 0.99),
        norm=st.sampled_from([None, "layer_norm", "batch_norm"]),
        init=st.sampled_from([None, "he", "zeros"]),
        bias=biases,
        weights=weights,
    ),
    st.builds(ActivationLayer, function=st.sampled_from(["gelu", "elu"])),
    st.builds(Dropout, rate=st.floats(0, 0.99)),
    st.builds(BatchNorm, momentum=fractions, epsilon=positive),
    st.builds(LayerNorm, epsilon=positive),
)
layers = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(Repeat, times=st.integers(1, 5), layers=st.lists(inner, min_size=1, max_size=2).map(tuple)),
        st.builds(Residual, layers=st.lists(inner, min_size=1, max_size=2).map(tuple), projection=st.booleans()),
    ),
    max_leaves=4,
)


@st.composite
def data_specs(draw: st.DrawFn) -> DataSpec:
    names = draw(st.lists(texts, min_size=2, max_size=5, unique=True))
    train = draw(st.floats(0.1, 1))
    return DataSpec(
        path="/" + draw(st.text("ab é#:'\"", min_size=1, max_size=10)).strip(),
        target=tuple(names[:1]),
        features=draw(st.sampled_from([None, tuple(names[1:])])),
        columns=draw(st.dictionaries(texts, st.sampled_from(["number", "category", "ignore"]), max_size=3)),
        weights=draw(st.none() | st.just("weights of a row")),
        limit=draw(st.none() | st.integers(1, 10**9) | fractions),
        split=SplitSpec(train=train, validation=1 - train, test=0.0, by=draw(st.none() | texts)),
    )


class_weights = st.none() | st.just("balanced") | st.dictionaries(texts, st.floats(0, 1e6), max_size=3)
experiments = st.builds(
    Experiment,
    name=st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,20}\Z"),
    seed=st.integers(0, 2**32 - 1),
    data=data_specs(),
    layers=st.lists(layers, max_size=3).map(lambda inner: (*inner, Output())),
    dropout=st.floats(0, 0.99),
    loss=st.builds(losses.CrossEntropy, class_weights=class_weights, label_smoothing=st.floats(0, 0.99))
    | st.builds(losses.Huber, delta=positive)
    | st.builds(losses.MeanSquaredError),
    optimizer=st.one_of(
        st.builds(optimization.SGD, lr=positive, momentum=st.floats(0, 0.99)),
        st.builds(optimization.AdamW, weight_decay=positive, clip_norm=st.none() | positive),
    ),
    schedule=st.builds(optimization.OneCycle, rise=st.floats(0.01, 0.99)) | st.builds(optimization.Cosine),
    batch_size=st.integers(2, 10**6) | st.just("full"),
    early_stopping=st.none()
    | st.builds(optimization.EarlyStopping, patience=st.integers(1, 10**9), monitor=st.just("train_loss")),
    metrics=st.sampled_from([None, ()]),
    runtime=st.builds(Runtime, threads=st.none() | st.integers(1, 1024)),
    checkpoint=st.builds(Checkpoint, every=st.sampled_from(["30 seconds", "5 epochs", "1.5s"])),
)


def read_text(text: str) -> Experiment:
    return load_mapping(parse(text, Place("c.yaml", 1, 1)).plain()).experiment


@settings(max_examples=80, deadline=None)
@given(experiments)
def test_reading_what_was_written_gives_an_equal_experiment(experiment: Experiment) -> None:
    path = str(Path(experiment.data.path or "").resolve())
    experiment = experiment.model_copy(update={"data": experiment.data.model_copy(update={"path": path})})
    if check_experiment(parse(to_yaml(experiment), Place("", 1, 1)).plain(), set()):
        return  # makes no sense, so that it is refused
    assert read_text(to_yaml(experiment)) == experiment


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_example_written_and_read_is_the_same(path: Path, folder: Path) -> None:
    experiment = load(path).experiment
    copy = folder / path.name
    copy.write_text(to_yaml(experiment), encoding="utf-8")
    assert load(copy).experiment == experiment
    assert to_yaml(load(copy).experiment) == to_yaml(experiment)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_column_keeps_its_name(name: str, read: Read) -> None:
    experiment = read()
    data = experiment.data.model_copy(update={"target": (name,), "columns": {name: "ignore"}, "weights": name + "w"})
    back = read_text(to_yaml(experiment.model_copy(update={"data": data})))
    assert (back.data.target, back.data.columns, back.data.weights) == ((name,), {name: "ignore"}, name + "w")


@given(st.recursive(texts | st.integers(-(10**29), 10**29) | st.floats(allow_nan=False) | st.booleans() | st.none(),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=8))  # fmt: skip
def test_plain_values_survive_writing_and_reading(value: Any) -> None:
    def as_tuples(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: as_tuples(item) for key, item in value.items()}
        return tuple(map(as_tuples, value)) if isinstance(value, list) else value

    assert parse(dump([value]), Place("c.yaml", 1, 1)).plain() == (as_tuples(value),)


def test_what_is_written_reads_like_what_a_user_writes(read: Read) -> None:
    config = GOOD.replace("- dense: 8", "- repeat: {times: 2, layers: [dense: 8, layer_norm]}\n  - batch_norm")
    written = to_yaml(read(f"{config}name: mine\nearly_stopping: 3\n"))
    assert written.startswith("name: mine\nseed: 0\ndata:\n")
    assert "\nlayers:\n- repeat:\n    times: 2\n    layers:\n    - dense: {units: 8, bias: true}\n" in written
    assert "\n- output: {bias: true}\n" in written
    assert "\noptimizer: {name: adam, lr: 0.001, weight_decay: 0.0, beta1: 0.9" in written
    assert "\nearly_stopping: {patience: 3, monitor: validation_loss, min_delta: 0.0}\n" in written
    assert "null" not in written


def test_plain_values_hold_no_tuples(read: Read) -> None:
    def types(value: Any) -> set[type]:
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        return {type(value)}.union(*map(types, inner))

    assert types(to_plain(read("metrics: [r2]\n"))) <= {dict, list, str, int, float, bool}
