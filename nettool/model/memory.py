"""How much memory training takes, by arithmetic, and how many examples are evaluated at a time."""

from __future__ import annotations

from nettool.config.optimization import SGD, Adadelta, Adagrad, Adam, AdamW, OptimizerSpec, RMSprop
from nettool.config.signature import ImageExample, Signature, TableExample
from nettool.model.plans import NetworkPlan

MOST_EVALUATED = 4096
"""Examples of a forward pass in evaluation, at most."""
MOST_NUMBERS = 2**24
"""Numbers of a layer's output in such a pass, at most."""


def training_bytes(plan: NetworkPlan, optimizer: OptimizerSpec, worked_on: int, num_examples: int) -> int:
    """Memory that training takes, about: weights, gradients, optimizer state, a batch, the resident examples.

    worked_on: how many examples there is memory for to be worked on at a time.
    """
    resident = num_examples * _example_bytes(plan.signature)
    return bytes_of_weights(plan, optimizer) + worked_on * bytes_of_example(plan) + resident


def bytes_of_weights(plan: NetworkPlan, optimizer: OptimizerSpec) -> int:
    """Memory of the weights, the best ones, the gradients and what the optimizer keeps, and of the copy to be saved."""
    slots = _optimizer_slots(optimizer)
    return 4 * plan.num_parameters * (3 + slots + (1 + slots))


def bytes_of_example(plan: NetworkPlan) -> int:
    """Memory that each example of a batch takes, about: what forward leaves behind, and its gradients."""
    return 8 * (plan.input.size + sum(layer.num_stored for layer in plan.layers))


def evaluation_chunk(plan: NetworkPlan) -> int:
    """Examples of a forward pass in evaluation. By rule, so that the same split always gives the same bits."""
    largest = max(plan.input.size, *(layer.num_stored for layer in plan.leaves()))  # an image is float32 by then
    return max(1, min(MOST_EVALUATED, MOST_NUMBERS // max(largest, 1)))


def _example_bytes(signature: Signature) -> int:
    """Memory of an example that waits for its turn, its target included."""
    match signature.example:
        case TableExample() as example:
            return 4 * (example.width + signature.target.num_outputs)
        case ImageExample() as example:
            return example.channels * example.height * example.width + 8
        case example:
            return 2 * example.time + 8


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
