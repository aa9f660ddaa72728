"""The update rules of `optimizers`, for members that are trained side by side, each with settings of its own.

A rule moves all members at once, [M, numbers], in a handful of kernels whatever their number. A setting that all share
is a number of Python's, another a column, [M, 1]. What a rule remembers of a member is what its namesake remembers of a
network, under the same names, so that either goes on with what the other has saved.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import assert_never

import torch
from torch import Tensor

from nettool.config.optimization import SGD, Adadelta, Adagrad, Adam, AdamW, OptimizerSpec, RMSprop
from nettool.training.optimizers import _CLIP_EPSILON, Parts, Remembering

Column = Tensor | float
"""A setting of every member: [M, 1], or one number that all share."""


class MemberOptimizer:
    """An update rule, the members that it moves and what it remembers of each.

    values: [M, numbers], moved in place. specs: of each member, all of one kind. parts: from one member's row,
    [1, numbers], to the parameters that it consists of.
    """

    remembers: tuple[str, ...] = ()
    """What is kept of every weight."""

    def __init__(self, values: Tensor, specs: Sequence[OptimizerSpec], parts: Parts) -> None:
        self.values, self.specs, self.parts = values, tuple(specs), parts
        self.steps = torch.zeros(len(specs), dtype=torch.float32) if self.counts else None
        self.memory = {name: torch.zeros_like(values) for name in self.remembers}
        self._settle()

    counts = False
    """Whether the number of steps taken is kept as well."""

    def _settle(self) -> None:
        """Gather the settings of the members that are there."""
        norms = [spec.clip_norm for spec in self.specs]
        clips = any(norm is not None for norm in norms)
        self._clip_norm = self._column([math.inf if norm is None else norm for norm in norms]) if clips else None
        self._decays = any(spec.weight_decay for spec in self.specs)
        self._weight_decay = self._setting(lambda spec: spec.weight_decay)
        self._room = torch.empty_like(self.values)

    def _setting(self, read: Callable[..., float]) -> Column:
        return self._column([read(spec) for spec in self.specs])

    def _column(self, numbers: Sequence[float]) -> Column:
        return numbers[0] if len(set(numbers)) == 1 else self.values.new_tensor(numbers).unsqueeze(1)

    def step(self, gradients: Tensor, lr: Column) -> None:
        """Move every member against its gradient, [M, numbers], which is written over."""
        if self._clip_norm is not None:
            norm = torch.linalg.vector_norm(gradients, dim=1, keepdim=True)
            gradients.mul_((self._clip_norm / (norm + _CLIP_EPSILON)).clamp_(max=1.0))
        self._update(gradients, lr)

    @abstractmethod
    def _update(self, gradients: Tensor, lr: Column) -> None:
        """Move the members."""

    def _decayed(self, gradients: Tensor) -> Tensor:
        """Gradients with weight_decay x weight added."""
        return _add(gradients, self.values, self._weight_decay) if self._decays else gradients

    def keep(self, values: Tensor, rows: Sequence[int]) -> None:
        """Go on with the members in these rows alone, whose weights lie in `values` now."""
        index = torch.tensor(rows)
        self.values, self.specs = values, tuple(self.specs[row] for row in rows)
        self.memory = {name: kept.index_select(0, index) for name, kept in self.memory.items()}
        self.steps = None if self.steps is None else self.steps.index_select(0, index)
        self._settle()

    def state_of(self, row: int) -> dict[str, Tensor]:
        """What `Optimizer.state` says of a network trained alone."""
        count = {} if self.steps is None else {"step": self.steps[row]}
        return count | {
            f"{name}.{index}": part
            for name, kept in self.memory.items()
            for index, part in enumerate(self.parts(kept[row : row + 1]))
        }


def _add(tensor: Tensor, other: Tensor, times: Column) -> Tensor:
    """Tensor += times x other, in place."""
    if isinstance(times, Tensor):
        return tensor.addcmul_(other, times)
    return tensor.add_(other, alpha=times)


def _negative(lr: Column) -> Column:
    return -lr


class MemberSGD(MemberOptimizer):
    """As SGDOptimizer. All members have momentum, or none."""

    def __init__(self, values: Tensor, specs: Sequence[OptimizerSpec], parts: Parts) -> None:
        assert isinstance(specs[0], SGD)
        self.remembers = ("momentum",) if specs[0].momentum > 0 else ()
        self._nesterov = specs[0].nesterov
        super().__init__(values, specs, parts)

    def _settle(self) -> None:
        super()._settle()
        self._momentum = self._setting(lambda spec: spec.momentum)

    def _update(self, gradients: Tensor, lr: Column) -> None:
        direction = self._decayed(gradients)
        if self.memory:
            buffer = self.memory["momentum"].mul_(self._momentum).add_(gradients)
            direction = _add(gradients, buffer, self._momentum) if self._nesterov else buffer
        _add(self.values, direction, _negative(lr))


class MemberAdam(MemberOptimizer):
    """As AdamOptimizer, for adam and adamw."""

    remembers = ("exp_avg", "exp_avg_sq")
    counts = True

    def _settle(self) -> None:
        super()._settle()
        self._beta1 = self._setting(lambda spec: spec.beta1)
        self._beta2 = self._setting(lambda spec: spec.beta2)
        self._epsilon = self._setting(lambda spec: spec.epsilon)
        self._is_decoupled = isinstance(self.specs[0], AdamW)

    def _update(self, gradients: Tensor, lr: Column) -> None:
        assert self.steps is not None
        self.steps += 1
        count = int(self.steps[0])
        if not self._is_decoupled:
            gradients = self._decayed(gradients)
        elif self._decays:
            self.values.mul_(1 - lr * self._weight_decay)
        mean = self.memory["exp_avg"].lerp_(gradients, 1 - self._beta1)
        square = self.memory["exp_avg_sq"].lerp_(torch.mul(gradients, gradients, out=gradients), 1 - self._beta2)
        # Both corrections of the bias, taken out of the quotient: it has one number less to touch for each weight.
        scale = (1 - self._beta2**count) ** 0.5
        deviation = torch.sqrt(square, out=self._room).add_(self._epsilon * scale)
        direction = torch.div(mean, deviation, out=self._room)
        _add(self.values, direction, _negative(lr) * (scale / (1 - self._beta1**count)))


class MemberAdagrad(MemberOptimizer):
    """As AdagradOptimizer."""

    remembers = ("sum",)

    def _settle(self) -> None:
        super()._settle()
        self._epsilon = self._setting(lambda spec: spec.epsilon)

    def _update(self, gradients: Tensor, lr: Column) -> None:
        gradients = self._decayed(gradients)
        total = self.memory["sum"].addcmul_(gradients, gradients)
        deviation = torch.sqrt(total, out=self._room).add_(self._epsilon)
        _add(self.values, gradients.div_(deviation), _negative(lr))


class MemberAdadelta(MemberOptimizer):
    """As AdadeltaOptimizer."""

    remembers = ("square_avg", "acc_delta")

    def _settle(self) -> None:
        super()._settle()
        self._rho = self._setting(lambda spec: spec.rho)
        self._epsilon = self._setting(lambda spec: spec.epsilon)

    def _update(self, gradients: Tensor, lr: Column) -> None:
        gradients = self._decayed(gradients)
        square, moved, room = self.memory["square_avg"], self.memory["acc_delta"], self._room
        square.lerp_(torch.mul(gradients, gradients, out=room), 1 - self._rho)
        torch.add(moved, self._epsilon, out=room).sqrt_()
        delta = gradients.mul_(room).div_(torch.add(square, self._epsilon, out=room).sqrt_())
        moved.lerp_(torch.mul(delta, delta, out=room), 1 - self._rho)
        _add(self.values, delta, _negative(lr))


class MemberRMSprop(MemberOptimizer):
    """As RMSpropOptimizer. All members have momentum, or none."""

    def __init__(self, values: Tensor, specs: Sequence[OptimizerSpec], parts: Parts) -> None:
        assert isinstance(specs[0], RMSprop)
        self.remembers = ("square_avg", "momentum") if specs[0].momentum > 0 else ("square_avg",)
        super().__init__(values, specs, parts)

    def _settle(self) -> None:
        super()._settle()
        self._alpha = self._setting(lambda spec: spec.alpha)
        self._epsilon = self._setting(lambda spec: spec.epsilon)
        self._momentum = self._setting(lambda spec: spec.momentum)

    def _update(self, gradients: Tensor, lr: Column) -> None:
        gradients = self._decayed(gradients)
        square = self.memory["square_avg"].lerp_(torch.mul(gradients, gradients, out=self._room), 1 - self._alpha)
        direction = gradients.div_(torch.sqrt(square, out=self._room).add_(self._epsilon))
        if "momentum" in self.memory:
            direction = self.memory["momentum"].mul_(self._momentum).add_(direction)
        _add(self.values, direction, _negative(lr))


class OptimizerOfMember(Remembering):
    """What a rule remembers of one member, as the state of its training has it. row: where it stands among them."""

    def __init__(self, rule: MemberOptimizer, row: int) -> None:
        self.rule, self.row = rule, row

    def state(self) -> dict[str, Tensor]:
        """See `Remembering`."""
        return self.rule.state_of(self.row)


def build_member_optimizer(values: Tensor, specs: Sequence[OptimizerSpec], parts: Parts) -> MemberOptimizer:
    """The rule that `specs`, all of one kind, describe."""
    match specs[0]:
        case SGD():
            return MemberSGD(values, specs, parts)
        case Adam() | AdamW():
            return MemberAdam(values, specs, parts)
        case Adadelta():
            return MemberAdadelta(values, specs, parts)
        case Adagrad():
            return MemberAdagrad(values, specs, parts)
        case RMSprop():
            return MemberRMSprop(values, specs, parts)
        case _:
            assert_never(specs[0])
