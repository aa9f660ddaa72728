"""From a data section to examples: a table as it is, or images with a table of what is known of each.

`resolve` looks at what lies at the path and fills in what that decides; `read_examples` reads it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nettool.config.data import DataSpec, SplitName
from nettool.config.inputs import ImageSpec
from nettool.data import idx
from nettool.data.arrow import from_numpy, from_texts
from nettool.data.columns import near_names
from nettool.data.examples import Examples
from nettool.data.image_encoder import fit_pixels, hash_images
from nettool.data.sources import check_file, fingerprint, no_such_file, read_table
from nettool.data.values import is_text, show, simplify
from nettool.errors import ConfigError, DataError, Mistake

IMAGE = "image"
"""The column of images that have no table of their own."""
FIRST_IMAGES = 256
"""Image files that are decoded to know their size, where all are not asked for."""
SPLIT_FOLDERS: dict[SplitName, tuple[str, ...]] = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val"),
    "test": ("test",),
}


def training_file(spec: DataSpec) -> Path:
    """Where the training examples are."""
    return Path(spec.path or spec.train or "")


def resolve(spec: DataSpec) -> DataSpec:
    """The section with what its files decide: MNIST's four files and folders of splits, column and target of images.

    Raises ConfigError where the config asks for images or text, and there is none.
    """
    changes: dict[str, Any] = {}
    folder = Path(spec.path) if spec.path is not None else None
    if folder is not None and folder.is_dir():
        parts = _parts_of_folder(folder)
        if parts:
            changes = {"path": None, **{key: str(path) for key, path in parts.items()}}
            spec = spec.model_copy(update=changes)
    found = _input_column(spec)
    if found is None:
        return spec
    name, kind, target = found
    changes = {"features": (name,), "columns": {**spec.columns, name: kind}}
    if not spec.target and target:
        changes["target"] = (target,)
    return spec.model_copy(update=changes)


def _parts_of_folder(folder: Path) -> dict[SplitName, Path]:
    """The parts of a folder that holds IDX files, or a folder of images for each split; nothing for any other."""
    parts: dict[SplitName, Path] = {}
    files = idx.find_idx(folder)
    for name, path in files.items():
        parts[name] = path  # type: ignore[index]
    if not files:
        for split, names in SPLIT_FOLDERS.items():
            there = [folder / name for name in names if (folder / name).is_dir()]
            if there:
                parts[split] = there[0]
    return parts if "train" in parts else {}


def _input_column(spec: DataSpec) -> tuple[str, str, str] | None:
    """Name and kind of the column of images or text, and its usual target; None for a table of plain columns."""
    path = training_file(spec)
    if path.is_dir():
        return IMAGE, "image", "class"
    if idx.is_idx(path):
        return IMAGE, "image", "label"
    if path.suffix.lower() == ".npz" and path.is_file():
        from nettool.data.image_arrays import has_images

        name = spec.features[0] if spec.features and len(spec.features) == 1 else "x"
        if has_images(path, name):
            return name, "image", "y"
    special = [(name, kind) for name, kind in spec.columns.items() if kind in ("image", "text")]
    if len(special) > 1:
        (first, _), (second, kind) = special[:2]
        text = f"is of kind {kind}, but {show(first)} is the network's input already; it takes one image or text."
        raise ConfigError([Mistake(("data", "columns", second), text)])
    if special:
        return (*special[0], "")
    asked = "image" if spec.image is not None else "text" if spec.text is not None else None
    if asked is None:
        return None
    if spec.features is not None and len(spec.features) == 1:
        return spec.features[0], asked, ""
    what = "paths of images" if asked == "image" else "text"
    text = f"which column holds the {what}? Name it: `data.columns: {{NAME: {asked}}}`."
    raise ConfigError([Mistake(("data", asked), text)])


def input_column(spec: DataSpec, kind: str) -> str | None:
    """The column of this kind, image or text, of a resolved section."""
    return next((name for name, other in spec.columns.items() if other == kind), None)


def read_examples(path: Path, spec: DataSpec, limit: int | None = None) -> Examples:
    """Read a table or images, or about the first `limit` examples. spec: resolved.

    Raises DataError for what cannot be read.
    """
    name = input_column(spec, "image")
    image = spec.image or ImageSpec()
    if path.is_dir():
        return _read_folder(path, spec.target[0], image, limit)
    if idx.is_idx(path):
        pixels, labels = idx.read_idx_images(path, limit)
        pixels = fit_pixels(pixels, image.size, image.channels)
        label = spec.target[0] if spec.target else "label"
        return Examples(pa.table({IMAGE: from_numpy(hash_images(pixels)), label: from_numpy(labels)}), pixels)
    if name is not None and path.suffix.lower() == ".npz":
        from nettool.data.image_arrays import read_image_arrays

        pixels, table = read_image_arrays(path, name)
        pixels = fit_pixels(pixels, image.size, image.channels)
        return Examples(simplify(table.append_column(name, from_numpy(hash_images(pixels)))), pixels)
    check_file(path)
    table = simplify(read_table(path, limit=limit))
    if name is None:
        return Examples(table)
    if limit is not None and table.num_rows > FIRST_IMAGES:
        table = table.take(from_numpy(_spread(table.num_rows, FIRST_IMAGES)))
    return decoded(table, name, path.parent, image, str(path))


def _read_folder(folder: Path, target: str, image: ImageSpec, limit: int | None) -> Examples:
    from nettool.data.image_files import decode_images, list_class_folders

    files = list_class_folders(folder)
    if limit is not None and len(files) > FIRST_IMAGES:
        files = [files[index] for index in _spread(len(files), FIRST_IMAGES)]
    paths = [path for path, _ in files]
    pixels = decode_images(paths, _pair(image), image.channels)
    table = pa.table({IMAGE: from_numpy(hash_images(pixels)), target: from_texts([name for _, name in files])})
    return Examples(simplify(table), pixels, tuple(paths))


def decoded(table: pa.Table, name: str, folder: Path, image: ImageSpec, source: str) -> Examples:
    """A table whose column `name` holds paths, relative to `folder`: its images, and a hash of each in their place."""
    from nettool.data.image_files import decode_images

    if name not in table.column_names:
        hint = near_names(name, table.column_names)
        raise DataError(f"{source}: there is no column {show(name)} with the paths of the images.{hint}")
    column = table.column(name)
    if not is_text(column.type):
        raise DataError(f"{source}: column {show(name)} is to hold paths of images, but holds no text.")
    texts = column.cast(pa.string()).to_pylist()
    empty = next((row for row, text in enumerate(texts) if not text), None)
    if empty is not None:
        raise DataError(f"{source}: column {show(name)}, row {empty + 1:,}: there is no path of an image.")
    paths = [folder / text for text in texts]
    pixels = decode_images(paths, _pair(image), image.channels)
    place = table.column_names.index(name)
    return Examples(table.set_column(place, name, from_numpy(hash_images(pixels))), pixels, tuple(paths))


def _pair(image: ImageSpec) -> tuple[int, int] | None:
    return (image.size, image.size) if isinstance(image.size, int) else image.size


def _spread(count: int, most: int) -> NDArray[np.int64]:
    """`most` positions, evenly from the first to the last."""
    return np.linspace(0, count - 1, most).astype(np.int64)


def fingerprint_of(path: Path) -> dict[str, Any]:
    """What tells this data from other: the sha256 of a file, of IDX files with their labels, of a folder's content.

    Raises DataError where there is nothing.
    """
    if not path.exists():
        raise no_such_file(path)
    if path.is_dir():
        digest, size = hashlib.sha256(), 0
        for file in sorted(file for file in path.rglob("*") if file.is_file()):
            digest.update(f"{file.relative_to(path)}\0{_digest(file)}\n".encode())
            size += file.stat().st_size
        return {"sha256": digest.hexdigest(), "bytes": size}
    if idx.is_idx(path):
        labels = idx.labels_of(path)
        together = hashlib.sha256(f"{_digest(path)}\n{_digest(labels)}\n".encode()).hexdigest()
        return {"sha256": together, "bytes": path.stat().st_size + labels.stat().st_size}
    return fingerprint(path)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
