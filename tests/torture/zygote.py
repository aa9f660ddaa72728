"""A process that has imported everything and computed nothing, and forks a child for each command line.

Importing torch takes longer than a small training; a fork takes a millisecond. The parent must stay without threads,
since a child inherits their locks and not them; so it does nothing but fork.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import importlib
import itertools
import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.torture.bugs import BUGS

ROOT = Path(__file__).parents[2]
DEADLINE = 300.0
"""Seconds. Nothing takes a tenth of it on an idle machine."""


@dataclass(frozen=True)
class Task:
    """A command line, run in a folder, and what befalls it. ("call", "module:function", ...) calls a function of the
    tests with texts instead; what it returns is printed as JSON.

    kill_at: the operation of durable.py before which the process is killed. fail_at, errno, for_good: the operation
    that fails with this error, alone or with all behind it. bug: of bugs.py, planted first. log: a file that tells the
    operations. audit: a file that tells what a stranger's file has brought about. measure: a file that tells time and
    memory. chunk: bytes of a write, so that a small checkpoint is several.
    """

    folder: str
    arguments: tuple[str, ...]
    kill_at: int = 0
    fail_at: int = 0
    errno: int = 0
    for_good: bool = False
    bug: str = ""
    log: str = ""
    audit: str = ""
    measure: str = ""
    chunk: int = 4096


@dataclass(frozen=True)
class Result:
    """How it ended. code: the exit status, or minus the signal that ended it."""

    code: int
    out: str
    err: str
    seconds: float


class Misplanted(Exception):
    """A planted bug ended in a crash: whoever notices that has noticed nothing."""


class Running:
    """A child that has begun."""

    def __init__(self, zygote: Zygote, task: Task, pid: int) -> None:
        self.zygote, self.task, self.pid = zygote, task, pid
        self.has_been_read = False
        self._began = time.monotonic()

    def end(self) -> None:
        """Kill it, if nobody has waited for it, so that the zygote is free for the next."""
        if not self.has_been_read:
            with contextlib.suppress(ProcessLookupError):
                self.send(signal.SIGKILL)
            self.zygote.read(DEADLINE)
            self.has_been_read = True

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def has_ended(self) -> bool:
        """Whether the child is gone, or waits for its parent to look."""
        try:
            return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except FileNotFoundError:
            return True

    def wait(self) -> Result:
        """To its end. Raises AssertionError for one that has not come to it when DEADLINE is over; it is killed then."""
        try:
            status = self.zygote.read(DEADLINE)["status"]
        except TimeoutError:
            self.end()
            raise AssertionError(f"{self.task.arguments} did not end within {DEADLINE:.0f} s") from None
        self.has_been_read = True
        out, err = (Path(self.task.folder, name).read_text(errors="replace") for name in ("stdout", "stderr"))
        if self.task.bug and not BUGS[self.task.bug].crashes and ("Traceback" in err or "a bug in nettool" in err):
            raise Misplanted(err)
        return Result(os.waitstatus_to_exitcode(status), out, err, time.monotonic() - self._began)


class Zygote:
    """The process, from this side. One task at a time."""

    def __enter__(self) -> Zygote:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.torture.zygote"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, env=environment, bufsize=0,
        )  # fmt: skip
        self._answers = b""
        self._running: Running | None = None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        if self._running:
            self._running.end()
        self._process.stdin.close()
        self._process.wait(timeout=60)

    def start(self, task: Task) -> Running:
        """Begin; a task before it that nobody waited for, since a check failed over it, is ended first."""
        assert self._process.stdin is not None
        if self._running:
            self._running.end()
        self._process.stdin.write(json.dumps(dataclasses.asdict(task)).encode() + b"\n")
        self._running = Running(self, task, self.read(DEADLINE)["pid"])
        return self._running

    def run(self, task: Task) -> Result:
        return self.start(task).wait()

    def read(self, seconds: float) -> dict[str, Any]:
        """The next answer. Raises TimeoutError when there is none by then."""
        assert self._process.stdout is not None
        end = time.monotonic() + seconds
        while b"\n" not in self._answers:
            if not select.select([self._process.stdout], [], [], max(0.0, end - time.monotonic()))[0]:
                raise TimeoutError
            more = self._process.stdout.read(1 << 16)
            assert more, "the zygote is gone"
            self._answers += more
        line, _, self._answers = self._answers.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer


# --- the other side ----------------------------------------------------------------------------------------


def _main() -> None:
    import nettool_cli.evaluate
    import nettool_cli.main
    import nettool_cli.predict
    import nettool_cli.progress
    import nettool_cli.train
    import pyarrow.csv
    import pyarrow.parquet
    import rich.console
    import rich.table
    import torch

    import nettool.workflows.evaluate
    import nettool.workflows.predict
    import nettool.workflows.train

    del nettool_cli, pyarrow, rich, torch, nettool
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        fields = json.loads(line)
        task = Task(**{**fields, "arguments": tuple(fields["arguments"])})
        pid = os.fork()
        if pid == 0:
            _become(task)
        print(json.dumps({"pid": pid}), file=answers, flush=True)
        _, status = os.waitpid(pid, 0)
        print(json.dumps({"status": status}), file=answers, flush=True)


def _become(task: Task) -> None:
    """The child: runs the command line as the user would, and never returns."""
    code = 70
    try:
        os.chdir(task.folder)
        for descriptor, name in ((1, "stdout"), (2, "stderr")):
            file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(file, descriptor)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        from nettool_cli.main import leave_when_interrupted, main

        if task.bug:
            BUGS[task.bug].plant()
        _watch(task)
        if task.audit:
            _audit(task.audit)
        before = resource.getrusage(resource.RUSAGE_SELF)
        leave_when_interrupted()
        try:
            if task.arguments[0] == "call":
                code = _call(*task.arguments[1:])
            else:
                sys.argv = ["nettool", *task.arguments]
                main()
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else 1
        sys.stdout.flush()
        sys.stderr.flush()
        if task.measure:
            Path(task.measure).write_text(json.dumps(_cost(before)))
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _call(name: str, *arguments: str) -> int:
    module, _, function = name.partition(":")
    print(json.dumps(getattr(importlib.import_module(module), function)(*arguments)))
    return 0


def _cost(before: resource.struct_rusage) -> dict[str, float]:
    """Processor seconds, and MiB above what was there before."""
    after = resource.getrusage(resource.RUSAGE_SELF)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": seconds, "mebibytes": (after.ru_maxrss - before.ru_maxrss) / 1024}


AUDITED = ("pickle.", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "subprocess.", "socket.", "shutil.", "exec")


def _audit(path: str) -> None:
    """Write down whatever executes something, from here on."""
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event.startswith(AUDITED):
            detail = arguments[0].co_filename if event == "exec" else arguments[0] if arguments else ""
            os.write(log, f"{event} {detail}\n".encode(errors="replace"))

    sys.addaudithook(hook)


def _watch(task: Task) -> None:
    from nettool.runs import durable

    durable.CHUNK = task.chunk
    durable._numbers = itertools.count(1)
    befalls: list[Callable[[durable.Operation], None]] = []
    if task.log:
        log = os.open(task.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
        befalls.append(lambda operation: (os.write(log, _line(operation)), None)[1])
    if task.kill_at:
        befalls.append(lambda operation: _kill() if operation.number == task.kill_at else None)
    if task.fail_at:
        befalls.append(lambda operation: _fail(operation, task))
    durable.watch = lambda operation: [befall(operation) for befall in befalls] and None


def _line(operation: Any) -> bytes:
    fields = {
        "number": operation.number,
        "kind": operation.kind,
        "path": str(operation.path),
        "target": None if operation.target is None else str(operation.target),
        "content": base64.b64encode(operation.content).decode(),
    }
    return (json.dumps(fields) + "\n").encode()


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


def _fail(operation: Any, task: Task) -> None:
    if operation.number == task.fail_at or (task.for_good and operation.number > task.fail_at):
        raise OSError(task.errno, os.strerror(task.errno))


if __name__ == "__main__":
    _main()
