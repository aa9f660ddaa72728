"""Batch and layer normalisation: the same formula, over the examples of a feature or the features of an example.

x^ = (x - mean) / sqrt(var + epsilon)        y = gain x^ + shift
dx = (d - mean(d) - x^ mean(d x^)) / sqrt(var + epsilon), where d = gain dy        (Ioffe and Szegedy 2015)
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nettool.training.closed_form.flat import FlatParameters
from nettool.training.closed_form.units import Unit


class Norm(Unit):
    """A norm with a gain and a shift for each feature. over: the axis that mean and variance are taken along."""

    def __init__(self, norm: nn.BatchNorm1d | nn.LayerNorm, flat: FlatParameters, like: Tensor, over: int) -> None:
        gain, shift = norm.weight, norm.bias
        self._gain, self._gain_gradient = flat.value(gain).unsqueeze(1), flat.gradient(gain).unsqueeze(1)
        self._shift, self._shift_gradient = flat.value(shift).unsqueeze(1), flat.gradient(shift).unsqueeze(1)
        self._epsilon, self._over = norm.eps, over
        self._x_hat, self.output, self._product = (torch.empty_like(like) for _ in range(3))
        self._mean, self._variance, self._inverse, self._other = (like.mean(over, keepdim=True) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        """Gain x^ + shift."""
        over = self._over
        torch.mean(x, over, keepdim=True, out=self._mean)
        torch.sub(x, self._mean, out=self._x_hat)
        torch.mul(self._x_hat, self._x_hat, out=self._product)
        torch.mean(self._product, over, keepdim=True, out=self._variance)
        torch.add(self._variance, self._epsilon, out=self._inverse).rsqrt_()
        self._x_hat.mul_(self._inverse)
        return torch.addcmul(self._shift, self._x_hat, self._gain, out=self.output)

    def backward(self, gradient: Tensor) -> Tensor:
        """The formula above."""
        over = self._over
        torch.sum(gradient, 1, keepdim=True, out=self._shift_gradient)
        torch.mul(gradient, self._x_hat, out=self._product)
        torch.sum(self._product, 1, keepdim=True, out=self._gain_gradient)
        gradient.mul_(self._gain)
        torch.mul(gradient, self._x_hat, out=self._product)
        torch.mean(gradient, over, keepdim=True, out=self._mean)
        torch.mean(self._product, over, keepdim=True, out=self._other)
        gradient.sub_(self._mean).addcmul_(self._x_hat, self._other, value=-1)
        return gradient.mul_(self._inverse)


class LayerNorm(Norm):
    """Over the features of each example (Ba et al. 2016)."""

    def __init__(self, norm: nn.LayerNorm, flat: FlatParameters, like: Tensor) -> None:
        super().__init__(norm, flat, like, over=2)


class BatchNorm(Norm):
    """Over the examples of the batch; the module's running mean and variance move along, for evaluation."""

    def __init__(self, norm: nn.BatchNorm1d, flat: FlatParameters, like: Tensor) -> None:
        super().__init__(norm, flat, like, over=1)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        assert norm.momentum is not None
        self._running_mean = flat.buffer(norm.running_mean).unsqueeze(1)
        self._running_variance = flat.buffer(norm.running_var).unsqueeze(1)
        self._num_batches = None if norm.num_batches_tracked is None else flat.buffer(norm.num_batches_tracked)
        self._momentum = norm.momentum
        size = like.shape[1]
        self._unbiased = size / (size - 1) if size > 1 else 1.0

    def forward(self, x: Tensor) -> Tensor:
        """Gain x^ + shift; and (1 - momentum) x running + momentum x this batch's."""
        output = super().forward(x)
        keep, share = 1 - self._momentum, self._momentum
        self._running_mean.mul_(keep).add_(self._mean, alpha=share)
        self._running_variance.mul_(keep).add_(self._variance, alpha=share * self._unbiased)
        if self._num_batches is not None:
            self._num_batches.add_(1)
        return output
