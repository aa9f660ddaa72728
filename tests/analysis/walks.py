"""Small networks of any kind, and one example on its way through them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from nettool.analysis.formulas import Dot, Formula
from nettool.analysis.steps import Walk
from nettool.analysis.walkthrough import walk
from nettool.config.experiment import Experiment
from nettool.config.signature import (
    ClassTarget,
    ImageExample,
    LabelTarget,
    NextTarget,
    NumberTarget,
    Signature,
    TableExample,
    TokenExample,
)
from nettool.data.dataset import Batch
from nettool.model.compile import Network, compile_network
from nettool.model.losses import Loss, build_loss
from nettool.model.shapes import plan_network
from tests.analysis.written import done_again
from tests.training.conftest import make_experiment

TABLE = TableExample(4)
CLASSES = ClassTarget(("a", "b", "c"), binary=False)
EXACT = {"rel": 2e-5, "abs": 2e-6}


def features(example: object, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    match example:
        case ImageExample(channels, height, width):
            return torch.randint(0, 256, (1, channels, height, width), generator=generator).to(torch.uint8)
        case TokenExample(time, vocabulary, padded):
            codes = torch.randint(2, vocabulary, (1, time), generator=generator)
            codes[0, -2:] = 0 if padded else codes[0, -2:]
            return codes
        case TableExample(numbers, embedded, None):
            codes = torch.tensor([[2.0] * len(embedded)])
            return torch.cat([torch.randn(1, numbers, generator=generator), codes], dim=1)
        case TableExample(numbers, _, window):
            return torch.randn(1, window, numbers, generator=generator)
    raise AssertionError(example)


def target_of(target: object, time: int = 0) -> Tensor:
    match target:
        case ClassTarget(binary=False):
            return torch.tensor([1])
        case ClassTarget():
            return torch.tensor([[1.0]])
        case LabelTarget(names):
            return torch.tensor([[1.0, 0.0, 1.0][: len(names)]])
        case NumberTarget(names):
            return torch.tensor([[0.3, -2.5, 0.1][: len(names)]])
        case NextTarget():
            return torch.arange(time)[None] % 5
    raise AssertionError(target)


def subject(
    signature: Signature, class_weights: Tensor | None = None, **changes: Any
) -> tuple[Experiment, Network, Loss, Batch]:
    experiment = make_experiment(**changes)
    plan = plan_network(experiment, signature)
    batch = Batch(features(signature.example), target_of(signature.target, getattr(signature.example, "time", 0)), None)
    loss = build_loss(experiment.loss, signature.target, class_weights)
    return experiment, compile_network(plan, 3), loss, batch


def walked(signature: Signature, class_weights: Tensor | None = None, **changes: Any) -> Walk:
    experiment, network, loss, batch = subject(signature, class_weights, **changes)
    outputs = signature.target.num_outputs
    names, units = tuple(f"output {k}" for k in range(outputs)), ((5.0,) * outputs, (2.0,) * outputs)
    plan = plan_network(experiment, signature)
    return walk(network, plan, loss, batch, experiment, experiment.optimizer.rate, names, units)


def check(formula: Formula) -> None:
    assert done_again(formula.written(repr)) == pytest.approx(formula.value, **EXACT), formula


def check_dot(dot: Dot) -> None:
    size = float(np.abs(dot.products).sum()) + abs(dot.bias or 0) + 1e-9
    assert abs(float(dot.products.sum()) + (dot.bias or 0) - dot.value) < 2e-6 * size, dot
