"""nettool diagnose --gradcheck: the gradients of a run beside finite differences, layer by layer."""

from __future__ import annotations

import copy

from torch import Tensor, nn

from nettool.analysis.gradient_check import Checked, check_gradients
from nettool.data.dataset import Batch
from nettool.model import blocks
from nettool.model.compile import Network, compile_network
from nettool.model.losses import Loss
from nettool.model.verdicts import without_closed_form
from nettool.training.closed_form.chain import Chain
from nettool.training.closed_form.flat import FlatParameters
from nettool.workflows.pictures.subject import Subject
from nettool.workflows.trained import Trained

NUM_EXAMPLES = 8


def check_gradients_of(subject: Subject) -> list[Checked]:
    """Of the weights that training began with, in float64 on the cpu, on some training examples.

    Where the network trains by backpropagation written out, that is held against the differences too; but not where it
    drops neurons or takes the means of a batch, since its loss is then another one than in evaluation.
    """
    trained = subject.trained
    features, target, weights = subject.some(NUM_EXAMPLES)
    batch = Batch(_exact(features), _exact(target), None if weights is None else _exact(weights))
    loss = copy.copy(trained.loss)
    loss.class_weights = None if loss.class_weights is None else _exact(loss.class_weights)
    return check_gradients(_exact_network(trained), batch, loss.mean, _written_out(trained, loss, batch))


def _exact(tensor: Tensor) -> Tensor:
    return tensor.cpu().double() if tensor.is_floating_point() else tensor.cpu()


def _exact_network(trained: Trained) -> Network:
    return compile_network(trained.plan, trained.experiment.seed).double()


def _written_out(trained: Trained, loss: Loss, batch: Batch) -> dict[str, Tensor] | None:
    """The gradients of the closed form, by the names of the weights; None where there are none to compare."""
    network = _exact_network(trained)
    differs = any(isinstance(module, blocks.Dropout | nn.BatchNorm1d) for module in network.modules())
    if differs or without_closed_form(trained.plan):
        return None
    names = [name for name, _ in network.named_parameters()]
    flat = FlatParameters([network])
    chain = Chain(network, flat, trained.experiment.loss, loss.class_weights, batch)
    _, weight = chain.forward(batch)
    chain.backward(1 / float(weight))
    return dict(zip(names, flat.parts(flat.gradients), strict=True))
