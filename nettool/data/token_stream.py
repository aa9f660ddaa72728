"""A text as one stream of tokens, cut into stretches: at every step the next token is to be predicted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from nettool.config.data import DataSpec, SplitName
from nettool.config.inputs import TextSpec
from nettool.data.bundle import Encoders, TrainingData
from nettool.data.examples import Split, Windows
from nettool.data.reading import no_such_split
from nettool.data.sources import fingerprint, no_such_file
from nettool.data.splits import Fractions, cut_in_time, num_kept
from nettool.data.streams import open_stream
from nettool.data.targets import NextEncoder
from nettool.data.text_encoder import StreamEncoder
from nettool.data.values import show
from nettool.data.vocabulary import Codes, Vocabulary, read_text, split_units
from nettool.errors import ConfigError, DataError, Mistake
from nettool.memory import check_memory

FIRST_BYTES = 4 * 2**20
"""What is read of a text where all of it is not asked for."""
CURE = "a shorter text"
PEAK = {"byte": 4, "character": 8, "word": 25}
"""Bytes of memory for each byte of a text while it is read and cut, by its unit."""


def prepare_stream(spec: DataSpec, rows: int | None = None) -> TrainingData:
    """Read the text, fit the vocabulary to its training stretch, and cut it into examples.

    rows: None to read and fingerprint all of it, else its beginning is enough, to know the vocabulary.

    Raises DataError for a file, ConfigError where a stretch is too short for one example.
    """
    whole = rows is None
    stretches = _stretches(spec, None if whole else FIRST_BYTES)
    text_spec = spec.text_settings
    if len(stretches["train"]) <= text_spec.length:
        raise _too_short(stretches["train"], "train", text_spec)
    training = stretches["train"]
    parts = [] if isinstance(training, bytes) else [training]
    vocabulary = Vocabulary.fit_units(text_spec.unit, parts, text_spec.vocabulary, padded=False)
    encoder = StreamEncoder(vocabulary, text_spec.length)
    splits: dict[SplitName, Split] = {"train": _limited(_cut(stretches["train"], encoder, "train", shift=True), spec)}
    if "validation" in stretches:
        splits["validation"] = _cut(stretches["validation"], encoder, "validation")
    sizes = {name: max(len(part) - 1, 0) // text_spec.length for name, part in stretches.items()}
    sizes |= {name: len(split) for name, split in splits.items()}
    prints = {key: fingerprint(path) for key, path in spec.files.items()} if whole else {}
    notes = _notes(stretches, vocabulary)
    if not whole and any(path.stat().st_size > FIRST_BYTES for path in spec.files.values()):
        notes = (f"Only the first {FIRST_BYTES:,} bytes were read; the rest may hold more {text_spec.unit}s.", *notes)
    return TrainingData(splits, sizes, Encoders(encoder, NextEncoder(vocabulary.size), ()), (), notes, prints)


def load_stream_split(spec: DataSpec, encoder: StreamEncoder, name: SplitName) -> Split:
    """The stretch of a split, with a stored vocabulary: the codes that training had."""
    stretches = _stretches(spec, None)
    if name not in stretches:
        raise no_such_split(spec, name)
    if name == "train":
        return _limited(_cut(stretches[name], encoder, name, shift=True), spec)
    return _cut(stretches[name], encoder, name)


def encode_stream(path: Path, encoder: StreamEncoder) -> Split:
    """All of another text."""
    unit = encoder.vocabulary.unit
    units = _units(_read(path, unit, None), unit)
    if len(units) <= encoder.length:
        raise DataError(
            f"{path} has {len(units):,} {unit}s, too few for one example of {encoder.length:,}, the next one included. "
            "Cure: a longer text; the length is that of the training."
        )
    return _cut(units, encoder, str(path))


Units = bytes | str | list[str]
"""A text as what gets a code: bytes, characters, or a list of words."""


def _stretches(spec: DataSpec, limit: int | None) -> dict[SplitName, Units]:
    """Each split's part of the text, in the order of time: training first, the test last."""
    unit = spec.text_settings.unit
    files = {key: _units(_read(path, unit, limit), unit) for key, path in spec.files.items()}
    split = spec.split
    if spec.path is not None:
        return _parts(files["path"], (split.train, split.validation, split.test))
    carved = split.validation if spec.validation is None else 0.0
    parts = _parts(files.pop("train"), (1 - carved, carved, 0.0))
    return {**parts, **files}  # type: ignore[dict-item]


def _parts(units: Units, fractions: Fractions) -> dict[SplitName, Units]:
    return {name: units[start:end] for name, (start, end) in cut_in_time(len(units), fractions).items()}


def _read(path: Path, unit: str, limit: int | None) -> bytes | str:
    if path.is_dir():
        raise DataError(f"{path} is a folder. A text is one file.")
    if not path.exists():
        raise no_such_file(path)
    check_memory(PEAK[unit] * path.stat().st_size, f"{path}: reading it", CURE)
    try:
        with open_stream(path) as file:
            content = file.read() if limit is None else file.read(limit)
        check_memory((PEAK[unit] - 1) * len(content), f"{path}: reading it", CURE)  # what is packed takes more
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}.") from error
    if not content:
        raise DataError(f"{path}: the file is empty.")
    if unit == "byte":
        return content
    return read_text(content, str(path), is_whole=limit is None or len(content) < limit)


def _units(text: bytes | str, unit: str) -> Units:
    return list(split_units(text, "word")) if unit == "word" and isinstance(text, str) else text


def _encode(units: Units, vocabulary: Vocabulary) -> Codes:
    return vocabulary.encode_bytes(units) if isinstance(units, bytes) else vocabulary.encode_units(units)


def _cut(units: Units, encoder: StreamEncoder, name: str, shift: bool = False) -> Split:
    """Stretches one behind the other; what is left at the end is no example. The target is one step ahead."""
    codes, length = _encode(units, encoder.vocabulary), encoder.length
    if len(codes) <= length:
        raise _too_short(units, name, TextSpec(unit=encoder.vocabulary.unit, length=length))
    count = max((len(codes) - length) // length, 1) if shift else (len(codes) - 1) // length
    slack = min(length - 1, len(codes) - 1 - count * length) if shift else 0
    starts = np.arange(count, dtype=np.int64) * length
    return Split(
        Windows(codes, starts, length, slack), Windows(codes[1:], starts, length, slack), None, starts + length
    )


def _limited(split: Split, spec: DataSpec) -> Split:
    """The first examples of the training stretch, as many as `data.limit` allows."""
    if spec.limit is None:
        return split
    keep = num_kept(spec.limit, len(split))
    features, target = (replace(windows, starts=windows.starts[:keep]) for windows in _windows_of(split))
    return replace(split, features=features, target=target, rows=split.rows[:keep])


def _windows_of(split: Split) -> tuple[Windows, Windows]:
    assert isinstance(split.features, Windows)
    assert isinstance(split.target, Windows)
    return split.features, split.target


def _too_short(units: Units, name: str, spec: TextSpec) -> ConfigError:
    text = (
        f"the {name} text has {len(units):,} {spec.unit}s, too few for one example of {spec.length:,}, the next one "
        "included. Take a smaller length, a longer text, or another split."
    )
    return ConfigError([Mistake(("data", "text", "length"), text)])


def _notes(stretches: Mapping[SplitName, Units], vocabulary: Vocabulary) -> tuple[str, ...]:
    """What the validation text holds that training never met."""
    units = stretches.get("validation")
    if units is None or isinstance(units, bytes):
        return ()
    unknown = vocabulary.unknown_units(units)
    if not unknown:
        return ()
    listed = ", ".join(show(token) for token in unknown[:5]) + (", ..." if len(unknown) > 5 else "")
    return (f"{len(unknown)} {vocabulary.unit}s of the validation text are not in the training text: {listed}.",)
