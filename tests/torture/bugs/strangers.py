"""Bugs in what is believed of files."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from pathlib import Path
from typing import Any

from tests.torture.bugs import BUGS, Bug, bug

# --- row 7: corruption ------------------------------------------------------------------------------------


@bug("the checksum is believed, not computed", "corrupt:table")
def checksum_believed() -> None:
    from nettool.runs import checkpoint

    checkpoint._digest = lambda content, header_length, found: found


@bug("a damaged checkpoint ends the run, though there is one before it", "corrupt:table")
def previous_unused() -> None:
    from nettool.workflows import resume

    resume._newest = lambda run, record: resume.Saved(*resume._load(run.last), record)


# --- rows 3 and 6: strangers ------------------------------------------------------------------------------


@bug("configs are read by a loader that makes objects", "meet_strangers")
def yaml_makes_objects() -> None:
    import yaml as pyyaml

    from nettool.config import yaml

    parse = yaml.parse

    def eager(text: str, place: Any) -> Any:
        try:
            pyyaml.load(text, pyyaml.UnsafeLoader)
        except Exception:
            return parse(text, place)
        return parse(text, place)

    yaml.parse = eager


def _on_every_text(use: Any) -> None:
    """What is done with each text that stands in a config or an override, whatever comes of it."""
    from nettool.config import yaml

    scalar = yaml._Parser.scalar

    def eager(self: Any, event: Any) -> Any:
        with contextlib.suppress(Exception):
            use(event.value)
        return scalar(self, event)

    yaml._Parser.scalar = eager  # type: ignore[method-assign]


@bug("values are evaluated as Python", "meet_strangers")
def values_evaluated() -> None:
    _on_every_text(eval)


@bug("modules that a config names are imported", "meet_strangers")
def names_imported() -> None:
    import importlib

    def look_up(name: str) -> None:
        sys.path.insert(0, "")
        importlib.import_module(name.rpartition(".")[0] or name)

    _on_every_text(look_up)


@bug("weights that are no safetensors are unpickled", "meet_strangers")
def weights_unpickled() -> None:
    import torch

    from nettool.errors import DamagedError
    from nettool.runs import checkpoint

    load = checkpoint.load

    def trusting(path: Path) -> Any:
        try:
            return load(path)
        except DamagedError:
            try:
                torch.load(io.BytesIO(path.read_bytes()), weights_only=False)
            except Exception:
                return load(path)
            raise

    checkpoint.load = trusting


@bug("arrays of objects are unpickled", "meet_strangers")
def arrays_unpickled() -> None:
    import numpy as np

    from nettool.data import npz

    load = np.load
    np.load = lambda path, allow_pickle=False: load(path, allow_pickle=True)
    npz._check_members = lambda path: None


@bug("the facts beside weights are believed", "meet_strangers", crashes=True)
def facts_believed() -> None:
    from nettool.workflows import resume, trained

    for module in (trained, resume):
        module.check_facts = lambda kind, facts, source: kind.model_construct(**facts)  # type: ignore[attr-defined]


@bug("links in a run directory are followed", "meet_strangers")
def links_followed() -> None:
    from nettool.runs import durable

    durable._open = lambda path, flags: os.open(path, flags | os.O_CREAT, 0o666)


@bug("configs may be of any depth", "defuse_bombs", crashes=True)
def depth_unlimited() -> None:
    from nettool.config import yaml

    yaml.MAX_CONFIG_DEPTH = 10**9  # type: ignore[attr-defined]


@bug("nobody asks whether it fits into memory", "defuse_bombs")
def memory_unasked() -> None:
    from nettool.workflows import room

    room.free_bytes = lambda: 10**18


@bug("a header may be as long as it says", "defuse_bombs")
def header_unlimited() -> None:
    from nettool.runs import checkpoint

    checkpoint.MAX_HEADER_BYTES = 2**63  # type: ignore[attr-defined]
    checkpoint.is_moderate = lambda text: True  # type: ignore[attr-defined]


@bug("a file may unpack to anything", "defuse_bombs")
def expansion_unlimited() -> None:
    from nettool import memory
    from nettool.data import npz, streams

    streams.MAX_EXPANSION = 10**9  # type: ignore[attr-defined]
    npz.check_expansion = lambda path, stored, expanded: None
    memory.free_bytes = lambda: 10**18


# --- row 5: configs ---------------------------------------------------------------------------------------


@bug("aliases are read", "spoil_configs")
def aliases_read() -> None:
    from nettool.config.yaml import _Parser

    mistake = _Parser.mistake
    _Parser.mistake = lambda self, event, text: (
        None if text.startswith(("aliases", "anchors")) else mistake(self, event, text)
    )  # type: ignore[method-assign]


@bug("mistakes have no places", "spoil_configs")
def places_forgotten() -> None:
    from nettool.config import load

    load._locate = lambda mistakes, root: list(mistakes)


@bug("places are those of the line after", "find_every_mistake")
def places_off_by_one() -> None:
    from dataclasses import replace

    from nettool.config import load

    locate = load._locate

    def below(mistakes: Any, root: Any) -> Any:
        for mistake in locate(mistakes, root):
            file, line, column = mistake.place.rsplit(":", 2)
            yield replace(mistake, place=f"{file}:{int(line) + 1}:{column}")

    load._locate = lambda mistakes, root: list(below(mistakes, root))


@bug("only the first mistake is told", "find_every_mistake")
def mistakes_lost() -> None:
    from nettool.config import load

    locate = load._locate
    load._locate = lambda mistakes, root: locate(mistakes, root)[:1]


@bug("all mistakes are listed, however many", "list_mistakes")
def mistakes_unlimited() -> None:
    from nettool import errors

    layout = errors.format_mistakes
    errors.format_mistakes = lambda mistakes, width=100: layout(mistakes, width, max_lines=10**9)  # type: ignore[misc]


@bug("fitted encoders are believed, whatever stands in them", "change_metadata")
def encoders_believed() -> None:
    from dataclasses import fields

    from nettool.data import features, image_encoder, series, targets, text_encoder, vocabulary

    checked = features.from_stored

    def believe(kind: Any, data: Any) -> Any:
        try:
            return checked(kind, data)
        except ValueError:
            return kind(**{field.name: data[field.name] for field in fields(kind)})

    for module in (features, image_encoder, series, targets, text_encoder, vocabulary):
        module.from_stored = believe  # type: ignore[attr-defined]


@bug("fitted encoders need not agree with each other", "change_metadata")
def encoders_at_odds() -> None:
    from nettool.data import bundle

    bundle._check_agreement = lambda encoders: None


@bug("fitted encoders need not agree with the config", "change_metadata")
def encoders_at_odds_with_config() -> None:
    from nettool.data.bundle import Encoders

    Encoders.check_data = lambda self, spec: None  # type: ignore[method-assign]


# --- row 4: the source, of which a copy is searched -------------------------------------------------------


SOURCE_LINES = {
    "source_torch_load": "torch.load('x')",
    "source_torch_load_imported": "from torch import load as read; read('x')",
    "source_pickle": "import pickle",
    "source_pickle_in_c": "import _pickle",
    "source_exec": "os.execv('x', [])",
    "source_pickle_by_name": "import importlib; importlib.import_module('pickle')",
    "source_np_load": "np.load('x')",
    "source_yaml_load": "yaml.load('x', yaml.Loader)",
    "source_yaml_aliased": "import yaml as y; y.unsafe_load('x')",
    "source_eval_handed_on": "list(map(eval, ['x']))",
    "source_shell": "subprocess.run('x', shell=True)",
    "source_write": "open('x', 'w')",
    "source_write_mode": "mode = 'w'; open('x', mode)",
    "source_write_path": "Path('x').open(mode='a')",
    "source_write_rename": "os.rename('x', 'y')",
    "source_write_replace": "path.replace('y')",
    "source_write_replace_named": "path.replace(target='y')",
    "source_write_unknown_mode": "path.open(mode)",
    "source_write_arrow": "import pyarrow as pa; pa.OSFile('x', 'w')",
    "source_write_flags": "os.open(path='x', flags=os.O_WRONLY)",
    "source_write_descriptor": "os.open('x', os.O_WRONLY)",
    "source_write_fdopen": "os.fdopen(1, 'wb')",
    "source_write_zip": "import zipfile; zipfile.ZipFile('x', 'w')",
    "source_write_savez": "import numpy as n; n.savez_compressed('x')",
    "source_write_truncate": "os.ftruncate(1, 0)",
    "source_write_copy": "from shutil import copy2; copy2('x', 'y')",
    "source_write_memmap": "np.memmap('x', mode='w+')",
}
for _name, _line in SOURCE_LINES.items():
    BUGS[_name] = Bug(f"in the source: `{_line}`", "scan", lambda: None)
