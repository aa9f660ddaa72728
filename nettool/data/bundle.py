"""What the data folder hands on: fitted encoders, and all that training needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from nettool.config.data import SplitName
from nettool.config.signature import Signature
from nettool.data.columns import Column, Role
from nettool.data.examples import Split
from nettool.data.inputs import FeatureEncoder, encoder_from_json
from nettool.data.targets import TargetEncoder, target_from_json, target_to_json
from nettool.data.text_encoder import StreamEncoder
from nettool.errors import RunError


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
        """The encoders that `to_json` wrote. Raises RunError when something else wrote it."""
        try:
            encoders = cls(
                encoder_from_json(data["features"]),
                target_from_json(data["target"]),
                tuple(Column(str(column["name"]), column["kind"], column["role"]) for column in data["columns"]),
            )
            if not encoders.columns and encoders.features.kind != StreamEncoder.kind:
                raise ValueError("no columns")
            if not all(column.role in get_args(Role) for column in encoders.columns):
                raise ValueError("a column without a part to play")
            return encoders
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError, RecursionError) as error:
            raise RunError(f"the fitted encoders cannot be read ({type(error).__name__}: {error}).") from error


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
