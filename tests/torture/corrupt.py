"""Row 7: flipped bits and cut files are noticed, and the checkpoint before is used, with one line that says so."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

from nettool.errors import DamagedError
from nettool.runs import checkpoint
from tests.same_run import assert_same_run
from tests.torture.lab import Lab


def corruptions(content: bytes, chance: random.Random, count: int) -> Iterator[tuple[str, bytes]]:
    """A bit turned, a byte replaced, bytes lost from the end or the middle, bytes added, a stretch of zeros."""
    while count:
        place, kind = chance.randrange(len(content)), chance.randrange(6)
        spoilt = bytearray(content)
        if kind == 0:
            spoilt[place] ^= 1 << chance.randrange(8)
        elif kind == 1:
            spoilt[place] = chance.randrange(256)
        elif kind == 2:
            del spoilt[place:]
        elif kind == 3:
            del spoilt[place : place + chance.randrange(1, 9)]
        elif kind == 4:
            spoilt[place:place] = bytes(chance.randrange(256) for _ in range(chance.randrange(1, 9)))
        else:
            length = chance.randrange(1, 600)
            spoilt[place : place + length] = bytes(len(spoilt[place : place + length]))
        if bytes(spoilt) != content:
            count -= 1
            yield f"{('bit', 'byte', 'end', 'loss', 'gain', 'zeros')[kind]} at {place}", bytes(spoilt)


def corrupt(lab: Lab, case: str) -> None:
    """500 of them are each noticed; after some of them the run is gone on with."""
    folder = lab.case(case)
    half = folder / "half"
    if not half.exists():
        operations = len((folder / "log").read_text().splitlines())
        lab.train(folder, half, kill_at=operations // 2)
        lab.resume(half, kill_at=operations // 4)  # so that there are a last and a previous one
    content = (half / "last.safetensors").read_bytes()
    spoilt_file = folder / "spoilt.safetensors"
    for index, (what, spoilt) in enumerate(corruptions(content, random.Random(1), 100 if lab.sample else 500)):
        if not lab.bug:  # what is planted is planted in other processes
            spoilt_file.write_bytes(spoilt)
            with lab.point(what):
                _assert_noticed(spoilt_file)
        if index % (25 if lab.sample else 20) == 0:
            run = lab.new_run(folder)
            shutil.copytree(half, run)
            (run / "last.safetensors").write_bytes(spoilt)
            with lab.point(f"{what}, resumed"):
                result = lab.resume(run) if lab.bug else lab.run(folder, "train", "--resume", run.name)
                assert result.code == 0, result.err
                if not lab.bug:
                    assert result.err.count("warning: ") == 1, result.err
                    assert "Going on from the checkpoint before it, in epoch" in result.err, result.err
                assert_same_run(folder / "uncut", run)
            lab.done_with(run)


def _assert_noticed(path: Path) -> None:
    try:
        checkpoint.load(path)
    except DamagedError:
        return
    raise AssertionError("nobody noticed")
