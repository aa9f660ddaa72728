"""Losses and their gradients with respect to the logits, [M, K, B]: the examples along the last axis, the fastest.

What they add up is w l, the losses of the examples times their weights; the step divides by the sum of w. The
mathematics is that of nettool.model.losses.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import assert_never

import torch
from torch import Tensor

from nettool.config.losses import (
    BinaryCrossEntropy,
    CrossEntropy,
    Huber,
    LossSpec,
    MeanAbsoluteError,
    MeanSquaredError,
)


class LossGradient(ABC):
    """Of batches of one size. logits: where they will lie, [M, K, B]. class_weights: [C], where classes have some.

    gradient: of the sum of the weighted losses, in the shape of the logits.
    """

    def __init__(self, logits: Tensor, class_weights: Tensor | None = None) -> None:
        self.gradient = torch.empty_like(logits)
        self._losses = torch.empty_like(logits)
        self._sum = logits.new_empty(len(logits))
        self._class_weights = class_weights
        self._by_class, self._weights = logits.new_empty(2, logits.shape[2])
        self._classes = torch.empty(logits.shape[2], dtype=torch.int64)

    def __call__(self, logits: Tensor, target: Tensor, weights: Tensor | None) -> tuple[Tensor, float]:
        """The sum of the weighted losses, [M], and of the weights.

        target: int64 [B] or float [B, K]. weights: of the examples, [B].
        """
        if self._class_weights is not None:
            classes = target if target.dim() == 1 else self._classes.copy_(target[:, 0])
            torch.index_select(self._class_weights, 0, classes, out=self._by_class)
        losses = self._differentiate(logits, target)
        if weights is not None:
            losses.mul_(weights)
            self.gradient.mul_(weights)
        return torch.sum(losses, (1, 2), out=self._sum), self._weight(weights)

    def _weight(self, weights: Tensor | None) -> float:
        if self._class_weights is None:
            return float(len(self._weights)) if weights is None else weights.sum().item()
        both = self._by_class if weights is None else torch.mul(self._by_class, weights, out=self._weights)
        return both.sum().item()

    @abstractmethod
    def _differentiate(self, logits: Tensor, target: Tensor) -> Tensor:
        """Losses that add up to each example's, [M, 1 or K, B], with their gradient in `gradient`; classes weighted."""


class SoftmaxCrossEntropy(LossGradient):
    """-log p of the class, whose gradient is p - 1 for the class and p for the others."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__(logits)
        self._picked = torch.empty_like(logits[:, :1])
        self._minus_one = torch.full_like(self._picked, -1)
        self._target = self._index = self._picked  # until the first batch comes

    def _differentiate(self, logits: Tensor, target: Tensor) -> Tensor:
        if target is not self._target:  # one batch lies where the one before it did
            self._target, self._index = target, target.expand_as(self._picked)
        log_p = torch.log_softmax(logits, 1, out=self._losses)
        torch.gather(log_p, 1, self._index, out=self._picked)
        torch.exp(log_p, out=self.gradient).scatter_add_(1, self._index, self._minus_one)
        return self._picked.neg_()


class WeightedSoftmaxCrossEntropy(LossGradient):
    """- sum of q log p over the classes, whose gradient is p (sum of q) - q.

    q is 1 for the class; smoothing spreads a share of it over all classes, and each class has a weight.
    """

    def __init__(self, logits: Tensor, class_weights: Tensor | None, smoothing: float) -> None:
        num_classes, size = logits.shape[1:]
        if class_weights is None:
            class_weights = logits.new_ones(num_classes)
        super().__init__(logits, class_weights)
        self._smoothing = smoothing
        self._spread = (class_weights * (smoothing / num_classes)).unsqueeze(1)
        self._wanted, self._all_wanted = logits.new_empty(num_classes, size), logits.new_empty(1, size)
        self._hits = logits.new_empty(size)

    def _differentiate(self, logits: Tensor, target: Tensor) -> Tensor:
        wanted = self._wanted.copy_(self._spread.expand_as(self._wanted))
        torch.mul(self._by_class, 1 - self._smoothing, out=self._hits)
        wanted.scatter_add_(0, target.unsqueeze(0), self._hits.unsqueeze(0))
        log_p = torch.log_softmax(logits, 1, out=self._losses)
        torch.sum(wanted, 0, keepdim=True, out=self._all_wanted)
        torch.exp(log_p, out=self.gradient).mul_(self._all_wanted).sub_(wanted)
        return log_p.mul_(wanted).neg_()


class SigmoidCrossEntropy(LossGradient):
    """(1 - t) z - log sigmoid(z), whose gradient is sigmoid(z) - t; the mean over the outputs."""

    def __init__(self, logits: Tensor, class_weights: Tensor | None, smoothing: float) -> None:
        super().__init__(logits, class_weights)
        self._smoothing = smoothing
        self._target, self._buffer = torch.empty_like(logits[0]), torch.empty_like(logits)

    def _differentiate(self, logits: Tensor, target: Tensor) -> Tensor:
        wanted = self._target.copy_(target.T)
        if self._smoothing:
            wanted.mul_(1 - self._smoothing).add_(self._smoothing / 2)
        losses, share = self._losses, 1 / len(wanted)
        torch.ops.aten.log_sigmoid_forward.output(logits, output=losses, buffer=self._buffer)
        torch.sigmoid(logits, out=self.gradient).sub_(wanted).mul_(share)
        losses.addcmul_(wanted.sub_(1), logits).mul_(-share)
        if self._class_weights is not None:
            losses.mul_(self._by_class)
            self.gradient.mul_(self._by_class)
        return losses


class SquaredError(LossGradient):
    """e^2 of the error e = z - t, whose gradient is 2 e; the mean over the outputs."""

    def _differentiate(self, logits: Tensor, target: Tensor) -> Tensor:
        error = torch.sub(logits, target.T, out=self.gradient)
        torch.mul(error, error, out=self._losses).div_(logits.shape[1])
        error.mul_(2 / logits.shape[1])
        return self._losses


class AbsoluteError(LossGradient):
    """|e|, whose gradient is the sign of e; the mean over the outputs."""

    def _differentiate(self, logits: Tensor, target: Tensor) -> Tensor:
        error = torch.sub(logits, target.T, out=self.gradient)
        torch.abs(error, out=self._losses).div_(logits.shape[1])
        error.sign_().div_(logits.shape[1])
        return self._losses


class HuberError(LossGradient):
    """c (e - c / 2), where c is e cut at -delta and delta, and the gradient; the mean over the outputs."""

    def __init__(self, logits: Tensor, delta: float) -> None:
        super().__init__(logits)
        self._delta = delta

    def _differentiate(self, logits: Tensor, target: Tensor) -> Tensor:
        error = torch.sub(logits, target.T, out=self._losses)
        cut = torch.clamp(error, -self._delta, self._delta, out=self.gradient)
        error.sub_(cut, alpha=0.5).mul_(cut).div_(logits.shape[1])
        cut.div_(logits.shape[1])
        return error


def build_loss_gradient(spec: LossSpec, logits: Tensor, class_weights: Tensor | None) -> LossGradient:
    """The loss that `spec` describes. class_weights: [C], where the config asks for some."""
    match spec:
        case CrossEntropy(label_smoothing=smoothing):
            if smoothing or class_weights is not None:
                return WeightedSoftmaxCrossEntropy(logits, class_weights, smoothing)
            return SoftmaxCrossEntropy(logits)
        case BinaryCrossEntropy(label_smoothing=smoothing):
            return SigmoidCrossEntropy(logits, class_weights, smoothing)
        case MeanSquaredError():
            return SquaredError(logits)
        case MeanAbsoluteError():
            return AbsoluteError(logits)
        case Huber(delta=delta):
            return HuberError(logits, delta)
        case _:
            assert_never(spec)
