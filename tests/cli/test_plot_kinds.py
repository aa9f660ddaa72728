"""`nettool plot`: the kinds of pictures that suit some networks alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import nettool as package
from nettool.runs.find import find_run
from nettool.workflows.generate import generate
from nettool.workflows.pictures.pixels import images_of, pixels_of
from nettool.workflows.pictures.subject import Subject, Wishes
from nettool.workflows.trained import load_trained
from tests.cli.conftest import CONFIGS, Nettool
from tests.cli.test_plot import RUN, names

SMALL = ("layers.0.width=6", "layers.1.units=12", "data.text.length=20", "batch_size=16")


def subject_of(run: str | Path) -> Subject:
    return Subject(find_run(Path(run)), Wishes())


@pytest.fixture
def tunes(nettool: Nettool) -> Path:
    assert nettool("train", CONFIGS / "music_lstm.yaml", "--quiet", "epochs=3", *SMALL).code == 0
    return Path("runs/music_lstm-0001")


@pytest.fixture
def bars(folder: Path) -> Path:
    """Images of 12 x 12 pixels of noise, bright in the upper or in the lower left corner, which is their class."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 60, (120, 12, 12)).astype(np.uint8)
    label = np.arange(120) % 2
    images[label == 0, :3, :3] = 255
    images[label == 1, 9:, :3] = 255
    np.savez(folder / "bars.npz", x=images, y=np.array(["$up$", "<down>"])[label])
    path = folder / "bars.yaml"
    path.write_text(
        "data: {path: bars.npz, target: y, split: [0.5, 0.3, 0.2]}\nlayers: [flatten, output]\n"
        "loss: cross_entropy\noptimizer: {name: adam, lr: 0.02}\nepochs: 6\n"
    )
    return path


def test_a_table_has_none_of_them_and_each_says_why(nettool: Nettool, config: Path) -> None:
    nettool("train", config, "--quiet", "epochs=1")
    for kind, told in (
        ("filters", "filters: the network has no convolutions, and its first layer sees no image. Look at weights"),
        ("embeddings", "embeddings: the network has none: they stand for the tokens of a text, and for categories"),
        ("attention", "attention: the network has no attention or transformer layers. Look at activations"),
        (
            "samples",
            "samples: only a run with `target: next` writes text; of what this one predicts, look at mistakes.",
        ),
    ):
        result = nettool("plot", RUN, kind)
        assert result.code == 2
        assert told in " ".join(result.err.split())
    assert not (RUN / "plots").exists()


def test_what_is_looked_at_in_images_is_where_the_class_is(nettool: Nettool, bars: Path) -> None:
    assert nettool("train", bars, "--quiet").code == 0
    assert nettool("plot", "bars-0001", "--format", "png").code == 0
    drawn = names(Path("runs/bars-0001/plots"))
    assert {"filters", "importance"} <= drawn
    assert not drawn & {"embeddings", "attention", "samples", "boundary"}
    figure = package.load(Path("runs/bars-0001")).plot("importance")
    assert "lowers the probability of what it says by" in " ".join(figure.get_suptitle().split())
    texts = {axes.get_title(loc="left").partition("\n")[0] for axes in figure.axes}
    assert {r"\$up\$", "<down>"} <= texts
    for axes, heat in zip(figure.axes[::2], figure.axes[1::2], strict=False):
        if axes.get_title(loc="left").startswith((r"\$up\$", "<down>")):
            colors = np.asarray(heat.images[0].get_array())
            orange = colors[:, :, 0] - colors[:, :, 2]
            corners = {r"\$": orange[:3, :3].mean(), "<d": orange[9:, :3].mean()}
            assert max(corners, key=lambda name: corners[name]) == axes.get_title(loc="left")[:2]
            assert orange.max() in (orange[:4, :4].max(), orange[8:, :4].max())


@pytest.mark.parametrize(
    "layers",
    [
        "[conv2d: 4, flatten, output]",
        "[flatten, reshape: [12, 12], gru: 6, output]",
        "[flatten, reshape: [12, 12], {attention: 2}, global_avg_pool, output]",
    ],
)
def test_any_network_over_images_can_be_asked_what_it_looks_at(nettool: Nettool, bars: Path, layers: str) -> None:
    assert nettool("train", bars, "--quiet", "epochs=1", f"layers={layers}", "loss=binary_cross_entropy").code == 0
    assert nettool("plot", "bars-0001", "importance", "--format", "png").code == 0
    for kind in ("filters", "attention"):
        suits = {"filters": "conv2d", "attention": "attention"}[kind] in layers
        assert nettool("plot", "bars-0001", kind, "--format", "png").code == (0 if suits else 2)


def test_numbers_predicted_of_images_have_their_heat_too(nettool: Nettool, bars: Path) -> None:
    with np.load("bars.npz") as arrays:
        np.savez("bars.npz", x=arrays["x"], y=arrays["x"][:, :3, :3].mean(axis=(1, 2)) + np.arange(120) / 1000)
    assert nettool("train", bars, "--quiet", "epochs=2", "loss=mse").code == 0
    figure = package.load(Path("runs/bars-0001")).plot("importance")
    assert "lowers the predicted y by" in " ".join(figure.get_suptitle().split())


def test_texts_have_their_embeddings_and_what_was_written(nettool: Nettool, tunes: Path) -> None:
    assert nettool("plot", tunes, "embeddings", "samples", "--format", "png").code == 0
    assert nettool("plot", tunes, "attention").code == 2
    assert nettool("plot", tunes, "filters").code == 2
    figure = package.load(tunes).plot("samples")
    texts = [text.get_text() for text in figure.axes[0].texts]
    trained = load_trained(tunes)
    assert [text.split("\n")[0] for text in texts if text.startswith("epoch")] == [
        *(f"epoch {epoch}" for epoch in range(trained.epoch)),
        f"epoch {trained.epoch} (best)",
    ]
    written = "".join(generate(trained, "", 84, 1.0, 0)).replace("\n", "↵").replace("$", r"\$")
    best = texts[[text.split("\n")[0].endswith("(best)") for text in texts].index(True) + 1]
    assert best == written, "as nettool generate writes it"
    beginnings = [texts[place + 1] for place, text in enumerate(texts) if text.startswith("epoch")]
    assert len(set(beginnings)) > 1
    assert "validation loss" in " ".join(figure.get_suptitle().split())


def test_without_past_weights_the_best_ones_write_and_the_cure_is_told(nettool: Nettool, tunes: Path) -> None:
    (tunes / "trace.safetensors").unlink()
    told = " ".join(package.load(tunes).plot("samples").get_suptitle().split())
    assert told.startswith("what it writes with its best weights. Earlier ones were not kept")
    assert "train with checkpoint.keep=all" in told


def test_kept_checkpoints_write_too(nettool: Nettool) -> None:
    keep = "checkpoint={keep: all, every: 1 epochs}"
    assert nettool("train", CONFIGS / "music_lstm.yaml", "--quiet", "epochs=2", keep, *SMALL).code == 0
    texts = [text.get_text() for text in package.load(Path("runs/music_lstm-0001")).plot("samples").axes[0].texts]
    assert [text.split("\n")[0] for text in texts if text.startswith("epoch")] == ["epoch 1", "epoch 2 (best)"]


def test_attention_of_padded_texts_shows_a_whole_one(nettool: Nettool, folder: Path) -> None:
    words = ["alpha", "beta", "$x$", "größe", "حجم", "東京", "<b>"]
    generator = np.random.default_rng(0)
    rows = [" ".join(words[place] for place in generator.integers(0, 7, generator.integers(1, 50))) for _ in range(80)]
    (folder / "texts.csv").write_text("text,y\n" + "".join(f'"{row}",{"beta" in row}\n' for row in rows))
    (folder / "texts.yaml").write_text(
        "data: {path: texts.csv, target: y, columns: {text: text}, text: {unit: word, length: 60}}\n"
        "layers: [{embedding: 8}, {conv1d: {filters: 8, size: 3}}, {attention: 2}, global_avg_pool, output]\n"
        "loss: binary_cross_entropy\nepochs: 2\n"
    )
    assert nettool("train", "texts.yaml", "--quiet").code == 0
    assert nettool("plot", "texts-0001", "attention", "embeddings", "filters", "--format", "svg").code == 0
    split = subject_of("runs/texts-0001").examples.features
    assert isinstance(split, np.ndarray)
    lengths = (split != 0).sum(axis=1)
    figure = package.load(Path("runs/texts-0001")).plot("attention")
    image = figure.axes[0].images[0].get_array()
    assert image is not None
    assert len(image) == max(length for length in lengths if length <= 32)
    assert np.asarray(image).sum(axis=1) == pytest.approx(np.ones(len(image)))


def test_a_category_of_many_levels_has_a_plane(nettool: Nettool, folder: Path) -> None:
    generator = np.random.default_rng(0)
    levels = [f"city {number}" for number in range(48)] + ["$a$", "東京", "rare"]
    rows = [(levels[place], place % 2) for place in generator.integers(0, 50, 900)] + [("", 1)] * 30
    lines = [f"{city},{number % 97},{y}\n" for number, (city, y) in enumerate(rows)]
    (folder / "cities.csv").write_text("city,x,y\n" + "".join(lines))
    (folder / "cities.yaml").write_text(
        "data: {path: cities.csv, target: y}\nlayers: [{dense: 4}, output]\nloss: binary_cross_entropy\nepochs: 1\n"
    )
    assert nettool("train", "cities.yaml", "--quiet").code == 0
    assert nettool("plot", "cities-0001", "embeddings", "--format", "svg").code == 0
    figure = package.load(Path("runs/cities-0001")).plot("embeddings")
    network = load_trained(Path("runs/cities-0001")).network
    points = np.asarray(figure.axes[0].collections[0].get_offsets())
    (table,) = network.inputs.embeddings  # type: ignore[union-attr, misc]
    weight = table.weight.detach().double()[1:]
    sizes = torch.linalg.svdvals(weight - weight.mean(dim=0))
    assert len(points) == len(weight) == 51
    assert np.sqrt((points**2).sum(axis=0)) == pytest.approx(sizes[:2].numpy(), rel=1e-5)
    assert "city, 51 in" in " ".join(figure.axes[0].get_title(loc="left").split())


def test_series_have_curves_of_their_filters(nettool: Nettool) -> None:
    layers = "layers=[{conv1d: {filters: 3, size: 5}}, flatten, output]"
    assert nettool("train", CONFIGS / "series.yaml", "--quiet", "epochs=1", layers).code == 0
    figure = package.load(Path("runs/series-0001")).plot("filters")
    trained = load_trained(Path("runs/series-0001"))
    kernels = trained.network.layers[0].product.weight.detach().numpy()  # type: ignore[union-attr]
    drawn = [np.asarray(line.get_ydata()) for axes in figure.axes for line in axes.lines]
    for kernel in kernels.reshape(-1, 5):
        assert any(len(curve) == 5 and np.allclose(curve, kernel) for curve in drawn)


@pytest.mark.parametrize("name", ["digits", "digits_cnn"])
def test_a_table_of_pixels_is_seen_as_images(nettool: Nettool, name: str) -> None:
    assert nettool("train", CONFIGS / f"{name}.yaml", "--quiet", "epochs=1").code == 0
    run = f"runs/{name}-0001"
    subject = subject_of(run)
    grid = pixels_of(subject)
    assert grid is not None
    assert grid.shape == (1, 8, 8)
    assert grid.names[9] == "p11"
    table = subject.table
    assert table is not None
    row = [table.column(column)[3].as_py() for column in grid.names]
    assert images_of(subject, grid, np.array([3])).ravel() == pytest.approx(np.array(row) * 255 / 16, abs=0.5)
    assert nettool("plot", run, "mistakes", "filters", "--format", "png").code == 0
    figure = package.load(Path(run)).plot("mistakes")
    assert all(np.asarray(axes.images[0].get_array()).shape == (8, 8) for axes in figure.axes if axes.images)
    assert any(axes.images for axes in figure.axes)


def test_many_numbers_that_are_no_pixels_stay_rows(nettool: Nettool, folder: Path) -> None:
    generator = np.random.default_rng(0)
    values = generator.normal(size=(200, 64))
    lines = [",".join([f"x{number}" for number in range(64)] + ["y"])]
    lines += [",".join([*(f"{value:.3f}" for value in row), str(int(row.sum() > 0))]) for row in values]
    (folder / "many.csv").write_text("\n".join(lines) + "\n")
    (folder / "many.yaml").write_text(
        "data: {path: many.csv, target: y}\nlayers: [output]\nloss: binary_cross_entropy\nepochs: 1\n"
    )
    assert nettool("train", "many.yaml", "--quiet").code == 0
    assert pixels_of(subject_of("runs/many-0001")) is None
    assert nettool("plot", "many-0001", "filters").code == 2
    assert package.load(Path("runs/many-0001")).plot("mistakes").axes[0].tables
