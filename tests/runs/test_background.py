"""Writing beside training: one job at a time, and no failure that nobody hears of."""

from __future__ import annotations

import threading

import pytest

from nettool.errors import ResourceError
from nettool.runs.background import BackgroundWriter


def fail() -> None:
    raise ResourceError("the disk is full")


def test_a_job_goes_on_while_its_giver_does() -> None:
    writer, may_end = BackgroundWriter(), threading.Event()
    writer.start(lambda: may_end.wait() and None)
    assert writer.is_busy
    writer.check()  # says nothing of a job that is under way
    may_end.set()
    writer.wait()
    assert not writer.is_busy
    writer.close()


def test_there_are_never_two_at_once() -> None:
    writer, running, most = BackgroundWriter(), [0], [0]

    def job() -> None:
        running[0] += 1
        most[0] = max(most[0], running[0])
        running[0] -= 1

    for _ in range(50):
        writer.start(job)
    writer.wait()
    assert most == [1]
    writer.close()


@pytest.mark.parametrize("look", ["check", "wait", "start"])
def test_a_failure_is_raised_at_the_next_look_and_once(look: str) -> None:
    writer = BackgroundWriter()
    writer.start(fail)
    while writer.is_busy:
        pass
    with pytest.raises(ResourceError, match="the disk is full"):
        writer.start(lambda: None) if look == "start" else getattr(writer, look)()
    writer.check()
    writer.wait()
    writer.close()


def test_closing_waits_for_the_job_under_way() -> None:
    writer, done = BackgroundWriter(), []
    writer.start(lambda: done.append(1))
    writer.close()
    assert done == [1]
