"""What the data folder hands on: fitted encoders, and all that training needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nettool.config.data import DataSpec, SplitName
from nettool.config.signature import Signature
from nettool.data.columns import Column, used
from nettool.data.encoders import TableEncoder
from nettool.data.examples import Split
from nettool.data.image_encoder import ImageEncoder
from nettool.data.inputs import FeatureEncoder, encoder_from_json
from nettool.data.kinds import TRUTHS
from nettool.data.series import SeriesEncoder
from nettool.data.stored import check_distinct, from_stored
from nettool.data.targets import (
    ClassEncoder,
    LabelEncoder,
    NextEncoder,
    NumberEncoder,
    TargetEncoder,
    target_from_json,
    target_to_json,
)
from nettool.data.text_encoder import StreamEncoder, TextEncoder
from nettool.data.values import show


@dataclass(frozen=True)
class Encoders:
    """All that was fitted on the training split: enough to encode another table, and what a checkpoint keeps.

    columns: those that play a part, with the kind that they are read as.
    """

    features: FeatureEncoder
    target: TargetEncoder
    columns: tuple[Column, ...]

    @property
    def signature(self) -> Signature:
        """The width of an example, and what is to be predicted."""
        return Signature(self.features.example, self.target.target)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, exact."""
        return {
            "features": {"kind": self.features.kind, **self.features.to_json()},
            "target": target_to_json(self.target),
            "columns": [{"name": c.name, "kind": c.kind, "role": c.role} for c in self.columns],
        }

    @classmethod
    def from_json(cls, data: Any) -> Encoders:
        """The encoders that `to_json` wrote. Raises ValueError when something else wrote it, or its parts disagree."""
        try:
            encoders = cls(
                encoder_from_json(data["features"]),
                target_from_json(data["target"]),
                tuple(from_stored(Column, column) for column in data["columns"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            what = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
            raise ValueError(f"the fitted encoders cannot be read ({what})") from error
        _check_agreement(encoders)
        return encoders

    def check_data(self, spec: DataSpec) -> None:
        """Raise ValueError where they were not fitted to what this section of a config describes."""
        features, window = self.features, spec.window
        looks_back = (features.length, features.horizon) if isinstance(features, SeriesEncoder) else None
        if looks_back != (None if window is None else (window.length, window.horizon)):
            raise ValueError("its config and its fitted encoders have another `data.window`")
        if spec.is_stream != isinstance(features, StreamEncoder):
            raise ValueError("its config is for a text, or its fitted encoders are, but not both")
        if spec.split.by is not None and spec.split.by not in [column.name for column in self.columns]:
            raise ValueError(f"`data.split.by` is {show(spec.split.by)}, of which its fitted encoders know nothing")


def _check_agreement(encoders: Encoders) -> None:
    """Raise ValueError where the columns are not what the encoders of features and target were fitted to."""
    features, target, columns = encoders.features, encoders.target, encoders.columns
    if isinstance(features, StreamEncoder) or isinstance(target, NextEncoder):
        size = features.vocabulary.size if isinstance(features, StreamEncoder) else None
        if not isinstance(target, NextEncoder) or size != target.vocabulary or columns:
            raise ValueError("what is to be predicted of a text is its next token")
        return
    check_distinct([column.name for column in columns], "columns")
    if any(column.role == "unused" or column.kind == "ignore" for column in columns):
        raise ValueError("a column that plays no part stands among those that do")
    kinds = {column.name: column.kind for column in used(columns, "feature")}
    targets = {column.name: column.kind for column in used(columns, "target")}
    if isinstance(features, SeriesEncoder):  # the past of what is predicted may be seen, or not
        kinds |= {name: targets[name] for name in targets if name in [c.name for c in features.rows.columns]}
    if kinds != _kinds_of_features(features):
        raise ValueError("the columns of the features are not those that they were fitted to")
    if targets != _kinds_of_target(target, targets):
        raise ValueError("the columns of the target are not those that it was fitted to")
    horizon = features.horizon if isinstance(features, SeriesEncoder) else 1
    if horizon != (target.horizon if isinstance(target, NumberEncoder) else 1):
        raise ValueError("features and target look ahead to another row")


def _kinds_of_features(features: TableEncoder | SeriesEncoder | ImageEncoder | TextEncoder) -> dict[str, str]:
    if isinstance(features, ImageEncoder | TextEncoder):
        return {features.name: features.kind}
    rows = features.rows if isinstance(features, SeriesEncoder) else features
    return {column.name: column.kind for column in rows.columns}


def _kinds_of_target(target: TargetEncoder, found: Mapping[str, str]) -> dict[str, str]:
    match target:
        case ClassEncoder(name, classes):
            answers = {TRUTHS.get(text.lower()) for text in classes}
            is_boolean = found.get(name) == "boolean" and answers == {True, False} and len(classes) == 2
            return {name: "boolean" if is_boolean else "category"}
        case LabelEncoder(names):
            return dict.fromkeys(names, "boolean")
        case NumberEncoder(names):
            return dict.fromkeys(names, "number")
        case NextEncoder():
            return {}


@dataclass(frozen=True)
class TrainingData:
    """What training needs of a table. splits: train, and validation where there is one; never the test.

    sizes: examples of each split, the test's too where it comes from the same table. columns: all of the table. notes:
    sentences for the user. fingerprint: of each file, by its key in the config.
    """

    splits: Mapping[SplitName, Split]
    sizes: Mapping[SplitName, int]
    encoders: Encoders
    columns: tuple[Column, ...]
    notes: tuple[str, ...]
    fingerprint: dict[str, dict[str, Any]]

    @property
    def target(self) -> TargetEncoder:
        """Of the target."""
        return self.encoders.target

    @property
    def signature(self) -> Signature:
        """The width of an example, and what is to be predicted."""
        return self.encoders.signature
