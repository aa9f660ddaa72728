"""Row 3: files from strangers execute nothing."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import os
import pickle
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nettool.runs import checkpoint
from tests.torture.lab import Lab
from tests.torture.zygote import ROOT

CANARY = "pwned"


class Payload:
    """What a pickle of it does to whoever opens it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, (f"touch {CANARY}",))


HOSTILE: list[Any] = [
    None, 0, -1, 1e999, 10**30, "os.system", [], {}, [[]], {"kind": "os.system"}, "x" * 1000, [None], True,
]  # fmt: skip
VICTIM = "precious"
"""A file of the user's beside the stranger's run, which must stay as it is."""
PIPE = "a pipe"
Files = dict[str, bytes | str]
"""Contents by name. A text is PIPE, or what a link leads to."""
Stranger = tuple[str, tuple[str, ...], Files]
"""What it is, the command line that meets it, and the files to put there first."""


def strangers(folder: Path) -> Iterator[Stranger]:
    """Everything that somebody could be talked into opening."""
    bomb = pickle.dumps(Payload())
    train = ("train", "table.yaml", "--quiet")
    for ending in ("csv", "tsv", "jsonl", "parquet", "npz", "npy", "txt", "gz", "png", "pkl", "yaml"):
        yield f"a pickle called .{ending}", (*train, f"data.path=evil.{ending}"), {f"evil.{ending}": bomb}
    yield "an object array", (*train, "data.path=evil.npz", "data.target=y"), {"evil.npz": _npz(x=_objects())}
    yield "an object array as target", (*train, "data.path=evil.npz", "data.target=y"), {"evil.npz": _npz(y=_objects())}
    yield "a pickle as predictions' table", ("predict", "uncut", "evil.csv"), {"evil.csv": bomb}
    yield "a pickle as another test set", ("eval", "uncut", "--data", "evil.npz"), {"evil.npz": bomb}
    yield "a pickle for IDX images", (*train, "data={path: train-images-idx3-ubyte}"), {"train-images-idx3-ubyte": bomb}
    for name, content in (("a pickle", bomb), ("torch.save", _torch_save()), ("a tar of pickles", b"ustar" + bomb)):
        yield f"{name} as weights", ("eval", "evil.safetensors"), {"evil.safetensors": content}
        yield f"{name} as a run's weights", ("eval", "run"), {"run/config.yaml": b"", "run/best.safetensors": content}
        yield (
            f"{name} as a run's state",
            ("train", "--resume", "run"),
            {"run/config.yaml": (folder / "uncut/config.yaml").read_bytes(), "run/last.safetensors": content},
        )
    config = (folder / "table.yaml").read_text()
    for tag in (
        "!!python/object/apply:os.system [touch pwned]",
        "!!python/name:os.system",
        "!!python/module:os",
        "!x y",
    ):
        yield f"{tag} in a config", ("check", "evil.yaml"), {"evil.yaml": (config + f"name: {tag}\n").encode()}
        yield (
            f"{tag} in a run's config",
            ("train", "--resume", "run"),
            {"run/config.yaml": (config + f"name: {tag}\n").encode()},
        )
        yield f"{tag} as an override", ("check", "table.yaml", f"name={tag}"), {}
    for path in (
        "os.system",
        "__import__('os').system('touch pwned')",
        "open('pwned', 'w')",
        "evil.attack",
        "evil",
        "../evil.py",
    ):
        for key in ("layers.0", "layers.0.activation", "loss", "optimizer.name", "schedule.name", "metrics", "init"):
            module = {"evil.py": b"open('pwned', 'w'); attack = print"}
            yield f"{key} is {path}", ("check", "table.yaml", f"{key}={json.dumps(path)}"), module
    for path in (
        "http://127.0.0.1:9/x.csv",
        "s3://bucket/x.csv",
        "file:///etc/passwd",
        "| touch pwned",
        "$(touch pwned).csv",
    ):
        yield f"data from {path}", (*train, f"data.path={json.dumps(path)}"), {}
    weights, state, config = (
        (folder / "uncut" / name).read_bytes() for name in ("best.safetensors", "last.safetensors", "config.yaml")
    )
    for what, change in _metadata():
        evil = {"evil.safetensors": _changed(weights, change)}
        yield f"weights whose metadata {what}", ("eval", "evil.safetensors"), evil
    further = config.replace(b"epochs: 12", b"epochs: 30")
    for name in (
        "log.txt",
        ".lock",
        "metrics.csv",
        "run.json",
        "last.safetensors",
        "best.safetensors",
        "previous.safetensors",
    ):
        for what in (f"../{VICTIM}", PIPE):
            run = {"run/config.yaml": further, "run/last.safetensors": state, f"run/{name}": what}
            yield f"a run whose {name} is {what}", ("train", "--resume", "run", "--quiet"), run
            yield f"a run whose {name} is {what}, listed", ("runs", "show", "run"), run
    yield from _records(folder)
    for what, change in (*_metadata(), *_state_metadata()):
        run = {"run/config.yaml": further, "run/last.safetensors": _changed(state, change)}
        yield f"a state whose metadata {what}", ("train", "--resume", "run", "--quiet"), run


RECORDED = (
    "status", "why", "overrides", "seed", "versions", "device", "cpu", "threads", "gpu", "deterministic", "data",
    "started", "seconds", "epochs", "best_epoch", "metrics", "baseline", "resumed", "format_version",
)  # fmt: skip
COMMANDS = (("runs", "show", "uncut"), ("verify", "uncut"), ("train", "--resume", "uncut", "--quiet"), ("runs", "list"))


def _records(folder: Path) -> Iterator[Stranger]:
    """A run.json in which something else stands; met by each command in turn."""
    record = json.loads((folder / "uncut/run.json").read_text())
    commands = itertools.cycle(COMMANDS)
    for key in RECORDED:
        for value in HOSTILE:
            for where, changed in (
                (key, {**record, key: value}),
                (f"resumed.{key}", {**record, "resumed": [{key: value}]}),
            ):
                content = json.dumps(changed).encode()
                yield f"a run whose {where} is {str(value)[:20]}", next(commands), {"uncut/run.json": content}


def _metadata() -> Iterator[tuple[str, Callable[[dict[str, Any]], Any]]]:
    """Changes of the facts beside the weights."""
    for key in ("config", "encoders", "baseline", "threads", "device", "fingerprint", "epoch"):
        yield f"lack {key}", lambda facts, key=key: facts.pop(key)
        for value in HOSTILE:
            yield f"say {key} is {str(value)[:20]}", lambda facts, key=key, value=value: facts.update({key: value})
    for part in ("features", "target", "columns"):
        for value in HOSTILE:
            yield f"say encoders.{part} is {str(value)[:20]}", lambda f, p=part, v=value: f["encoders"].update({p: v})
    yield "name a custom layer", lambda facts: facts["config"]["layers"].insert(0, {"os.system": {"x": 1}})
    yield "hold a layer of 10 TB", lambda facts: facts["config"]["layers"].insert(0, {"dense": {"units": 1_000_000}})
    yield "ask for a million threads", lambda facts: facts.update(threads=1_000_000)
    yield "ask for no threads", lambda facts: facts.update(threads=0)


def _state_metadata() -> Iterator[tuple[str, Callable[[dict[str, Any]], Any]]]:
    for value in HOSTILE:
        for key in ("state", "elapsed"):
            yield f"say {key} is {str(value)[:20]}", lambda facts, key=key, value=value: facts.update({key: value})
        for key in ("position", "best"):
            yield f"say state.{key} is {str(value)[:20]}", lambda f, k=key, v=value: f["state"].update({k: v})
        for key in ("epoch", "step", "update", "epoch_seconds"):
            yield (
                f"say position.{key} is {str(value)[:20]}",
                lambda f, k=key, v=value: f["state"]["position"].update({k: v}),
            )


def meet_strangers(lab: Lab) -> None:
    """Each is refused, or read for what it is; and nothing that it names is executed."""
    folder = lab.case("table")
    allowed = _executed(lab, folder, ("train", "table.yaml", "--quiet", "--run-dir", "benign"))
    allowed |= _executed(lab, folder, ("eval", "benign"))
    everything = list(strangers(folder))
    for what, arguments, files in everything[::9] if lab.sample and not lab.bug else everything:
        place = lay_out(folder, files)
        with lab.point(what):
            audit = folder / "audit"
            result = lab.run(place, *arguments, audit=str(audit))
            assert not (place / CANARY).exists(), "the payload was executed"
            new = _suspicious(audit) - allowed
            assert not new, f"it brought about {sorted(new)[:3]}"
            assert (place / VICTIM).read_bytes() == b"of great value", "a link was followed"
            # What metadata say instead may well be; links and pipes may stand where nothing is written, or be replaced.
            right = (2,) if not what.startswith(("weights whose", "a state whose", "a run whose")) else (0, 2, 4)
            assert result.code in right, (result.code, result.err)
            assert "Traceback" not in result.err, result.err


def lay_out(folder: Path, files: Files) -> Path:
    """A fresh folder with the case in it, the user's file, and what the stranger sent."""
    place = folder / "strange"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    for name in ("table.yaml", "people.csv"):
        shutil.copy(folder / name, place)
    shutil.copytree(folder / "uncut", place / "uncut")
    for name, content in {VICTIM: b"of great value", **files}.items():
        _put(place / name, content)
    return place


def _put(path: Path, content: bytes | str) -> None:
    path.parent.mkdir(exist_ok=True, parents=True)
    path.unlink(missing_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content == PIPE:
        os.mkfifo(path)
    else:
        path.symlink_to(content)


def _executed(lab: Lab, folder: Path, arguments: tuple[str, ...]) -> set[str]:
    audit = folder / "audit"
    lab.run(folder, *arguments, audit=str(audit))
    return _suspicious(audit)


def _suspicious(audit: Path) -> set[str]:
    """What was executed, but for modules of nettool's and of what it depends on."""
    homes = tuple(f"exec {home}/" for home in (sys.prefix, sys.base_prefix, ROOT / "nettool", ROOT / "cli"))
    return {line for line in audit.read_text().splitlines() if not line.startswith((*homes, "exec <frozen"))}


def _npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **{"x": np.arange(9), "y": np.arange(9) % 2, **arrays})
    return file.getvalue()


def _objects() -> Any:
    return np.array([Payload()] * 9, dtype=object)


def _torch_save() -> bytes:
    file = io.BytesIO()
    torch.save({"weight": torch.ones(3), "bomb": Payload()}, file)
    return file.getvalue()


def _changed(weights: bytes, change: Callable[[dict[str, Any]], Any]) -> bytes:
    """The weights with other facts beside them, and the checksum of that: it keeps accidents out, not attackers."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "evil.safetensors")
        path.write_bytes(weights)
        tensors, facts = checkpoint.load(path)
        with contextlib.suppress(KeyError):
            change(facts)
        checkpoint.save(path, tensors, facts)
        return path.read_bytes()
