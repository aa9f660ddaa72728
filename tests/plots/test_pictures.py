"""Pictures of one run, by what is drawn: as the numbers say, and readable with names of any kind."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from PIL import Image

from nettool.analysis.boundary import Axis, Plane
from nettool.analysis.importance import Importance
from nettool.analysis.layers import Distribution
from nettool.analysis.mistakes import worst
from nettool.analysis.outcomes import Classified
from nettool.analysis.structure import Box, Neurons
from nettool.plots.boundary import decision_regions, surface
from nettool.plots.classification import calibration, confusion_matrix, gains, precision_recall, roc
from nettool.plots.figures import NEGATIVE, POSITIVE, as_bytes, as_png, caption, headline, headline_of, new_panels
from nettool.plots.importance import importance
from nettool.plots.layers import distributions
from nettool.plots.mistakes import mistaken_images, mistaken_rows
from nettool.plots.network import boxes, neurons
from nettool.plots.regression import predicted_vs_true, residuals
from nettool.plots.training import training_curves
from nettool.training.classification_metrics import compute
from tests.plots.drawing import classified, drawn, numbers, title

AWKWARD = ("$x^2$", "<b>&amp;", "größe 量 حجم", "a" * 200)


def test_a_png_has_the_pixels_that_matplotlib_draws_and_is_read_everywhere() -> None:
    figure = roc({"": classified(2)})
    with Image.open(io.BytesIO(as_png(figure))) as picture:
        picture.verify()
    with Image.open(io.BytesIO(as_png(figure))) as picture:
        assert picture.mode == "RGB"
        assert picture.info["dpi"] == pytest.approx((150, 150), abs=0.1)
        found = np.asarray(picture)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    with Image.open(buffer) as picture:
        assert (np.asarray(picture.convert("RGB")) == found).all()


def test_a_confusion_matrix_has_its_counts_in_the_cells() -> None:
    outcome = classified()
    figure = confusion_matrix(outcome)
    axes = figure.axes[0]
    cells = {tuple(map(round, text.get_position())): text.get_text() for text in axes.texts}
    for (column, row), text in cells.items():
        assert int(text) == int(((outcome.actual == row) & (outcome.predicted == column)).sum())
    assert title(figure).startswith(f"{outcome.accuracy:.1%} right; most often wrong: ")
    drawn(figure)


def test_a_hundred_classes_have_no_numbers_and_few_names() -> None:
    figure = confusion_matrix(classified(100, 1000))
    axes = figure.axes[0]
    assert not axes.texts
    assert len(axes.get_xticks()) <= 40
    drawn(figure)


def test_curves_of_many_classes_name_the_worst() -> None:
    for draw in (roc, precision_recall):
        figure = draw({"": classified(30, 900)})
        texts = [text.get_text() for text in figure.legends[0].get_texts()]
        assert "22 more" in texts
        assert "at worst" in title(figure)
        drawn(figure)


def test_two_classes_have_one_curve_and_what_guessing_gives() -> None:
    outcome = classified(2)
    for draw in (roc, precision_recall):
        figure = draw({"": outcome})
        labels = figure.axes[0].get_legend_handles_labels()[1]
        assert any(label.startswith("class 1 (") for label in labels)
        assert any(label.startswith("guessing (0.5") for label in labels)
        assert not any(label.startswith("class 0") for label in labels)
        drawn(figure)


def test_calibration_says_which_way_the_probabilities_are_off() -> None:
    actual = np.arange(100) % 2
    sure = np.where(np.arange(100) < 50, 0.99, 0.98)
    boastful = Classified(("no", "yes"), np.stack([1 - sure, sure], axis=1), actual, np.ones(100), np.arange(100))
    assert "too high" in title(calibration({"": boastful}))
    assert "too low" in title(
        calibration(
            {"": Classified(("no", "yes"), np.stack([sure, 1 - sure], axis=1), actual, np.ones(100), np.arange(100))}
        )
    )
    drawn(calibration({"": classified(3)}))
    drawn(calibration({"a": classified(2), "b": classified(2, 50)}))


def test_the_error_of_a_calibration_is_the_metric_that_eval_gives() -> None:
    for num_classes in (2, 3):
        outcome = classified(num_classes)
        target = outcome.actual[:, None]
        predictions = outcome.probabilities[:, 1:] if num_classes == 2 else outcome.probabilities
        metrics = compute(("calibration_error",), predictions, target, num_classes, None)
        assert f"calibration_error {metrics['calibration_error']:.4g} (as eval gives it" in title(
            calibration({"": outcome})
        )


def test_gains_tell_what_the_surest_tenth_holds_and_the_best_threshold() -> None:
    probability = np.linspace(1, 0, 100)
    outcome = Classified(
        ("no", "yes"), np.stack([1 - probability, probability], axis=1), (probability > 0.85).astype(np.int64),
        np.ones(100), np.arange(100),
    )  # fmt: skip
    figure = gains(outcome)
    assert title(figure) == "the surest tenth holds 67% of all yes"
    assert title(figure, 1) == "best F1 1.000, at 0.86 and above"
    drawn(figure)


def test_predicted_numbers_lie_on_the_line_where_they_are_true() -> None:
    found = numbers()
    figure = predicted_vs_true({"price": found})
    axes = figure.axes[0]
    assert axes.get_xlim() == axes.get_ylim()
    offsets = np.asarray(axes.collections[0].get_offsets())
    assert offsets[:, 0] == pytest.approx(found.actual)
    assert offsets[:, 1] == pytest.approx(found.predicted)
    assert title(residuals({"price": found})) == "0.498 too much on average"
    drawn(figure)
    drawn(residuals({"price": found}))


def test_many_examples_are_a_density_and_many_targets_a_choice() -> None:
    figure = predicted_vs_true({"price": numbers(10_000)})
    assert len(np.asarray(figure.axes[0].collections[0].get_offsets())) < 5000
    many = {f"price+{step}": numbers(50, f"price+{step}") for step in range(1, 25)}
    labels = [axes.get_xlabel() for axes in predicted_vs_true(many).axes if axes.get_visible()]
    assert len(labels) == 6
    assert (labels[0], labels[-1]) == ("true price+1", "true price+24")
    drawn(residuals(many))


def test_curves_mark_the_best_epoch_and_say_how_it_ended() -> None:
    rows = [
        {"epoch": epoch, "train_loss": 100.0 / epoch**2, "validation_loss": None if epoch == 3 else 5.0 / epoch, "lr": 0.1 / epoch, "rmse": 1.0}
        for epoch in range(1, 9)
    ]  # fmt: skip
    figure = training_curves(rows, ["rmse"], 6, "stopped early: it did not improve", {"rmse": 2.0})
    loss, rmse, rate = figure.axes
    assert title(figure) == "the best of 8 epochs is 6; stopped early: it did not improve"
    assert loss.get_yscale() == "log"
    assert [line.get_xdata()[0] for line in loss.lines if line.get_label() == "best epoch"] == [6]
    assert np.isnan(np.asarray(loss.lines[1].get_ydata(), float)[2]), "a gap where nothing was measured"
    assert [line.get_ydata()[0] for line in rmse.lines if line.get_label() == "baseline"] == [2.0]
    assert rate.get_ylabel() == "learning rate"
    assert rate.get_xlabel() == "epoch"
    drawn(figure)


def test_a_learning_rate_that_stays_the_same_is_told_and_has_no_panel() -> None:
    rows = [{"epoch": epoch, "train_loss": 1.0 / epoch, "lr": 0.05, "rmse": 1.0} for epoch in (1, 2, 3)]
    figure = training_curves(rows, ["rmse"], 3, "", {})
    assert title(figure) == "the best of 3 epochs is 3; learning rate 0.05 throughout"
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "rmse"]
    assert figure.axes[-1].get_xlabel() == "epoch"
    drawn(figure)


def test_curves_of_classes_that_are_all_perfect_lie_on_each_other_and_it_is_said() -> None:
    actual = np.arange(90) % 3
    probabilities = np.where(np.eye(3)[actual] > 0, 0.8, 0.1)
    classes = ("a", "b", "c")
    perfect = Classified(classes, probabilities, actual, np.ones(90), np.arange(90))
    shown = probabilities.copy()
    shown[:10] = shown[:10][:, [1, 0, 2]]  # of a and b some are mixed up
    mixed = Classified(classes, shown, actual, np.ones(90), np.arange(90))
    for draw in (roc, precision_recall):
        figure = draw({"": perfect})
        labels = figure.axes[0].get_legend_handles_labels()[1]
        assert [label for label in labels if "guessing" not in label] == ["3 alike: a, b, c (1.000)"]
        assert "3 of 3 are perfect, and lie on each other" in title(figure)
        drawn(figure)
        figure = draw({"": mixed})
        labels = figure.axes[0].get_legend_handles_labels()[1]
        assert sorted(label.partition(" ")[0] for label in labels if "guessing" not in label) == ["a", "b", "c"]
        assert "perfect, and" not in title(figure)


def plane(outputs: int, levels: tuple[str, ...] = ()) -> Plane:
    across = np.arange(float(len(levels))) if levels else np.linspace(-1, 1, 20)
    up = np.linspace(0, 5, 30)
    generator = np.random.default_rng(0)
    share = (across - across.min()) / np.ptp(across)
    surface_ = np.stack([np.tile(share, (30, 1)) ** (1 + number) for number in range(outputs)], axis=2)
    points = generator.integers(0, len(levels), 90).astype(float) if levels else generator.uniform(-1, 1, 90)
    held = dict.fromkeys("abcdefg", "3")
    return Plane(Axis("x", across, points, levels), Axis("y", up, generator.uniform(0, 5, 90)), surface_, held)


def test_the_mistakes_in_a_plane_are_ringed_and_what_is_held_is_told() -> None:
    outcome = classified(3)
    figure = decision_regions(plane(3), outcome, "title")
    rings = [one for one in figure.axes[0].collections if one.get_label() == "predicted wrong"]
    assert len(np.asarray(rings[0].get_offsets())) == int((~outcome.is_right).sum())
    assert "title with a = 3, b = 3, c = 3, d = 3 and 3 more; " in title(figure)
    drawn(figure)


def test_examples_that_do_not_count_are_not_drawn_and_the_others_where_they_are() -> None:
    whole = classified(2, 60)
    shown = plane(2)
    outcome = Classified(whole.classes, whole.probabilities, whole.actual, whole.weights, np.arange(30, 90))
    first = np.asarray(decision_regions(shown, outcome, "").axes[0].collections[-2].get_offsets())
    assert set(first[:, 0]) <= set(shown.x.points[30:])


def test_levels_are_an_axis_with_names_and_numbers_a_surface() -> None:
    figure = decision_regions(plane(2, ("red", "green", "$blue$")), classified(2), "")
    assert [text.get_text() for text in figure.axes[0].get_xticklabels()] == ["red", "green", r"\$blue\$"]
    drawn(figure)
    drawn(surface(plane(1), numbers(90), "predicted price"))
    drawn(surface(plane(1, ("a", "b")), numbers(90), "predicted price"))


def test_importance_is_grey_where_it_may_be_chance() -> None:
    found = [Importance("size", np.array([0.2, 0.3])), Importance("noise", np.array([-0.01, 0.01]))]
    found += [Importance(f"rest {number}", np.zeros(2)) for number in range(30)]
    figure = importance(found, "accuracy", 0.9)
    assert "accuracy is 0.9; without what size tells it is worse by 0.25. 31 of 32 columns" in title(figure)
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert (labels[-1], len(labels)) == ("size", 20)
    assert [text.get_text() for text in figure.axes[0].texts] == ["no worse", "12 more below"]
    assert figure.axes[0].texts[0].get_position()[0] == 0, "where the line is"
    drawn(figure)


def test_layers_without_numbers_have_a_row_too() -> None:
    found = [Distribution("layers.0 (dense)", np.array([])), Distribution("layers.1 (output)", np.ones(5), "ill")]
    figure = distributions(found, "weight", "title")
    assert len(figure.axes[0].get_yticks()) == 2
    drawn(figure)
    drawn(distributions([Distribution(f"layers.{number} (dense)", np.arange(9.0)) for number in range(40)], "w", "t"))


def test_each_weight_is_a_line_of_its_sign_and_size() -> None:
    weights = np.array([[2.0, -1.0], [0.0, 0.5], [-2.0, 1.0]])
    layers = [
        Neurons("layers.0 (dense)", "relu", weights, np.array([0.5, -1.5, 3.0])),
        Neurons("layers.1 (output)", "linear", np.ones((1, 3)), None),
    ]
    figure = neurons(layers, ["a", "b"], ["yes"])
    first, _ = [one for one in figure.axes[0].collections if isinstance(one, LineCollection)]
    of_line = {}
    for segment, width, color in zip(first.get_segments(), first.get_linewidths(), first.get_colors(), strict=True):
        of_line[tuple(segment[0]), tuple(segment[1])] = (float(width), to_hex(color))
    spots = [(0.0, 1.5), (0.0, 0.5)], [(1.0, 2.0), (1.0, 1.0), (1.0, 0.0)]
    for row in range(3):
        for column in range(2):
            width, color = of_line[spots[0][column], spots[1][row]]
            assert width == pytest.approx(0.2 + 4.5 * abs(weights[row, column]) / 2)
            assert weights[row, column] == 0 or color == (POSITIVE if weights[row, column] > 0 else NEGATIVE)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert {"a", "b", "yes", "0.5", "-1.5", "3"} <= set(texts)
    drawn(figure)
    drawn(boxes([Box("layers.0 (conv2d)", "an image", 100), Box("layers.1 (flatten)", "a vector", 0)], "an image"))


def test_mistakes_are_images_or_rows() -> None:
    outcome = classified(3)
    found = worst(outcome, 7)
    drawn(mistaken_images(found, np.zeros((len(found), 3, 8, 8), np.uint8), "title"))
    figure = mistaken_rows(found, [each.place for each in found], [("a", ["1"] * len(found))], "title")
    cells = figure.axes[0].tables[0].get_celld()
    assert cells[0, 0].get_text().get_text() == "row"
    assert cells[1, 1].get_text().get_text() == found[0].actual
    drawn(figure)


@pytest.mark.parametrize("name", AWKWARD)
def test_names_of_every_kind_are_drawn_as_they_are(name: str, tmp_path: Path) -> None:
    outcome = classified(2, names=("other", name))
    for figure in (
        confusion_matrix(outcome), roc({"": outcome}), gains(outcome), calibration({name: outcome}),
        predicted_vs_true({name: numbers(50, name)}), importance([Importance(name, np.ones(3))], "rmse", 1.0),
        decision_regions(plane(2, ("a", name)), outcome, "title"),
    ):  # fmt: skip
        drawn(figure)
    assert "<b>" not in as_bytes(confusion_matrix(outcome), "svg").decode()


def test_what_a_figure_says_is_told_as_a_plain_text_without_the_names_of_many_panels() -> None:
    assert headline_of(roc({"": classified(2)})).startswith("area under the curve: ")
    figure, (left, right) = new_panels(1, 2, 6.0, 3.0)
    headline(left, "a long sentence of which every line is only as wide as its panel, about " + r"\$x\$")
    headline(right, "another")
    assert headline_of(figure) == (
        "a long sentence of which every line is only as wide as its panel, about $x$; another"
    )
    figure.suptitle("above all")
    assert headline_of(figure) == "above all"
    figure, panels = new_panels(1, 5, 9.0, 3.0)
    for place, axes in enumerate(panels):
        axes.set_title(f"panel {place}")
    assert headline_of(figure) == "panel 0"


def test_labels_beside_a_square_have_room_however_long_the_names_are() -> None:
    for names in (("a", "b", "c"), ("$tief$", "<b>hoch</b>", "mittel_x^2"), ("x" * 16, "y" * 16, "z" * 16)):
        outcome = classified(3)
        figure = caption(confusion_matrix(replace(outcome, classes=names)), "a run, validation")
        as_png(figure)
        renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
        for axes in figure.axes:
            assert axes.get_tightbbox(renderer).x0 >= 0
