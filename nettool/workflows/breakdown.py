"""What is behind an average: the examples of each value of a column, each class, each number."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from nettool.config.signature import ClassTarget, NumberTarget, Target
from nettool.training.classification_metrics import by_class
from nettool.training.evaluation import Measured
from nettool.training.metrics import compute_metrics

OF_A_NUMBER = ("rmse", "mae", "r2")


@dataclass(frozen=True)
class Group:
    """Some examples, or one of several outputs."""

    value: str
    num_examples: int
    metrics: dict[str, float]


def parts_of(
    target: Target, measured: Measured, weights: Tensor | None, baseline: Tensor | None = None
) -> tuple[Group, ...]:
    """Each of three classes or more, or each of several numbers (of a series: at each step ahead); nothing else has
    parts. Examples of weight 0 count as absent. baseline: what the naive model predicts for each example, [n, outputs];
    a number's part then has its error too.
    """
    if measured.predictions is None or measured.target is None:
        return ()
    predicted, true = measured.predictions, measured.target.cpu()
    if weights is not None:
        weights = weights.cpu()
        counted = weights > 0
        predicted, true, weights = predicted[counted], true[counted], weights[counted]
        baseline = None if baseline is None else baseline[counted]
    if isinstance(target, NumberTarget) and len(target.names) > 1:
        return tuple(
            Group(name, len(true), _of_number(place, predicted, true, weights, baseline))
            for place, name in enumerate(target.names)
        )
    if isinstance(target, ClassTarget) and len(target.classes) > 2:
        kept = None if weights is None else weights.double().numpy()
        found = by_class(predicted.numpy(), true.numpy(), len(target.classes), kept)
        return tuple(Group(name, *numbers) for name, numbers in zip(target.classes, found, strict=True))
    return ()


def _of_number(
    place: int, predicted: Tensor, true: Tensor, weights: Tensor | None, baseline: Tensor | None
) -> dict[str, float]:
    target, one = NumberTarget(("number",)), [place]
    found = compute_metrics(OF_A_NUMBER, predicted[:, one], true[:, one], target, weights)
    if baseline is not None:
        naive = compute_metrics(("rmse",), baseline[:, one], true[:, one], target, weights)
        found["baseline_rmse"] = naive["rmse"]
    return found
