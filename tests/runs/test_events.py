"""Event files: begun anew without what came before, read up to the first damage, never behind a link."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nettool.errors import ResourceError

pytest.importorskip("tensorboard", reason="needs the extra nettool[tensorboard]")

if TYPE_CHECKING:
    from nettool.runs.events import EventFile


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "tensorboard" / "train"


@pytest.fixture
def file(folder: Path) -> EventFile:
    from nettool.runs.events import EventFile

    return EventFile(folder)


def loss(epoch: int) -> bytes:
    from nettool.runs.events import scalars

    return scalars(epoch, 1e9 + epoch, {"metrics/loss": 1 / epoch})


def steps(file: EventFile) -> list[int]:
    return [event.step for event in file.stored() if event.summary.value]


def test_what_is_appended_comes_behind_what_it_began_with(file: EventFile, folder: Path) -> None:
    file.begin([loss(1), loss(2)])
    file.append([loss(3)])
    file.append([])
    assert steps(file) == [1, 2, 3]
    assert [path.name for path in folder.iterdir()] == ["events.out.tfevents.0001"]


def test_begun_again_it_is_a_newer_file(file: EventFile, folder: Path) -> None:
    file.begin([loss(1), loss(2)])
    (folder / ".events.out.tfevents.0002.17.tmp").write_bytes(b"of a process that was killed")
    file.begin([loss(1)])
    file.append([loss(2)])
    assert steps(file) == [1, 2]
    sizes = {path.name: path.stat().st_size > 0 for path in folder.iterdir()}
    assert sizes == {"events.out.tfevents.0001": False, "events.out.tfevents.0002": True}
    file.begin([loss(1)])
    assert sorted(path.name for path in folder.iterdir()) == ["events.out.tfevents.0002", "events.out.tfevents.0003"]


def test_tensorboard_that_reads_along_forgets_the_file_before(file: EventFile, folder: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    file.begin([loss(epoch) for epoch in range(1, 9)])
    board = EventAccumulator(str(folder)).Reload()
    file.begin([loss(epoch) for epoch in range(1, 5)])
    file.append([loss(5)])
    board.Reload()
    assert [each.step for each in board.Scalars("metrics/loss")] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("cut", [1, 3, 20])
def test_a_file_that_was_cut_off_is_read_up_to_there(file: EventFile, folder: Path, cut: int) -> None:
    file.begin([loss(1), loss(2), loss(3)])
    (path,) = folder.iterdir()
    path.write_bytes(path.read_bytes()[:-cut])
    assert steps(file) == [1, 2]


@pytest.mark.parametrize("content", [b"", b"no events at all, but enough bytes for a record", b"\xff" * 64])
def test_what_is_no_event_file_has_no_events(file: EventFile, folder: Path, content: bytes) -> None:
    folder.mkdir(parents=True)
    (folder / "events.out.tfevents.0007").write_bytes(content)
    assert steps(file) == []
    file.begin([loss(1)])
    assert steps(file) == [1]


def test_other_files_stay(file: EventFile, folder: Path) -> None:
    folder.mkdir(parents=True)
    names = ["events.out.tfevents.1700000000.host.17.0", "notes.txt"]
    for name in names:
        (folder / name).write_text("mine")
    file.begin([loss(1)])
    assert sorted(path.name for path in folder.iterdir()) == ["events.out.tfevents.0001", *names]


@pytest.mark.parametrize("where", ["tensorboard", "tensorboard/train"])
def test_behind_a_link_nothing_is_written(tmp_path: Path, folder: Path, where: str) -> None:
    from nettool.runs.events import EventFile

    precious = tmp_path / "precious"
    precious.mkdir()
    (tmp_path / where).parent.mkdir(exist_ok=True)
    (tmp_path / where).symlink_to(precious)
    with pytest.raises(ResourceError, match="a link or a pipe stands in its place"):
        EventFile(folder)
    assert list(precious.iterdir()) == []
