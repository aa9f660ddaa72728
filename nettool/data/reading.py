"""From a data section to examples: a table as it is, or images with a table of what is known of each.

`resolve` looks at what lies at the path and fills in what that decides; `read_examples` reads it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nettool.config.data import DataSpec, SplitName
from nettool.config.inputs import ImageSpec
from nettool.data import idx
from nettool.data.arrow import from_numpy, from_texts
from nettool.data.columns import input_column, near_names
from nettool.data.examples import Examples
from nettool.data.image_encoder import fit_pixels, hash_images
from nettool.data.sources import check_file, read_table
from nettool.data.values import MISSING, is_text, show, simplify
from nettool.errors import ConfigError, DataError, Mistake, UsageError

IMAGE = "image"
"""The column of images that have no table of their own."""
FIRST_IMAGES = 256
"""Image files that are decoded where all are not asked for."""
FIRST_OF_CLASS = 12
"""But so many of each class, or one might be missing in a split."""
SPLIT_FOLDERS: dict[SplitName, tuple[str, ...]] = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val"),
    "test": ("test",),
}


def training_file(spec: DataSpec) -> Path:
    """Where the training examples are."""
    return Path(spec.path or spec.train or "")


def no_such_split(spec: DataSpec, name: SplitName) -> UsageError:
    """What to say when a split is asked for that the config does not make."""
    if spec.path is not None:
        return UsageError(f"the config has no {name} split: data.split.{name} is 0.")
    if name == "test":
        return UsageError("the config has no test data. Cure: set data.test, or evaluate the validation split.")
    return UsageError(f"the config has no {name} split: there is no data.{name}, and data.split.{name} is 0.")


def resolve(spec: DataSpec) -> DataSpec:
    """The section with what its files decide: MNIST's four files and folders of splits, column and target of images.

    Raises ConfigError where the config asks for images or text, and there is none, and where it asks for more than
    that of the input.
    """
    folder = Path(spec.path) if spec.path is not None else None
    if folder is not None and folder.is_dir() and "train" in (parts := _parts_of_folder(folder)):
        files: dict[str, Any] = {key: str(path) for key, path in parts.items()}
        spec = spec.model_copy(update={"path": None, **files} if len(files) > 1 else {"path": files["train"]})
    found = _input_column(spec)
    if found is None:
        return spec
    name, kind, target = found
    if spec.columns.get(name, kind) != kind:
        text = f"{show(name)} is the {kind} that the network takes, and is read as nothing else. Take it out."
        raise ConfigError([Mistake(("data", "columns", name), text)])
    _check_alone(spec, name, kind)
    changes: dict[str, Any] = {"columns": {**spec.columns, name: kind}}
    if not spec.target and target:
        changes["target"] = (target,)
    return spec.model_copy(update=changes)


def _parts_of_folder(folder: Path) -> dict[SplitName, Path]:
    """The parts of a folder that holds IDX files, or a folder of images for each split; nothing for any other."""
    parts: dict[SplitName, Path] = {}
    try:
        for split, path in idx.find_idx(folder).items():
            parts[split] = path  # type: ignore[index]
        if not parts:
            inside = {entry.name.lower(): entry for entry in folder.iterdir() if entry.is_dir()}
            for split, names in SPLIT_FOLDERS.items():
                # Trains are a class of their own in a folder of vehicles; a split holds folders of classes.
                there = [inside[name] for name in names if name in inside and _has_folders(inside[name])]
                if there:
                    parts[split] = there[0]
    except OSError as error:
        raise DataError(f"{show(error.filename or folder, 1000)[1:-1]}: cannot be read: {error.strerror}.") from error
    return parts


def one_part(path: Path) -> Path:
    """The path, or the one IDX file of images in a folder there. Raises DataError where there are several parts."""
    parts = _parts_of_folder(path) if path.is_dir() else {}
    if "train" in parts and len(parts) > 1:
        raise DataError(f"{path} holds {' and '.join(parts)}. Cure: name one of them, such as {[*parts.values()][-1]}.")
    return next((part for part in parts.values() if part.is_file()), path)


def _has_folders(folder: Path) -> bool:
    return any(entry.is_dir() and not entry.name.startswith(".") for entry in folder.iterdir())


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


def _check_alone(spec: DataSpec, name: str, kind: str) -> None:
    """An image or a text is all that the network takes, and is not what it predicts."""
    what = "an image" if kind == "image" else "a text"
    if name in spec.target:
        text = f"{show(name)} is the target, which cannot be {what}. Take it out here, or name another target."
        raise ConfigError([Mistake(("data", "columns", name), text)])
    if others := [show(other) for other in spec.features or () if other != name]:
        text = f"{show(name)} is {what}, which the network takes alone, without {', '.join(others)}. Name it alone."
        raise ConfigError([Mistake(("data", "features"), text)])
    if spec.window is not None:
        text = f"a series is made of numbers and categories, but the data is {kind}s. Remove it."
        raise ConfigError([Mistake(("data", "window"), text)])


def read_examples(path: Path, spec: DataSpec, limit: int | None = None, *, labels: bool = True) -> Examples:
    """Read a table or images, or about the first `limit` examples. spec: resolved.

    labels: whether what is known of the images is read too; without it, a folder needs no classes, and the table of
    images that have none of their own holds nothing but a hash of each.

    Raises DataError for what cannot be read.
    """
    name = input_column(spec, "image")
    if name is None:
        check_file(path)
        return Examples(simplify(read_table(path, limit=limit)))
    image = spec.image or ImageSpec()
    if path.is_dir() and labels:
        return _read_folder(path, name, spec.target[0], image, is_look=limit is not None)
    if not labels and (found := _read_files(path, name, image)) is not None:
        return found
    if idx.is_idx(path):
        known = {}
        if labels:
            pixels, numbers = idx.read_idx_images(path, limit)
            known = {spec.target[0] if spec.target else "label": from_numpy(numbers)}
        else:
            pixels = idx.read_idx_images(path, limit, labels=False)[0]
        return _from_pixels(pixels, pa.table(known), name, image)
    if path.suffix.lower() == ".npz":
        from nettool.data.image_arrays import read_image_arrays

        pixels, table = read_image_arrays(path, name, labels=labels)
        return _from_pixels(pixels, table, name, image)
    check_file(path)
    table = simplify(read_table(path, limit=limit))
    return decoded(table, name, path.parent, image, str(path), None if limit is None else FIRST_IMAGES)


def _from_pixels(pixels: NDArray[np.uint8], table: pa.Table, name: str, image: ImageSpec) -> Examples:
    """Images that lay in an array. They are hashed as they lay there, so that every size meets the same split."""
    hashes = from_numpy(hash_images(pixels))
    table = table.append_column(name, hashes) if table.num_columns else pa.table({name: hashes})
    return Examples(simplify(table), fit_pixels(pixels, image.size, image.channels))


def _read_folder(folder: Path, name: str, target: str, image: ImageSpec, *, is_look: bool) -> Examples:
    from nettool.data.image_files import list_class_folders

    files = list_class_folders(folder)
    classes = sorted({label for _, label in files})
    for label in classes:
        if label.strip() in MISSING:
            raise DataError(f"{folder / label}: this name stands for a missing value. Cure: another one for the class.")
    labels = pa.table({target: from_texts([label for _, label in files])})
    most = max(FIRST_IMAGES, FIRST_OF_CLASS * len(classes)) if is_look else None
    return _decoded([path for path, _ in files], simplify(labels), name, image, most)


def _read_files(path: Path, name: str, image: ImageSpec) -> Examples | None:
    """All images in a folder, or a single one; None if this is neither."""
    from nettool.data.image_files import images_under, is_image

    if not path.is_dir() and not is_image(path):
        return None
    paths = images_under(path) if path.is_dir() else [path]
    if not paths:
        raise DataError(f"{path}: there is no image in this folder, nor in those below it.")
    return _decoded(paths, pa.table({name: from_texts([""] * len(paths))}), name, image, None)


def decoded(
    table: pa.Table, name: str, folder: Path, image: ImageSpec, source: str, most: int | None = None
) -> Examples:
    """A table whose column `name` holds paths, relative to `folder`: its images, and a hash of each in their place.

    most: decode no more than these many.
    """
    return _decoded(paths_in(table, name, folder, source), table, name, image, most)


def paths_in(table: pa.Table, name: str, folder: Path, source: str) -> list[Path]:
    """The paths in this column of a simplified table, relative to `folder`. Raises DataError where there are none."""
    if name not in table.column_names:
        hint = near_names(name, table.column_names)
        raise DataError(f"{source}: there is no column {show(name)} with the paths of the images.{hint}")
    column = table.column(name)
    if not is_text(column.type):
        raise DataError(f"{source}: column {show(name)} is to hold paths of images, but holds no text.")
    texts = column.cast(pa.string()).to_pylist()
    empty = next((row for row, text in enumerate(texts) if not text), None)
    if empty is not None:
        raise DataError(
            f"{source}: column {show(name)}, row {empty + 1:,}: there is no path of an image. "
            f"Cure: write it there, or take the row out."
        )
    return [folder / text for text in texts]


def _decoded(paths: list[Path], table: pa.Table, name: str, image: ImageSpec, most: int | None) -> Examples:
    """Decode all of them, or `most`, evenly from the first to the last; size and colour are still those of all."""
    from nettool.data.image_files import decode_images, find_shape, hash_files

    size = (image.size, image.size) if isinstance(image.size, int) else image.size
    channels: int | None = image.channels
    num_in_all = len(paths)
    if most is not None and num_in_all > most:
        channels, *_ = find_shape(paths, size, channels)
        chosen = np.linspace(0, num_in_all - 1, most).astype(np.int64)
        paths, table = [paths[index] for index in chosen], table.take(from_numpy(chosen))
    pixels = decode_images(paths, size, channels)
    column = from_numpy(hash_files(paths))
    if name in table.column_names:
        table = table.set_column(table.column_names.index(name), name, column)
    else:
        table = table.append_column(name, column)
    return Examples(table, pixels, tuple(paths), num_in_all - len(paths))
