"""`nettool plot`: pictures of a run, and what is said where there can be none."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from PIL import Image

import nettool as package
from nettool.runs.directory import RunDirectory
from nettool.workflows.pictures.kinds import KINDS
from tests.cli.conftest import CONFIGS, Nettool

RUN = Path("runs/students-0001")
OF_CLASSES = {"confusion", "roc", "pr", "calibration", "gains"}
OF_NUMBERS = {"predicted-vs-true", "residuals"}
OF_ALL = {
    "curves", "boundary", "landscape", "line", "importance", "mistakes", "network", "weights", "activations", "gradients",
}  # fmt: skip


@pytest.fixture
def run(nettool: Nettool, config: Path) -> Path:
    assert nettool("train", config, "--quiet", "epochs=3", "optimizer.lr=0.02").code == 0
    return RUN


def names(folder: Path, ending: str = ".png") -> set[str]:
    return {path.stem for path in folder.glob(f"*{ending}")}


def test_all_pictures_that_suit_classes_are_drawn_in_both_formats(nettool: Nettool, run: Path) -> None:
    result = nettool("plot")
    assert result.code == 0
    assert names(run / "plots") == names(run / "plots", ".svg") == OF_CLASSES | OF_ALL
    assert set(result.out.split()) == {str(path) for path in (run / "plots").iterdir()}
    for path in (run / "plots").glob("*.png"):
        with Image.open(path) as picture:
            assert picture.width > 400
    for path in (run / "plots").glob("*.svg"):
        assert ElementTree.parse(path).getroot().tag.endswith("svg")


def test_all_pictures_that_suit_numbers(nettool: Nettool, config: Path) -> None:
    nettool("train", config, "--quiet", "epochs=3", "data.target=hours", "loss=mse")
    assert nettool("plot", RUN, "--format", "png").code == 0
    assert names(RUN / "plots") == OF_NUMBERS | OF_ALL
    assert not names(RUN / "plots", ".svg")


def test_the_same_run_gives_the_same_bytes_and_old_pictures_are_replaced(nettool: Nettool, run: Path) -> None:
    nettool("plot", run, "roc", "curves", "landscape")
    before = {path.name: path.read_bytes() for path in (run / "plots").iterdir()}
    assert len(before) == 6
    (run / "plots/roc.png").write_bytes(b"old")
    assert nettool("plot", run, "roc", "curves", "landscape").code == 0
    assert {path.name: path.read_bytes() for path in (run / "plots").iterdir()} == before


def test_a_picture_may_be_of_another_split_and_go_elsewhere(nettool: Nettool, run: Path) -> None:
    for split in ("validation", "test", "train"):
        result = nettool(
            "plot", "students-0001", "confusion", "--split", split, "--to", f"here/{split}", "--format", "png"
        )
        assert result.out == f"here/{split}/confusion.png\n"
    assert len({Path(f"here/{split}/confusion.png").read_bytes() for split in ("validation", "test", "train")}) == 3
    assert not (run / "plots").exists()
    result = nettool("plot", run, "confusion", "--split", "test", "data.path=elsewhere.csv")
    assert result.code == 2
    assert "elsewhere.csv" in result.err


def test_the_newest_run_is_meant_where_only_a_kind_is_named(nettool: Nettool, run: Path) -> None:
    assert nettool("plot", "curves", "--format", "svg").out == f"{run}/plots/curves.svg\n"


def test_the_kinds_are_listed(nettool: Nettool, folder: Path) -> None:
    result = nettool("plot", "--kinds")
    assert result.code == 0
    for kind in KINDS.values():
        assert kind.name in result.out
        assert kind.what in result.out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("rok",), "rok: no such picture. Did you mean roc?"),
        (("zzz",), "There are curves, "),
        (
            ("residuals",),
            "residuals: this picture is of predicted numbers, and the run predicts classes. Look at confusion",
        ),
        (
            ("boundary", "--features", "lectures,hourz"),
            'hourz is no feature that can be an axis. Did you mean "hours"?',
        ),
        (("boundary", "--features", "lectures"), "name two different ones"),
        (("boundary", "--features", "lectures,lectures"), "name two different ones"),
    ],
)
def test_what_cannot_be_drawn_is_told(nettool: Nettool, run: Path, arguments: tuple[str, ...], told: str) -> None:
    result = nettool("plot", run, *arguments)
    assert result.code == 2
    assert told in " ".join(result.err.split())
    assert not (run / "plots").exists()


def test_a_boundary_is_of_the_features_that_are_asked_for(nettool: Nettool, run: Path) -> None:
    assert nettool("plot", run, "boundary", "--features", "group, hours", "--format", "svg").code == 0
    text = (run / "plots/boundary.svg").read_text()
    assert ">group<" in text
    assert ">hours<" in text
    assert "lectures" in text, "held, and told"


def test_a_kind_that_is_misspelt_where_a_run_may_stand(nettool: Nettool, run: Path) -> None:
    result = nettool("plot", "landscpe")
    assert result.code == 2
    assert "no such run, and no such picture. Did you mean landscape?" in " ".join(result.err.split())


def test_one_feature_has_no_boundary(nettool: Nettool, config: Path) -> None:
    nettool("train", config, "--quiet", "epochs=2", "data.features=[hours]")
    result = nettool("plot", RUN, "boundary")
    assert result.code == 2
    assert "it is drawn over two features, and this run has only one that can be an axis: hours." in result.err
    assert nettool("plot", RUN, "--format", "png").code == 0
    assert "boundary" not in names(RUN / "plots")


def test_data_that_are_gone_or_changed_are_told_after_what_can_be_drawn(
    nettool: Nettool, run: Path, table: Path
) -> None:
    table.write_text(table.read_text() + "1,1,a,no\n")
    result = nettool("plot", run, "--format", "png")
    assert result.code == 2
    assert "its sha256 differs" in result.err
    assert names(run / "plots") == {"curves", "network", "weights"}
    table.rename("moved.csv")
    result = nettool("plot", run, "roc")
    assert result.code == 2
    assert "Was it moved?" in result.err


def test_a_run_without_an_epoch_or_without_weights(nettool: Nettool, run: Path) -> None:
    RunDirectory(run).best.unlink()
    result = nettool("plot", run, "weights")
    assert result.code == 2
    assert "holds no best.safetensors" in result.err
    RunDirectory(run).metrics.write_text(
        "epoch,step,train_loss,validation_loss,accuracy,lr,seconds,examples_per_second\n"
    )
    result = nettool("plot", run, "curves")
    assert result.code == 2
    assert "no epoch has ended yet" in result.err


def test_a_way_that_is_unknown_leaves_random_directions(nettool: Nettool, config: Path) -> None:
    nettool("train", config, "--quiet", "epochs=3", "checkpoint.keep=none")
    result = nettool("plot", RUN, "landscape", "--directions", "path")
    assert result.code == 2
    assert "kept too little of the way" in result.err
    assert nettool("plot", RUN, "landscape", "--format", "svg").code == 0
    assert "random direction" in (RUN / "plots/landscape.svg").read_text()
    nettool("train", config, "--quiet", "epochs=3", "checkpoint={keep: all, every: 1 epochs}")
    assert nettool("plot", "students-0002", "landscape", "--format", "svg").code == 0
    assert "first component of the path" in Path("runs/students-0002/plots/landscape.svg").read_text()


def test_nothing_of_the_users_is_replaced_elsewhere(nettool: Nettool, run: Path) -> None:
    Path("roc.png").write_bytes(b"mine")
    result = nettool("plot", run, "roc", "--to", ".")
    assert result.code == 2
    assert "roc.png is there already" in result.err
    assert Path("roc.png").read_bytes() == b"mine"
    assert not Path("roc.svg").exists()


def test_labels_show_the_mistakes_of_the_one_that_is_wrong_most_often(nettool: Nettool, folder: Path) -> None:
    rows = "".join(f"{index % 7},{index % 7 > 3},{(index * 7919) % 5 > 2}\n" for index in range(200))
    (folder / "labels.csv").write_text(f"x,easy,hard\n{rows}")
    (folder / "labels.yaml").write_text(
        "data: {path: labels.csv, target: [easy, hard], columns: {easy: boolean, hard: boolean}}\n"
        "layers: [{dense: 8}, output]\nloss: binary_cross_entropy\noptimizer: {name: adam, lr: 0.1}\nepochs: 30\n"
    )
    assert nettool("train", "labels.yaml", "--quiet").code == 0
    assert nettool("plot", "mistakes", "roc", "calibration", "--format", "svg").code == 0
    text = Path("runs/labels-0001/plots/mistakes.svg").read_text()
    assert "hard: " in text
    assert nettool("plot", "labels-0001", "confusion").code == 2


def test_a_film_of_the_boundary_shows_every_epoch(nettool: Nettool, run: Path) -> None:
    result = nettool("plot", run, "boundary", "--animate")
    assert result.out == f"{run}/plots/boundary.gif\n"
    with Image.open(run / "plots/boundary.gif") as film:
        frames = film.n_frames  # type: ignore[attr-defined]
        assert frames == 4, "before the first step, and after each epoch"
        shown = []
        for frame in range(frames):
            film.seek(frame)
            shown.append(film.convert("RGB").tobytes())
    assert len(set(shown)) == 4
    assert nettool("plot", run, "roc", "--animate").code == 2
    (run / "trace.safetensors").unlink()
    result = nettool("plot", run, "--animate")
    assert result.code == 2
    assert "kept too little of the weights" in result.err


@pytest.mark.parametrize(
    ("name", "drawn", "left_out"),
    [
        ("series", {"curves", "importance", "residuals", "mistakes"}, {"boundary", "confusion"}),
        (
            "music_lstm",
            {"curves", "weights", "gradients", "activations", "landscape"},
            {"mistakes", "importance", "boundary", "roc"},
        ),
        ("mnist_cnn", {"curves", "confusion", "mistakes", "activations", "importance", "filters"}, {"boundary"}),
    ],
)
def test_series_texts_and_images_have_pictures_of_their_own(
    nettool: Nettool, name: str, drawn: set[str], left_out: set[str]
) -> None:
    changes = ["epochs=1"]
    if name == "music_lstm":
        changes += ["layers.1.units=8", "layers.0.width=8", "data.text.length=20"]
    assert nettool("train", CONFIGS / f"{name}.yaml", "--quiet", *changes).code == 0
    run = Path(f"runs/{name}-0001")
    result = nettool("plot", run, *drawn, "--format", "png")
    assert result.code == 0, result.err
    assert names(run / "plots") == drawn
    for kind in left_out:
        result = nettool("plot", run, kind)
        assert result.code == 2
        assert result.out == ""


def test_a_figure_can_be_had_from_python(nettool: Nettool, run: Path) -> None:
    figure = package.load(run).plot("boundary", features=["hours", "lectures"])
    assert figure.axes[0].get_xlabel() == "hours"
    with pytest.raises(package.NettoolError, match="no such picture"):
        package.load(run).plot("rok")
