"""What tells data from other data: a hash of everything that is read of it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nettool.config.data import DataSpec
from nettool.data import idx
from nettool.data.columns import input_column
from nettool.data.reading import paths_in
from nettool.data.sources import fingerprint, no_such_file, read_table
from nettool.data.streams import check_regular
from nettool.data.values import show, simplify
from nettool.errors import DataError


def fingerprint_of(path: Path, spec: DataSpec) -> dict[str, Any]:
    """The sha256 of a file, and of what it leads to: the labels of IDX images, the images of a folder or of a table.

    spec: resolved, where it is not that of a text. Names inside of a folder count, where the folder is does not.

    Raises DataError where there is nothing, or nothing that can be read.
    """
    if not path.exists():
        raise no_such_file(path)
    check_regular(path)
    name = input_column(spec, "image")
    if path.is_dir() and name is None:
        raise DataError(f"{path} is a folder. A text is one file.")
    if path.is_dir():
        from nettool.data.image_files import list_class_folders

        files = [file for file, _ in list_class_folders(path)]
        return _together((os.fsencode(file.relative_to(path)), file) for file in files)
    if idx.is_idx(path):
        return _together((b"", file) for file in (path, idx.labels_of(path)))
    if name is not None and path.suffix.lower() != ".npz":
        images = paths_in(simplify(read_table(path)), name, path.parent, str(path))
        return _together((b"", file) for file in (path, *images))
    return fingerprint(path)


def _together(files: Iterable[tuple[bytes, Path]]) -> dict[str, Any]:
    """sha256 over the name and the sha256 of each file."""
    digest, size = hashlib.sha256(), 0
    for name, file in files:
        try:
            check_regular(file)
            with file.open("rb") as stream:
                digest.update(name + b"\0" + hashlib.file_digest(stream, "sha256").digest())
            size += file.stat().st_size
        except OSError as error:
            raise DataError(f"{show(file, 1000)[1:-1]}: cannot be read: {error.strerror}.") from error
    return {"sha256": digest.hexdigest(), "bytes": size}
