"""Writing while training goes on: one write at a time, whose failure is raised at the next look."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor


class BackgroundWriter:
    """A thread that does one job at a time. What a job is given must be nobody's to change any more."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="nettool-writer")
        self._job: Future[None] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a job is under way."""
        return self._job is not None and not self._job.done()

    def start(self, job: Callable[[], None]) -> None:
        """Wait for the job before, raise its error if it has one, and begin this one."""
        self.wait()
        self._job = self._thread.submit(job)

    def check(self) -> None:
        """Raise the error of a job that has failed, once."""
        if not self.is_busy:
            self.wait()

    def wait(self) -> None:
        """Wait for the job under way; raise its error, once."""
        job, self._job = self._job, None
        if job is not None:
            job.result()

    def close(self) -> None:
        """Wait for the job under way and end the thread; an error that nobody has asked for stays unsaid."""
        self._thread.shutdown()
