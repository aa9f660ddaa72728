"""Pictures of predicted classes: which are taken for which, and what a probability is worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, PercentFormatter

from nettool.analysis.outcomes import Classified
from nettool.analysis.thresholds import Reliability, Sweep, confusion, reliability, sweep_thresholds
from nettool.plots.figures import COLORS, FADED, headline, new_figure, new_panels, plain, readable_on

MOST_NUMBERED = 16
"""Classes of which every cell has its number, and every row its name."""
MOST_CURVES = 8
_POOR = "#8c8c8c"
_ROUNDING = 1e-9
"""Of a sum of shares."""


def confusion_matrix(outcome: Classified) -> Figure:
    """Actual classes by row, what they were taken for by column; colour is the share of the row."""
    counts, num = confusion(outcome), len(outcome.classes)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1e-300)
    few = num <= MOST_NUMBERED
    side = min(max(2.4 + 0.55 * num, 4.6), 10.0)
    figure, axes = new_figure(side + 1.2, side)
    axes.grid(visible=False)
    wrong = shares[~np.eye(num, dtype=bool)]
    # Beside ten thousand that are right, the few that are wrong would all be white.
    norm = Normalize(0, 1) if few else LogNorm(max(wrong[wrong > 0].min(initial=1.0) / 2, 1e-4), 1.0)
    image = axes.imshow(shares if few else np.where(shares > 0, shares, np.nan), cmap="Blues", norm=norm)
    bar = figure.colorbar(image, ax=axes, shrink=0.8, format=PercentFormatter(1.0))
    bar.set_label("of the actual class")
    axes.set_anchor("W")  # in the middle of its room its labels would have less than was found for them
    bar.ax.yaxis.set_minor_formatter(NullFormatter())  # of a log scale: 6×10⁻¹ beside per cents
    if few:
        for row in range(num):
            for column in range(num):
                if counts[row, column]:
                    color = readable_on(image.cmap(norm(shares[row, column])))
                    weight = "bold" if row == column else "normal"
                    axes.text(
                        column, row, _count(counts[row, column]), ha="center", va="center", color=color,
                        fontsize=9 if num <= 10 else 7, fontweight=weight,
                    )  # fmt: skip
    _name_classes(axes, outcome.classes)
    axes.set_xlabel("predicted")
    axes.set_ylabel("actual")
    headline(axes, f"{outcome.accuracy:.1%} right{_worst(outcome, counts)}")
    return figure


def _count(number: float) -> str:
    return f"{number:,.0f}" if number == int(number) else f"{number:,.1f}"


def _worst(outcome: Classified, counts: np.ndarray) -> str:
    """The mistake that is made most often, in words."""
    wrong = counts * ~np.eye(len(counts), dtype=bool)
    if not wrong.any():
        return ""
    row, column = np.unravel_index(wrong.argmax(), wrong.shape)
    actual, predicted = plain(outcome.classes[row], 20), plain(outcome.classes[column], 20)
    times = "once" if wrong.max() == 1 else f"{_count(wrong.max())} times"
    return f"; most often wrong: {actual} taken for {predicted} ({times})"


def _name_classes(axes: Axes, classes: tuple[str, ...]) -> None:
    """At most as many names as have room."""
    every = -(-len(classes) // 40)
    places = range(0, len(classes), every)
    names = [plain(classes[place], 16) for place in places]
    size = 9 if len(classes) <= 20 else 6
    turned = max(map(len, names)) * len(names) > 60
    axes.set_xticks(places, names, rotation=90 if turned else 0, fontsize=size)
    axes.set_yticks(places, names, fontsize=size)


def _curves(outcomes: Mapping[str, Classified]) -> list[tuple[str, Sweep]]:
    """One of two classes, else of each class against the rest, or of each label; those that have both sides."""
    found = []
    for name, outcome in outcomes.items():
        numbers = [1] if len(outcome.classes) == 2 else range(len(outcome.classes))
        for number in numbers:
            sweep = sweep_thresholds(*outcome.one_against_rest(number), outcome.weights)
            if sweep.positives and sweep.negatives:
                found.append((name or outcome.classes[number], sweep))
    return found


def roc(outcomes: Mapping[str, Classified]) -> Figure:
    """Of the positive ones how many are found, against how many of the negative are taken for positive."""
    figure, axes = new_figure(6.6, 5.0)
    axes.plot([0, 1], [0, 1], color=_POOR, linestyle="--", linewidth=1, label="guessing (0.500)")
    found = sorted(_curves(outcomes), key=lambda one: one[1].area)
    shown, perfect = _apart([(name, sweep, sweep.area) for name, sweep in found])
    for place, (name, sweep) in enumerate(shown):
        x, y = np.append(0.0, sweep.false_alarms), np.append(0.0, sweep.recall)
        axes.plot(x, y, **_style(place, len(shown), name))
    if len(found) == 1:
        _mark_half(axes, found[0][1], found[0][1].false_alarms, found[0][1].recall)
    areas = [sweep.area for _, sweep in found]
    headline(axes, _told("area under the curve", areas, "0.5 is guessing, 1 is perfect", perfect))
    axes.set_xlabel("false alarms: share of the negative taken for positive")
    axes.set_ylabel("recall: share of the positive that is found")
    return _squared(figure, axes)


def precision_recall(outcomes: Mapping[str, Classified]) -> Figure:
    """Of those found how many are positive, against how many of the positive are found."""
    figure, axes = new_figure(6.6, 5.0)
    found = sorted(_curves(outcomes), key=lambda one: one[1].average_precision)
    shown, perfect = _apart([(name, sweep, sweep.average_precision) for name, sweep in found])
    for place, (name, sweep) in enumerate(shown):
        x, y = np.append(0.0, sweep.recall), np.append(sweep.precision[0], sweep.precision)
        axes.plot(x, y, drawstyle="steps-pre", **_style(place, len(shown), name))
    if len(found) == 1:
        ((_, sweep),) = found
        share = sweep.positives / (sweep.positives + sweep.negatives)
        axes.axhline(share, color=_POOR, linestyle="--", linewidth=1, label=f"guessing ({share:.3f})")
        _mark_half(axes, sweep, sweep.recall, sweep.precision)
    values = [sweep.average_precision for _, sweep in found]
    headline(axes, _told("average precision", values, "1 is perfect", perfect))
    axes.set_xlabel("recall: share of the positive that is found")
    axes.set_ylabel("precision: share of those found that is positive")
    return _squared(figure, axes)


def _apart(found: list[tuple[str, Sweep, float]]) -> tuple[list[tuple[str, Sweep]], int]:
    """Curves with their labels, and how many are perfect: these lie on each other, so that one of them stands for all.

    found: each with its value, the worst first.
    """
    perfect = [name for name, _, value in found if value > 1 - _ROUNDING]
    shown = [(f"{plain(name, 24)} ({value:.3f})", sweep) for name, sweep, value in found]
    if len(perfect) < 2:
        return shown, len(perfect)
    names = ", ".join(plain(name, 16) for name in perfect[:3]) + (" ..." if len(perfect) > 3 else "")
    return [*shown[: -len(perfect)], (f"{len(perfect)} alike: {names} (1.000)", found[-1][1])], len(perfect)


def _told(what: str, values: list[float], scale: str, perfect: int) -> str:
    if len(values) == 1:
        return f"{what}: {values[0]:.3f} ({scale})"
    told = f"{what}: {np.mean(values):.3f} on average, {min(values):.3f} at worst ({scale})"
    return f"{told}; {perfect} of {len(values)} are perfect, and lie on each other" if perfect > 1 else told


def _style(place: int, num: int, label: str) -> dict[str, Any]:
    """The worst have colours and names: they come first."""
    if place < MOST_CURVES:
        return {"color": COLORS[place], "label": label, "linewidth": 1.8, "zorder": 3}
    return {"color": FADED, "linewidth": 0.8, "label": f"{num - MOST_CURVES} more" if place == num - 1 else None}


def _mark_half(axes: Axes, sweep: Sweep, x: np.ndarray, y: np.ndarray) -> None:
    place = sweep.at(0.5)
    if place >= 0:
        axes.plot(x[place], y[place], "o", color=COLORS[1], markersize=8, label="probability above 0.5", zorder=4)


def _squared(figure: Figure, axes: Axes) -> Figure:
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_aspect("equal")
    if len(axes.get_legend_handles_labels()[0]) <= 4:
        axes.legend(frameon=False, fontsize=9, loc="best")
    else:
        figure.legend(loc="outside right upper", frameon=False, fontsize=8, title="the worst first", alignment="left")
    return figure


def calibration(outcomes: Mapping[str, Classified]) -> Figure:
    """How often it came true, by how sure the network was; below, how often it was so sure. Of two classes it is the
    second one's probability; the error in the title is that of the chosen class, the metric.

    The larger a dot, the more examples; its bar is what chance alone makes of so few (95 %).
    """
    figure, (axes, below) = new_panels(2, 1, 6.2, 6.4, height_ratios=[4, 1], sharex=True)
    axes.plot([0, 1], [0, 1], color=_POOR, linestyle="--", linewidth=1, label="as sure as it is right")
    found: list[tuple[str, Reliability]] = [(name, reliability(outcome)) for name, outcome in outcomes.items()]
    for place, (name, bins) in enumerate(found[:MOST_CURVES]):
        color = COLORS[place]
        dots = 12 + 160 * bins.weight / bins.weight.max()
        axes.plot(bins.confidence, bins.accuracy, color=color, linewidth=1, alpha=0.5, label=plain(name) or None)
        axes.scatter(bins.confidence, bins.accuracy, s=dots, color=color, linewidths=0, zorder=3)
        axes.vlines(bins.confidence, *bins.range, color=color, linewidth=1.2, alpha=0.5)
        below.bar(bins.confidence, bins.weight / bins.weight.sum(), width=0.05, color=color, alpha=0.7)
    first = next(iter(outcomes.values()))
    is_binary = len(first.classes) == 2
    event = (
        f"it was {plain(first.classes[1], 20)}" if is_binary and len(found) == 1 else "it was" if is_binary else "right"
    )
    if len(found) == 1:
        bins = found[0][1]
        gap = float(((bins.confidence - bins.accuracy) * bins.weight).sum() / bins.weight.sum())
        verdict = "too high" if gap > 0.02 else "too low" if gap < -0.02 else "about right"
        of_chosen = ", of the class that was chosen" if is_binary else ""
        text = f"calibration_error {bins.error:.4g} (as eval gives it{of_chosen})"
        headline(axes, f"{text}; the probabilities are {verdict} as a whole")
    else:
        mean = sum(bins.error for _, bins in found) / len(found)
        name, worst = max(found, key=lambda each: each[1].error)
        text = f"calibration_error {mean:.4g}, the mean over {len(found)} labels"
        headline(axes, f"{text}; the farthest off is {plain(name)} ({worst.error:.4g})")
    axes.set_ylabel(f"how often {event}")
    below.set_xlabel("how sure the network was (probability)")
    below.set_ylabel("share")
    below.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_ylim(-0.02, 1.02)
    axes.legend(frameon=False, fontsize=9, loc="upper left")
    return figure


def gains(outcome: Classified) -> Figure:
    """Two classes: how many of the second are found in the surest examples, and what each threshold gives."""
    sweep = sweep_thresholds(*outcome.one_against_rest(1), outcome.weights)
    name = plain(outcome.classes[1], 20)
    figure, (left, right) = new_panels(1, 2, 10.0, 4.4)
    share = sweep.positives / (sweep.positives + sweep.negatives)
    left.plot([0, share, 1], [0, 1, 1], color=FADED, label="perfect")
    left.plot(
        np.append(0.0, sweep.found), np.append(0.0, sweep.recall), color=COLORS[0], linewidth=1.8, label="network"
    )
    left.plot([0, 1], [0, 1], color=_POOR, linestyle="--", linewidth=1, label="any order")
    tenth = float(np.interp(0.1, np.append(0.0, sweep.found), np.append(0.0, sweep.recall)))
    headline(left, f"the surest tenth holds {tenth:.0%} of all {name}")
    left.set_xlabel(f"share of all examples, the surest {name} first")
    left.set_ylabel(f"share of all {name} that is among them")
    best = int(sweep.f1.argmax())
    for values, color, label in (
        (sweep.precision, COLORS[0], "precision"),
        (sweep.recall, COLORS[1], "recall"),
        (sweep.f1, COLORS[2], "F1, their mean"),
    ):
        right.step(sweep.threshold, values, where="post", color=color, label=label)
    right.axvline(0.5, color=_POOR, linewidth=1, linestyle="--")
    right.plot(sweep.threshold[best], sweep.f1[best], "o", color=COLORS[2], markersize=8, zorder=4)
    headline(right, f"best F1 {sweep.f1[best]:.3f}, at {sweep.threshold[best]:.2f} and above")
    right.set_xlabel(f"threshold: predicted to be {name} from here on")
    for axes in (left, right):
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes.set_ylim(-0.02, 1.03)
        axes.set_xlim(-0.02, 1.02)
        axes.legend(frameon=False, fontsize=9, loc="lower right" if axes is left else "lower center")
    right.xaxis.set_major_formatter("{x:.1f}")
    return figure
