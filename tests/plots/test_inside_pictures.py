"""Pictures of what is inside a network: filters, embeddings, attention, texts, what is looked at in images."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from nettool.analysis.attention import AttentionMap
from nettool.analysis.embeddings import Embedded
from nettool.analysis.filters import Filters
from nettool.analysis.importance import Importance
from nettool.analysis.pixels import PixelGrid
from nettool.plots.attention import attention
from nettool.plots.embeddings import MOST_SURE, embeddings, labelled
from nettool.plots.figures import as_bytes
from nettool.plots.filters import filters_over_images, filters_over_time, weights_of_pixels
from nettool.plots.importance import importance_of_pixels
from nettool.plots.occlusion import Hidden, occlusion
from nettool.plots.samples import Sample, samples
from tests.plots.test_pictures import AWKWARD, drawn, title


def numbers(*shape: int) -> np.ndarray:
    """Normal ones, the same in every test."""
    return np.random.default_rng(0).normal(size=shape)


def over(figure: Figure) -> str:
    """What stands above a figure of many panels."""
    return " ".join(figure.get_suptitle().split())


def images_of(figure: Figure) -> list[np.ndarray]:
    return [np.asarray(image.get_array()) for axes in figure.axes for image in axes.images]


def test_kernels_are_beside_what_they_answer_and_the_finding_is_told() -> None:
    edge, blur = np.outer([1, 1, 1], [-1, 0, 1]), np.ones((3, 3))
    first = Filters("layers.0 (conv2d)", np.stack([edge, blur])[:, None], numbers(2, 6, 6))
    second = Filters("layers.1 (conv2d)", numbers(3, 2, 3, 3), numbers(3, 4, 4))
    figure = filters_over_images([first, second], abs(numbers(8, 8)), "a $7$")
    assert over(figure).startswith("2 filters of 3 × 3 pixels: 1 look for contrast")
    shown = images_of(figure)
    for expected in (edge, blur, *first.answers, *second.answers):
        assert any(image.shape == expected.shape and (image == expected).all() for image in shown)
    drawn(figure)


def test_many_filters_are_bounded_and_colours_are_around_grey() -> None:
    kernels, answers = numbers(300, 3, 5, 5), numbers(300, 9, 9)
    figure = filters_over_images([Filters("a", kernels, answers)] * 2, None, "no image")
    shown = [image for image in images_of(figure) if image.shape == (5, 5, 3)]
    assert len(shown) == 24
    assert all(image.min() >= 0 and image.max() <= 1 for image in shown)
    texts = " ".join(text.get_text() for axes in figure.axes for text in axes.texts)
    assert "24 of 300: those that\nanswer most" in texts
    drawn(figure)


def test_kernels_in_time_are_curves_or_of_many_inputs_images() -> None:
    few = Filters("layers.0 (conv1d)", numbers(4, 2, 5), numbers(4, 30))
    figure = filters_over_time(few, ("wind", "$rain$"), "the first example")
    curves = [line.get_ydata() for axes in figure.axes for line in axes.lines]
    for kernel in few.kernels.reshape(-1, 5):
        assert any(len(curve) == 5 and (np.asarray(curve) == kernel).all() for curve in curves)
    for answer in few.answers:
        assert any(len(curve) == 30 and (np.asarray(curve) == answer).all() for curve in curves)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["wind", r"\$rain\$"]
    drawn(figure)
    many = Filters("layers.0 (conv1d)", numbers(40, 64, 5), numbers(40, 30))
    figure = filters_over_time(many, (), "x")
    assert len([image for image in images_of(figure) if image.shape == (64, 5)]) == 12
    assert "those 12 that answer most" in over(figure)
    drawn(figure)


def test_weights_of_pixels_say_whether_they_are_smooth() -> None:
    x, y = np.meshgrid(np.linspace(-1, 1, 16), np.linspace(-1, 1, 16))
    smooth = np.stack([x + y, x * y, x - y])[:, None]
    assert "they are smooth" in over(weights_of_pixels("layers.0 (output)", smooth, AWKWARD[:3]))
    rough = numbers(100, 1, 16, 16)
    figure = weights_of_pixels("layers.1 (dense)", rough, ())
    assert "each of 100 units of layers.1 (dense)" in over(figure)
    assert "the 24 with the largest weights" in over(figure)
    assert "they are rough" in over(figure)
    rough[:, :, 0, 0] = np.nan
    drawn(weights_of_pixels("layers.1 (dense)", rough[:5], ()))
    drawn(weights_of_pixels("layers.1 (dense)", numbers(2, 3, 8, 8), ()))


def test_a_causal_mask_is_grey_and_heads_are_named_by_what_they_do() -> None:
    before = np.eye(6, k=-1)
    before[0, 0] = 1
    even = np.tril(np.ones((6, 6))) / np.arange(1, 7)[:, None]
    maps = [AttentionMap("layers.1 (attention)", np.stack([before, even]), True)]
    figure = attention(maps, ["a", " ", "\n", "$", "ß", "<b>"], "tokens", "")
    assert over(figure) == "of 2 heads look 1 mostly at the one before; 1 spread"
    first = figure.axes[0]
    shown = first.images[0].get_array()
    assert (np.ma.getmaskarray(shown) == np.triu(np.ones((6, 6), bool), 1)).all()
    assert (np.asarray(shown)[np.tril_indices(6)] == before[np.tril_indices(6)]).all()
    assert [text.get_text() for text in first.get_yticklabels()] == ["a", "␣", "↵", r"\$", "ß", "<b>"]
    assert "the one before (100%)" in first.get_title()
    drawn(figure)


def test_many_layers_heads_and_tokens_are_cropped_and_that_is_told() -> None:
    weights = np.full((9, 50, 50), 1 / 50)
    maps = [AttentionMap(f"layers.{number} (attention)", weights, False) for number in range(8)]
    figure = attention(maps, ["token"] * 50, "tokens", "the first 32 of 50 steps")
    assert "all 72 heads spread their attention, over 50 tokens on average" in over(figure)
    assert "6 of 8 layers are shown; the first 6 of 9 heads are shown; the first 32 of 50 steps" in over(figure)
    assert {image.shape for image in images_of(figure) if image.ndim == 2 and image.shape[1] > 1} == {(32, 32)}
    drawn(attention(maps[:1], ["量子"] * 50, "steps", ""))
    drawn(attention([AttentionMap("one", np.ones((1, 1, 1)), True)], ["a"], "tokens", ""))


def test_names_in_the_plane_do_not_lie_on_each_other_or_on_points() -> None:
    points = numbers(150, 2)
    labels = [f"name {number}" for number in range(150)]
    found = labelled(points, labels, 5.0, 4.0)
    assert {0, 1, 2} <= set(found), "the most frequent ones have names"
    assert 10 < len(found) <= 60
    span = np.ptp(points, axis=0)
    spots = (points - points.min(axis=0)) * 72 * np.array([5.0, 4.0]) / (1.24 * span)
    boxes = []
    for place, (across, up) in found.items():
        x, y = spots[place]
        long, tall = 0.62 * 8 * len(labels[place]), 1.15 * 8
        left = x + across - (0 if across > 0 else long if across < 0 else long / 2)
        low = y - tall / 2 if across else y + up - (0 if up > 0 else tall)
        boxes.append((left, low, left + long, low + tall))
        inside = ((spots > (left, low)) & (spots < (left + long, low + tall))).all(axis=1).any()
        assert not inside or place < MOST_SURE
    for place, one in enumerate(boxes):
        for other in boxes[:place]:
            assert one[0] >= other[2] or other[0] >= one[2] or one[1] >= other[3] or other[1] >= one[3]


def test_embeddings_tell_who_is_alike_and_how_much_the_plane_shows() -> None:
    vectors = numbers(40, 20)
    vectors[1] = vectors[0] + 0.01
    vectors[:, 0] *= 10
    names = ("\n", " ", *AWKWARD, *(f"w{number}" for number in range(34)))
    figure = embeddings([Embedded("layers.0 (embedding)", names, vectors, np.arange(40, 0, -1), 3)] * 6)
    told = title(figure)
    assert told.startswith("layers.0 (embedding), 40 in 20 dimensions; most alike: ↵ and ␣")
    assert told.endswith("3 that training never saw are left out")
    shares = np.linalg.svd(vectors - vectors.mean(axis=0))[1] ** 2
    assert f"first principal component ({shares[0] / shares.sum():.0%} of the variance)" in figure.axes[0].get_xlabel()
    offsets = np.asarray(figure.axes[0].collections[0].get_offsets())
    assert len(offsets) == 40
    assert any(text.get_text() == "2 more tables" for axes in figure.axes for text in axes.texts)
    drawn(figure)
    alone = Embedded("c", ("a", "b", "c"), numbers(3, 1), np.ones(3, int))
    assert "no two are more alike than chance" in title(embeddings([alone]))


def test_texts_stand_beside_their_epochs_with_their_line_ends() -> None:
    texts = ["X:1\nK:G|" * 20, "<b>$x$ & 東京 حجم\t\x00" + "東" * 80, "", "best"]
    found = [Sample(number, text, 3.0 - number if number else None, number == 3) for number, text in enumerate(texts)]
    figure = samples(found, "title")
    shown = [text.get_text() for text in figure.axes[0].texts]
    assert "epoch 0" in shown
    assert "epoch 3 (best)\nloss 0" in shown
    assert any(text.startswith("X:1↵K:G|X:1↵") and len(text) == 84 for text in shown)
    wide = next(text for text in shown if text.startswith("<b>"))
    assert r"\$x\$" in wide
    assert wide.count("東") < 42, "letters of East Asia are twice as wide"
    drawn(figure)
    assert b"&lt;b&gt;" in as_bytes(figure, "svg")


@pytest.mark.parametrize("channels", [1, 3])
def test_heat_lies_beside_the_image(channels: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (channels, 9, 9)).astype(np.uint8)
    lost = np.zeros((9, 9))
    lost[2, 3] = 0.5
    found = [Hidden(image, lost, "cat\n99% sure", False), Hidden(255 - image, -lost, "dog, but says\ncat (60%)", True)]
    figure = occlusion(found, "title", "probability")
    first, heat, _, gain = images_of(figure)[:4]
    assert (first == np.moveaxis(image, 0, -1).squeeze()).all()
    red, _, blue = heat[2, 3]
    assert red > blue, "orange where hiding it takes something away"
    assert gain[2, 3][2] > gain[2, 3][0], "blue where it adds"
    assert heat[0, 0] == pytest.approx(heat[0, 0][0])
    drawn(figure)
    drawn(occlusion([Hidden(image, 0 * lost, "a", False)], "no effect", AWKWARD[0]))


def test_importance_of_pixels_lies_where_the_pixels_are() -> None:
    grid = PixelGrid(tuple(f"p{number}" for number in range(64)), 1, 8, 8)
    found = [Importance("p10", np.array([0.2, 0.3])), Importance("p63", np.array([-0.1, 0.1]))]
    figure = importance_of_pixels(found, grid, "accuracy", 0.9)
    image = figure.axes[0].images[0].get_array()
    assert image is not None
    shown = np.asarray(np.ma.filled(np.ma.asarray(image, float), np.nan))
    assert shown[1, 2] == 0.25
    assert shown[7, 7] == 0
    assert np.isnan(shown).sum() == 62
    assert "accuracy is 0.9; without what pixel p10 tells it is worse by 0.25. 1 of 2 pixels" in title(figure)
    drawn(figure)
