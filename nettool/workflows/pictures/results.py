"""Pictures of how well a run did: its curves, what it predicted, and what it relies on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

from nettool.analysis.importance import REPEATS
from nettool.analysis.outcomes import Classified, Numbers, Outcome
from nettool.data.image_encoder import ImageEncoder
from nettool.workflows.pictures.columns import column_importance, plane_of
from nettool.workflows.pictures.mistakes import worst_examples
from nettool.workflows.pictures.occlusion import occlusion_of
from nettool.workflows.pictures.registry import Kinds, captioned
from nettool.workflows.pictures.subject import Subject, Unsuitable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OF_RESULTS = Kinds()
KindOfOutcome = TypeVar("KindOfOutcome", Classified, Numbers)


@OF_RESULTS.add("curves", "loss, metrics and learning rate by epoch, the best epoch marked")
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


@OF_RESULTS.add("boundary", "two features: what is predicted where, and the examples over it")
def _boundary(subject: Subject) -> Figure:
    from nettool.plots.boundary import decision_regions, surface
    from nettool.plots.figures import plain

    plane = plane_of(subject).show(subject.predict)
    outcome = next(iter(subject.outcomes.values()))
    if isinstance(outcome, Numbers):
        return captioned(subject, surface(plane, outcome, f"predicted {plain(outcome.name)}"))
    return captioned(
        subject,
        decision_regions(
            plane,
            outcome,
            f"{outcome.accuracy:.1%} right. The regions are drawn" if plane.held else f"{outcome.accuracy:.1%} right",
        ),
    )


@OF_RESULTS.add("importance", "columns: how much worse it gets when one is shuffled; images: what it looks at")
def _importance(subject: Subject) -> Figure:
    from nettool.plots.figures import caption
    from nettool.plots.importance import importance, importance_of_pixels

    if isinstance(subject.trained.encoders.features, ImageEncoder):
        return captioned(subject, occlusion_of(subject))
    found, reached, num = column_importance(subject, REPEATS)
    grid = subject.pixels
    if grid is not None:
        figure = importance_of_pixels(found, grid, subject.metric, reached)
    else:
        figure = importance(found, subject.metric, reached)
    return caption(figure, f"{subject.run.path.name}, {subject.split}, {num:,} examples")


@OF_RESULTS.add("confusion", "classes: which are taken for which")
def _confusion(subject: Subject) -> Figure:
    from nettool.plots.classification import confusion_matrix

    outcomes = _of(subject, Classified, "classes")
    if len(outcomes) > 1:
        raise Unsuitable("confusion: labels are not taken for each other; look at roc, pr and calibration.")
    return captioned(subject, confusion_matrix(*outcomes.values()))


@OF_RESULTS.add("roc", "classes: what is found against false alarms, at every threshold")
def _roc(subject: Subject) -> Figure:
    from nettool.plots.classification import roc

    return captioned(subject, roc(_with_both(subject, "roc")))


@OF_RESULTS.add("pr", "classes: precision against recall, at every threshold")
def _pr(subject: Subject) -> Figure:
    from nettool.plots.classification import precision_recall

    return captioned(subject, precision_recall(_with_both(subject, "pr")))


@OF_RESULTS.add("calibration", "classes: how often it is right when it is so sure")
def _calibration(subject: Subject) -> Figure:
    from nettool.plots.classification import calibration

    return captioned(subject, calibration(_of(subject, Classified, "classes")))


@OF_RESULTS.add("gains", "two classes: what the surest examples hold, and what each threshold gives")
def _gains(subject: Subject) -> Figure:
    from nettool.plots.classification import gains

    outcomes = _with_both(subject, "gains")
    (outcome, *more) = outcomes.values()
    if more or len(outcome.classes) != 2:
        raise Unsuitable("gains: a threshold needs two classes. Of more, look at confusion and pr.")
    return captioned(subject, gains(outcome))


@OF_RESULTS.add("predicted-vs-true", "numbers: each prediction against the truth")
def _predicted_vs_true(subject: Subject) -> Figure:
    from nettool.plots.regression import predicted_vs_true

    return captioned(subject, predicted_vs_true(_of(subject, Numbers, "numbers")))


@OF_RESULTS.add("residuals", "numbers: what was predicted too much or too little")
def _residuals(subject: Subject) -> Figure:
    from nettool.plots.regression import residuals

    return captioned(subject, residuals(_of(subject, Numbers, "numbers")))


@OF_RESULTS.add("mistakes", "the worst examples: what is true, what was predicted, how surely")
def _mistakes(subject: Subject) -> Figure:
    return captioned(subject, worst_examples(subject))


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
