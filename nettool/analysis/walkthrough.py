"""One example on its way through a network: every layer forward, the loss, every gradient back, and one update.

All numbers are those of the compiled network, nettool's loss and optimizer, and autograd. The network is in evaluation
mode: nothing is dropped, and a batch norm takes its running mean and variance, since one example is no batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from nettool.analysis.formulas import numbers_of
from nettool.analysis.layer_details import Seen, details_of, parts_of
from nettool.analysis.layer_texts import sentence
from nettool.analysis.loss_steps import OutputLoss, SoftmaxLoss, written_loss
from nettool.analysis.neurons import Neurons
from nettool.analysis.outcomes import Array
from nettool.analysis.passes import watching
from nettool.analysis.steps import LayerStep, ParameterStep, Update, Walk
from nettool.config.experiment import Experiment
from nettool.config.layers import Dense, Output
from nettool.config.losses import LossSpec
from nettool.config.optimization import OptimizerSpec
from nettool.data.dataset import Batch
from nettool.model.compile import Network
from nettool.model.losses import Loss
from nettool.model.plans import LayerPlan, NetworkPlan
from nettool.model.stack import Residual
from nettool.training.optimizers import build_optimizer


@dataclass(frozen=True)
class _Place:
    plan: LayerPlan
    module: nn.Module
    turns: tuple[int, ...]

    @property
    def own(self) -> nn.Module | None:
        """What holds its weights; None where only the layers inside have some."""
        if isinstance(self.module, Residual):
            return self.module.projection
        return None if self.plan.inner else self.module


def places(
    plans: Iterable[LayerPlan], modules: Iterable[nn.Module], outer: tuple[int, ...] | None = None
) -> Iterator[_Place]:
    """Every layer with its module, those inside of others behind these. outer: the turns of what they stand in."""
    counts: dict[object, int] = {}
    for plan, module in zip(plans, modules, strict=True):
        counts[plan.path] = counts.get(plan.path, 0) + 1
        turns = () if outer is None else (*outer, counts[plan.path])
        yield _Place(plan, module, turns)
        if plan.inner:
            inside = module.layers if isinstance(module, Residual) else module
            assert isinstance(inside, nn.Sequential)
            yield from places(plan.inner, inside, turns)


def walk(
    network: Network,
    plan: NetworkPlan,
    loss: Loss,
    batch: Batch,
    experiment: Experiment,
    lr: float,
    names: tuple[str, ...],
    units: tuple[tuple[float, ...], tuple[float, ...]] = ((), ()),
) -> Walk:
    """Take the batch's one example through the network, and update it once, in place.

    network: on the cpu. lr: of the update. names: of the outputs. units: means and deviations of predicted numbers.
    """
    network.eval()
    found = list(places(plan.layers, network.layers))
    parameters = dict(network.named_parameters())
    with torch.enable_grad(), watching(part for each in found for part in parts_of(each.module)) as seen:
        logits = network(batch.features)
        mean = loss.mean(logits, batch.target, batch.weights)
    gradients = _gradients(mean, [*parameters.values(), logits, *_passed(seen)])
    before = {name: numbers_of(parameter) for name, parameter in parameters.items()}
    layers = [_layer(place, plan, seen, gradients) for place in found]  # before the update: they look at the weights
    norm = _update(parameters, gradients, experiment.optimizer, lr)
    with torch.no_grad():
        logits_after = network(batch.features)
        mean_after = loss.mean(logits_after, batch.target, batch.weights)
    steps = {
        id(parameter): ParameterStep(name, before[name], numbers_of(gradients[id(parameter)]), numbers_of(parameter))
        for name, parameter in parameters.items()
    }
    losses = _losses(experiment.loss, loss, logits, batch.target, mean.item(), gradients[id(logits)], names, units)
    return Walk(
        inputs=numbers_of(seen[found[0].module].input[0]),
        embeddings=_own(network.inputs, steps),
        layers=tuple(
            replace(layer, parameters=_own(place.own, steps)) for layer, place in zip(layers, found, strict=True)
        ),
        losses=losses,
        loss=mean.item(),
        update=Update(experiment.optimizer, lr, norm),
        loss_after=float(mean_after),
        outputs_after=numbers_of(loss.predictions(logits_after.double()[:1])[0]),
    )


def _passed(seen: Seen) -> Iterator[Tensor]:
    for passed in seen.values():
        yield passed.input
        yield passed.output


def _gradients(mean: Tensor, tensors: Iterable[Tensor]) -> dict[int, Tensor]:
    """The loss by each of these tensors that it depends on, by the tensor's id."""
    wanted = {id(tensor): tensor for tensor in tensors if tensor.requires_grad}
    found = torch.autograd.grad(mean, list(wanted.values()), materialize_grads=True)
    return dict(zip(wanted, found, strict=True))


def _update(
    parameters: Mapping[str, nn.Parameter], gradients: Mapping[int, Tensor], spec: OptimizerSpec, lr: float
) -> float:
    """Move the weights as a training's first step would. Returns the length of all gradients together."""
    own: list[Tensor] = list(parameters.values())
    found = [gradients[id(parameter)] for parameter in own]
    build_optimizer(spec, own).step(found, lr)
    return float(torch.linalg.vector_norm(torch.stack(torch._foreach_norm(found))))


def _own(module: nn.Module | None, steps: Mapping[int, ParameterStep]) -> tuple[ParameterStep, ...]:
    return () if module is None else tuple(steps[id(parameter)] for parameter in module.parameters())


def _layer(place: _Place, plan: NetworkPlan, seen: Seen, gradients: Mapping[int, Tensor]) -> LayerStep:
    """Without its parameters, which are known after the update."""
    passed, layer = seen[place.module], place.plan
    neurons = _neurons(place, seen, gradients)
    dx = gradients.get(id(passed.input))
    return LayerStep(
        plan=layer,
        turns=place.turns,
        sentence=sentence(layer, plan.signature.target),
        x=numbers_of(passed.input[0]),
        out=numbers_of(passed.output[0]),
        dout=_by(passed.output, gradients),
        dx=None if dx is None else numbers_of(dx[0]),
        parameters=(),
        neurons=neurons,
        # Neurons say all but how a norm came to its numbers.
        details=details_of(place.module, layer.activation if neurons is None else "linear", seen),
    )


def _by(tensor: Tensor, gradients: Mapping[int, Tensor]) -> Array:
    """The loss by what passed: 0 where nothing before it learns, so that nobody asked."""
    found = gradients.get(id(tensor))
    return np.zeros(tensor.shape[1:]) if found is None else numbers_of(found[0])


def _neurons(place: _Place, seen: Seen, gradients: Mapping[int, Tensor]) -> Neurons | None:
    """Of a dense layer on a vector."""
    module, layer = place.module, place.plan
    product = getattr(module, "product", None)
    if not isinstance(layer.spec, Dense | Output) or product is None or seen[module].output.ndim != 2:
        return None
    assert isinstance(product, nn.Linear)
    norm = getattr(module, "norm", None)
    x, z, a = seen[product].input, seen[product].output, seen[module].output
    dx = gradients.get(id(x))
    bias: Tensor | None = product.bias  # torch does not say that there may be none
    return Neurons(
        activation=layer.activation,
        norm=getattr(layer.spec, "norm", None) or "",
        x=numbers_of(x[0]),
        weights=numbers_of(product.weight),
        bias=None if bias is None else numbers_of(bias),
        z=numbers_of(z[0]),
        normed=None if norm is None else numbers_of(seen[norm].output[0]),
        a=numbers_of(a[0]),
        da=_by(a, gradients),
        dz=_by(z, gradients),
        dx=None if dx is None else numbers_of(dx[0]),
        dweights=numbers_of(gradients[id(product.weight)]),
        dbias=None if bias is None else numbers_of(gradients[id(bias)]),
    )


def _losses(
    spec: LossSpec,
    loss: Loss,
    logits: Tensor,
    target: Tensor,
    mean: float,
    by_logits: Tensor,
    names: tuple[str, ...],
    units: tuple[tuple[float, ...], tuple[float, ...]],
) -> tuple[OutputLoss, ...]:
    """The loss of the example, or of each of its steps where each predicts the next token."""
    weights = None if loss.class_weights is None else numbers_of(loss.class_weights)
    z, y, dz = (numbers_of(each[0]) for each in (logits, target, by_logits))
    if z.ndim == 1:
        return (written_loss(spec, names, z, y, mean, dz, weights, units),)
    with torch.no_grad():
        each = [float(loss.mean(logits[:, t : t + 1], target[:, t : t + 1])) for t in range(logits.shape[1])]
    steps = (written_loss(spec, names, z[t], y[t], each[t], dz[t], weights, units) for t in range(len(each)))
    return tuple(replace(step, num_steps=len(each)) for step in steps if isinstance(step, SoftmaxLoss))
