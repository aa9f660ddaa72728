"""What the names of folders mean: classes, or the splits that hold them."""

from __future__ import annotations

from pathlib import Path

import pytest
from people import refusal
from test_images import CAT, GREY, LABELS, MANY, SPLITS, write_folders

from nettool.config.data import DataSpec
from nettool.config.signature import ClassTarget
from nettool.data.encode import load_split
from nettool.data.prepare import prepare


def test_a_class_called_like_a_missing_value_is_refused_by_its_folder(tmp_path: Path) -> None:
    write_folders(tmp_path, GREY, LABELS)
    (tmp_path / "cat").rename(tmp_path / "None")
    assert refusal(DataSpec(path=str(tmp_path)), MANY) == (
        f"{tmp_path / 'None'}: this name stands for a missing value. Cure: another one for the class."
    )


@pytest.mark.parametrize("names", [("none", "ok"), ("bus", "train"), ("01", "1")])
def test_a_class_may_be_called_like_a_split_or_a_number(tmp_path: Path, names: tuple[str, str]) -> None:
    write_folders(tmp_path, GREY, LABELS)
    for old, new in zip(CAT, names, strict=True):
        (tmp_path / old).rename(tmp_path / new)
    assert prepare(DataSpec(path=str(tmp_path)), MANY).signature.target == ClassTarget(names, binary=False)


@pytest.mark.parametrize("names", [("train", "validation"), ("training", "valid"), ("Train", "Val")])
def test_folders_of_splits_are_known_by_their_usual_names(tmp_path: Path, names: tuple[str, str]) -> None:
    for name in names:
        write_folders(tmp_path / name, GREY, LABELS)
    found = prepare(DataSpec(path=str(tmp_path)), MANY)
    assert [len(found.splits[name]) for name in SPLITS[:2]] == [40, 40]


def test_a_class_may_be_called_test_and_hold_folders_of_its_own(tmp_path: Path) -> None:
    write_folders(tmp_path, GREY, LABELS)
    (tmp_path / "cat" / "deep").mkdir()
    for path in list((tmp_path / "cat").glob("*.png"))[:5]:
        path.rename(path.parent / "deep" / path.name)
    (tmp_path / "cat").rename(tmp_path / "test")
    spec = DataSpec(path=str(tmp_path))
    found = prepare(spec, MANY)
    assert found.signature.target == ClassTarget(("dog", "test"), binary=False)
    assert sum(len(load_split(spec, found.encoders, name)) for name in SPLITS) == 40
