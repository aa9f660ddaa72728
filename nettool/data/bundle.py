"""What the data folder hands on: encoded splits, fitted encoders, and both together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nettool.config.data import SplitName
from nettool.config.signature import Signature
from nettool.data.columns import Column
from nettool.data.encoders import TableEncoder
from nettool.data.targets import TargetEncoder, target_from_json, target_to_json
from nettool.errors import RunError


@dataclass(frozen=True)
class Split:
    """Encoded examples, in the order of the source.

    features: float32 [n, width]. target: int64 [n] (classes) or float32 [n, k]; None where it was not asked for.
    weights: float32 [n], or None without a weights column. rows: int64 [n], the example's row in its source, from 0.
    """

    features: NDArray[np.float32]
    target: NDArray[Any] | None
    weights: NDArray[np.float32] | None
    rows: NDArray[np.int64]


@dataclass(frozen=True)
class Encoders:
    """All that was fitted on the training split: enough to encode another table, and what a checkpoint keeps.

    columns: those that play a part, with the kind that they are read as.
    """

    features: TableEncoder
    target: TargetEncoder
    columns: tuple[Column, ...]

    @property
    def signature(self) -> Signature:
        """The width of an example, and what is to be predicted."""
        return Signature(self.features.numbers, self.features.embedded, self.target.target)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, exact."""
        return {
            "features": self.features.to_json(),
            "target": target_to_json(self.target),
            "columns": [{"name": c.name, "kind": c.kind, "role": c.role} for c in self.columns],
        }

    @classmethod
    def from_json(cls, data: Any) -> Encoders:
        """The encoders that `to_json` wrote. Raises RunError when something else wrote it."""
        try:
            return cls(
                TableEncoder.from_json(data["features"]),
                target_from_json(data["target"]),
                tuple(Column(column["name"], column["kind"], column["role"]) for column in data["columns"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(f"the fitted encoders cannot be read ({type(error).__name__}: {error}).") from error


@dataclass(frozen=True)
class TableData:
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
    def encoder(self) -> TableEncoder:
        """Of the features."""
        return self.encoders.features

    @property
    def target(self) -> TargetEncoder:
        """Of the target."""
        return self.encoders.target

    @property
    def signature(self) -> Signature:
        """The width of an example, and what is to be predicted."""
        return self.encoders.signature
