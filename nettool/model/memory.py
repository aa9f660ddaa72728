"""How much memory training takes, by arithmetic."""

from __future__ import annotations

from nettool.config.optimization import SGD, Adadelta, Adagrad, Adam, AdamW, OptimizerSpec, RMSprop
from nettool.model.shapes import NetworkPlan


def training_bytes(plan: NetworkPlan, optimizer: OptimizerSpec, batch_size: int, num_examples: int) -> int:
    """Memory that training takes, about: weights, gradients, optimizer state, a batch, the resident examples."""
    copies = 3 + _optimizer_slots(optimizer)  # weights, best weights, gradients
    stored = plan.input.features + sum(layer.num_stored for layer in plan.layers)
    resident = num_examples * (plan.signature.width + plan.signature.target.num_outputs)
    return 4 * (plan.num_parameters * copies + 2 * batch_size * stored + resident)


def _optimizer_slots(optimizer: OptimizerSpec) -> int:
    """Numbers that the optimizer keeps for each weight."""
    match optimizer:
        case Adam() | AdamW() | Adadelta():
            return 2
        case Adagrad():
            return 1
        case SGD():
            return int(optimizer.momentum > 0)
        case RMSprop():
            return 1 + (optimizer.momentum > 0)
