"""The straight line from the first weights of a run to its best, or from one run to another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from nettool.analysis.landscape import FLOPS
from nettool.analysis.line import Line, along, places
from nettool.analysis.outcomes import Array
from nettool.data.dataset import Dataset
from nettool.data.examples import spread
from nettool.errors import UsageError
from nettool.workflows.pictures.path import trace_of
from nettool.workflows.pictures.subject import Subject, Unsuitable
from nettool.workflows.trained import Trained, load_trained

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def loss_along(subject: Subject) -> Figure:
    """Raises UsageError for networks of other shapes and for more than two, Unsuitable where the two are one."""
    from nettool.plots.figures import caption
    from nettool.plots.line import Ends, line

    best, name = subject.trained.network.state_dict(), subject.run.path.name
    others = subject.wishes.others
    if len(others) > 1:
        raise Unsuitable("line: it is drawn between two runs: name one other with --with.")
    if others:
        other = load_trained(others[0].path)
        first, second = best, _fitting(best, other, subject)
        note = "" if _sees_the_same(subject.trained, other) else ", which saw other data"
        ends = Ends(name, others[0].path.name, of_one_run=False, note=note)
    else:
        first, second = {**best, **_first_weights(subject)}, best
        ends = Ends("the first weights", f"the best (epoch {subject.trained.epoch:,})", of_one_run=True)
    if all(torch.equal(tensor, second[each]) for each, tensor in first.items()):
        what = "both runs have the same weights" if others else "its best weights are its first ones"
        raise Unsuitable(f"line: {subject.run.path}: {what}, so there is no line between them.")
    at = places()
    datasets = _datasets(subject, len(at))
    figure = line(_measured(subject, datasets, first, second, at), list(datasets), subject.metric, ends)
    sizes = ", ".join(f"{each} {len(dataset):,}" for each, dataset in datasets.items())
    stays = "; running statistics interpolated too" if any(each.endswith("running_var") for each in best) else ""
    return caption(figure, f"{name}, {sizes} examples{stays}")


def _first_weights(subject: Subject) -> Mapping[str, Tensor]:
    """As they were kept; else drawn again, which gives the same bits with the same torch."""
    trained = subject.trained
    epochs, past = trace_of(subject.run)
    if epochs[:1] == [0]:
        return {name: tensor[0].to(trained.device) for name, tensor in past.items()}
    return trained.first_network().state_dict()


def _fitting(best: Mapping[str, Tensor], other: Trained, subject: Subject) -> Mapping[str, Tensor]:
    found = {name: tensor.to(subject.trained.device) for name, tensor in other.network.state_dict().items()}
    if {name: tensor.shape for name, tensor in found.items()} != {name: tensor.shape for name, tensor in best.items()}:
        run = other.source.parent
        raise UsageError(
            f"line: {run} has a network of other shapes, so there is no line between the two. Landscapes of both side "
            f"by side: nettool plot {subject.run.path} landscape --beside {run}"
        )
    return found


def _sees_the_same(one: Trained, other: Trained) -> bool:
    """Whether an example is the same numbers to both, and the same examples were for training."""
    parts = [(each.encoders.to_json(), each.experiment.data.split, each.fingerprint) for each in (one, other)]
    return parts[0] == parts[1]


def _datasets(subject: Subject, num_points: int) -> dict[str, Dataset]:
    """Training and, where there is one, validation; of a network that takes long some of the examples."""
    trained = subject.trained
    most = max(1, int(FLOPS / (num_points * max(trained.plan.flops, 1))))
    splits = {"training": subject.train} | ({"validation": subject.validation} if subject.validation else {})
    return {
        name: Dataset.from_split(split.take(spread(len(split), most)), trained.device) for name, split in splits.items()
    }


def _measured(
    subject: Subject,
    datasets: Mapping[str, Dataset],
    first: Mapping[str, Tensor],
    second: Mapping[str, Tensor],
    at: Array,
) -> Line:
    """Of each dataset its loss and metric, as `eval` would measure them at each place."""
    trained, metric = subject.trained, subject.metric
    evaluator = trained.evaluator((metric,))

    def measure() -> Iterator[tuple[str, float]]:
        for name, dataset in datasets.items():
            loss, metrics = evaluator(trained.network, dataset)
            yield f"{name} loss", loss
            yield f"{name} {metric}", metrics[metric]

    with subject.computing():
        return along(trained.network, first, second, at, lambda: dict(measure()))
