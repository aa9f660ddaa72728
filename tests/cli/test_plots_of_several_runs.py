"""Landscapes and lines of `nettool plot`, and options that are for other kinds."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest

from nettool.runs.directory import RunDirectory
from nettool.runs.journal import read_metrics
from nettool.workflows.pictures.kinds import KINDS
from nettool.workflows.pictures.options import OF_ALL_EXAMPLES
from nettool.workflows.pictures.path import landscape_of
from nettool.workflows.pictures.subject import Subject, Unsuitable, Wishes
from nettool.workflows.trained import load_trained
from tests.cli.conftest import Nettool
from tests.cli.test_plot import RUN, names


@pytest.fixture
def run(nettool: Nettool, config: Path) -> Path:
    assert nettool("train", config, "--quiet", "epochs=3", "optimizer.lr=0.02").code == 0
    return RUN


def test_a_landscape_may_be_over_two_weights_and_hold_the_ways_of_several_runs(nettool: Nettool, run: Path) -> None:
    first, second = "layers.0.product.weight[0,1]", "layers.1.product.bias[0]"
    assert nettool("plot", run, "landscape", "--weights", first, "--weights", second, "--format", "svg").code == 0
    assert "layers.0.product.weight[0, 1]" in (run / "plots/landscape.svg").read_text()
    for places, told in (
        ([first], "name two of them"),
        (["layers.9[0]", second], "no layers.9. It has layers.0.product.weight [8, 4], layers.0"),
        (["layers.9[0]", second], "One number of the first is layers.0.product.weight[0, 0]."),
        (["layers.0.product.weight[0]", second], "name one number of it, such as layers.0.product.weight[0, 0]"),
        (["layers.0.product.weight[0,99]", second], "name one number of it"),
    ):
        result = nettool("plot", run, "landscape", *(part for name in places for part in ("--weights", name)))
        assert result.code == 2
        assert told in " ".join(result.err.split())
    nettool("train", "students.yaml", "--quiet", "epochs=3", "seed=7")
    nettool("train", "students.yaml", "--quiet", "epochs=3", "layers.0.units=9")
    assert nettool("plot", run, "landscape", "--with", "students-0002", "--format", "svg").code == 0
    assert ">students-0002<" in (run / "plots/landscape.svg").read_text()
    for arguments in (["landscape"], []):  # what was asked for is told, also where all kinds are drawn
        result = nettool(
            "plot", run, *arguments, "--with", "students-0003", "--to", f"to{len(arguments)}", "--format", "png"
        )
        assert result.code == 2
        assert "has a network of other shapes" in result.err
        assert "--beside runs/students-0003" in " ".join(result.err.split())
    assert {"roc", "curves"} <= names(Path("to0"))
    assert not Path("to1").exists()


def test_runs_of_the_same_name_keep_their_ways_apart_and_one_without_a_way_is_a_point(
    nettool: Nettool, config: Path
) -> None:
    for folder, changes in (("a", ()), ("b", ("seed=7",)), ("c", ("seed=8", "checkpoint.keep=none"))):
        assert nettool("train", config, "--quiet", "epochs=3", *changes, "--run-dir", f"{folder}/x").code == 0
    others = (RunDirectory(Path("b/x")), RunDirectory(Path("c/x")))
    _, ways = landscape_of(Subject(RunDirectory(Path("a/x")), Wishes(others=others)))
    assert [name for name, _ in ways] == ["x", "b/x", "c/x"]
    assert [len(way) for _, way in ways] == [4, 4, 1]
    assert ways[0][1][-1] == pytest.approx((0, 0), abs=1e-6)
    assert nettool("plot", "a/x", "landscape", "--with", "b/x", "--with", "c/x", "--to", "both").code == 0


def test_several_ways_draw_no_line_and_stop_nothing(nettool: Nettool, run: Path) -> None:
    for seed in (7, 8):
        nettool("train", "students.yaml", "--quiet", "epochs=2", f"seed={seed}")
    both = ("--with", "students-0002", "--with", "students-0003")
    result = nettool("plot", run, *both, "--to", "all", "--format", "png")
    assert result.code == 0
    assert {"landscape", "roc"} <= names(Path("all"))
    assert "line" not in names(Path("all"))
    assert "name one other" in nettool("plot", run, "line", *both).err


def test_a_run_or_several_kinds_in_one_word_are_told_apart_from_a_kind_that_there_is_not(
    nettool: Nettool, run: Path
) -> None:
    assert "with spaces between them: roc curves" in nettool("plot", run, "roc,curves").err
    assert "--beside students-0001" in nettool("plot", run, "students-0001").err


def test_a_file_is_no_folder_for_pictures(nettool: Nettool, run: Path) -> None:
    Path("mine").write_text("mine")
    for arguments in (("roc", "--to", "mine"), ("roc", "--to", "mine/deeper"), ("--animate", "--to", "mine")):
        result = nettool("plot", run, *arguments)
        assert result.code == 2
        assert "mine is a file. Name a folder" in result.err
    assert Path("mine").read_text() == "mine"


def best_row(run: Path) -> dict[str, float | None]:
    epoch = load_trained(run).epoch
    return next(row for row in read_metrics(RunDirectory(run)) if row["epoch"] == epoch)


def drawn_line(run: Path, *others: str) -> dict[str, np.ndarray]:
    """What the picture shows of the validation split, and where."""
    wishes = Wishes(others=tuple(RunDirectory(Path("runs") / name) for name in others))
    figure = KINDS["line"].draw(Subject(RunDirectory(run), wishes))
    above, below = figure.axes
    (loss,) = (each for each in above.lines if each.get_label() == "validation")
    (metric,) = (each for each in below.lines if each.get_label() == "validation")
    return {
        name: np.asarray(values)
        for name, values in (("at", loss.get_xdata()), ("loss", loss.get_ydata()), ("metric", metric.get_ydata()))
    }


@pytest.mark.parametrize("norm", [[], ["layers.0.norm=batch_norm"]])
def test_the_ends_of_a_line_are_the_losses_that_the_runs_have(nettool: Nettool, config: Path, norm: list[str]) -> None:
    for seed in (0, 1):
        assert nettool("train", config, "--quiet", "epochs=5", f"seed={seed}", *norm).code == 0
    other = Path("runs/students-0002")
    found = drawn_line(RUN, "students-0002")
    for at, run in ((0.0, RUN), (1.0, other)):
        place = found["at"].tolist().index(at)
        assert found["loss"][place] == best_row(run)["validation_loss"], "to the bit"
        assert found["metric"][place] == best_row(run)["accuracy"]
    found = drawn_line(RUN)
    assert found["loss"][found["at"].tolist().index(1.0)] == best_row(RUN)["validation_loss"]
    assert nettool("train", config, "--quiet", "epochs=0", *norm).code == 0
    untrained = best_row(Path("runs/students-0003"))
    assert found["loss"][found["at"].tolist().index(0.0)] == untrained["validation_loss"]
    RunDirectory(RUN).trace.unlink()  # the first weights are drawn again
    assert drawn_line(RUN)["loss"].tolist() == found["loss"].tolist()


def test_a_line_is_between_two_networks_of_the_same_shapes(nettool: Nettool, run: Path) -> None:
    nettool("train", "students.yaml", "--quiet", "epochs=0")
    nettool("train", "students.yaml", "--quiet", "epochs=2", "layers.0.units=9")
    for arguments, told in (
        (
            ["students-0001", "--with", "students-0003"],
            "no line between the two. Landscapes of both side by side: nettool",
        ),
        (["students-0001", "--with", "students-0002", "--with", "students-0003"], "name one other with --with"),
        (["students-0001", "--with", "students-0001"], "both runs have the same weights"),
        (["students-0002"], "its best weights are its first ones"),
    ):
        result = nettool("plot", arguments[0], "line", *arguments[1:])
        assert result.code == 2
        assert told in " ".join(result.err.split())
    nettool("train", "students.yaml", "--quiet", "epochs=2", "data.split.seed=5")
    assert nettool("plot", run, "line", "--with", "students-0004", "--format", "svg").code == 0
    assert "1 is students-0004, which saw other data" in (run / "plots/line.svg").read_text()


def test_landscapes_of_any_shapes_are_drawn_beside_each_other(nettool: Nettool, run: Path) -> None:
    nettool(
        "train", "students.yaml", "--quiet", "epochs=2", "layers=[dense: 5, residual: {layers: [dense: 5]}, output]"
    )
    result = nettool("plot", run, "landscape", "--beside", "students-0002", "--format", "svg")
    assert result.code == 0, result.err
    text = (run / "plots/landscape.svg").read_text()
    assert ">students-0001: " in text
    assert ">students-0002: " in text
    before = (run / "plots/landscape.svg").read_bytes()
    nettool("plot", run, "landscape", "--beside", "students-0002", "--format", "svg")
    assert (run / "plots/landscape.svg").read_bytes() == before
    nettool("train", "students.yaml", "--quiet", "epochs=1", "data.target=hours", "loss=mse")
    for arguments, told in (
        (["--beside", "students-0003"], "students-0003 has another loss, so that the two have no scale in common"),
        (["--beside", "students-0002", "--directions", "path"], "leave --with, --weights and --directions path out"),
        (["--beside", "students-0002", "--with", "students-0001"], "leave --with"),
        (["--beside", "students-0002"] * 4, "4 landscapes have room beside each other"),
    ):
        result = nettool("plot", run, "landscape", *arguments)
        assert result.code == 2
        assert told in " ".join(result.err.split())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("curves", "roc", "--features", "hours,lectures"), "--features is for boundary, and makes no difference to curves, roc."),
        (("curves", "--directions", "random"), "--directions is for landscape, and makes no difference to curves."),
        (("roc", "--weights", "a"), "--weights is for landscape, and makes no difference to roc."),
        (("weights", "--with", "students-0001"), "--with is for landscape and line, and makes no difference to weights."),
        (("line", "--beside", "students-0001"), "--beside is for landscape, and makes no difference to line."),
        (("curves", "line", "--split", "test"), "--split is for pictures of single examples, and makes no difference to"),
        (("--animate", "--with", "students-0001"), "makes no difference to boundary"),
        (("landscape", "--weights", "a", "--directions", "path"), "leave one of them out"),
        (("landscape", "--with", "students-0001", "--directions", "random"), "Leave --directions random out"),
    ],
)  # fmt: skip
def test_an_option_that_no_named_kind_heeds_is_a_mistake(
    nettool: Nettool, run: Path, arguments: tuple[str, ...], told: str
) -> None:
    result = nettool("plot", run, *arguments)
    assert result.code == 2
    assert told in " ".join(result.err.split())
    assert not (run / "plots").exists()


def test_an_option_is_for_those_that_heed_it_where_others_are_named_too(nettool: Nettool, run: Path) -> None:
    result = nettool(
        "plot", run, "curves", "boundary", "--features", "hours,lectures", "--split", "test", "--format", "svg"
    )
    assert result.code == 0
    assert names(run / "plots", ".svg") == {"curves", "boundary"}


def test_the_kinds_for_which_a_split_makes_a_difference_are_known(nettool: Nettool, run: Path) -> None:
    from nettool.plots.figures import as_png

    suiting, same = set(), set()
    for kind in KINDS.values():
        with contextlib.suppress(Unsuitable):
            train, test = (as_png(kind.draw(Subject(RunDirectory(run), Wishes(split)))) for split in ("train", "test"))
            suiting.add(kind.name)
            same |= {kind.name} if train == test else set()
    assert {"roc", "boundary", "landscape"} < suiting
    assert same == suiting & set(OF_ALL_EXAMPLES)
