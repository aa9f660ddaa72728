"""Configs as files in a folder of their own, and the words with which nettool refuses them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from refusals import GOOD, Read, Refuse

from nettool.config.experiment import Experiment
from nettool.config.load import load
from nettool.errors import ConfigError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def read(folder: Path) -> Read:
    """Write a config to c.yaml and load it. What is no whole config is put behind a good one."""

    def read(text: str | bytes = "", overrides: Sequence[str] = ()) -> Experiment:
        if isinstance(text, str):
            text = (text if "data:" in text else GOOD + text).encode()
        Path("c.yaml").write_bytes(text)
        return load(Path("c.yaml"), overrides).experiment

    return read


@pytest.fixture
def refuse(read: Read) -> Refuse:
    """The mistakes of a config, each as `place name: text`, as the user reads them but for the line breaks."""

    def refuse(text: str | bytes = "", overrides: Sequence[str] = ()) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            read(text, overrides)
        mistakes = caught.value.mistakes
        assert all(mistake.place for mistake in mistakes)
        return [f"{one.place} {one.name}: {one.text}" if one.name else f"{one.place} {one.text}" for one in mistakes]

    return refuse
