"""What `nettool explain --json` says: all numbers of an explanation as plain JSON."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import numpy as np

from nettool.analysis.encoding import EncodedColumn, EncodedTarget
from nettool.analysis.formulas import Detail, Dot, Formula, Some
from nettool.analysis.loss_steps import OutputLoss
from nettool.analysis.neurons import Neurons
from nettool.analysis.outcomes import Array
from nettool.analysis.steps import LayerStep, ParameterStep
from nettool.workflows.explain import Explanation, Shown

MOST_NUMBERS = 10_000
"""Of a tensor that is written whole: of a larger one so many, and its shape."""


def to_json(found: Explanation) -> dict[str, Any]:
    """Plain JSON. A number that JSON has none for is null; a tensor is nested lists, a large one its beginning."""
    walk = found.walk
    return {
        "source": found.source,
        "weights": "best" if found.is_trained else "first",
        "notes": list(found.notes),
        "num_parameters": found.plan.num_parameters,
        "flops": found.plan.flops,
        "example": _example(found.shown),
        "inputs": _tensor(walk.inputs),
        "layers": [_layer(layer) for layer in walk.layers],
        "outputs": list(found.output_names),
        "losses": [_loss(loss) for loss in walk.losses],
        "loss": _number(walk.loss),
        "optimizer": walk.update.spec.model_dump(),
        "lr": walk.update.lr,
        "gradient_length": _number(walk.update.norm),
        "parameters": [_parameter(each) for each in walk.parameters],
        "loss_after": _number(walk.loss_after),
        "predictions_after": _tensor(walk.outputs_after),
    }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _tensor(values: Array | None) -> Any:
    if values is None:
        return None
    if values.size > MOST_NUMBERS:
        first = values.reshape(-1)[:MOST_NUMBERS]
        return {"shape": list(values.shape), "first": [_number(value) for value in first.tolist()]}
    listed = values.astype(object)
    listed[~np.isfinite(values)] = None
    return listed.tolist()


def _example(shown: Shown) -> dict[str, Any]:
    return {
        "number": shown.number,
        "num_examples": shown.num_examples,
        "file": shown.file,
        "row": shown.row,
        "columns": [_column(column) for column in shown.columns],
        "targets": [_target(target) for target in shown.targets],
        "series": _tensor(shown.series),
        "pixels": _tensor(shown.pixels),
        "tokens": list(shown.tokens),
        "codes": list(shown.codes),
        "next_tokens": list(shown.next_tokens),
    }


def _column(column: EncodedColumn) -> dict[str, Any]:
    encoded = [{"name": name, "value": value} for name, value in column.numbers]
    return {"name": column.name, "in_table": column.raw, "encoded": encoded, "how": _how(column.how)}


def _target(target: EncodedTarget) -> dict[str, Any]:
    return {"name": target.name, "in_table": target.raw, "encoded": target.number, "how": _how(target.how)}


def _how(how: Formula | str) -> Any:
    return how if isinstance(how, str) else _formula(how)


def _formula(formula: Formula) -> dict[str, Any]:
    numbers = {name: _number(value) for name, value in formula.numbers.items()}
    return {
        "name": formula.name,
        "symbols": formula.symbols,
        "written": formula.written(repr),
        "numbers": numbers,
        "value": _number(formula.value),
    }


def _detail(detail: Detail) -> dict[str, Any]:
    match detail:
        case Formula():
            return _formula(detail)
        case Dot():
            weights, inputs = _tensor(detail.weights), _tensor(detail.inputs)
            found = {"name": detail.name, "weights": weights, "inputs": inputs, "bias": detail.bias}
            return {**found, "products": _tensor(detail.products), "value": _number(detail.value)}
        case Some():
            return {"name": detail.name, "values": _tensor(detail.values)}


def _layer(layer: LayerStep) -> dict[str, Any]:
    plan = layer.plan
    return {
        "name": plan.name,
        "layer": plan.spec.layer,
        "turns": list(layer.turns),
        "sentence": layer.sentence,
        "input": str(plan.input),
        "output": str(plan.output),
        "num_parameters": plan.num_parameters,
        "flops": plan.flops,
        "parameters": [parameter.name for parameter in layer.parameters],
        "x": _tensor(layer.x),
        "out": _tensor(layer.out),
        "dL/dout": _tensor(layer.dout),
        "dL/dx": _tensor(layer.dx),
        "neurons": None if layer.neurons is None else _neurons(layer.neurons),
        "details": [_detail(detail) for detail in layer.details],
    }


def _neurons(neurons: Neurons) -> dict[str, Any]:
    """What its parameters, x and out do not say already."""
    return {
        "activation": neurons.activation,
        "norm": neurons.norm or None,
        "z": _tensor(neurons.z),
        "normed": _tensor(neurons.normed),
        "a": _tensor(neurons.a),
        "slope": [_number(neurons.slope(unit).value) for unit in range(neurons.num_units)],
        "dL/da": _tensor(neurons.da),
        "dL/dz": _tensor(neurons.dz),
    }


def _loss(loss: OutputLoss) -> dict[str, Any]:
    outputs = range(len(loss.names))
    return {
        "z": _tensor(loss.z),
        "y": _tensor(loss.y),
        "prediction": [_number(loss.predicted(output).value) for output in outputs],
        "formulas": [_formula(formula) for formula in loss.losses()],
        "value": _number(loss.value),
        "dL/dz": _tensor(loss.dz),
    }


def _parameter(parameter: ParameterStep) -> dict[str, Any]:
    return {
        "name": parameter.name,
        **{each.name: _tensor(getattr(parameter, each.name)) for each in fields(parameter) if each.name != "name"},
    }
