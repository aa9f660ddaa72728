"""The JSON Schema accepts what nettool accepts, refuses common slips, and describes every field."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from refusals import GOOD

from nettool.config.layers import LAYERS, CustomLayer
from nettool.config.schema import NAMED_SECTIONS, SECTIONS, field_docs, json_schema, spec_at, summary
from nettool.config.spec import Spec
from nettool.config.yaml import Place, parse

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))
SPECS = {
    spec.__name__: spec
    for spec in (
        *SECTIONS.values(),
        *LAYERS.values(),
        *(s for choices in NAMED_SECTIONS.values() for s in choices.values()),
    )
}


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = json_schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def plain(text: str) -> Any:
    return json.loads(json.dumps(parse(text, Place("c.yaml", 1, 1)).plain()))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_example_is_valid(path: Path, validator: Draft202012Validator) -> None:
    validator.validate(plain(path.read_text(encoding="utf-8")))


VALID = [
    "optimizer: adam", "optimizer: {lr: 0.1}", "schedule: {warmup: 1}", "early_stopping: off", "early_stopping: 3",
    "early_stopping: false", "early_stopping:", "checkpoint: 30", "checkpoint: 5 epochs", "checkpoint: {every: 5 epochs}",
    "metrics: r2", "metrics: [r2]", "batch_size: full", "base: other.yaml", "runtime: {device: cpu, threads: 3}",
    "loss: {name: cross_entropy, class_weights: {a: 1}}", "loss: {name: huber, delta: 2}", "activation: tanh",
    "data: {split: [0.5, 0.3, 0.2]}", "data: {split: {by: x}}", "data: {target: [a, b], features: c, limit: 0.5}",
    "layers: [dense: 3, dropout: 0.1, activation: relu, batch_norm, {layer_norm: }, output]",
    "layers: [repeat: {times: 2, layers: [residual: {projection: true, layers: [dense: {units: 3}]}]}, output]",
    "layers: [output: {weights: [[1, 2]], bias: [1]}]", "layers: [output: {weights: [1, 2], bias: false}]",
]  # fmt: skip


@pytest.mark.parametrize("text", VALID)
def test_shorthand_and_full_forms_are_valid(text: str, validator: Draft202012Validator) -> None:
    validator.validate(plain(text))


INVALID = [
    "epohcs: 3", 'epochs: "3"', "epochs: 1.5", "epochs: -1", "dropout: 50", "batch_size: 0", "batch_size: all", "seed: -1", "activation: ReLU",
    "optimizer: sdg", "optimizer: {name: adam, momentum: 0.9}", "optimizer: {name: sgd, lr: 0}", "optimizer: {adam: {lr: 1}}",
    "optimizer:", "loss:", "loss: {delta: 1}", "loss: {name: mse, delta: 1}", "lr: 0.1", "layers: dense", "layers: []",
    "layers: [dense 64]", "layers: [dense]", "layers: [dense: {units: 3, activaton: tanh}]", "layers: [{dense: 3, units: 4}]",
    "layers: [output: 3]", "layers: [repeat: {times: 2}]", "layers: [repeat: {times: 2, layers: [dens: 3]}]",
    "layers: [output: {weights: []}]", "early_stopping: true", "early_stopping: {monitor: mae}", "metrics: [acuracy]",
    "data: table.csv", "data: {pth: a}", "data: {columns: {a: int}}", "data: {split: [0.5, 0.5]}", "runtime: cuda", "name: a/b",
]  # fmt: skip


@pytest.mark.parametrize("text", INVALID)
def test_slips_are_invalid(text: str, validator: Draft202012Validator) -> None:
    config = plain(GOOD)
    validator.validate(config)
    assert not validator.is_valid({**config, **plain(text)})


@pytest.mark.parametrize("name", SPECS)
def test_every_field_of_every_spec_has_a_docstring(name: str) -> None:
    spec = SPECS[name]
    documented = set(field_docs(spec))
    fields = set(spec.model_fields) - {"layer"} - ({"name"} if name != "Experiment" else set())
    assert fields <= documented
    assert summary(spec).endswith(".")
    assert all(text.endswith((".", ")")) for text in field_docs(spec).values())


def test_a_field_that_is_declared_again_has_the_docstring_of_its_own() -> None:
    assert field_docs(SPECS["AdamW"])["weight_decay"] == "Every step shrinks each weight by lr x weight_decay."
    assert field_docs(SPECS["Adam"])["weight_decay"].startswith("Pulls every weight towards zero")


def test_every_layer_and_section_has_its_spec() -> None:
    def concrete(spec: type[Spec]) -> Iterator[type[Spec]]:
        subclasses = [sub for sub in spec.__subclasses__() if sub.__module__.startswith("nettool.config")]
        yield from ([spec] if not subclasses else (one for sub in subclasses for one in concrete(sub)))

    known = {*SPECS.values(), CustomLayer}
    assert [spec.__name__ for spec in concrete(Spec) if spec not in known and spec.__name__ != "LayerSettings"] == []


def test_specs_are_found_by_their_place() -> None:
    assert spec_at(("optimizer",), "sgd") is SPECS["SGD"]
    assert spec_at(("layers", 0, "layers", 2), "dense") is SPECS["Dense"]
    assert spec_at(("data", "split"), None) is SPECS["SplitSpec"]
    assert [spec_at(("optimizer",), tag) for tag in ("none", None, ["sgd"])] == [None] * 3
    assert spec_at(("nowhere",), "dense") is None


def test_every_property_of_the_schema_is_described() -> None:
    def undescribed(schema: Any, path: str) -> Iterator[str]:
        if isinstance(schema, dict):
            for key, value in schema.get("properties", {}).items():
                if not value.get("description"):
                    yield f"{path}.{key}"
            for key, value in schema.items():
                yield from undescribed(value, f"{path}.{key}")
        elif isinstance(schema, list):
            for index, value in enumerate(schema):
                yield from undescribed(value, f"{path}.{index}")

    assert list(undescribed(json_schema(), "")) == []
