import errno
import json
import os
from pathlib import Path

import pytest

from nettool.errors import DamagedError, RunError
from nettool.runs import journal
from nettool.runs.directory import FORMAT_VERSION, RunDirectory


def test_rows_come_back_to_the_bit(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    columns = ("epoch", "step", "train_loss", "validation_loss", "lr")
    written = journal.Journal(run, columns)
    values = [(1, 7, 0.1 + 0.2, 1e-310, 1e-3), (2, 14, 1 / 3, None, 0.1)]
    for row in values:
        written.append(dict(zip(columns, row, strict=True)))
    written.close()
    rows = journal.read_metrics(run)
    assert [tuple(row.values()) for row in rows] == values


def test_rows_can_be_read_while_the_run_goes_on(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    row = {"epoch": 1.0, "step": 7.0, "train_loss": 0.5, "lr": 0.1}
    written = journal.Journal(run, tuple(row))
    written.append(row)
    assert journal.read_metrics(run) == [row]


def test_a_record_is_json_with_its_format_version(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    journal.write_record(run, {"status": "finished", "overrides": [], "metrics": {"accuracy": 0.5}})
    assert json.loads(run.record.read_text())["format_version"] == FORMAT_VERSION
    assert journal.read_record(run)["metrics"] == {"accuracy": 0.5}


def test_a_record_never_holds_what_json_lacks(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        journal.write_record(RunDirectory(tmp_path), {"loss": float("nan")})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "has no run.json"),
        ("{", "it is no JSON"),
        ("[]", "it is no JSON that nettool writes"),
        ("[" * 100_000, "it is no JSON"),
        ("{}", "format_version"),
        ('{"format_version": 2, "status": "finished", "overrides": [], "seconds": NaN}', "it is no JSON that nettool"),
        ('{"format_version": 2, "x": [' + "{}," * 2**19 + "{}]}", "it is no JSON that nettool writes"),
    ],
)
def test_a_missing_or_damaged_record_is_named(tmp_path: Path, content: str | None, words: str) -> None:
    run = RunDirectory(tmp_path)
    if content is not None:
        run.record.write_text(content)
    with pytest.raises(RunError, match=words):
        journal.read_record(run)


def test_a_record_that_cannot_be_read_now_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunDirectory(tmp_path)
    journal.write_record(run, {"status": "finished", "overrides": []})

    def fail(path: Path) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(Path, "read_bytes", fail)
    with pytest.raises(RunError, match="cannot be read") as caught:
        journal.read_record(run)
    assert not isinstance(caught.value, DamagedError)


def test_a_journal_larger_than_any_is_damaged(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    with run.metrics.open("wb") as file:
        file.truncate(2**28 + 1)
    with pytest.raises(DamagedError):
        journal.read_metrics(run)
