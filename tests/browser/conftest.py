"""A browser for each test."""

from pathlib import Path

import pytest

from tests.browser.chromium import Browser


@pytest.fixture
def browser(tmp_path_factory: pytest.TempPathFactory) -> Browser:
    folder: Path = tmp_path_factory.mktemp("browser")
    return Browser(folder)
