"""Mistakes that no section shows alone: layers out of order, a metric of the other task, a monitor not measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from nettool.config.data import DataSpec
from nettool.config.experiment import Experiment
from nettool.config.hints import nearest
from nettool.config.layers import CONTAINERS, CUSTOM_LAYERS, LAYERS, CustomLayer, Repeat, Residual
from nettool.config.losses import BinaryCrossEntropy, CrossEntropy
from nettool.errors import ConfigPath, Mistake
from nettool.limits import MAX_LAYERS


def check_experiment(plain: Mapping[str, Any], reported: Set[ConfigPath]) -> list[Mistake]:
    """All such mistakes of an expanded tree. reported: paths of mistakes known already.

    A check is left out where a section that it looks at has mistakes of its own.
    """
    broken = {path[0] for path in reported if path}
    mistakes = list(_order_of_layers(plain.get("layers"), ("layers",))) if ("layers",) not in reported else []
    # Broken sections give way to stand-ins, which no check looks at.
    sound = {key: value for key, value in plain.items() if key not in broken and key in Experiment.model_fields}
    try:
        experiment = Experiment.model_validate({**_STAND_INS, **sound})
    except ValidationError:
        return mistakes
    if _num_layers(experiment.layers) > MAX_LAYERS:
        text = f"would be {_num_layers(experiment.layers):,} layers; nettool stops at {MAX_LAYERS:,}."
        mistakes.append(Mistake(("layers",), text))
    for check, sections in _CHECKS:
        if not broken & sections:
            mistakes += check(experiment)
    return mistakes


def _num_layers(layers: Sequence[Any]) -> int:
    num = 0
    for layer in layers:
        inside = _num_layers(layer.layers) if isinstance(layer, (Repeat, Residual)) else 0
        num += inside * layer.times if isinstance(layer, Repeat) else 1 + inside
    return num


def has_validation(data: DataSpec) -> bool:
    """Whether the data has a validation split."""
    return data.validation is not None or data.split.held_out > 0


def _order_of_layers(layers: Any, path: ConfigPath) -> Iterator[Mistake]:
    if not isinstance(layers, tuple) or not layers:
        return
    names = [layer.get("layer") if isinstance(layer, Mapping) else None for layer in layers]
    known = all(isinstance(name, str) and (name in LAYERS or name in CUSTOM_LAYERS) for name in names)
    inside = len(path) > 1
    for index, name in enumerate(names):
        here = (*path, index)
        if name == "output" and inside:
            yield Mistake(here, "output stands once, at the end of the whole list; remove it here.")
        elif name == "output" and index < len(names) - 1:
            yield Mistake((*path, index + 1), f"stands after output (layers.{index}); output comes last. Move it up.")
            return
        if name in CONTAINERS:
            yield from _order_of_layers(layers[index].get("layers"), (*here, "layers"))
    if not inside and known and "output" not in names:
        yield Mistake(path, "the list ends without an output. Add `- output` as its last item.")


def _metrics(experiment: Experiment) -> Iterator[Mistake]:
    task = "classifies" if experiment.classifies else "predicts numbers"
    names = experiment.metrics or ()
    for index, name in enumerate(names):
        if name in names[:index]:
            yield Mistake(("metrics", index), f"{name} is named twice; once is enough.")
        if name not in experiment.possible_metrics:
            possible = ", ".join(experiment.possible_metrics)
            text = f"{name} does not fit the loss {experiment.loss.name}, which {task}. Choose from {possible}."
            yield Mistake(("metrics", index), text)


def _monitor(experiment: Experiment) -> Iterator[Mistake]:
    stopping = experiment.early_stopping
    if stopping is None or stopping.monitor == "train_loss":
        return
    possible = ["validation_loss", "train_loss", *experiment.metric_names]
    path = ("early_stopping", "monitor")
    if stopping.monitor not in possible:
        text = f'"{stopping.monitor}" is not measured.{nearest(stopping.monitor, possible)}'
        yield Mistake(path, f"{text} Choose one of {', '.join(possible)}.")
    elif not has_validation(experiment.data):
        text = f"there is no validation split to measure {stopping.monitor} on. Give data.split.validation a fraction"
        yield Mistake(path, f"{text}, or set `monitor: train_loss`.")


def _loss(experiment: Experiment) -> Iterator[Mistake]:
    loss, targets = experiment.loss, experiment.data.target
    if isinstance(loss, CrossEntropy) and len(targets) > 1:
        text = f"cross_entropy chooses one class of one target, but there are {len(targets)}"
        yield Mistake(("loss",), f"{text} ({', '.join(targets)}). For several yes/no targets: binary_cross_entropy.")
    if isinstance(loss, BinaryCrossEntropy) and loss.class_weights and len(targets) > 1:
        text = f"class weights are for one target, but there are {len(targets)}. Remove them."
        yield Mistake(("loss", "class_weights"), text)


def _target(experiment: Experiment) -> Iterator[Mistake]:
    data = experiment.data
    if (
        not data.target
        and data.is_table
        and data.image is None
        and not (data.path or data.train or "").endswith(".npz")
    ):
        yield Mistake(("data", "target"), "is required: the column to predict.")
    if not data.target and not data.is_table and data.text is not None and Path(data.path or data.train or "").suffix:
        yield Mistake(("data", "target"), "is required: `target: next` predicts the next token of a text.")
    if data.window is not None and data.split.by is not None:
        text = "a series is cut in time order, where no group stays whole. Remove it."
        yield Mistake(("data", "split", "by"), text)
    if data.split.folds is not None and (data.window is not None or data.is_stream or data.validation is not None):
        what = "the validation data come as a file of their own" if data.validation else "it is cut in time order"
        yield Mistake(("data", "split", "folds"), f"{what}, which leaves no parts to take turns. Remove it.")
    if data.window is not None and (data.text is not None or data.image is not None):
        other = "text" if data.text is not None else "image"
        yield Mistake(("data", "window"), f"a series is made of numbers and categories. Remove `{other}`, or this.")
    if data.augment is not None and (data.is_stream or data.window is not None):
        yield Mistake(("data", "augment"), "only images can be augmented. Remove it.")
    if data.is_stream:
        for key in ("features", "columns", "weights", "image", "window"):
            if getattr(data, key):
                yield Mistake(("data", key), "is for other data; of a text, the next token is all there is. Remove it.")
        if data.split.by is not None:
            yield Mistake(("data", "split", "by"), "a text has no columns. Remove it.")
    for kind, section in (("image", "text"), ("text", "image")):
        if kind in data.columns.values() and getattr(data, section) is not None:
            yield Mistake(("data", section), f"the data are {kind}s. Remove it.")


def _next(experiment: Experiment) -> Iterator[Mistake]:
    if not experiment.data.is_stream:
        return
    loss = experiment.loss
    if not isinstance(loss, CrossEntropy):
        yield Mistake(("loss",), f"{loss.name} cannot predict the next token, one of many. Use cross_entropy.")
    elif loss.class_weights:
        yield Mistake(("loss", "class_weights"), "are for classes, not for the tokens of a text. Remove them.")


def _custom_layers(experiment: Experiment) -> Iterator[Mistake]:
    return _custom_settings(experiment.layers, ("layers",))


def _custom_settings(layers: Sequence[Any], path: ConfigPath) -> Iterator[Mistake]:
    """What the specs of layers added from Python say of their settings."""
    for index, layer in enumerate(layers):
        if isinstance(layer, (Repeat, Residual)):
            yield from _custom_settings(layer.layers, (*path, index, "layers"))
        elif isinstance(layer, CustomLayer) and layer.layer in CUSTOM_LAYERS:
            try:
                CUSTOM_LAYERS[layer.layer].model_validate(layer.settings)
            except ValidationError as error:
                for detail in error.errors():
                    yield Mistake((*path, index, "settings", *detail["loc"]), f"{detail['msg']}.")


_STAND_INS: Mapping[str, Any] = {
    "name": "experiment",
    "data": {"path": "-", "target": ("-",)},
    "layers": ({"layer": "output"},),
    "loss": {"name": "mse"},
}
_CHECKS: tuple[tuple[Callable[[Experiment], Iterable[Mistake]], Set[str]], ...] = (
    (_metrics, {"metrics", "loss"}),
    (_monitor, {"early_stopping", "metrics", "loss", "data"}),
    (_loss, {"loss", "data"}),
    (_target, {"data"}),
    (_next, {"loss", "data"}),
    (_custom_layers, {"layers"}),
)
"""Each check with the sections that it looks at."""
