"""Losses: how wrong logits are, as one number to make small, and what they say as a prediction. Never files.

Every loss is a weighted mean over examples, sum(w l) / sum(w); without weights each counts once. An example
with several outputs has the mean of its outputs' losses. Shapes: B examples, C classes, K outputs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal, assert_never

import torch
import torch.nn.functional as F
from torch import Tensor

from nettool.config.losses import (
    BinaryCrossEntropy,
    CrossEntropy,
    Huber,
    LossSpec,
    MeanAbsoluteError,
    MeanSquaredError,
)
from nettool.config.signature import ClassTarget, LabelTarget, NextTarget, NumberTarget, Target

Reduction = Literal["mean", "sum", "none"]


class Loss(ABC):
    """A loss with its settings. Stateless: the same numbers in, the same numbers out.

    class_weights: [C], where an example's weight depends on its class.
    """

    def __init__(self, class_weights: Tensor | None = None) -> None:
        self.class_weights = class_weights

    def mean(self, logits: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
        """The training loss, a scalar: the weighted mean over the batch, 0 where all weights are 0.

        logits: float [B, C] or [B, K]. target: int64 [B] or float [B, K]. weights: float [B], 0 or more.
        """
        if weights is None and self.class_weights is None:
            return self._unweighted(logits, target, "mean")
        total, weight = self.sum_and_weight(logits, target, weights)
        return total / weight.clamp_min(torch.finfo(weight.dtype).tiny)

    def sum_and_weight(self, logits: Tensor, target: Tensor, weights: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The weighted sum of the examples' losses and the sum of their weights, two scalars.

        Added up over batches, their quotient is the mean loss of a split however it was cut. Takes what
        `mean` takes.
        """
        if weights is None and self.class_weights is None:
            total = self._unweighted(logits, target, "sum")
            return total, total.new_full((), self.count(target))
        losses = self._weighted_by_class(logits, target)
        if weights is not None:
            losses = losses * weights
        return losses.sum(), self.weight_of(target, weights)

    def count(self, target: Tensor) -> int:
        """How many examples the mean of these is over, where each counts once."""
        return len(target)

    def weight_of(self, target: Tensor, weights: Tensor | None = None) -> Tensor:
        """The sum of the examples' weights, a scalar: what the mean loss of these examples counts for."""
        if self.class_weights is not None:
            by_class = self.class_weights[self._classes(target)]
            return by_class.sum() if weights is None else (by_class * weights).sum()
        if weights is not None:
            return weights.sum()
        return torch.full((), self.count(target), dtype=torch.get_default_dtype(), device=target.device)

    def each(self, logits: Tensor, target: Tensor) -> Tensor:
        """The loss of each example by itself, times its class's weight: [B]. Takes what `mean` takes."""
        return self._weighted_by_class(logits, target)

    @abstractmethod
    def predictions(self, logits: Tensor) -> Tensor:
        """What the logits say: probabilities, or the numbers themselves. Shape as the logits."""

    @abstractmethod
    def _unweighted(self, logits: Tensor, target: Tensor, reduction: Reduction) -> Tensor:
        """One fused call, without class weights: the mean or sum over examples, or each one's loss, [B]."""

    def _weighted_by_class(self, logits: Tensor, target: Tensor) -> Tensor:
        """Each example's loss times its class's weight, [B]."""
        losses = self._unweighted(logits, target, "none")
        if self.class_weights is None:
            return losses
        return losses * self.class_weights[self._classes(target)]

    def _classes(self, target: Tensor) -> Tensor:
        """The class of each example, int64 [B]."""
        return target if target.dim() == 1 else target[:, 0].long()


class SoftmaxCrossEntropy(Loss):
    """Softmax cross-entropy in nats. logits: float [B, C]. target: int64 [B].

    Label smoothing is that of Szegedy et al. 2016, section 7. With class weights the numbers are those of
    torch.nn.CrossEntropyLoss, whose smoothed part weighs every class by its own weight.
    """

    def __init__(self, class_weights: Tensor | None = None, label_smoothing: float = 0.0) -> None:
        super().__init__(class_weights)
        self._label_smoothing = label_smoothing

    def predictions(self, logits: Tensor) -> Tensor:
        """Probabilities, [B, C], each row summing to 1."""
        return torch.softmax(logits, dim=1)

    def _unweighted(self, logits: Tensor, target: Tensor, reduction: Reduction) -> Tensor:
        return F.cross_entropy(logits, target, reduction=reduction, label_smoothing=self._label_smoothing)

    def _weighted_by_class(self, logits: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(
            logits, target, self.class_weights, reduction="none", label_smoothing=self._label_smoothing
        )


class TokenCrossEntropy(SoftmaxCrossEntropy):
    """The same at every step of a sequence. logits: float [B, T, C]. target: int64 [B, T]. An example is a step."""

    def mean(self, logits: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
        """The mean over all steps of all examples."""
        return super().mean(logits.flatten(0, 1), target.flatten(), weights)

    def sum_and_weight(self, logits: Tensor, target: Tensor, weights: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The sum over all steps, and how many there are."""
        return super().sum_and_weight(logits.flatten(0, 1), target.flatten(), weights)

    def each(self, logits: Tensor, target: Tensor) -> Tensor:
        """The mean over the steps of each example, [B]."""
        return super().each(logits.flatten(0, 1), target.flatten()).view_as(target).mean(dim=1)

    def count(self, target: Tensor) -> int:
        """All steps."""
        return target.numel()

    def predictions(self, logits: Tensor) -> Tensor:
        """Probabilities of each step's next token, [B, T, C]."""
        return torch.softmax(logits, dim=-1)


class SigmoidCrossEntropy(Loss):
    """Sigmoid cross-entropy in nats, mean over outputs. logits: float [B, K]. target: float [B, K], 0 or 1.

    Class weights (for 0 and for 1) need K = 1. Smoothing moves 0 to half of it and 1 to 1 minus half of it.
    """

    def __init__(self, class_weights: Tensor | None = None, label_smoothing: float = 0.0) -> None:
        super().__init__(class_weights)
        self._label_smoothing = label_smoothing

    def predictions(self, logits: Tensor) -> Tensor:
        """The probability of 1, [B, K]."""
        return torch.sigmoid(logits)

    def _unweighted(self, logits: Tensor, target: Tensor, reduction: Reduction) -> Tensor:
        if self._label_smoothing:
            target = target * (1 - self._label_smoothing) + self._label_smoothing / 2
        losses = F.binary_cross_entropy_with_logits(logits, target, reduction=reduction)
        return _over_outputs(losses, logits.shape[1], reduction)


class NumberLoss(Loss):
    """A loss of numbers, mean over outputs. logits and target: float [B, K]. The prediction is the output."""

    def predictions(self, logits: Tensor) -> Tensor:
        """The numbers as the network gives them, in the units that it was trained in."""
        return logits

    def _unweighted(self, logits: Tensor, target: Tensor, reduction: Reduction) -> Tensor:
        return _over_outputs(self._elements(logits, target, reduction), logits.shape[1], reduction)

    @abstractmethod
    def _elements(self, logits: Tensor, target: Tensor, reduction: Reduction) -> Tensor:
        """The loss of every single number, reduced as torch's losses reduce."""


class SquaredError(NumberLoss):
    """(logit - target)^2."""

    def _elements(self, logits: Tensor, target: Tensor, reduction: Reduction) -> Tensor:
        return F.mse_loss(logits, target, reduction=reduction)


class AbsoluteError(NumberLoss):
    """|logit - target|."""

    def _elements(self, logits: Tensor, target: Tensor, reduction: Reduction) -> Tensor:
        return F.l1_loss(logits, target, reduction=reduction)


class HuberError(NumberLoss):
    """Half the squared error up to `delta`, delta x (error - delta / 2) beyond it (Huber 1964)."""

    def __init__(self, delta: float) -> None:
        super().__init__()
        self._delta = delta

    def _elements(self, logits: Tensor, target: Tensor, reduction: Reduction) -> Tensor:
        return F.huber_loss(logits, target, reduction=reduction, delta=self._delta)


def build_loss(spec: LossSpec, target: Target, class_weights: Tensor | None) -> Loss:
    """The loss that `spec` describes, for this target.

    class_weights: one for each class, [C], of the logits' dtype and on their device, for one target with
    classes. Raises ValueError when loss, target and weights do not fit together.
    """
    if class_weights is not None and not isinstance(target, ClassTarget):
        raise ValueError("class weights are for one target with classes")
    match spec, target:
        case CrossEntropy(), ClassTarget(binary=False):
            return SoftmaxCrossEntropy(class_weights, spec.label_smoothing)
        case CrossEntropy(), NextTarget():
            return TokenCrossEntropy(label_smoothing=spec.label_smoothing)
        case BinaryCrossEntropy(), ClassTarget(binary=True) | LabelTarget():
            return SigmoidCrossEntropy(class_weights, spec.label_smoothing)
        case MeanSquaredError(), NumberTarget():
            return SquaredError()
        case MeanAbsoluteError(), NumberTarget():
            return AbsoluteError()
        case Huber(), NumberTarget():
            return HuberError(spec.delta)
        case _:
            raise ValueError(f"the loss {spec.name} does not fit {target}")


def _over_outputs(losses: Tensor, num_outputs: int, reduction: Reduction) -> Tensor:
    """From losses reduced as torch reduces, over single numbers, to losses of examples."""
    match reduction:
        case "mean":
            return losses
        case "sum":
            return losses / num_outputs
        case "none":
            return losses.mean(dim=1)
        case _:
            assert_never(reduction)
