"""The weights that a run had on its way, and the landscape that the way leads through."""

from __future__ import annotations

from collections.abc import Sequence

from nettool.analysis.landscape import (
    Landscape,
    Plane,
    Weights,
    extent,
    landscape,
    plane_of_path,
    random_plane,
)
from nettool.errors import RunError
from nettool.runs import checkpoint
from nettool.runs.directory import RunDirectory
from nettool.training.evaluation import evaluating
from nettool.training.trace import path_of
from nettool.workflows.past_weights import kept_checkpoints
from nettool.workflows.pictures.subject import Subject, Unsuitable


def past_weights(run: RunDirectory) -> tuple[list[int], list[Weights]]:
    """The epochs that something was kept of, ascending, and all tensors of the network at each; [], [] without any.

    Raises DamagedError for a trace that is none.
    """
    if kept := kept_checkpoints(run):
        return [epoch for epoch, _, _ in kept], [checkpoint.load(path)[0] for _, _, path in kept]
    if not run.trace.is_file():
        return [], []
    tensors, _ = checkpoint.load(run.trace)
    try:
        epochs, weights = path_of(tensors)
    except ValueError as error:
        raise RunError(f"{run.trace} does not fit together: {error}.") from None
    return epochs, [{name: tensor[place] for name, tensor in weights.items()} for place in range(len(epochs))]


def parameters_of(subject: Subject) -> Weights:
    """The best weights, on their device."""
    return {name: tensor.detach() for name, tensor in subject.trained.network.named_parameters()}


def way_of(subject: Subject, run: RunDirectory, last: Weights) -> list[Weights]:
    """The parameters of a run, epoch after epoch, up to those that were kept as the best."""
    names, device = parameters_of(subject), subject.trained.device
    epochs, past = past_weights(run)
    way = []
    for epoch, tensors in zip(epochs, past, strict=True):
        if any(name not in tensors or tensors[name].shape != names[name].shape for name in names):
            raise Unsuitable(f"landscape: {run.path} has a network of other shapes.")
        if epoch < subject.trained.epoch or run != subject.run:
            way.append({name: tensors[name].to(device) for name in names})
    return [*way, last]


def landscape_of(subject: Subject) -> tuple[Landscape, list[tuple[str, list[tuple[float, float]]]]]:
    """The loss around the best weights, and where the run was on its way: in the plane of the way, where one is known,
    else in two random directions.
    """
    center = parameters_of(subject)
    ways = [(subject.run.path.name, way_of(subject, subject.run, center))]
    plane = _plane(subject, center, [way for _, way in ways])
    in_plane = [(name, [plane.coordinates(weights) for weights in way]) for name, way in ways if len(way) > 1]
    points = [point for _, way in in_plane for point in way]
    x, y = extent([*points, (-1.0, -1.0), (1.0, 1.0)], 0.0) if plane.explained is None else extent(points, 1e-6)
    numbers = sum(layer.num_stored for layer in subject.trained.plan.leaves()) + subject.trained.plan.input.size
    with subject.computing(), evaluating(subject.trained.network):
        found = landscape(subject.trained.network, plane, x, y, subject.batch, subject.trained.loss.mean, numbers)
    return found, in_plane


def _plane(subject: Subject, center: Weights, ways: Sequence[Sequence[Weights]]) -> Plane:
    if subject.wishes.directions != "random":
        try:
            return plane_of_path(center, ways)
        except ValueError:
            if subject.wishes.directions == "path":
                raise Unsuitable(
                    f"landscape: {subject.run.path} kept too little of the way that training took. Train with "
                    "checkpoint.keep=all, or draw it with --directions random."
                ) from None
    return random_plane(center)
