"""What has been done already: the same experiment on the same data, by its fingerprint. Never torch."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterable, Mapping
from typing import Any

from nettool.config.experiment import Experiment
from nettool.config.load import PATH_KEYS
from nettool.config.write import to_plain
from nettool.data.fingerprints import fingerprint_of
from nettool.data.reading import resolve
from nettool.errors import RunError
from nettool.runs.directory import RunDirectory, all_runs
from nettool.runs.journal import read_record
from nettool.runs.sweeps import all_sweeps

COMPLETE = ("finished", "stopped early")
"""How a run is called that came to its end."""


def experiment_fingerprint(experiment: Experiment, data: Mapping[str, Mapping[str, Any]]) -> str:
    """A hash of all that decides the result, the machine apart: not of names, places and how often is saved.

    data: the fingerprint of each file, by its key in the config.
    """
    plain = to_plain(experiment)
    section = {key: value for key, value in plain["data"].items() if key not in PATH_KEYS}
    rest = {key: value for key, value in plain.items() if key not in ("name", "checkpoint", "data")}
    files = {key: file["sha256"] for key, file in data.items()}
    text = json.dumps({**rest, "data": section, "files": files}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def fingerprint_now(experiment: Experiment) -> str:
    """The same from the files as they are now. Raises DataError for one that cannot be read."""
    spec = experiment.data if experiment.data.is_stream else resolve(experiment.data)
    return experiment_fingerprint(experiment, {key: fingerprint_of(path, spec) for key, path in spec.files.items()})


def done_run(experiment: Experiment) -> RunDirectory | None:
    """A run under `runs/`, or a point of a sweep there, that came to its end with this very experiment."""
    points = (run for sweep in all_sweeps() for run in all_runs(sweep.path))
    return find_done(fingerprint_now(experiment), itertools.chain(all_runs(), points))


def find_done(fingerprint: str, runs: Iterable[RunDirectory]) -> RunDirectory | None:
    """The first of these runs that came to its end with this very experiment."""
    for run in runs:
        try:
            record = read_record(run)
        except RunError:  # being written, or damaged: it will not do
            continue
        if record.get("fingerprint") == fingerprint and record["status"] in COMPLETE and run.best.is_file():
            return run
    return None
