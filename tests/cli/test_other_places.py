"""Data that moved, that lies elsewhere, that is only looked at: what eval, predict and check make of it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Nettool
from tests.cli.test_images import draw, predicted, save, train, write_config, write_folders, write_idx
from tests.cli.test_text import write_config as write_text_config


def test_other_parts_of_a_folder_are_not_taken_for_the_data_of_training(nettool: Nettool) -> None:
    for kind, part in (("idx", "train-images-idx3-ubyte"), ("folders of splits", "train")):
        run = train(nettool, kind, "epochs=1")
        result = nettool("eval", run, f"data.path=drawn/{part}")
        assert (result.code, result.out) == (2, ""), "training images would count as test"
        assert f"drawn/{part} is not the data that the run was trained on" in result.err
        shutil.rmtree("drawn")


def test_a_text_that_is_gone_or_a_folder_is_named(nettool: Nettool) -> None:
    run = nettool("train", write_text_config("lstm"), "epochs=1").out.strip()
    text = next(Path().glob("*.txt"))
    text.rename("moved.txt")
    Path("folder").mkdir()
    for override, words in (
        ((), f"{text}: there is no such file or folder any more. Was it moved? Then add data.path=..."),
        (("data.path=folder",), "folder is a folder. A text is one file."),
    ):
        result = nettool("eval", run, *override)
        assert (result.code, result.out) == (2, "")
        assert words in result.err
    assert nettool("eval", run, "data.path=moved.txt").code == 0
    result = nettool("eval", run, "--by", "line")
    assert (result.code, result.out) == (2, "")


def test_an_image_of_a_table_that_is_gone_is_named(nettool: Nettool) -> None:
    run = train(nettool, "csv of paths", "epochs=1")
    Path("drawn/circle/000.png").unlink()
    result = nettool("eval", run)
    assert (result.code, result.out) == (2, "")
    assert "drawn/circle/000.png: cannot be read: No such file or directory." in result.err


def test_a_folder_of_several_parts_is_answered_with_their_names(nettool: Nettool) -> None:
    run = train(nettool, "idx", "epochs=1")
    for command in (("eval", run, "--data", "drawn"), ("predict", run, "drawn")):
        result = nettool(*command)
        assert (result.code, result.out) == (2, "")
        assert "drawn holds train and test. Cure: name one of them, such as " in result.err
    answer = nettool("eval", run, "--data", "drawn/t10k-images-idx3-ubyte", "--json")
    assert json.loads(answer.out)["num_examples"] == 15


def test_a_network_of_a_table_of_paths_is_evaluated_on_class_folders(nettool: Nettool) -> None:
    run = train(nettool, "csv of paths")
    write_folders(Path("new"), *draw(30, seed=5))
    answer = json.loads(nettool("eval", run, "--data", "new", "--by", "shape", "--json").out)
    assert answer["num_examples"] == sum(group["num_examples"] for group in answer["groups"]) == 30
    assert answer["metrics"]["accuracy"] > 0.8
    hashes = nettool("eval", run, "--by", "file")
    assert (hashes.code, hashes.out) == (2, "")
    assert "--by: the data has no column file. Its columns are shape." in hashes.err


def test_a_folder_is_predicted_by_the_newest_run(nettool: Nettool) -> None:
    run = train(nettool, "class folders", "epochs=1")
    write_folders(Path("new"), *draw(6, seed=5))
    assert predicted(nettool, "new") == predicted(nettool, run, "new")
    result = nettool("predict", run.removeprefix("runs/"))
    assert "nothing to predict from" in result.err


def test_a_folder_that_cannot_be_read_is_no_bug(nettool: Nettool, monkeypatch: pytest.MonkeyPatch) -> None:
    write_folders(Path("drawn"), *draw())

    def refuse(folder: Path) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr("nettool.data.idx.find_idx", refuse)
    result = nettool("check", write_config("drawn"))
    assert result.code == 2
    assert "drawn: cannot be read: Permission denied." in result.err


# A look that is not at everything


def test_check_says_that_it_looked_at_some_and_finds_every_class(
    nettool: Nettool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels, _ = draw(300)
    for place, image in enumerate(pixels):
        save(Path("drawn", f"class {place % 10}", f"{place:03}.png"), image)
    monkeypatch.setattr("nettool.data.reading.FIRST_IMAGES", 20)
    decoded: list[int] = []
    from nettool.data import image_files

    whole = image_files.decode_images
    monkeypatch.setattr(
        image_files, "decode_images", lambda paths, *rest: decoded.append(len(paths)) or whole(paths, *rest)
    )
    shown = nettool("check", write_config("drawn"))
    assert shown.code == 0, shown.err
    assert "Only 120 of the 300 images were decoded for this." in shown.out
    assert re.search(r"output +10 ", shown.out)
    assert decoded == [120]
    assert "Only" not in nettool("check", "shapes.yaml", "--data").out


def test_check_says_that_it_read_the_beginning_of_a_text(nettool: Nettool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nettool.data.token_stream.FIRST_BYTES", 300)
    path = write_text_config("lstm")
    assert "Only the first 300 bytes were read; the rest may hold more characters." in nettool("check", path).out
    assert "Only" not in nettool("check", path, "--data").out


def test_idx_files_are_found_by_predict_whatever_else_is_there(nettool: Nettool) -> None:
    run = train(nettool, "class folders", "epochs=1")
    only = write_idx(Path("mnist"), *draw(75))
    for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"):
        (only / name).unlink()
    assert len(predicted(nettool, run, only)) == 15


# Settings that are for other data


@pytest.mark.parametrize(
    ("key", "value"),
    [("features", "[a]"), ("weights", "a"), ("columns", "{a: number}"), ("image", "{size: 3}"), ("split.by", "a")],
)
def test_what_a_text_does_not_have_is_refused(nettool: Nettool, key: str, value: str) -> None:
    result = nettool("check", write_text_config("lstm"), f"data.{key}={value}")
    assert (result.code, result.out) == (2, "")
    assert f"data.{key.replace('size', '')}" in result.err


def test_the_image_cannot_be_read_as_anything_else(nettool: Nettool) -> None:
    write_folders(Path("drawn"), *draw())
    result = nettool("check", write_config("drawn"), "data.columns.image=ignore")
    assert result.code == 2
    assert "is the image that the network takes, and is read as nothing else. Take it out." in " ".join(
        result.err.split()
    )


def test_a_path_to_nothing_is_answered_with_its_line_and_what_is_near(nettool: Nettool) -> None:
    write_folders(Path("drawn"), *draw(3))
    result = nettool("check", write_config("drawm"))
    assert (result.code, result.out) == (2, "")
    said = " ".join(result.err.split())
    assert said.startswith("shapes.yaml:1:8 data.path: ")
    assert said.endswith("drawm: there is no such file or folder. Did you mean drawn?")
