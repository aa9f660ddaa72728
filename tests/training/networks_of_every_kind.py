"""Small networks of every kind that the closed form knows, with batches to train them on, in float64."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from nettool.config.experiment import Experiment
from nettool.config.load import load_mapping
from nettool.config.signature import (
    ClassTarget,
    ImageExample,
    LabelTarget,
    NumberTarget,
    Signature,
    TableExample,
    Target,
)
from nettool.data.dataset import Batch
from nettool.model.compile import Network, compile_network
from nettool.model.losses import Loss, build_loss
from nettool.model.shapes import plan_network
from nettool.model.verdicts import without_closed_form
from nettool.training.engines import Engine, build_step
from nettool.training.step import Step

ACTIVATIONS = ["relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid", "softplus", "linear"]
OPTIMIZERS: list[dict[str, Any]] = [
    # Before a norm the gradient of a bias is 0, or what rounding makes of it: no epsilon is to magnify that.
    {"name": "sgd"},
    {"name": "sgd", "momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
    {"name": "adam", "clip_norm": 0.1, "epsilon": 1e-4},
    {"name": "adamw", "epsilon": 1e-4},
    {"name": "adadelta", "weight_decay": 0.1},
    {"name": "adagrad", "epsilon": 1e-4},
    {"name": "rmsprop", "momentum": 0.5, "epsilon": 1e-4},
]
LossCase = tuple[dict[str, Any], Target, bool]
"""A loss, what it is a loss of, and whether its classes have weights."""
LOSSES: list[LossCase] = [
    ({"name": "cross_entropy"}, ClassTarget(("a", "b", "c"), binary=False), False),
    ({"name": "cross_entropy", "label_smoothing": 0.2}, ClassTarget(("a", "b"), binary=False), False),
    ({"name": "cross_entropy", "label_smoothing": 0.1}, ClassTarget(("a", "b", "c"), binary=False), True),
    ({"name": "binary_cross_entropy"}, ClassTarget(("a", "b"), binary=True), False),
    ({"name": "binary_cross_entropy", "label_smoothing": 0.2}, ClassTarget(("a", "b"), binary=True), True),
    ({"name": "binary_cross_entropy"}, LabelTarget(("a", "b", "c")), False),
    ({"name": "mse"}, NumberTarget(("a", "b")), False),
    ({"name": "mae"}, NumberTarget(("a",)), False),
    ({"name": "huber", "delta": 0.3}, NumberTarget(("a", "b")), False),
]
Example = TableExample | ImageExample
TABLE = TableExample(4)
EMBEDDED = TableExample(3, (5, 4))
IMAGE = ImageExample(2, 3, 3, (100.0, 120.0), (50.0, 60.0))


def named(case: Any) -> str:
    """A readable name of a case."""
    parts = case if isinstance(case, tuple) else (case,)
    return "-".join(str(value) for value in (*parts[0].values(), *(type(part).__name__ for part in parts[1:2])))


@dataclass(frozen=True)
class Case:
    """What to train, and batches to train it on."""

    experiment: Experiment
    example: Example
    target: Target
    class_weights: Tensor | None
    batches: list[Batch]
    seed: int = 3

    def network(self) -> Network:
        plan = plan_network(self.experiment, Signature(self.example, self.target))
        assert without_closed_form(plan) == ""
        return compile_network(plan, seed=self.seed).double().train()

    def loss(self) -> Loss:
        return build_loss(self.experiment.loss, self.target, self.class_weights)

    def step(self, kind: Any) -> tuple[Network, Step]:
        network = self.network()
        return network, build_step(Engine(kind), network, self.loss(), self.experiment)


def make_case(
    layers: list[Any],
    loss: LossCase = LOSSES[0],
    example: Example = TABLE,
    sizes: tuple[int, ...] = (7, 7, 4),
    weighted: bool = False,
    **settings: Any,
) -> Case:
    spec, target, has_class_weights = loss
    config = {"data": {"path": "t.csv", "target": "y"}, "layers": layers, "loss": spec, **settings}
    generator = torch.Generator().manual_seed(len(layers))
    num_classes = len(target.classes) if isinstance(target, ClassTarget) else 0
    class_weights = torch.rand(num_classes, generator=generator).double() + 0.1 if has_class_weights else None
    batches = [make_batch(size, example, target, weighted, generator) for size in sizes]
    return Case(load_mapping(config).experiment, example, target, class_weights, batches)


def make_batch(size: int, example: Example, target: Target, weighted: bool, generator: torch.Generator) -> Batch:
    weights = torch.rand(size, generator=generator).double() if weighted else None
    return Batch(make_features(size, example, generator), make_target(size, target, generator), weights)


def make_features(size: int, example: Example, generator: torch.Generator) -> Tensor:
    if isinstance(example, ImageExample):
        shape = (size, example.channels, example.height, example.width)
        return torch.randint(256, shape, dtype=torch.uint8, generator=generator)
    assert isinstance(example, TableExample)
    numbers = torch.randn(size, example.numbers, generator=generator).double()
    codes = [torch.randint(count, (size, 1), generator=generator).double() for count in example.embedded]
    return torch.cat([numbers, *codes], dim=1)


def make_target(size: int, target: Target, generator: torch.Generator) -> Tensor:
    match target:
        case ClassTarget(binary=False):
            return torch.randint(target.num_outputs, (size,), generator=generator)
        case NumberTarget():
            return torch.randn(size, target.num_outputs, generator=generator).double()
        case _:
            return torch.randint(2, (size, target.num_outputs), generator=generator).double()
