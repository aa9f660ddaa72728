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
    """After every operation, with every combination of what may be lost; sampled, a few of them are resumed."""
    folder = lab.case(case)
    disk, committed, steps = Disk(), -1, {}
    is_place_certain = False
    chance = random.Random(case)
    for operation in _operations(lab, folder):
        is_place_certain |= operation["kind"] == "sync folder" and Path(operation["path"]).name != RUN
        _assert_may_begin(lab, disk, operation, is_place_certain)
        disk = disk.after(operation)
        for index, state in enumerate([disk.certain(), *disk.leftovers()]):
            if "config.yaml" not in state:
                continue
            what = f"after operation {operation['number']}, state {index}"
            key = frozenset(state.items())
            is_new = key not in steps
            if is_new:
                steps[key] = _look(lab, folder, state, what)
            if steps[key] < committed:
                with lab.point(what):
                    raise AssertionError(f"the checkpoint of step {committed} was certain, now that of {steps[key]} is")
            if index == 0:
                committed = steps[key]
            if is_new and chance.random() < (0.004 if lab.sample else 0.04):
                _resume(lab, folder, state, f"{what}, resumed")
    with lab.point("at the end everything is certain"):
        record = json.loads(disk.certain().get("run.json", b"{}"))
        assert record.get("status") in ("finished", "stopped early"), f"the record says {record.get('status')}"
        assert "last.safetensors" in disk.certain()


def _operations(lab: Lab, folder: Path) -> list[dict[str, Any]]:
    """What the uncut run wrote; with a bug in the lab, what a run with it wrote."""
    log = folder / "log"
    if lab.bug:
        log = folder / "log-of-bug"
        run = lab.new_run(folder)
        lab.train(folder, run, log=str(log))
        log.write_text(log.read_text().replace(f'"{run.name}', f'"{RUN}'))
        lab.done_with(run)
    return [json.loads(line) for line in log.read_text().splitlines()]


def _assert_may_begin(lab: Lab, disk: Disk, operation: dict[str, Any], is_place_certain: bool) -> None:
    """Nothing is written in a folder that may vanish; no file is replaced by a third before the second is certain."""
    path = Path(operation["path"])
    if operation["kind"] != "create" or path.parent.name != RUN:
        return
    name = path.name[1:].rsplit(".", 2)[0]  # .last.safetensors.4711.tmp
    with lab.point(f"before operation {operation['number']}, {name}"):
        assert is_place_certain, "the run directory itself may be lost"
        if name in disk.names:
            number = disk.names[name]
            assert disk.synced_names.get(name) == number, "the one before is written, but its name may be lost"
            assert disk.files[number].synced == disk.files[number].live, "the one before may be lost in part"


def _look(lab: Lab, folder: Path, state: dict[str, bytes], what: str) -> int:
    """The step of the newest checkpoint that can be gone on with; -1 where there is none."""
    place = folder / "look"
    place.mkdir(exist_ok=True)
    with lab.point(what):
        for name in ("last.safetensors", "previous.safetensors"):
            if name in state:
                (place / name).write_bytes(state[name])
                try:
                    return int(checkpoint.load(place / name)[1]["state"]["position"]["step"])
                except RunError as error:
                    raise AssertionError(str(error)) from None
    return -1


def _resume(lab: Lab, folder: Path, state: dict[str, bytes], what: str) -> None:
    run = lab.new_run(folder)
    run.mkdir()
    for name, content in state.items():
        (run / name).write_bytes(content)
    with lab.point(what):
        go_on(lab, run)
        assert_same_run(folder / RUN, run)
    shutil.rmtree(run)
