"""The same from outside: strace watches, kills and fails the system calls themselves.

It shows two things that the numbered operations cannot show of themselves: that nothing is written beside them, and that
a fault of the system ends as a fault of an operation does.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.same_run import assert_same_run
from tests.torture.kills import assert_whole, train_half
from tests.torture.lab import Lab
from tests.torture.zygote import ROOT

WRITES = (
    "open", "openat", "openat2", "creat", "write", "writev", "pwrite64", "pwritev", "pwritev2", "sendfile", "copy_file_range",
    "fsync", "fdatasync", "sync_file_range", "rename", "renameat", "renameat2", "unlink", "unlinkat", "mkdir", "mkdirat",
    "rmdir", "link", "linkat", "symlink", "symlinkat", "truncate", "ftruncate", "fallocate", "chmod", "fchmod", "utimensat",
)  # fmt: skip
CALLS = {
    "make": "mkdir", "create": "open", "open": "open", "write": "write", "append": "write", "sync": "fsync",
    "sync folder": "fsync", "rename": "rename", "remove": "unlink",
}  # fmt: skip
"""What each kind of operation asks of the system."""
SAME = {
    "openat": "open",
    "creat": "open",
    "pwrite64": "write",
    "mkdirat": "mkdir",
    "renameat": "rename",
    "renameat2": "rename",
    "unlinkat": "unlink",
}
BEGIN = """
import sys
sys.path.insert(0, sys.argv[1])
from tests.torture import bugs, zygote
_, _, bug, log, *arguments = sys.argv
if bug:
    bugs.BUGS[bug].plant()
zygote._watch(zygote.Task("", (), log=log))
from nettool_cli.main import main
sys.argv = ["nettool", *arguments]
main()
"""


def watch_from_outside(lab: Lab) -> None:
    """Every system call that changes the run directory is an operation of durable.py, and the other way round."""
    folder = lab.case("table")
    for what in ("a new run",) if lab.sample and not lab.bug else WATCHED:
        run = lab.new_run(folder)
        arguments, code = ["train", "table.yaml", "--run-dir", run.name, "--quiet"], 0
        if what.startswith("resumed"):
            train_half(lab, folder, run, damaged=what == "resumed after damage")
            arguments = ["train", "--resume", run.name, "--quiet"]
        if what == "a run that diverges":
            arguments, code = [*arguments, "optimizer={name: sgd, lr: 1e30}"], 3
        if what == "looked at":
            lab.train(folder, run)
            arguments = ["eval", run.name]
        with lab.point(f"{what}: strace and durable.py count the same"):
            result = _strace(lab, folder, arguments, [])
            assert result.returncode == code, result.stderr
            inside, outside = _inside(folder, run), _outside(folder, run)
            assert sum(inside.values()) >= WATCHED[what], inside
            assert inside == outside, f"only inside: {inside - outside}; only outside: {outside - inside}"
            if code == 0:
                assert_same_run(folder / "uncut", run)
        lab.done_with(run)


WATCHED = {
    "a new run": 100,
    "resumed after a kill": 50,
    "resumed after damage": 50,
    "a run that diverges": 20,
    "looked at": 0,
}
"""What is watched, and how many operations it has at least."""


def fail_from_outside(lab: Lab) -> None:
    """SIGKILL and ENOSPC at the k-th fsync, rename and write of a process."""
    folder = lab.case("table")
    points = {"fsync": (5,)} if lab.sample else {
        "fsync": range(1, 60, 9), "rename": range(1, 40, 6), "write": range(1, 150, 21),
    }  # fmt: skip
    codes = Counter[tuple[str, int]]()
    for call, numbers in points.items():
        for number, fault in itertools.product(numbers, FAULTS):
            run = lab.new_run(folder)
            with lab.point(f"{fault} at {call} {number}"):
                train = ["train", "table.yaml", "--run-dir", run.name, "--quiet"]
                result = _strace(lab, folder, train, ["-e", f"inject={call}:{fault}:when={number}"], log=False)
                codes[call, result.returncode] += 1
                _assert_survived(lab, folder, run, FAULTS[fault], call, result)
            lab.done_with(run)
    with lab.point("nearly all of them end the run"):
        for call, numbers in points.items():
            ended = sum(codes[call, code] for code in FAULTS.values())
            assert ended >= (1.5 if call == "write" else 2) * len(numbers), codes


FAULTS = {"signal=KILL": -9, "error=ENOSPC": 4}
"""What befalls a call, and how a run that it befalls ends."""


def _assert_survived(
    lab: Lab, folder: Path, run: Path, code: int, call: str, result: subprocess.CompletedProcess[str]
) -> None:
    # Some writes are git's, which is asked for the commit; the run does without.
    assert result.returncode == code or (call, result.returncode) == ("write", 0), (result.returncode, result.stderr)
    if result.returncode == 4:
        words = r"nettool: cannot write .*: the disk is full; free some space\.( Then go on with: .*)?\n"
        assert re.fullmatch(words, result.stderr), result.stderr
    if not (run / "config.yaml").exists():
        return
    assert_whole(run)
    again = lab.resume(run)
    assert again.code == 0, again.err
    assert_same_run(folder / "uncut", run)


def _strace(
    lab: Lab, folder: Path, arguments: list[str], options: list[str], log: bool = True
) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own, all of whose threads are traced.

    log: let durable.py write down its operations, which are writes as well.
    """
    strace = [
        "strace", "-f", "-y", "-s", "0", "-o", str(folder / "strace"), "-e", f"trace={','.join(WRITES)}", *options,
    ]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [*strace, sys.executable, "-c", BEGIN, str(ROOT), lab.bug, str(folder / "inside") if log else "", *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def _inside(folder: Path, run: Path) -> Counter[tuple[str, str]]:
    """What durable.py says that it asked for, by file."""
    found: Counter[tuple[str, str]] = Counter()
    for line in (folder / "inside").read_text().splitlines():
        operation = json.loads(line)
        path = folder / operation["path"]
        if path == run or path.parent == run:
            found[CALLS[operation["kind"]], _plain(path.name)] += 1
    return found


def _outside(folder: Path, run: Path) -> Counter[tuple[str, str]]:
    """What the system was asked for, by file: calls that succeed, and that change something below the run."""
    found: Counter[tuple[str, str]] = Counter()
    for line in _whole_lines((folder / "strace").read_text(errors="replace")):
        match = re.match(r"\d+ +(\w+)\((.*)\) += (-?\d+)", line)
        if not match or match[3] == "-1":
            continue
        call, arguments = SAME.get(match[1], match[1]), match[2]
        if call == "open" and not re.search(r"O_(WRONLY|RDWR|CREAT|TRUNC)", arguments):
            continue
        paths = [folder / path for path in re.findall(r'[<"]([^<>"]+)[>"]', arguments) if path != str(folder)]
        below = [path for path in paths if path == run or path.parent == run]
        if below and not (call == "ftruncate" and below[0].name == ".lock"):  # goes with the write into it
            found[call, _plain(below[0].name)] += 1
    return found


def _whole_lines(trace: str) -> Iterator[str]:
    """A call during which another thread called is told in two lines, by the number of its thread."""
    begun: dict[str, str] = {}
    for line in trace.splitlines():
        thread, _, rest = line.partition(" ")
        if line.endswith("<unfinished ...>"):
            begun[thread] = line.removesuffix("<unfinished ...>").rstrip()
        elif match := re.match(r" *<\.\.\. \w+ resumed>(.*)", rest):
            yield begun.pop(thread, "") + match[1]
        else:
            yield line


def _plain(name: str) -> str:
    """Without the number of the process in a temporary name."""
    return re.sub(r"\.\d+\.tmp$", ".tmp", name)


def is_possible() -> bool:
    """Whether there is a strace here that may trace."""
    if shutil.which("strace") is None:
        return False
    return subprocess.run(["strace", "-f", "-o", "/dev/null", "true"], capture_output=True, check=False).returncode == 0
