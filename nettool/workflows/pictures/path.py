"""The weights that a run had on its way, and the landscape that the way leads through."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from torch import Tensor

from nettool.analysis.landscape import (
    Landscape,
    Plane,
    Weights,
    extent,
    grid_size,
    landscape,
    plane_of_path,
    plane_of_weights,
    random_plane,
)
from nettool.data.examples import spread
from nettool.errors import RunError, UsageError
from nettool.runs import checkpoint
from nettool.runs.directory import RunDirectory
from nettool.training.evaluation import evaluating
from nettool.training.trace import MOST_EPOCHS, path_of
from nettool.workflows.past_weights import kept_checkpoints
from nettool.workflows.pictures.subject import Subject, Unsuitable
from nettool.workflows.trained import load_trained

MOST_LISTED = 20
"""Tensors in a message."""
_WEIGHT = re.compile(r"(.+)\[(\d+(?:,\s*\d+)*)\]")


def past_weights(run: RunDirectory) -> tuple[list[int], list[Weights]]:
    """The epochs that something was kept of, ascending, and all tensors of the network at each; [], [] without any.

    Raises DamagedError for a trace that is none.
    """
    epochs, tensors = trace_of(run)
    kept = kept_checkpoints(run)
    if len(kept) <= len(epochs):
        return epochs, [{name: tensor[place] for name, tensor in tensors.items()} for place in range(len(epochs))]
    chosen = [kept[place] for place in spread(len(kept), MOST_EPOCHS).tolist()]
    return [epoch for epoch, _, _ in chosen], [checkpoint.load(path)[0] for _, _, path in chosen]


def trace_of(run: RunDirectory) -> tuple[list[int], Weights]:
    """The epochs of its trace, ascending, and each tensor of the network at all of them, [k, ...]; else [], {}."""
    if not run.trace.is_file():
        return [], {}
    tensors, _ = checkpoint.load(run.trace)
    try:
        return path_of(tensors)
    except ValueError as error:
        raise RunError(f"{run.trace} does not fit together: {error}.") from None


def landscape_of(subject: Subject) -> tuple[Landscape, list[tuple[str, list[tuple[float, float]]]]]:
    """The loss around the best weights, and where the run was on its way: in the plane of the way, where one is known,
    else in two random directions; with other runs, also where these were.
    """
    trained = subject.trained
    center = {name: tensor.detach() for name, tensor in trained.network.named_parameters()}
    ways = [(subject.run.path.name, [*_way(subject.run, center, trained.epoch), center])]
    ways += [(_name(run, subject), _way(run, center) or _end(run, center)) for run in subject.wishes.others]
    plane = _plane(subject, center, [way for _, way in ways])
    if plane.explained is None and not subject.wishes.weights:  # a way lies nowhere near two random directions
        ways = [(subject.run.path.name, [center])]
    in_plane = [(name, [plane.coordinates(weights) for weights in way]) for name, way in ways]
    points = [point for _, way in in_plane for point in way]
    num, examples = grid_size(trained.plan.flops, subject.most_examples)
    x, y = extent(points, 1e-6 if plane.explained is not None else 2.0, num)
    batch = subject.some(examples)
    with subject.computing(), evaluating(trained.network):
        found = landscape(trained.network, plane, x, y, batch, trained.loss.mean, subject.num_activations)
    return found, in_plane


def _way(run: RunDirectory, center: Weights, before: int | None = None) -> list[Weights]:
    """The parameters of a run, epoch after epoch. before: up to this one."""
    epochs, past = past_weights(run)
    return [
        _fitting(run, tensors, center)
        for epoch, tensors in zip(epochs, past, strict=True)
        if before is None or epoch < before
    ]


def _name(run: RunDirectory, subject: Subject) -> str:
    """Its folder's, or the whole path where another folder is called so too, as points of sweeps are."""
    names = [each.path.name for each in (subject.run, *subject.wishes.others)]
    return run.path.name if names.count(run.path.name) == 1 else str(run.path)


def _end(run: RunDirectory, center: Weights) -> list[Weights]:
    """Of a run that kept nothing of its way, where it came to: its best weights."""
    return [_fitting(run, load_trained(run.path).network.state_dict(), center)]


def _fitting(run: RunDirectory, tensors: Mapping[str, Tensor], center: Weights) -> Weights:
    """The parameters among these. Raises UsageError for those of another network."""
    if any(name not in tensors or tensors[name].shape != center[name].shape for name in center):
        raise UsageError(
            f"landscape: {run.path} has a network of other shapes, so its way lies in no plane of this one. Draw their "
            f"landscapes side by side: --beside {run.path}"
        )
    return {name: tensors[name].to(center[name]) for name in center}


def _plane(subject: Subject, center: Weights, ways: Sequence[Sequence[Weights]]) -> Plane:
    wishes = subject.wishes
    if wishes.weights:
        return plane_of_weights(center, [_place_of(text, center) for text in _two(wishes.weights)])
    if wishes.directions != "random":
        try:
            return plane_of_path(center, ways)
        except ValueError:
            if wishes.directions == "path" or wishes.others:
                raise Unsuitable(
                    f"landscape: {subject.run.path} kept too little of the way that training took. Train with "
                    "checkpoint.keep=all, or draw it with --directions random."
                ) from None
    return random_plane(center)


def _two(weights: Sequence[str]) -> Sequence[str]:
    if len(set(weights)) != 2:
        raise UsageError("--weights: name two of them: --weights 'layers.0.product.weight[0,1]' --weights ...")
    return weights


def _listed(center: Weights) -> str:
    """The tensors that single weights are of, with their shapes, and how one is written."""
    few = [f"{name} {list(tensor.shape)}" for name, tensor in list(center.items())[:MOST_LISTED]]
    more = f" and {len(center) - MOST_LISTED} more" if len(center) > MOST_LISTED else ""
    name, tensor = next(iter(center.items()))
    return f"It has {', '.join(few)}{more}. One number of the first is {name}{[0] * tensor.ndim}."


def _place_of(text: str, center: Weights) -> tuple[str, tuple[int, ...]]:
    """`layers.0.product.weight[0,1]` as the tensor's name and the place in it. Raises UsageError."""
    match = _WEIGHT.fullmatch(text)
    name = match[1] if match else text
    if name not in center:
        raise UsageError(f"--weights {text}: the network has no {name}. {_listed(center)}")
    place = tuple(int(number) for number in match[2].split(",")) if match else ()
    shape = tuple(center[name].shape)
    if len(place) != len(shape) or any(number >= size for number, size in zip(place, shape, strict=False)):
        raise UsageError(
            f"--weights {text}: {name} is {shape}; name one number of it, such as {name}{[0] * len(shape)}."
        )
    return name, place
