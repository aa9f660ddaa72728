"""Landscapes of several runs beside each other, whatever their shapes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nettool.analysis.landscape import Landscape, grid_size, landscape, random_plane
from nettool.analysis.outcomes import Array
from nettool.errors import UsageError
from nettool.training.evaluation import evaluating
from nettool.workflows.pictures.subject import Subject

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 4
"""Beside each other on a page."""
REACH = 1.0
"""A direction is as long as the weights, filter by filter: this far its noise is as large as what was learned."""


def landscapes_beside(subject: Subject) -> Figure:
    """In random directions, which alone compare networks of different shapes (Li et al. 2018), all on one scale.

    Raises UsageError for wishes that ask for other planes, and for losses that have no scale in common.
    """
    from nettool.plots.figures import caption
    from nettool.plots.landscape import landscapes

    wishes = subject.wishes
    if wishes.others or wishes.weights or wishes.directions == "path":
        raise UsageError(
            "--beside compares networks in random directions, and only there can they be compared: leave --with, "
            "--weights and --directions path out."
        )
    if len(wishes.beside) >= MOST:
        raise UsageError(f"--beside: {MOST} landscapes have room beside each other, that of the run included.")
    every = [subject, *(subject.of(run) for run in wishes.beside)]
    _check_losses(every)
    sizes = [grid_size(each.trained.plan.flops, each.most_examples) for each in every]
    axis = np.linspace(-REACH, REACH, min(num for num, _ in sizes))
    found = [
        (each.run.path.name, _around(each, axis, examples)) for each, (_, examples) in zip(every, sizes, strict=True)
    ]
    told = "loss of the training examples around the best weights of each run, on one scale"
    figure = landscapes(found, f"{told}; at 1 each filter has moved by its own length")
    return caption(figure, ", ".join(name for name, _ in found))


def _check_losses(every: Sequence[Subject]) -> None:
    first, *others = [each.trained.experiment.loss for each in every]
    for each, loss in zip(every[1:], others, strict=True):
        if loss != first:
            raise UsageError(f"landscape: {each.run.path} has another loss, so that the two have no scale in common.")


def _around(subject: Subject, axis: Array, num_examples: int) -> Landscape:
    """The same directions each time, of this network's filters."""
    trained = subject.trained
    plane = random_plane({name: tensor.detach() for name, tensor in trained.network.named_parameters()})
    batch = subject.some(num_examples)
    with subject.computing(), evaluating(trained.network):
        return landscape(trained.network, plane, axis, axis, batch, trained.loss.mean, subject.num_activations)
