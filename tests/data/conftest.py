"""The people, as a file and prepared."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings
from people import people, write

from nettool.config.data import DataSpec
from nettool.config.losses import CrossEntropy
from nettool.data.bundle import TrainingData
from nettool.data.prepare import prepare

settings.register_profile("no clock", deadline=None)  # a busy machine is no mistake
settings.load_profile("no clock")


@pytest.fixture
def path(tmp_path: Path) -> str:
    return write(tmp_path / "people.csv", people())


@pytest.fixture
def data(path: str) -> TrainingData:
    return prepare(DataSpec(path=path, target=("label",)), CrossEntropy())
