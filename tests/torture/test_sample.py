"""A sample of every check, for each `make test`; and a few planted bugs, to see that a check can fail."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.torture import outside
from tests.torture.bugs import BUGS
from tests.torture.checks import CHECKS, OUTSIDE, ROWS
from tests.torture.lab import Caught, Lab
from tests.torture.zygote import Zygote


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    with Zygote() as zygote:
        yield zygote


@pytest.mark.parametrize("name", CHECKS)
def test_what_must_hold_holds(name: str, zygote: Zygote, tmp_path: Path) -> None:
    if name in ROWS[OUTSIDE] and not outside.is_possible():
        pytest.skip("no strace that may trace")
    lab = Lab(tmp_path, zygote)
    CHECKS[name](lab)
    assert lab.points
    assert not lab.failures, "\n".join(lab.failures[:5])


@pytest.mark.parametrize("name", ["generator_forgotten@kill_everywhere:table", "file_not_synced", "source_write"])
def test_a_planted_bug_is_noticed(name: str, zygote: Zygote, tmp_path: Path) -> None:
    lab = Lab(tmp_path, zygote, sample=False, bug=name)
    with pytest.raises(Caught):
        CHECKS[BUGS[name].check](lab)


def test_every_bug_has_a_check_and_every_row_a_bug() -> None:
    checked = {bug.check for bug in BUGS.values()}
    assert checked <= CHECKS.keys()
    assert not [row for row, checks in ROWS.items() if not checked & checks.keys()]
