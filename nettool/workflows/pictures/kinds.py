"""Every kind of picture by its name. Adding one: a function here, its numbers in analysis, its figure in plots."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from nettool.analysis.importance import REPEATS
from nettool.analysis.layers import activation_distributions, gradient_distributions, weight_distributions
from nettool.analysis.outcomes import Classified, Numbers, Outcome
from nettool.analysis.structure import boxes_of, neurons_of
from nettool.config.signature import describe_shape
from nettool.training.evaluation import evaluating
from nettool.workflows.pictures.beside import landscapes_beside
from nettool.workflows.pictures.columns import column_importance, plane_of
from nettool.workflows.pictures.line import loss_along
from nettool.workflows.pictures.mistakes import worst_examples
from nettool.workflows.pictures.path import landscape_of
from nettool.workflows.pictures.subject import Subject, Unsuitable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Draw = Callable[[Subject], "Figure"]
KindOfOutcome = TypeVar("KindOfOutcome", Classified, Numbers)


@dataclass(frozen=True)
class Kind:
    """A kind of picture. what: for help and captions. draw: raises Unsuitable where it says nothing of a run."""

    name: str
    what: str
    draw: Draw


KINDS: dict[str, Kind] = {}


def _kind(name: str, what: str) -> Callable[[Draw], Draw]:
    def register(draw: Draw) -> Draw:
        KINDS[name] = Kind(name, what, draw)
        return draw

    return register


@_kind("curves", "loss, metrics and learning rate by epoch, the best epoch marked")
def _curves(subject: Subject) -> Figure:
    from nettool.plots.training import training_curves

    record = subject.record
    return training_curves(
        subject.rows, subject.metric_names, record.get("best_epoch"), _why(record), record.get("baseline", {})
    )


def _why(record: Mapping[str, object]) -> str:
    status, why = str(record["status"]), str(record.get("why") or "")
    if status == "stopped early":
        return f"stopped early: {why}"
    return {"finished": "", "running": "still running"}.get(status, status)


@_kind("boundary", "two features: what is predicted where, and the examples over it")
def _boundary(subject: Subject) -> Figure:
    from nettool.plots.boundary import decision_regions, surface
    from nettool.plots.figures import plain

    plane = plane_of(subject).show(subject.predict)
    outcome = next(iter(subject.outcomes.values()))
    if isinstance(outcome, Numbers):
        return _captioned(subject, surface(plane, outcome, f"predicted {plain(outcome.name)}"))
    return _captioned(
        subject,
        decision_regions(
            plane,
            outcome,
            f"{outcome.accuracy:.1%} right. The regions are drawn" if plane.held else f"{outcome.accuracy:.1%} right",
        ),
    )


@_kind("importance", "columns: how much worse it gets when one is shuffled")
def _importance(subject: Subject) -> Figure:
    from nettool.plots.figures import caption
    from nettool.plots.importance import importance

    found, reached, num = column_importance(subject, REPEATS)
    figure = importance(found, subject.metric, reached)
    return caption(figure, f"{subject.run.path.name}, {subject.split}, {num:,} examples")


@_kind("confusion", "classes: which are taken for which")
def _confusion(subject: Subject) -> Figure:
    from nettool.plots.classification import confusion_matrix

    outcomes = _of(subject, Classified, "classes")
    if len(outcomes) > 1:
        raise Unsuitable("confusion: labels are not taken for each other; look at roc, pr and calibration.")
    return _captioned(subject, confusion_matrix(*outcomes.values()))


@_kind("roc", "classes: what is found against false alarms, at every threshold")
def _roc(subject: Subject) -> Figure:
    from nettool.plots.classification import roc

    return _captioned(subject, roc(_with_both(subject, "roc")))


@_kind("pr", "classes: precision against recall, at every threshold")
def _pr(subject: Subject) -> Figure:
    from nettool.plots.classification import precision_recall

    return _captioned(subject, precision_recall(_with_both(subject, "pr")))


@_kind("calibration", "classes: how often it is right when it is so sure")
def _calibration(subject: Subject) -> Figure:
    from nettool.plots.classification import calibration

    return _captioned(subject, calibration(_of(subject, Classified, "classes")))


@_kind("gains", "two classes: what the surest examples hold, and what each threshold gives")
def _gains(subject: Subject) -> Figure:
    from nettool.plots.classification import gains

    outcomes = _with_both(subject, "gains")
    (outcome, *more) = outcomes.values()
    if more or len(outcome.classes) != 2:
        raise Unsuitable("gains: a threshold needs two classes. Of more, look at confusion and pr.")
    return _captioned(subject, gains(outcome))


@_kind("predicted-vs-true", "numbers: each prediction against the truth")
def _predicted_vs_true(subject: Subject) -> Figure:
    from nettool.plots.regression import predicted_vs_true

    return _captioned(subject, predicted_vs_true(_of(subject, Numbers, "numbers")))


@_kind("residuals", "numbers: what was predicted too much or too little")
def _residuals(subject: Subject) -> Figure:
    from nettool.plots.regression import residuals

    return _captioned(subject, residuals(_of(subject, Numbers, "numbers")))


@_kind("mistakes", "the worst examples: what is true, what was predicted, how surely")
def _mistakes(subject: Subject) -> Figure:
    return _captioned(subject, worst_examples(subject))


@_kind("network", "neurons and their weights; of a larger network its layers")
def _network(subject: Subject) -> Figure:
    from nettool.plots.figures import caption
    from nettool.plots.network import boxes, neurons

    trained, name = subject.trained, subject.run.path.name
    layers = neurons_of(trained.network, trained.plan)
    if not layers:
        embedded = sum(codes * width for codes, width in trained.plan.embeddings)
        before = describe_shape(trained.plan.input) + (f", {embedded:,} parameters of embeddings" if embedded else "")
        return caption(boxes(boxes_of(trained.plan), before), name)
    return caption(neurons(layers, subject.input_names, subject.output_names), name)


@_kind("weights", "the weights of each layer")
def _weights(subject: Subject) -> Figure:
    from nettool.plots.figures import caption
    from nettool.plots.layers import distributions

    found = weight_distributions(subject.trained.network, subject.trained.plan)
    return caption(distributions(found, "weight", "weights by layer, from input to output"), subject.run.path.name)


@_kind("activations", "what each layer puts out; dead and saturated units")
def _activations(subject: Subject) -> Figure:
    from nettool.plots.figures import caption
    from nettool.plots.layers import distributions

    trained = subject.trained
    with subject.computing(), evaluating(trained.network):
        found, health = activation_distributions(trained.network, trained.plan, subject.batch)
    ill = sum(one.dead + one.saturated for one in health)
    told = (
        f"what layers put out; {ill} units dead or saturated"
        if ill
        else "what layers put out; no dead or saturated units"
    )
    return caption(distributions(found, "output", told), f"{subject.run.path.name}, training examples")


@_kind("gradients", "the size of the gradient in each layer")
def _gradients(subject: Subject) -> Figure:
    from nettool.plots.figures import caption
    from nettool.plots.layers import distributions

    trained = subject.trained
    with subject.computing():
        found = gradient_distributions(trained.network, trained.plan, subject.batch, trained.loss.mean)
    figure = distributions(found, "size of the gradient of a weight (log₁₀)", "gradients at the best weights")
    return caption(figure, f"{subject.run.path.name}, training examples")


@_kind("landscape", "the loss around the weights, and the way that training took through it")
def _landscape(subject: Subject) -> Figure:
    from nettool.plots.figures import caption
    from nettool.plots.landscape import Path, landscape

    if subject.wishes.beside:
        return landscapes_beside(subject)
    found, ways = landscape_of(subject)
    plane = found.plane
    told = "loss of the training examples around the best weights"
    if plane.explained is not None:
        lies = f"{plane.explained:.0%} of the way lies in this plane"
        told = f"{told}; {lies}, and is drawn where the plane is nearest to it"
    paths = [Path(name, *np.transpose(way)) for name, way in ways]
    return caption(landscape(found, paths, told), subject.run.path.name)


@_kind("line", "the loss along the straight line from the first weights to the best, or to another run")
def _line(subject: Subject) -> Figure:
    return loss_along(subject)


def _of(subject: Subject, kind: type[KindOfOutcome], what: str) -> dict[str, KindOfOutcome]:
    """What was predicted, if it is of this kind."""
    outcomes: Mapping[str, Outcome] = subject.outcomes
    found = {name: outcome for name, outcome in outcomes.items() if isinstance(outcome, kind)}
    if not found:
        predicts = "text" if not outcomes else "numbers" if what == "classes" else "classes"
        others = {"classes": " Look at predicted-vs-true and residuals.", "numbers": " Look at confusion, roc and pr."}
        hint = others[what] if outcomes else ""
        raise Unsuitable(f"this picture is of predicted {what}, and the run predicts {predicts}.{hint}")
    if not any(len(outcome.actual) for outcome in found.values()):
        raise Unsuitable(f"there is nothing to draw: {subject.split} holds no examples that count.")
    return found


def _with_both(subject: Subject, name: str) -> dict[str, Classified]:
    """Those of which examples of more than one class are there."""
    outcomes = _of(subject, Classified, "classes")
    found = {key: each for key, each in outcomes.items() if len(set(each.actual.tolist())) > 1}
    if not found:
        raise Unsuitable(
            f"{name}: all examples of {subject.split} are of one class, so there is no threshold to choose."
        )
    return found


def _captioned(subject: Subject, figure: Figure) -> Figure:
    """With what it is a picture of, in small print."""
    from nettool.plots.figures import caption

    return caption(figure, f"{subject.run.path.name}, {subject.where}")
