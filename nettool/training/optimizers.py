"""Update rules: from gradients to new weights, in place, in a handful of kernels whatever the number of
tensors.

The kernels are those that torch.optim ends in; building one of its classes costs 1.3 s of imports, calling
them costs none. A rule gives the weights that its namesake in torch.optim gives.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import assert_never

import torch
from torch import Tensor

from nettool.config.optimization import SGD, Adadelta, Adagrad, Adam, AdamW, OptimizerSpec, RMSprop

_CLIP_EPSILON = 1e-6
"""As in torch.nn.utils.clip_grad_norm_: keeps the division finite when every gradient is 0."""


Parts = Callable[[Tensor], list[Tensor]]
"""From a tensor to the views that it consists of."""


class Remembering(ABC):
    """What an update rule remembers of past gradients, to be saved and brought back."""

    @abstractmethod
    def state(self) -> dict[str, Tensor]:
        """All that is remembered, by flat names such as `exp_avg.0`. The tensors themselves, not copies."""

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Copy `state` into what is remembered, so that the next steps are those that its owner would take.

        Raises ValueError, and changes nothing, when names, shapes or dtypes differ from those of `state()`.
        """
        own = self.state()
        if own.keys() != state.keys():
            names = ", ".join(sorted(own.keys() ^ state.keys()))
            raise ValueError(f"the saved state is another optimizer's: {names} is on one side only")
        for name, tensor in own.items():
            saved = state[name]
            if saved.shape != tensor.shape or saved.dtype != tensor.dtype:
                raise ValueError(
                    f"the saved {name} is {saved.dtype} {list(saved.shape)}, "
                    f"but this optimizer's is {tensor.dtype} {list(tensor.shape)}"
                )
        for name, tensor in own.items():
            tensor.copy_(state[name])


class Optimizer(Remembering):
    """An update rule, the parameters that it moves and what it remembers of past gradients.

    parameters: contiguous tensors of one dtype on one device. They are moved in place, in the storage that
    they have when the optimizer is built. parts: what a single parameter consists of, so that the state is that of
    an optimizer which has those as its parameters.
    """

    def __init__(self, parameters: list[Tensor], spec: OptimizerSpec, parts: Parts | None = None) -> None:
        if len({(parameter.dtype, parameter.device) for parameter in parameters}) > 1:
            raise ValueError("parameters of several dtypes or devices: the kernels take one of each")
        if not all(parameter.is_contiguous() for parameter in parameters):
            raise ValueError("a parameter is not contiguous in memory: the kernels read it as if it were")
        # Detached aliases share the storage, so that no step needs torch.no_grad.
        self.parameters = [parameter.detach() for parameter in parameters]
        self._device = parameters[0].device if parameters else torch.device("cpu")
        self._clip_norm = spec.clip_norm
        self._weight_decay = spec.weight_decay
        self._parts = parts
        self._lists: dict[str, list[Tensor]] = {}
        self._scalars: dict[str, Tensor] = {}

    def step(self, gradients: list[Tensor], lr: float) -> None:
        """Move every parameter against its gradient, once.

        gradients: one for each parameter, in order and in shape. They are only read: autograd may have handed
        out the same tensor twice.
        """
        if not self.parameters:
            return
        # Autograd may hand out expanded or transposed gradients; the fused kernels do not look at strides.
        gradients = [gradient.contiguous() for gradient in gradients]
        if self._clip_norm is not None:
            gradients = clip_gradients(gradients, self._clip_norm)
        self._update(gradients, lr)

    @abstractmethod
    def _update(self, gradients: list[Tensor], lr: float) -> None:
        """Move the parameters; there is at least one."""

    def state(self) -> dict[str, Tensor]:
        """All that is remembered, by flat names such as `exp_avg.0`. The tensors themselves, not copies."""
        lists = {
            f"{name}.{index}": tensor
            for name, tensors in self._lists.items()
            for index, tensor in enumerate(self._parts(*tensors) if self._parts else tensors)
        }
        return self._scalars | lists

    def _decayed(self, gradients: list[Tensor]) -> list[Tensor]:
        """Gradients with weight_decay x weight added. For rules without a fused kernel."""
        if not self._weight_decay:
            return gradients
        return list(torch._foreach_add(gradients, self.parameters, alpha=self._weight_decay))

    def _remember(self, name: str) -> list[Tensor]:
        """A zero for every weight, kept in the state."""
        self._lists[name] = self._scratch()
        return self._lists[name]

    def _scratch(self) -> list[Tensor]:
        """A zero for every weight, not kept in the state: room to compute in without allocating."""
        return [torch.zeros_like(parameter) for parameter in self.parameters]

    def _step_count(self) -> Tensor:
        """The number of steps taken, kept in the state, as the fused kernels want it."""
        self._scalars["step"] = torch.zeros((), dtype=torch.float32, device=self._device)
        return self._scalars["step"]


class SGDOptimizer(Optimizer):
    """buffer = momentum x buffer + gradient; weight -= lr x buffer (after Sutskever et al. 2013)."""

    def __init__(self, parameters: list[Tensor], spec: SGD, parts: Parts | None = None) -> None:
        super().__init__(parameters, spec, parts)
        self._momentum = spec.momentum
        self._nesterov = spec.nesterov and spec.momentum > 0
        # A buffer of zeros makes the first step what torch makes of it: the gradient itself.
        self._buffers = self._remember("momentum") if spec.momentum > 0 else []

    def _update(self, gradients: list[Tensor], lr: float) -> None:
        torch._fused_sgd_(
            self.parameters, gradients, self._buffers, weight_decay=self._weight_decay,
            momentum=self._momentum, lr=lr, dampening=0.0, nesterov=self._nesterov, maximize=False,
            is_first_step=False,
        )  # fmt: skip


class AdamOptimizer(Optimizer):
    """Adam (Kingma and Ba 2015, algorithm 1), and AdamW (Loshchilov and Hutter 2019, algorithm 2)."""

    def __init__(self, parameters: list[Tensor], spec: Adam | AdamW, parts: Parts | None = None) -> None:
        super().__init__(parameters, spec, parts)
        self._kernel = torch._fused_adamw_ if isinstance(spec, AdamW) else torch._fused_adam_
        self._beta1, self._beta2, self._epsilon = spec.beta1, spec.beta2, spec.epsilon
        self._exp_avg = self._remember("exp_avg")
        self._exp_avg_sq = self._remember("exp_avg_sq")
        self._step = self._step_count()
        self._one = torch.ones_like(self._step)  # Python's 1 would become a tensor with every step
        self._steps = [self._step] * len(self.parameters)

    def _update(self, gradients: list[Tensor], lr: float) -> None:
        self._step.add_(self._one)
        self._kernel(
            self.parameters, gradients, self._exp_avg, self._exp_avg_sq, [], self._steps, lr=lr,
            beta1=self._beta1, beta2=self._beta2, weight_decay=self._weight_decay, eps=self._epsilon,
            amsgrad=False, maximize=False,
        )  # fmt: skip


class AdagradOptimizer(Optimizer):
    """sum += gradient^2; weight -= lr x gradient / (sqrt(sum) + epsilon). Duchi et al. 2011."""

    def __init__(self, parameters: list[Tensor], spec: Adagrad, parts: Parts | None = None) -> None:
        super().__init__(parameters, spec, parts)
        self._epsilon = spec.epsilon
        self._sums = self._remember("sum")
        self._fused = self._device.type in ("cpu", "cuda")
        # The kernel divides lr by 1 + (step - 1) x lr_decay; without decay any step will do.
        self._steps = [torch.ones((), dtype=torch.float32, device=self._device)] * len(self.parameters)
        self._deviation = [] if self._fused else self._scratch()

    def _update(self, gradients: list[Tensor], lr: float) -> None:
        if not self._fused:
            gradients = self._decayed(gradients)
            torch._foreach_addcmul_(self._sums, gradients, gradients)
            torch._foreach_copy_(self._deviation, self._sums)
            torch._foreach_sqrt_(self._deviation)
            torch._foreach_add_(self._deviation, self._epsilon)
            torch._foreach_addcdiv_(self.parameters, gradients, self._deviation, value=-lr)
            return
        torch._fused_adagrad_(
            self.parameters, gradients, self._sums, self._steps, lr=lr, lr_decay=0.0,
            weight_decay=self._weight_decay, eps=self._epsilon, maximize=False,
        )  # fmt: skip


class AdadeltaOptimizer(Optimizer):
    """Adadelta (Zeiler 2012, algorithm 1), with a learning rate in front."""

    def __init__(self, parameters: list[Tensor], spec: Adadelta, parts: Parts | None = None) -> None:
        super().__init__(parameters, spec, parts)
        self._rho, self._epsilon = spec.rho, spec.epsilon
        self._square_avg = self._remember("square_avg")
        self._acc_delta = self._remember("acc_delta")
        self._deviation = self._scratch()
        self._delta = self._scratch()

    def _update(self, gradients: list[Tensor], lr: float) -> None:
        gradients = self._decayed(gradients)
        torch._foreach_mul_(self._square_avg, self._rho)
        torch._foreach_addcmul_(self._square_avg, gradients, gradients, value=1 - self._rho)
        deviation, delta = self._deviation, self._delta
        torch._foreach_copy_(deviation, self._square_avg)
        torch._foreach_add_(deviation, self._epsilon)
        torch._foreach_sqrt_(deviation)
        torch._foreach_copy_(delta, self._acc_delta)
        torch._foreach_add_(delta, self._epsilon)
        torch._foreach_sqrt_(delta)
        torch._foreach_div_(delta, deviation)
        torch._foreach_mul_(delta, gradients)
        torch._foreach_mul_(self._acc_delta, self._rho)
        torch._foreach_addcmul_(self._acc_delta, delta, delta, value=1 - self._rho)
        torch._foreach_add_(self.parameters, delta, alpha=-lr)


class RMSpropOptimizer(Optimizer):
    """mean = alpha x mean + (1 - alpha) x gradient^2; weight -= lr x gradient / (sqrt(mean) + epsilon).

    Tieleman and Hinton 2012. With momentum the quotients are summed as in SGD.
    """

    def __init__(self, parameters: list[Tensor], spec: RMSprop, parts: Parts | None = None) -> None:
        super().__init__(parameters, spec, parts)
        self._alpha, self._epsilon, self._momentum = spec.alpha, spec.epsilon, spec.momentum
        self._square_avg = self._remember("square_avg")
        self._buffers = self._remember("momentum") if spec.momentum > 0 else []
        self._deviation = self._scratch()

    def _update(self, gradients: list[Tensor], lr: float) -> None:
        gradients = self._decayed(gradients)
        torch._foreach_mul_(self._square_avg, self._alpha)
        torch._foreach_addcmul_(self._square_avg, gradients, gradients, value=1 - self._alpha)
        deviation = self._deviation
        torch._foreach_copy_(deviation, self._square_avg)
        torch._foreach_sqrt_(deviation)
        torch._foreach_add_(deviation, self._epsilon)
        if self._momentum > 0:
            torch._foreach_mul_(self._buffers, self._momentum)
            torch._foreach_addcdiv_(self._buffers, gradients, deviation)
            torch._foreach_add_(self.parameters, self._buffers, alpha=-lr)
        else:
            torch._foreach_addcdiv_(self.parameters, gradients, deviation, value=-lr)


def build_optimizer(spec: OptimizerSpec, parameters: list[Tensor], parts: Parts | None = None) -> Optimizer:
    """The optimizer that `spec` describes, for these parameters.

    Raises ValueError when they differ in dtype or device, or when one is not contiguous.
    """
    match spec:
        case SGD():
            return SGDOptimizer(parameters, spec, parts)
        case Adam() | AdamW():
            return AdamOptimizer(parameters, spec, parts)
        case Adadelta():
            return AdadeltaOptimizer(parameters, spec, parts)
        case Adagrad():
            return AdagradOptimizer(parameters, spec, parts)
        case RMSprop():
            return RMSpropOptimizer(parameters, spec, parts)
        case _:
            assert_never(spec)


def clip_gradients(gradients: list[Tensor], max_norm: float) -> list[Tensor]:
    """The gradients, shortened to `max_norm` where they are longer, all taken as one vector.

    Pascanu et al. 2013; the arithmetic of torch.nn.utils.clip_grad_norm_. Nothing is read back from the
    device.
    """
    norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
    return list(torch._foreach_mul(gradients, (max_norm / (norm + _CLIP_EPSILON)).clamp_(max=1.0)))
