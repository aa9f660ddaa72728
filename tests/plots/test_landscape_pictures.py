"""Landscapes, the ways through them, the line between two networks, and activations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from nettool.analysis.activations import responses
from nettool.analysis.landscape import Landscape, random_plane
from nettool.analysis.line import Line
from nettool.plots.activations import activations
from nettool.plots.landscape import Path as Way
from nettool.plots.landscape import landscape, landscapes
from nettool.plots.line import Ends, line
from tests.plots.drawing import drawn, title


def test_a_landscape_that_leaves_the_numbers_is_drawn_all_the_same() -> None:
    weights = {"w": torch.ones(2, 2)}
    loss = np.add.outer(np.linspace(-1, 1, 9) ** 2, np.linspace(-1, 1, 7) ** 2)
    for spoiled in (
        loss,
        loss + 1,
        np.where(loss > 1.5, np.nan, loss),
        np.where(loss > 1, np.inf, loss),
        loss * 0 + 3,
        loss * np.nan,
    ):
        found = Landscape(random_plane(weights), np.linspace(-1, 1, 7), np.linspace(-1, 1, 9), spoiled)
        figure = landscape(found, [Way("run", np.array([0.5, 0.0]), np.array([0.5, 0.0]))], "title")
        drawn(figure)
        assert title(figure) == "title"
        assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["run"]
    figure = landscape(found, [], "title")
    drawn(figure)
    assert figure.axes[0].get_legend() is None


def valley(width: int, height: int, deep: float) -> Landscape:
    """A bowl."""
    x, y = np.linspace(-1, 1, width), np.linspace(-1, 1, height)
    return Landscape(random_plane({"w": torch.ones(2, 2)}), x, y, np.add.outer(y**2, x**2) + deep)


def surface_of(figure: Figure) -> Any:
    (axes,) = (axes for axes in figure.axes if axes.name == "3d")
    return axes


def test_the_way_of_training_lies_on_the_surface_where_that_can_be_seen_and_is_dotted_where_not() -> None:
    bowl = valley(21, 21, 1.0)
    slope = 2 + 0.2 * bowl.x + 0.5 * bowl.y[:, None]  # away from the eye it rises
    found = Landscape(bowl.plane, bowl.x, bowl.y, slope)
    way = Way("run", np.array([0.5, 0.25, 0.0]), np.array([0.5, 0.3, 0.0]))
    figure = landscape(found, [way], "title")
    surface_axes = surface_of(figure)
    assert (surface_axes.get_xlabel(), surface_axes.get_ylabel(), surface_axes.get_zlabel()) == (
        "random direction", "another random direction", "loss",
    )  # fmt: skip
    low, high = surface_axes.get_zlim()
    _, solid, begin, end = surface_axes.lines
    x, y, z = solid.get_data_3d()
    assert (list(x), list(y)) == (list(way.x), list(way.y))
    assert z - 0.01 * (high - low) == pytest.approx(2 + 0.2 * way.x + 0.5 * way.y)
    assert (begin.get_marker(), end.get_marker()) == ("o", "*")
    assert "dotted" not in surface_axes.get_title()
    drawn(figure)
    wall = Landscape(bowl.plane, bowl.x, bowl.y, np.where(bowl.y < -0.85, 5.0, 0.1)[:, None] + 0 * slope)
    figure = landscape(wall, [Way("run", np.array([-0.1, 0.0]), np.array([-0.75, 0.9]))], "title")
    assert np.isnan(surface_of(figure).lines[1].get_data_3d()[2]).tolist() == [True, False]
    assert "a way is dotted behind it" in surface_of(figure).get_title()


def test_landscapes_beside_each_other_have_one_scale_of_colours_and_of_heights() -> None:
    deep, flat = valley(9, 9, 0.001), valley(9, 9, 1.0)
    figure = landscapes([("deep", deep), ("$flat$", flat)], "title")
    maps = [axes for axes in figure.axes if axes.name != "3d" and axes.get_label() != "<colorbar>"]
    surfaces = [axes for axes in figure.axes if axes.name == "3d"]
    assert [len(maps), len(surfaces)] == [2, 2]
    levels = [axes.collections[0].levels for axes in maps]
    assert (levels[0] == levels[1]).all()
    assert maps[0].collections[0].norm is maps[1].collections[0].norm
    assert surfaces[0].get_zlim() == surfaces[1].get_zlim()
    assert maps[0].get_xlim() == maps[1].get_xlim()
    assert title(figure).startswith("deep: 0.001 in the middle; half of the plane is above ")
    assert title(figure, figure.axes.index(maps[1])).startswith(r"\$flat\$: 1 in the middle")
    drawn(figure)
    nothing = Landscape(flat.plane, flat.x, flat.y, flat.loss * np.nan)
    drawn(landscapes([("deep", deep), ("nothing", nothing)], "title"))


def test_a_line_says_whether_there_is_a_hill_on_the_way() -> None:
    at = np.array([-0.25, 0.0, 0.5, 1.0, 1.25])
    hill, fall = np.array([3.0, 1.0, 2.5, 1.0, np.inf]), np.array([5.0, 4.0, 2.0, 1.0, 1.5])
    values = {
        "training loss": hill,
        "training accuracy": 1 / hill,
        "validation loss": fall,
        "validation accuracy": 1 / fall,
    }
    found, of_one, of_two = Line(at, values), Ends("first", "best", of_one_run=True), Ends("$a$", "b", of_one_run=False)
    splits = ("training", "validation")
    figure = line(found, splits, "accuracy", of_two)
    assert title(figure) == (
        "on the straight line between the two, at 0.5 of the way the training loss is 1.5 higher than its ends let expect"
    )
    assert figure.axes[1].get_xlabel() == r"share of the way: 0 is \$a\$, 1 is b"
    drawn(figure)
    assert title(line(found, splits, "accuracy", of_one)).endswith("the training loss has to climb by 1.5 on the way")
    told = title(line(found, splits[1:], "accuracy", of_two))
    assert told.endswith("the validation loss is nowhere higher than its ends let expect")
    assert title(line(found, splits[1:], "accuracy", of_one)).endswith("the validation loss falls all the way")
    broken = Line(at, {**values, "training loss": np.array([1, 1, np.nan, 1, 1])})
    assert title(line(broken, splits, "accuracy", of_two)).endswith("the training loss is no number at some places")


def test_each_activation_is_a_panel_with_its_derivative_and_a_gap_where_that_jumps() -> None:
    found = responses(4.0, 81)
    figure = activations(found)
    assert [axes.get_title(loc="left") for axes in figure.axes] == [each.name for each in found]
    relu = figure.axes[0]
    _, _, function, derivative = relu.lines
    assert list(function.get_ydata()) == list(found[0].y)
    assert np.isnan(np.asarray(derivative.get_ydata())).sum() == 1
    drawn(figure)
