"""The examples that a trained network is measured on: a split of its own data, unchanged to the byte."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from nettool.config.data import DataSpec, SplitName
from nettool.data.encode import load_rows
from nettool.data.examples import Split
from nettool.data.fingerprints import fingerprint_of
from nettool.data.reading import resolve
from nettool.errors import DataError
from nettool.workflows.trained import Trained, check_files


def found_data(spec: DataSpec) -> DataSpec:
    """The section with what its files decide. Raises DataError where they are gone."""
    check_files(spec)
    return spec if spec.is_stream else resolve(spec)


def has_split(spec: DataSpec, name: SplitName) -> bool:
    """Whether the data have this split. spec: see `found_data`."""
    if name == "train":
        return True
    return getattr(spec, name) is not None or (spec.path is not None and getattr(spec.split, name) > 0)


def load_examples(trained: Trained, spec: DataSpec, name: SplitName) -> tuple[Split, pa.Table | None]:
    """The split, and the table that its `rows` are of, as `load_rows` gives them.

    spec: see `found_data`; of the run's data section, or of the same with another path, for data that moved. Raises
    DataError where the data has changed.
    """
    _check_unchanged(spec, trained, name)
    return load_rows(spec, trained.encoders, name)


def _check_unchanged(spec: DataSpec, trained: Trained, split: SplitName) -> None:
    """The same bytes give the same splits; other bytes would let training examples into the test."""
    role = split if getattr(spec, split, None) is not None else "path" if spec.path is not None else "train"
    path = getattr(spec, role)
    known = trained.fingerprint.get(role)
    if known is None or fingerprint_of(Path(path), spec)["sha256"] != known.sha256:
        raise DataError(
            f"{path} is not the data that the run was trained on (its sha256 differs), so its splits are not the "
            f"same either. Bring the old file back with data.{role}=..., or evaluate new ones: nettool eval --data FILE"
        )
