"""Row 9: an operation is refused, once or from then on. One line, exit 4, and the run can be gone on with."""

from __future__ import annotations

import errno
import itertools
import json
from pathlib import Path

from tests.same_run import assert_same_run
from tests.torture.kills import assert_whole, go_on, train_half
from tests.torture.lab import Lab
from tests.torture.zygote import Result

ERRORS = {errno.ENOSPC: "the disk is full", errno.EIO: "input/output error", errno.EROFS: "read-only"}


def refuse_everywhere(lab: Lab, case: str) -> None:
    """Every operation fails in one of six ways, in turn; sampled, every so many."""
    folder = lab.case(case)
    operations = [json.loads(line) for line in (folder / "log").read_text().splitlines()]
    ways = itertools.cycle(itertools.product(ERRORS, (False, True)))
    stride = max(1, len(operations) // 18) if lab.sample else 1
    for number in range(1, len(operations) + 1, stride):
        code, for_good = next(ways)
        name = f"{case}, {errno.errorcode[code]} {'from' if for_good else 'at'} operation {number}"
        run = lab.new_run(folder)
        result = lab.train(folder, run, fail_at=number, errno=code, for_good=for_good)
        with lab.point(name):
            _assert_told(result, code)
            _goes_on(lab, folder, run)
        lab.done_with(run)


def refuse_resumption(lab: Lab, case: str) -> None:
    """The same of a run that goes on, its newest checkpoint damaged or not."""
    folder = lab.case(case)
    ways = itertools.cycle(itertools.product(ERRORS, (False, True), (False, True)))
    for number in range(1, 60, 12 if lab.sample else 1):
        code, for_good, is_damaged = next(ways)
        run = lab.new_run(folder)
        train_half(lab, folder, run, damaged=is_damaged)
        with lab.point(f"{case}, {errno.errorcode[code]} {'from' if for_good else 'at'} operation {number}, resumed"):
            _assert_told(lab.resume(run, fail_at=number, errno=code, for_good=for_good), code)
            go_on(lab, run)
            assert_same_run(folder / "uncut", run)
        lab.done_with(run)


def _assert_told(result: Result, code: int) -> None:
    """In one line, with exit 4. (What happened to the run before may have been told in lines above it.)"""
    assert result.code == 4, (result.code, result.err)
    *before, line = result.err.splitlines()
    assert all(one.startswith(("warning: ", "note: ")) for one in before), result.err
    assert line.startswith("nettool: cannot write"), result.err
    assert ERRORS[code] in line, result.err


def _goes_on(lab: Lab, folder: Path, run: Path) -> None:
    if not (run / "config.yaml").exists():
        return
    assert_whole(run)
    go_on(lab, run)
    assert_same_run(folder / "uncut", run)
