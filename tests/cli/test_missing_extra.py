"""What needs an extra says so before anything begins."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import nettool.runs as nettool_runs
from tests.cli.conftest import Nettool

LOG = ("--log", "tensorboard")


def test_without_the_extra_it_is_told_before_anything_begins(
    nettool: Nettool, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(nettool_runs, "events", raising=False)
    monkeypatch.delitem(sys.modules, "nettool.runs.events", raising=False)
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto.event_pb2", None)
    for arguments in (("train", config), ("sweep", config, "dropout=0,0.5"), ("train", "--resume", "last")):
        result = nettool(*arguments, *LOG)
        told = (
            "nettool: --log tensorboard needs tensorboard, which is not installed: pip install 'nettool[tensorboard]'."
        )
        assert (result.code, result.out, " ".join(result.err.split())) == (2, "", told)
    assert not Path("runs").exists()
