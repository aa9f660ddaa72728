"""Row 8: the power fails. What was not synced may be lost, whole or in part, and names may survive in any number."""

from __future__ import annotations

import base64
import json
import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nettool.errors import RunError
from nettool.runs import checkpoint
from tests.same_run import assert_same_run
from tests.torture.kills import go_on
from tests.torture.lab import Lab

RUN = "uncut"


@dataclass(frozen=True)
class File:
    """A file's bytes as programs see them, and as many of them as are certain to be on the disk."""

    live: bytes = b""
    synced: bytes = b""


@dataclass(frozen=True)
class Disk:
    """A folder. names: as programs see them, to the numbers of files. pending: changes of names since the folder was
    last synced, (name, number or None), of which the disk may have any.
    """

    files: dict[int, File] = field(default_factory=dict)
    names: dict[str, int] = field(default_factory=dict)
    synced_names: dict[str, int] = field(default_factory=dict)
    pending: tuple[tuple[tuple[str, int | None], ...], ...] = ()

    def after(self, operation: dict[str, Any]) -> Disk:
        """When this operation has happened."""
        kind, name = operation["kind"], Path(operation["path"]).name
        if kind in ("create", "open") and (kind == "create" or name not in self.names):
            number = len(self.files)
            return self._renamed({number: File()}, ((name, number),))
        if kind in ("write", "append"):
            return self._with(name, self._file(name).live + base64.b64decode(operation["content"]))
        if kind == "sync":
            file = self._file(name)
            return replace(self, files={**self.files, self.names[name]: replace(file, synced=file.live)})
        if kind == "rename":
            target = Path(operation["target"]).name
            return self._renamed({}, ((name, None), (target, self.names[name])))
        if kind == "remove":
            return self._renamed({}, ((name, None),))
        if kind == "sync folder" and name == RUN:
            return replace(self, synced_names=self.names, pending=())
        return self

    def _file(self, name: str) -> File:
        return self.files[self.names[name]]

    def _with(self, name: str, live: bytes) -> Disk:
        return replace(self, files={**self.files, self.names[name]: replace(self._file(name), live=live)})

    def _renamed(self, files: dict[int, File], change: tuple[tuple[str, int | None], ...]) -> Disk:
        """A rename is one change: the disk has both of its names or neither."""
        names = _apply(self.names, [change])
        return replace(self, files={**self.files, **files}, names=names, pending=(*self.pending, change))

    def leftovers(self) -> Iterator[dict[str, bytes]]:
        """What may be found when the power is back: contents by name."""
        for names in self._surviving_names():
            for share in (0.0, 0.5, 1.0):  # of what was written and not synced
                yield {name: _content(self.files[number], share) for name, number in names.items()}

    def _surviving_names(self) -> Iterator[dict[str, int]]:
        for count in range(len(self.pending) + 1):
            yield _apply(self.synced_names, self.pending[:count])
        for index in range(len(self.pending)):  # without this one
            yield _apply(self.synced_names, [*self.pending[:index], *self.pending[index + 1 :]])

    def certain(self) -> dict[str, bytes]:
        """What is there in any case."""
        return {name: self.files[number].synced for name, number in self.synced_names.items()}


def _apply(names: dict[str, int], changes: Any) -> dict[str, int]:
    names = dict(names)
    for change in changes:
        for name, number in change:
            if number is None:
                names.pop(name, None)
            else:
                names[name] = number
    return names


def _content(file: File, share: float) -> bytes:
    return file.live[: len(file.synced) + round(share * (len(file.live) - len(file.synced)))]


def lose_power(lab: Lab, case: str) -> None:
    """After every operation, with every combination of what may be lost; sampled, a few of them."""
    folder = lab.case(case)
    log = folder / "log"
    if lab.bug:  # the bug must be in the run that wrote the log
        log = folder / "log-of-bug"
        run = lab.new_run(folder)
        lab.train(folder, run, log=str(log))
        text = log.read_text().replace(f'"{run.name}', f'"{RUN}')
        log.write_text(text)
        lab.done_with(run)
    operations = [json.loads(line) for line in log.read_text().splitlines()]
    disk, committed, seen = Disk(), -1, set()
    chance = random.Random(case)
    for operation in operations:
        disk = disk.after(operation)
        states = [disk.certain(), *disk.leftovers()]
        for index, state in enumerate(states):
            key = frozenset(state.items())
            if key in seen or "config.yaml" not in state:
                continue
            seen.add(key)
            step = _look(lab, folder, state, f"after operation {operation['number']}, state {index}", committed)
            if index == 0:
                committed = max(committed, step)
            if chance.random() < (0.004 if lab.sample else 0.04):
                _resume(lab, folder, state, f"after operation {operation['number']}, state {index}, resumed")
    with lab.point("at the end everything is certain"):
        record = json.loads(disk.certain().get("run.json", b"{}"))
        assert record.get("status") in ("finished", "stopped early"), f"the record says {record.get('status')}"
        assert "last.safetensors" in disk.certain()


def _look(lab: Lab, folder: Path, state: dict[str, bytes], what: str, committed: int) -> int:
    """The step of the newest checkpoint that can be gone on with; -1 where there is none."""
    place = folder / "look"
    place.mkdir(exist_ok=True)
    step = -1
    with lab.point(what):
        for name in ("last.safetensors", "previous.safetensors"):
            if name not in state or step >= 0:
                continue
            (place / name).write_bytes(state[name])
            try:
                step = int(checkpoint.load(place / name)[1]["state"]["position"]["step"])
            except RunError as error:
                raise AssertionError(str(error)) from None
        assert step >= committed, f"the checkpoint of step {committed} was certain, but only step {step} is left"
    return step


def _resume(lab: Lab, folder: Path, state: dict[str, bytes], what: str) -> None:
    run = lab.new_run(folder)
    run.mkdir()
    for name, content in state.items():
        (run / name).write_bytes(content)
    with lab.point(what):
        go_on(lab, run)
        assert_same_run(folder / RUN, run)
    shutil.rmtree(run)
