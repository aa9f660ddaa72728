"""Pictures of many runs: a metric against what was varied, curves over each other, loss against the learning rate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nettool.plots.figures import COLORS, FADED, legend, new_figure, plain

MOST_TICKS = 8
MOST_LINES = len(COLORS)
"""Beyond it lines are grey but for the best ones: nobody tells twenty colours apart."""


@dataclass(frozen=True)
class Spot:
    """One setting: its value on the axis, as typed, what it reached, and how far that spreads over seeds.

    line: what else was varied, as text; spots of one line are joined. train: the training loss there, to be seen beside
    the validation loss.
    """

    value: str
    mean: float
    deviation: float | None = None
    line: str = ""
    train: float | None = None


@dataclass(frozen=True)
class Curve:
    """What was measured after each epoch of one run; None where it was no number."""

    label: str
    epochs: Sequence[float]
    values: Sequence[float | None]


def metric_against_key(key: str, metric: str, spots: Sequence[Spot], is_log: bool, larger_is_better: bool) -> Figure:
    """A metric against one key that was varied: bars are the standard deviation over seeds and folds."""
    figure, axes = new_figure()
    places = _places([spot.value for spot in spots])
    numeric = _are_numbers(spot.value for spot in spots)
    lines: dict[str, list[Spot]] = {}
    for spot in spots:
        lines.setdefault(spot.line, []).append(spot)

    def best_of(line: str) -> float:
        values = [spot.mean for spot in lines[line]]
        return -max(values) if larger_is_better else min(values)

    for place, line in enumerate(sorted(lines, key=best_of)):
        ordered = sorted(lines[line], key=lambda spot: places[spot.value])
        color = COLORS[place] if place < MOST_LINES else FADED
        spread = [spot.deviation or 0.0 for spot in ordered] if any(spot.deviation for spot in ordered) else None
        axes.errorbar(
            [places[spot.value] for spot in ordered], [spot.mean for spot in ordered], spread, color=color,
            label=plain(line) if line and place < MOST_LINES else None, marker="o", markersize=4, capsize=3,
            linestyle="-" if numeric else "none", zorder=2 if place >= MOST_LINES else 3,
        )  # fmt: skip
    trained = sorted((places[spot.value], spot.train) for spot in spots if spot.train is not None)
    both = len(lines) == 1 and numeric and len(trained) > 1
    if both:
        axes.plot(*zip(*trained, strict=True), color=COLORS[1], linestyle="--", marker=".", label="training loss")
        axes.lines[0].set_label(plain(metric.replace("_", " ")))
        legend(figure, "")
    best = (max if larger_is_better else min)(spots, key=lambda spot: spot.mean)
    axes.plot([places[best.value]], [best.mean], marker="*", markersize=15, color="#e69f00", zorder=4, linestyle="none")
    told = f"{key}={best.value} {best.line}".strip()
    axes.set_title(plain(f"the best: {told}, {best.mean:.4g}", 90), fontsize=10, loc="left")
    if numeric and is_log:
        axes.set_xscale("log")
    if not numeric or (len(places) <= MOST_TICKS and not is_log):
        axes.set_xticks(list(places.values()), [plain(value, 24) for value in places])
    _stretch(axes, [spot.mean for spot in spots])
    axes.set_xlabel(plain(key))
    axes.set_ylabel("loss" if both else plain(metric.replace("_", " ")))
    if len(lines) > 1:
        legend(figure, "the best first")
    return figure


def curves(metric: str, found: Sequence[Curve]) -> Figure:
    """One metric of several runs over their epochs, the best first. Those of one label have one colour."""
    figure, axes = new_figure()
    labels = list(dict.fromkeys(curve.label for curve in found))
    drawn: set[str] = set()
    for curve in found:
        place = labels.index(curve.label)
        color = COLORS[place] if place < MOST_LINES else FADED
        values = [float("nan") if value is None else value for value in curve.values]
        axes.plot(
            curve.epochs, values, color=color, linewidth=1.6 if place < MOST_LINES else 0.8,
            label=plain(curve.label) if place < MOST_LINES and curve.label not in drawn else None,
            zorder=2 if place >= MOST_LINES else 3,
        )  # fmt: skip
        drawn.add(curve.label)
    _stretch(axes, [value for curve in found for value in curve.values if value is not None])
    axes.set_xlabel("epoch")
    axes.set_ylabel(plain(metric.replace("_", " ")))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend(figure, "the best first" if len(labels) <= MOST_LINES else f"the best of {len(labels)}")
    return figure


def rate_test(
    rates: Sequence[float],
    losses: Sequence[float],
    smooth: Sequence[float],
    tried: Sequence[tuple[float, float]],
    measured: str,
) -> Figure:
    """The training loss while the learning rate rises, and the (rate, loss) of the short trainings, the best marked.

    measured: which loss theirs is.
    """
    figure, axes = new_figure()
    axes.plot(rates, losses, color=FADED, linewidth=0.8, label="training loss of each step")
    axes.plot(rates, smooth, color=COLORS[0], linewidth=1.8, label="smoothed")
    reached = [(rate, loss) for rate, loss in tried if loss < float("inf")]
    if reached:
        best, label = min(reached, key=lambda lap: lap[1])[0], f"{measured} of short trainings"
        axes.axvline(best, color=COLORS[1], linestyle="--", label=f"suggested: {best:.2g}")
        axes.plot(*zip(*reached, strict=True), color=COLORS[1], marker="o", linestyle=":", label=label)
    axes.set_xscale("log")
    finite = [value for value in smooth if value == value]
    if finite:
        low = min(*finite, *(loss for _, loss in reached)) if reached else min(finite)
        high = max(finite[0], min(finite) * 1.01)
        axes.set_ylim(low - 0.15 * (high - low), high + 0.6 * (high - low))
    axes.set_xlabel("learning rate")
    axes.set_ylabel("loss")
    axes.legend(frameon=False, fontsize=9)
    return figure


def _are_numbers(values: Iterable[str]) -> bool:
    return all(_number(value) is not None for value in values)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _places(values: Sequence[str]) -> Mapping[str, float]:
    """Where each value stands on the axis: numbers where they are, words one beside the other."""
    distinct = list(dict.fromkeys(values))
    numbers = {value: _number(value) for value in distinct}
    if any(number is None for number in numbers.values()):
        return {value: float(place) for place, value in enumerate(distinct)}
    return {value: number for value, number in numbers.items() if number is not None}


def _stretch(axes: Axes, values: Sequence[float]) -> None:
    """A log axis where the values span so much that the good ones would lie on one line."""
    finite = [value for value in values if abs(value) < float("inf")]
    if finite and min(finite) > 0 and max(finite) / min(finite) > 6:
        axes.set_yscale("log")
