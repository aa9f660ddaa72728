"""Metrics: what they are called, which way is better, and from predictions to numbers.

Importing this costs no torch; the formulas live beside it, in classification_metrics, regression_metrics and
curves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from nettool.config.experiment import NextMetric
from nettool.config.signature import ClassTarget, LabelTarget, NextTarget, NumberTarget, Target

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

Task = Literal["classification", "regression", "next"]
Mode = Literal["min", "max"]
"""Whether a smaller or a larger number is the better one."""


@dataclass(frozen=True)
class Metric:
    """What is known of a metric before it is computed."""

    task: Task
    mode: Mode


METRICS: Mapping[str, Metric] = {
    "accuracy": Metric("classification", "max"),
    "balanced_accuracy": Metric("classification", "max"),
    "precision": Metric("classification", "max"),
    "recall": Metric("classification", "max"),
    "f1": Metric("classification", "max"),
    "log_loss": Metric("classification", "min"),
    "brier": Metric("classification", "min"),
    "auroc": Metric("classification", "max"),
    "average_precision": Metric("classification", "max"),
    "calibration_error": Metric("classification", "min"),
    "top_5_accuracy": Metric("classification", "max"),
    "mse": Metric("regression", "min"),
    "rmse": Metric("regression", "min"),
    "mae": Metric("regression", "min"),
    "r2": Metric("regression", "max"),
    "median_absolute_error": Metric("regression", "min"),
    "bits_per_character": Metric("next", "min"),
    "perplexity": Metric("next", "min"),
}
"""Every metric by its name in a config."""


def task_of(target: Target) -> Task:
    """What predicting this target is called."""
    match target:
        case NumberTarget():
            return "regression"
        case NextTarget():
            return "next"
        case _:
            return "classification"


def all_metrics(target: Target) -> tuple[str, ...]:
    """Everything that says something about this target, in the registry's order."""
    if isinstance(target, NextTarget):
        return get_args(NextMetric)
    few = not isinstance(target, ClassTarget) or len(target.classes) <= 5  # of which any are the top five
    names = [name for name, metric in METRICS.items() if metric.task == task_of(target)]
    return tuple(name for name in names if not (few and name == "top_5_accuracy"))


def compute_metrics(
    names: Sequence[str],
    predictions: Tensor,
    target: Tensor,
    signature_target: Target,
    weights: Tensor | None = None,
) -> dict[str, float]:
    """Each named metric of these predictions; NaN where it is undefined.

    n examples, C classes, K labels or numbers. predictions: probabilities [n, C], [n, 1] (of the second of
    two classes) or [n, K]; or numbers [n, K] in the target's own units. target: int64 [n]; 0 or 1 as [n, 1]
    or [n, K]; or numbers [n, K]. weights: float [n], 0 or more; an example of weight 0 counts as absent. All
    on any device; the sums are NumPy's, in float64, so that their bits depend neither on the device nor on
    the number of threads.

    Without examples, or where a prediction is NaN, every metric is NaN. Raises ValueError for a metric of the
    other task.
    """
    import numpy as np

    from nettool.training import classification_metrics, regression_metrics

    other = [name for name in names if name not in METRICS or METRICS[name].task != task_of(signature_target)]
    if other:
        raise ValueError(f"{', '.join(other)}: not measured in {task_of(signature_target)}")
    predicted, true = _to_numpy(predictions), _to_numpy(target)
    counts = None if weights is None else _to_numpy(weights).astype(np.float64)
    if counts is not None and not (counts > 0).all():
        counted = counts > 0
        predicted, true, counts = predicted[counted], true[counted], counts[counted]
    if len(predicted) == 0 or np.isnan(predicted).any():
        return dict.fromkeys(names, float("nan"))
    with np.errstate(all="ignore"):
        match signature_target:
            case NumberTarget():
                return regression_metrics.compute(names, predicted, true, counts)
            case LabelTarget():
                return classification_metrics.compute_labels(names, predicted, true, counts)
            case NextTarget():
                raise ValueError("tokens are counted chunk by chunk, see token_metrics")
            case ClassTarget():
                num_classes = len(signature_target.classes)
                return classification_metrics.compute(names, predicted, true, num_classes, counts)


def _to_numpy(tensor: Tensor) -> NDArray[Any]:
    """The tensor's numbers, without a copy where that can be. Half precision becomes float32."""
    tensor = tensor.detach().cpu()
    if tensor.is_floating_point() and tensor.element_size() < 4:
        tensor = tensor.float()
    array: NDArray[Any] = tensor.numpy()
    return array


def baseline_predictions(
    train_target: Tensor, signature_target: Target, n: int, weights: Tensor | None = None
) -> Tensor:
    """What a model would predict for `n` examples that had learned nothing but the training target's
    frequencies.

    The share of each class [n, C] (so that the majority class is chosen), of the second class [n, 1], of each
    label [n, K]; or the mean of each number [n, K]. train_target and weights: as `compute_metrics` takes
    them, numbers in the target's own units. Returns float64 rows that share one storage.
    """
    import torch

    target = train_target.detach().cpu()
    if isinstance(signature_target, ClassTarget) and not signature_target.binary:
        num_classes = len(signature_target.classes)
        if weights is None:
            counts = torch.bincount(target, minlength=num_classes)
            return (counts.double() / len(target)).expand(n, -1)
        target = torch.nn.functional.one_hot(target, num_classes)
    values = target.double()
    if weights is None:
        row = values.mean(dim=0)
    else:
        column = weights.detach().cpu().double()[:, None]
        row = (values * column).sum(dim=0) / column.sum()
    return row.expand(n, -1)
