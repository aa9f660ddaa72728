"""Pictures of many runs, by what is drawn."""

from __future__ import annotations

from matplotlib.figure import Figure

from nettool.plots.figures import as_png
from nettool.plots.sweeps import MOST_LINES, Curve, Spot, curves, metric_against_key, rate_test


def texts(figure: Figure) -> str:
    legends = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    return "\n".join([figure.axes[0].get_title(loc="left"), *legends])


def test_numbers_stand_where_they_are_and_the_best_has_a_star() -> None:
    spots = [Spot("0.1", 3.0), Spot("0.001", 2.0, 0.5), Spot("0.01", 1.0, 0.2)]
    figure = metric_against_key("optimizer.lr", "validation_loss", spots, is_log=True, larger_is_better=False)
    (axes,) = figure.axes
    assert axes.get_xscale() == "log"
    assert axes.lines[0].get_xdata().tolist() == [0.001, 0.01, 0.1]
    assert axes.lines[0].get_ydata().tolist() == [2.0, 1.0, 3.0]
    star = next(line for line in axes.lines if line.get_marker() == "*")
    assert (star.get_xdata()[0], star.get_ydata()[0]) == (0.01, 1.0)
    assert axes.get_ylabel() == "validation loss"
    assert "the best: optimizer.lr=0.01, 1" in texts(figure)
    assert as_png(figure) == as_png(figure)


def test_words_stand_beside_each_other_and_the_largest_may_be_the_best() -> None:
    spots = [Spot("relu", 0.7), Spot("tanh", 0.9)]
    figure = metric_against_key("activation", "accuracy", spots, is_log=False, larger_is_better=True)
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["relu", "tanh"]
    assert "activation=tanh, 0.9" in texts(figure)


def test_what_else_was_varied_makes_lines_of_which_the_best_have_colours_and_names() -> None:
    spots = [Spot(str(rate), line / 10 + rate, None, f"units={line}") for line in range(1, 13) for rate in (1, 2)]
    figure = metric_against_key("rate", "loss", spots, is_log=False, larger_is_better=False)
    named = texts(figure).splitlines()[1:]
    assert named == [f"units={line}" for line in range(1, MOST_LINES + 1)]


def test_the_training_loss_stands_beside_a_lone_line() -> None:
    spots = [Spot(str(units), 1 / units, None, "", 0.5 / units) for units in (1, 2, 4)]
    figure = metric_against_key("units", "validation_loss", spots, is_log=False, larger_is_better=False)
    assert {"validation loss", "training loss"} <= set(texts(figure).splitlines())


def test_curves_of_names_in_any_script_are_drawn_as_they_are() -> None:
    names = ["$x^2$ {\\frac", "名前", "\x1b[31mred", "a" * 500]
    figure = curves("loss", [Curve(name, [1, 2, 3], [3.0, None, float("inf")]) for name in names])
    assert as_png(figure).startswith(b"\x89PNG")
    labels = texts(figure).splitlines()[1:]
    assert labels[0] == r"\$x^2\$ {\frac"
    assert "\x1b" not in labels[2]
    assert len(labels[3]) == 40


def test_curves_of_one_setting_have_one_colour_and_one_name() -> None:
    figure = curves("loss", [Curve(name, [1, 2], [2.0, 1.0]) for name in ("lr=1", "lr=1", "lr=2")])
    lines = figure.axes[0].lines
    assert lines[0].get_color() == lines[1].get_color() != lines[2].get_color()
    assert texts(figure).splitlines()[1:] == ["lr=1", "lr=2"]


def test_a_rate_test_shows_losses_and_the_suggestion_if_there_is_one() -> None:
    figure = rate_test(
        [1e-3, 1e-2, 1e-1], [1.0, 0.5, 9.0], [1.0, 0.6, 4.0],
        [(0.0016, 0.3), (0.004, 0.2), (0.01, float("inf"))], "validation loss",
    )  # fmt: skip
    (axes,) = figure.axes
    assert axes.get_xscale() == "log"
    told = [text.get_text() for text in axes.get_legend().get_texts()]
    assert told[0] == "training loss of each step"
    assert told[2:] == ["suggested: 0.004", "validation loss of short trainings"]
    low, high = axes.get_ylim()
    assert low < 0.2
    assert high < 4, "the rise hides the fall"
    assert len(rate_test([1.0], [1.0], [1.0], [], "training loss").axes[0].lines) == 2
