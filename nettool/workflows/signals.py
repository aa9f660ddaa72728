"""Signals that ask a run to save and leave."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from nettool.errors import InterruptedRun


class StopSignals:
    """Inside, SIGINT, SIGTERM, SIGHUP and SIGUSR1 only raise a flag; see `second_ends` for a second one.

    Inside of another, what the other has received counts as received.

    One that whoever started us wants ignored, as nohup does with SIGHUP, stays so. Outside the main thread Python
    delivers no signals, and nothing is changed.
    """

    second_ends = True
    """Whether a second one ends the process at once, as whoever presses Ctrl-C twice means it. Not in a process that
    others stop: a service manager signals all of them, and a command that hears it passes it on.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = before = signal.signal(number, self._receive)
                    around = getattr(before, "__self__", None)
                    if isinstance(around, StopSignals) and around.received is not None:
                        self.received = around.received  # it came before, and still holds
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.received is None:
            self.received = signal.Signals(number)
        elif self.second_ends:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    def check(self, where: str, run: Path) -> None:
        """Raise InterruptedRun, with the exit code of the signal, if one came."""
        if self.received is not None:
            error = InterruptedRun(
                f"interrupted by {self.received.name} in {where}; what was learned is saved. "
                f"Go on with: nettool train --resume {run}"
            )
            error.exit_code = 128 + self.received
            raise error
