"""Kernels of convolutions as images or curves, each with what it answers; the weights of pixels as images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nettool.analysis.filters import CANCELLED, ONE_SIGNED, Filters, one_sidedness
from nettool.analysis.outcomes import Array
from nettool.plots.figures import COLORS, DIVERGING, POSITIVE, new_panels, overline, plain

MOST = 24
"""Filters or units of a layer that are shown."""
ACROSS = 12
MOST_LINES = 6
"""Inputs of a kernel in time that are a curve each; of more it is an image."""


def filters_over_images(found: Sequence[Filters], example: Array | None, what: str) -> Figure:
    """The first layer's kernels with their answers beneath, then the answers of the second layer.

    example: [height, width] or uint8 [height, width, 3], as it is shown; None where it is no image. what: it is.
    """
    first = found[0]
    chosen = [layer.strongest(MOST) for layer in found]
    rows = [-(-len(each) // ACROSS) for each in chosen]
    num_rows = 2 * rows[0] + sum(rows[1:])
    figure, panels = new_panels(
        num_rows, ACROSS + 1, 11.0, 0.7 + 0.92 * max(num_rows, 2), width_ratios=[2.1] + [1.0] * ACROSS
    )
    figure.get_layout_engine().set(h_pad=0.02, hspace=0.0, w_pad=0.02, wspace=0.0)  # type: ignore[union-attr, call-arg]
    for axes in panels:
        axes.set_axis_off()
    grid = np.array(panels, dtype=object).reshape(num_rows, ACROSS + 1)
    if example is not None:
        _show_example(grid[0, 0], example)
    grid[0, 0].set_title(plain(what, 26), fontsize=7.5)
    kernels = _images_of(first.kernels)
    limit, strongest = float(np.abs(first.kernels).max()) or 1.0, _limit(first)
    for place, number in enumerate(chosen[0]):
        row, column = 2 * (place // ACROSS), 1 + place % ACROSS
        _signed(grid[row, column], kernels[number], limit)
        grid[row, column].set_title(f"{number}", fontsize=7, pad=2)
        _signed(grid[row + 1, column], first.answers[number], strongest)
    _label(grid[1, 0], f"{_in_two(first.name)}\nkernels, and beneath\nwhat they answer{_of_all(chosen[0], first)}")
    start = 2 * rows[0]
    for layer, numbers, height in zip(found[1:], chosen[1:], rows[1:], strict=True):
        limit_ = _limit(layer)
        for place, number in enumerate(numbers):
            axes = grid[start + place // ACROSS, 1 + place % ACROSS]
            _signed(axes, layer.answers[number], limit_)
            axes.set_title(f"{number}", fontsize=7, pad=2)
        _label(grid[start, 0], f"{_in_two(layer.name)}\nwhat it answers{_of_all(numbers, layer)}")
        start += height
    is_colored = kernels.ndim == 4
    _colorbar(figure, panels, "kernels in colour, grey is 0" if is_colored else f"kernels up to ±{limit:.2g}")
    overline(figure, _told(first))
    return figure


def _told(layer: Filters) -> str:
    """What the kernels look for, as far as the sum of their weights tells."""
    num, size = len(layer.kernels), " × ".join(map(str, layer.kernels.shape[2:]))
    unit = "steps" if layer.in_time else "pixels"
    shares = one_sidedness(layer.kernels)
    contrast, brightness = int((shares < CANCELLED).sum()), int((shares > ONE_SIGNED).sum())
    level = "level" if layer.in_time else "brightness"
    kinds = (
        f"{contrast} look for contrast (their weights cancel out), {brightness} for {level} (nearly all of one sign)"
    )
    return f"{num} filter{'s' * (num > 1)} of {size} {unit}: {kinds}, {num - contrast - brightness} for both"


def _in_two(name: str) -> str:
    """`layers.1.layers.0 (conv2d)` on two lines."""
    return plain(name, 40).replace(" (", "\n(")


def _of_all(shown: Sequence[int], layer: Filters) -> str:
    num = len(layer.kernels)
    return f"\n{len(shown)} of {num}: those that\nanswer most" if len(shown) < num else ""


def _images_of(kernels: Array) -> Array:
    """[filters, height, width], or [filters, height, width, 3] of colours; of other channels their mean."""
    if kernels.shape[1] == 3:
        moved: Array = np.moveaxis(kernels, 1, -1)
        return moved
    mean: Array = kernels.mean(axis=1)
    return mean


def _limit(layer: Filters) -> float:
    return float(np.quantile(np.abs(layer.answers), 0.999)) or 1.0


def _signed(axes: Axes, image: Array, limit: float) -> None:
    """An image of numbers with a sign; of colours around grey."""
    if image.ndim == 3:
        axes.imshow(np.clip(0.5 + image / (2 * limit), 0, 1), interpolation="nearest")
    else:
        axes.imshow(image, cmap=DIVERGING, vmin=-limit, vmax=limit, interpolation="nearest")
    _framed(axes)


def _framed(axes: Axes) -> None:
    axes.set_axis_on()
    axes.grid(visible=False)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(True)
    axes.spines[:].set_color("#bbbbbb")


def _show_example(axes: Axes, example: Array) -> None:
    axes.imshow(example, cmap="gray", interpolation="nearest")
    _framed(axes)


def _label(axes: Axes, text: str) -> None:
    axes.text(1.0, 0.5, text, ha="right", va="center", fontsize=7.5, color="#333333", transform=axes.transAxes)


def _colorbar(figure: Figure, panels: Sequence[Axes], kernels: str) -> None:
    bar = figure.colorbar(
        ScalarMappable(Normalize(-1, 1), DIVERGING), ax=list(panels), shrink=0.7, aspect=30, pad=0.01, ticks=[-1, 0, 1]
    )
    bar.ax.set_yticklabels(["below 0", "0", "above 0"], fontsize=7)
    bar.set_label(f"{kernels}; answers of a layer by its strongest", fontsize=7)


def filters_over_time(layer: Filters, inputs: Sequence[str], what: str) -> Figure:
    """Each kernel as curves, one for each input, and its answer to the example beneath. inputs: their names."""
    chosen = layer.strongest(MOST // 2)
    across = min(len(chosen), 6)
    rows = 2 * -(-len(chosen) // across)
    figure, panels = new_panels(rows, across, 1.9 * max(across, 3) + 1.0, 0.8 + 1.2 * rows)
    limit, few = float(np.abs(layer.kernels).max()) or 1.0, layer.kernels.shape[1] <= MOST_LINES
    low, high = float(layer.answers.min()), float(layer.answers.max())
    room = 0.05 * (high - low) or 1.0
    for axes in panels:
        axes.set_visible(False)
    for place, number in enumerate(chosen):
        top = panels[2 * (place // across) * across + place % across]
        below = panels[(2 * (place // across) + 1) * across + place % across]
        top.set_visible(True)
        below.set_visible(True)
        if few:
            for line, weights in enumerate(layer.kernels[number]):
                label = plain(inputs[line], 20) if place == 0 and line < len(inputs) else None
                top.plot(weights, color=COLORS[line], marker=".", linewidth=1.4, label=label)
            top.axhline(0, color="#333333", linewidth=0.6)
            top.set_ylim(-1.08 * limit, 1.08 * limit)
        else:
            _signed(top, layer.kernels[number], limit)
            top.set_aspect("auto")
        top.set_title(f"filter {number}", fontsize=8)
        top.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        below.plot(layer.answers[number], color=POSITIVE, linewidth=1)
        below.set_ylim(low - room, high + room)
        for axes in (top, below):
            axes.tick_params(labelsize=6)
            if place % across:
                axes.tick_params(labelleft=False)
        if place % across == 0:
            top.set_ylabel("weight" if few else f"{layer.kernels.shape[1]} inputs", fontsize=7)
            below.set_ylabel("answer", fontsize=7)
    if few and any(inputs):
        figure.legend(loc="outside right upper", frameon=False, fontsize=8, title="input", title_fontsize=8)
    left_out = len(layer.kernels) - len(chosen)
    more = f"; shown are those {len(chosen)} that answer most" if left_out else ""
    overline(figure, f"{_told(layer)}{more}. Above the kernel, below its answer to {plain(what, 60)}")
    return figure


def weights_of_pixels(name: str, weights: Array, units: Sequence[str]) -> Figure:
    """Each unit's weights as an image. weights: float [units, channels, height, width], NaN where a pixel is no input.
    units: what each stands for, or nothing.
    """
    size = np.sqrt(np.nanmean(weights.reshape(len(weights), -1) ** 2, axis=1))
    chosen = sorted(np.argsort(-size, kind="stable")[:MOST].tolist())
    across = min(8, len(chosen))
    rows = -(-len(chosen) // across)
    figure, panels = new_panels(rows, across, 1.15 * max(across, 4) + 0.9, 0.8 + 1.25 * rows)
    limit = float(np.nanquantile(np.abs(weights), 0.999)) or 1.0
    images = _images_of(weights)
    for axes in panels:
        axes.set_axis_off()
    for axes, number in zip(panels, chosen, strict=False):
        image = images[number]
        axes.set_facecolor("#dddddd")
        _signed(axes, np.nan_to_num(image) if image.ndim == 3 else image, limit)
        axes.set_title(plain(units[number], 14) if units else f"unit {number}", fontsize=7.5, pad=2)
    _bar_of_weights(figure, panels, limit)
    overline(figure, _wanted(name, weights, len(chosen), bool(units)))
    return figure


def _bar_of_weights(figure: Figure, panels: Sequence[Axes], limit: float) -> None:
    bar = figure.colorbar(
        ScalarMappable(Normalize(-limit, limit), DIVERGING), ax=list(panels), shrink=0.8, aspect=30, pad=0.02
    )
    bar.ax.tick_params(labelsize=7)
    bar.set_label("weight", fontsize=7)


def _wanted(name: str, weights: Array, shown: int, has_names: bool) -> str:
    changes = _roughness(weights)
    looks = (
        "they are smooth: neighbouring pixels count alike"
        if changes < 0.5
        else "they are rough: neighbouring pixels count as differently as any two"
        if changes > 0.9
        else "neighbouring pixels count somewhat alike"
    )
    num = len(weights)
    which = f"each of {num} {'outputs' if has_names else 'units'} of {plain(name, 30)}"
    more = f" (shown: the {shown} with the largest weights)" if shown < num else ""
    return f"where {which} wants bright pixels (blue) and where dark ones (orange){more}; {looks}"


def _roughness(weights: Array) -> float:
    """The mean square of the steps between neighbours, as a share of that between any two: 0 is smooth, 1 noise."""
    steps = np.concatenate([np.diff(weights, axis=axis).ravel() for axis in (2, 3)])
    spread = 2 * np.nanvar(weights, axis=(1, 2, 3)).mean()
    return float(np.nanmean(steps**2) / spread) if spread > 0 else 0.0
