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

    own: whether every member has examples of its own. gradient: of the sum of the weighted losses, in the shape of the
    logits.
    """

    def __init__(self, logits: Tensor, class_weights: Tensor | None = None, own: bool = False) -> None:
        members, _, size = logits.shape
        self.gradient = torch.empty_like(logits)
        self._losses = torch.empty_like(logits)
        self._sum = logits.new_empty(members)
        self._class_weights, self._own = class_weights, own
        self._shape = (members, size) if own else (size,)  # of the examples
        self._by_class, self._weights = logits.new_empty(2, *self._shape)
        self._classes = torch.empty(self._shape, dtype=torch.int64)

    def __call__(self, logits: Tensor, target: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor | float]:
        """The sum of the weighted losses, [M], and that of the weights: a number, or [M] where the examples are own.

        target: int64 [B] or float [B, K]. weights: of the examples, [B]. All with M in front where they are own.
        """
        if self._class_weights is not None:
            classes = self._classes.copy_(target[..., 0]) if target.is_floating_point() else target
            torch.index_select(self._class_weights, 0, classes.view(-1), out=self._by_class.view(-1))
        losses = self._differentiate(logits, target)
        if weights is not None:
            shares = self._over_outputs(weights)
            losses.mul_(shares)
            self.gradient.mul_(shares)
        return torch.sum(losses, (1, 2), out=self._sum), self._weight(weights)

    def _weight(self, weights: Tensor | None) -> Tensor | float:
        if self._class_weights is None:
            if weights is None:
                return float(self._shape[-1])
            both = weights
        else:
            both = self._by_class if weights is None else torch.mul(self._by_class, weights, out=self._weights)
        return both.sum(-1) if self._own else both.sum().item()

    def _over_outputs(self, of_examples: Tensor) -> Tensor:
        """[B] or [M, B] as it is multiplied with logits."""
        return of_examples.unsqueeze(1) if self._own else of_examples

    @abstractmethod
    def _differentiate(self, logits: Tensor, target: Tensor) -> Tensor:
        """Losses that add up to each example's, [M, 1 or K, B], with their gradient in `gradient`; classes weighted."""


class SoftmaxCrossEntropy(LossGradient):
    """-log p of the class, whose gradient is p - 1 for the class and p for the others."""

    def __init__(self, logits: Tensor, own: bool) -> None:
        super().__init__(logits, own=own)
        self._picked = torch.empty_like(logits[:, :1])
        self._minus_one = torch.full_like(self._picked, -1)
        self._target = self._index = self._picked  # until the first batch comes

    def _differentiate(self, logits: Tensor, target: Tensor) -> Tensor:
        if target is not self._target:  # one batch lies where the one before it did
            self._target, self._index = target, self._over_outputs(target).expand_as(self._picked)
        log_p = torch.log_softmax(logits, 1, out=self._losses)
        torch.gather(log_p, 1, self._index, out=self._picked)
        torch.exp(log_p, out=self.gradient).scatter_add_(1, self._index, self._minus_one)
        return self._picked.neg_()


class WeightedSoftmaxCrossEntropy(LossGradient):
    """- sum of q log p over the classes, whose gradient is p (sum of q) - q.

    q is 1 for the class; smoothing spreads a share of it over all classes, and each class has a weight.
    """

    def __init__(self, logits: Tensor, class_weights: Tensor | None, smoothing: float, own: bool) -> None:
        members, num_classes, size = logits.shape
        if class_weights is None:
            class_weights = logits.new_ones(num_classes)
        super().__init__(logits, class_weights, own)
        self._smoothing = smoothing
        self._spread = (class_weights * (smoothing / num_classes)).unsqueeze(1)
        sharers = members if own else 1
        self._wanted = logits.new_empty(sharers, num_classes, size)
        self._hits, self._all_wanted = logits.new_empty(2, sharers, 1, size)

    def _differentiate(self, logits: Tensor, target: Tensor) -> Tensor:
        wanted = self._wanted.copy_(self._spread.expand_as(self._wanted))
        torch.mul(self._by_class.view_as(self._hits), 1 - self._smoothing, out=self._hits)
        wanted.scatter_add_(1, target.view(self._hits.shape), self._hits)
        log_p = torch.log_softmax(logits, 1, out=self._losses)
        torch.sum(wanted, 1, keepdim=True, out=self._all_wanted)
        torch.exp(log_p, out=self.gradient).mul_(self._all_wanted).sub_(wanted)
        return log_p.mul_(wanted).neg_()


class SigmoidCrossEntropy(LossGradient):
    """(1 - t) z - log sigmoid(z), whose gradient is sigmoid(z) - t; the mean over the outputs."""

    def __init__(self, logits: Tensor, class_weights: Tensor | None, smoothing: float, own: bool) -> None:
        super().__init__(logits, class_weights, own)
        self._smoothing = smoothing
        self._target, self._buffer = torch.empty_like(logits if own else logits[0]), torch.empty_like(logits)

    def _differentiate(self, logits: Tensor, target: Tensor) -> Tensor:
        wanted = self._target.copy_(target.mT)
        if self._smoothing:
            wanted.mul_(1 - self._smoothing).add_(self._smoothing / 2)
        losses, share = self._losses, 1 / logits.shape[1]
        torch.ops.aten.log_sigmoid_forward.output(logits, output=losses, buffer=self._buffer)
        torch.sigmoid(logits, out=self.gradient).sub_(wanted).mul_(share)
        losses.addcmul_(wanted.sub_(1), logits).mul_(-share)
        if self._class_weights is not None:
            by_class = self._over_outputs(self._by_class)
            losses.mul_(by_class)
            self.gradient.mul_(by_class)
        return losses


class SquaredError(LossGradient):
    """e^2 of the error e = z - t, whose gradient is 2 e; the mean over the outputs."""

    def _differentiate(self, logits: Tensor, target: Tensor) -> Tensor:
        error = torch.sub(logits, target.mT, out=self.gradient)
        torch.mul(error, error, out=self._losses).div_(logits.shape[1])
        error.mul_(2 / logits.shape[1])
        return self._losses


class AbsoluteError(LossGradient):
    """|e|, whose gradient is the sign of e; the mean over the outputs."""

    def _differentiate(self, logits: Tensor, target: Tensor) -> Tensor:
        error = torch.sub(logits, target.mT, out=self.gradient)
        torch.abs(error, out=self._losses).div_(logits.shape[1])
        error.sign_().div_(logits.shape[1])
        return self._losses


class HuberError(LossGradient):
    """c (e - c / 2), where c is e cut at -delta and delta, and the gradient; the mean over the outputs."""

    def __init__(self, logits: Tensor, delta: float, own: bool) -> None:
        super().__init__(logits, own=own)
        self._delta = delta

    def _differentiate(self, logits: Tensor, target: Tensor) -> Tensor:
        error = torch.sub(logits, target.mT, out=self._losses)
        cut = torch.clamp(error, -self._delta, self._delta, out=self.gradient)
        error.sub_(cut, alpha=0.5).mul_(cut).div_(logits.shape[1])
        cut.div_(logits.shape[1])
        return error


def build_loss_gradient(spec: LossSpec, logits: Tensor, class_weights: Tensor | None, own: bool) -> LossGradient:
    """The loss that `spec` describes, see `LossGradient`."""
    match spec:
        case CrossEntropy(label_smoothing=smoothing):
            if smoothing or class_weights is not None:
                return WeightedSoftmaxCrossEntropy(logits, class_weights, smoothing, own)
            return SoftmaxCrossEntropy(logits, own)
        case BinaryCrossEntropy(label_smoothing=smoothing):
            return SigmoidCrossEntropy(logits, class_weights, smoothing, own)
        case MeanSquaredError():
            return SquaredError(logits, own=own)
        case MeanAbsoluteError():
            return AbsoluteError(logits, own=own)
        case Huber(delta=delta):
            return HuberError(logits, delta, own)
        case _:
            assert_never(spec)
