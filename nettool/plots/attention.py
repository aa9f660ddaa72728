"""Attention maps: which token looks at which, layers as rows and heads as columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.figure import Figure

from nettool.analysis.attention import AttentionMap, Habit, habit
from nettool.data.examples import spread
from nettool.plots.figures import POSITIVE, new_panels, overline, plain, visible

MOST_TOKENS, MOST_LAYERS, MOST_HEADS = 32, 6, 6
_HIDDEN = "#d9d9d9"
_BLUES = LinearSegmentedColormap.from_list("white to blue", ["#ffffff", "#8ec1e0", POSITIVE, "#00304d"])
_SHADES = _BLUES.with_extremes(bad=_HIDDEN)


def attention(maps: Sequence[AttentionMap], tokens: Sequence[str], unit: str, note: str) -> Figure:
    """Each head's map of the first tokens. tokens: of all steps. unit: what these are. note: on what is left out."""
    layers = [maps[place] for place in spread(len(maps), MOST_LAYERS).tolist()]
    num_heads = max(len(layer.weights) for layer in layers)
    across = min(num_heads, MOST_HEADS)
    num = min(MOST_TOKENS, len(layers[0].weights[0]))
    shown = [plain(visible(token), 12) for token in tokens[:num]]
    side = max(1.9, min(0.085 * num + 0.3, 3.0)) + (0.6 if across * len(layers) == 1 else 0.0)
    longest = max(map(len, shown), default=1)
    edge = 0.5 + 0.055 * longest
    figure, panels = new_panels(len(layers), across, side * across + edge + 1.1, side * len(layers) * 1.06 + edge + 0.9)
    size = min(8.0, 62.0 * side / max(num, 8))
    habits = [[habit(head, layer.causal) for head in layer.weights] for layer in maps]
    image = None
    for row, layer in enumerate(layers):
        for column in range(across):
            axes = panels[row * across + column]
            if column >= len(layer.weights):
                axes.set_visible(False)
                continue
            weights = layer.weights[column][:num, :num]
            allowed = np.ma.array(weights, mask=np.triu(np.ones_like(weights, bool), 1) & layer.causal)
            image = axes.imshow(allowed, cmap=_SHADES, norm=PowerNorm(0.5, 0, 1), interpolation="nearest")
            _name_tokens(axes, shown, size, left=column == 0, below=row == len(layers) - 1)
            told = _in_short(habit(layer.weights[column], layer.causal), unit)
            axes.set_title(f"head {column + 1}: {told}", fontsize=7.5, pad=3)
        panels[row * across].set_ylabel(f"{plain(layer.name, 48)}\nwho looks", fontsize=8)
    assert image is not None
    bar = figure.colorbar(image, ax=panels, shrink=min(1.0, 2.2 / (side * len(layers))), pad=0.01)
    masked = " (grey: may not look there)" if any(layer.causal for layer in maps) else ""
    bar.set_label(f"share of the attention{masked}", fontsize=7.5)
    bar.ax.tick_params(labelsize=7)
    parts = [_told(habits, unit), *_left_out(len(layers), len(maps), across, num_heads), *([note] if note else [])]
    overline(figure, "; ".join(parts))
    return figure


def _name_tokens(axes: Axes, tokens: Sequence[str], size: float, left: bool, below: bool) -> None:
    axes.grid(visible=False)
    axes.spines[:].set_visible(True)
    axes.spines[:].set_color("#999999")
    places = range(len(tokens))
    axes.set_yticks(places, tokens if left else [], fontsize=size)
    axes.set_xticks(places, tokens if below else [], fontsize=size, rotation=90 if max(map(len, tokens)) > 1 else 0)
    axes.tick_params(length=0, pad=1.5)
    if below:
        axes.set_xlabel("at what", fontsize=8)


def _in_short(one: Habit, unit: str) -> str:
    return f"{one.place} ({one.share:.0%})" if one.place else f"over {one.spread:.0f} {unit}"


def _told(habits: Sequence[Sequence[Habit]], unit: str) -> str:
    """What the heads of all layers do, in words."""
    every = [one for layer in habits for one in layer]
    if len(every) == 1:
        (one,) = every
        spreads = f"spreads over {one.spread:.0f} {unit}"
        return f"the head {f'looks mostly at {one.place}' if one.place else spreads}"
    counts = Counter(one.place for one in every if one.place)
    named = [f"{number} mostly at {place}" for place, number in counts.most_common()]
    rest = len(every) - sum(counts.values())
    if not named:
        mean = sum(one.spread for one in every) / len(every)
        return f"all {len(every)} heads spread their attention, over {mean:.0f} {unit} on average"
    return f"of {len(every)} heads look {', '.join(named)}{f'; {rest} spread' if rest else ''}"


def _left_out(layers: int, all_layers: int, heads: int, all_heads: int) -> list[str]:
    found = []
    if layers < all_layers:
        found.append(f"{layers} of {all_layers} layers are shown")
    if heads < all_heads:
        found.append(f"the first {heads} of {all_heads} heads are shown")
    return found
