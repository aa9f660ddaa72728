"""What a run's network looks at in images, for some that are right and the surest mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nettool.analysis.mistakes import worst
from nettool.analysis.occlusion import MOST_PLACES, Answer, occlusion, patch_for
from nettool.analysis.outcomes import Classified, Numbers
from nettool.config.signature import ClassTarget
from nettool.data.examples import spread
from nettool.workflows.pictures.subject import Subject

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from nettool.plots.occlusion import Hidden

MOST_FLOPS = 4e10
"""The arithmetic that all patches on all examples may cost."""
MOST_LOOKED_AT = 500
"""Images whose mean is the colour of the patch."""
BOUNDS = ((8, MOST_PLACES), (8, 11), (8, 7), (4, 7), (4, 5), (2, 5))
"""Examples, and places of the patch along a side: the first that keeps to that; the last in any case."""


def occlusion_of(subject: Subject) -> Figure:
    """Heat over images; of several targets, the first."""
    from nettool.plots import occlusion as plots

    outcome = next(iter(subject.outcomes.values()))
    num, most = _bounds(subject)
    pixels = subject.examples.features
    assert isinstance(pixels, np.ndarray)
    fill = pixels[spread(len(pixels), MOST_LOOKED_AT)].mean(axis=(0, 2, 3)).round().astype(np.uint8)
    patch = patch_for(pixels.shape[2], pixels.shape[3], most)
    found: list[Hidden] = []
    for place, is_wrong in _chosen(outcome, num):
        told, answer = _watched(subject, outcome, place)
        image = pixels[int(outcome.places[place])]
        found.append(plots.Hidden(image, occlusion(image, answer, patch, fill), told, is_wrong))
    name = "" if isinstance(outcome, Classified) else outcome.name
    title = _told(found, name, f"{patch.height} × {patch.width} pixels")
    return plots.occlusion(found, title, name or "probability")


def _bounds(subject: Subject) -> tuple[int, int]:
    flops = subject.trained.plan.flops
    keeps = [bound for bound in BOUNDS if bound[0] * (bound[1] ** 2 + 1) * flops <= MOST_FLOPS]
    return (keeps or BOUNDS[-1:])[0]


def _chosen(outcome: Classified | Numbers, num: int) -> list[tuple[int, bool]]:
    """Places in the outcome: some that are right, of classes as different as there are, then the surest mistakes."""
    if isinstance(outcome, Numbers):
        order = np.argsort(np.abs(outcome.residuals), kind="stable")
        half = min(num // 2, len(order) // 2)
        return [(int(place), False) for place in order[: max(half, 1)]] + [
            (int(place), True) for place in order[::-1][:half]
        ]
    index = {int(place): number for number, place in enumerate(outcome.places)}
    wrong = [index[mistake.place] for mistake in worst(outcome, num // 2)]
    right = np.flatnonzero(outcome.is_right)
    _, firsts = np.unique(outcome.actual[right], return_index=True)
    firsts = firsts[spread(len(firsts), num - len(wrong))]
    rest = np.setdiff1d(np.arange(len(right)), firsts)[: num - len(wrong) - len(firsts)]
    return [(int(place), False) for place in right[np.append(firsts, rest)]] + [(place, True) for place in wrong]


def _watched(subject: Subject, outcome: Classified | Numbers, place: int) -> tuple[str, Answer]:
    """The example in words, and the number that is watched: the probability of what is predicted, or the number."""
    from nettool.plots.figures import plain

    if isinstance(outcome, Numbers):
        told = f"{outcome.actual[place]:.4g}\npredicted {outcome.predicted[place]:.4g}"
        return told, lambda images: subject.predict(images)[:, 0]
    actual, predicted = int(outcome.actual[place]), int(outcome.predicted[place])
    names = [plain(outcome.classes[number], 14) for number in (actual, predicted)]
    sure = f"{outcome.probabilities[place, predicted]:.0%}"
    told = f"{names[0]}\n{sure} sure" if actual == predicted else f"{names[0]}, but says\n{names[1]} ({sure})"
    target = subject.trained.target
    if isinstance(target, ClassTarget) and not target.binary:
        return told, lambda images: subject.predict(images)[:, predicted]
    if predicted:
        return told, lambda images: subject.predict(images)[:, 0]
    return told, lambda images: 1 - subject.predict(images)[:, 0]


def _told(found: Sequence[Hidden], name: str, size: str) -> str:
    """name: of the predicted number; "" of a class."""
    from nettool.plots.figures import plain

    parts = []
    for is_wrong, how in ((False, "right"), (True, "wrong")):
        most = [float(one.lost.max()) for one in found if one.is_wrong == is_wrong]
        if most:
            parts.append(f"{sum(most) / len(most):.2g} where it is {how}")
    what = f"the predicted {plain(name, 24)}" if name else "the probability of what it says"
    lowers = f"hiding what tells most, by a patch of {size}, lowers {what} by {' and by '.join(parts)}"
    return f"{lowers} (orange; blue: hiding it raises it)"
