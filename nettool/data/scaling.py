"""One column of numbers <-> the same column on the scale that networks learn on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, FiniteFloat

from nettool.config.data import Scale
from nettool.data.arrow import empty

CLIP = 10.0
"""Scaled numbers end here. A value ten deviations out is either a mistake or all that the network would see."""
NEARLY_CONSTANT = 1e-7
"""Deviations below so much of the mean are rounding errors (float32 has 24 bits); scaled up they would be noise."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Scaler:
    """encoded = (value - shift) / scale; 0 where `scale` is 0, which says that training saw one value only.

    fill: stands for a missing value, in the column's own units. clip: whether encoded numbers end at CLIP.
    """

    shift: FiniteFloat
    scale: Annotated[FiniteFloat, Field(ge=0)]
    fill: FiniteFloat
    clip: bool

    @classmethod
    def fit(cls, values: Floats, how: Scale) -> Scaler:
        """Fit to the training rows' values, NaN for missing; population statistics in float64."""
        absent = np.isnan(values)
        known = values[~absent] if absent.any() else values
        if len(known) == 0:
            return cls(0.0, 0.0, 0.0, how != "none")
        mean, deviation = moments(known)
        if how == "none":
            return cls(0.0, 1.0, mean, False)
        if is_constant(mean, deviation):
            return cls(mean, 0.0, mean, True)
        if how == "standard":
            return cls(mean, deviation, mean, True)
        low, high = float(known.min()), float(known.max())
        with np.errstate(over="ignore"):
            spread = min(high - low, float(np.finfo(np.float64).max))
        return cls(low, spread, mean, True)

    def encode(self, values: Floats) -> Floats:
        """Scale values [n], NaN for missing. The result has no NaN."""
        encoded = values.copy()
        encode_rows([self], encoded[None])
        return encoded

    def decode(self, encoded: Floats) -> Floats:
        """Back to the column's own units."""
        return np.asarray(encoded, np.float64) * self.scale + self.shift


def encode_rows(scalers: Sequence[Scaler], rows: Floats) -> None:
    """Scale rows [k, n], NaN for missing, each with its own scaler, in place. The result has no NaN."""
    shift, scale, fill, limit = (
        np.array(each)[:, None]
        for each in zip(*((s.shift, s.scale, s.fill, CLIP if s.clip else np.inf) for s in scalers), strict=True)
    )
    absent = np.isnan(rows)
    if absent.any():
        np.copyto(rows, fill, where=absent)
    with np.errstate(over="ignore"):
        rows -= shift
        rows /= np.where(scale, scale, 1.0)
    rows[scale[:, 0] == 0] = 0.0
    np.maximum(np.minimum(rows, limit, out=rows), -limit, out=rows)


def moments(values: Floats) -> tuple[float, float]:
    """Mean and population standard deviation, without overflow or underflow on the way."""
    largest = _largest(values) or 1.0
    scratch = np.divide(values, largest, out=empty(values.shape, np.float64))
    mean = float(np.mean(scratch)) * largest
    with np.errstate(over="ignore"):
        centred = np.subtract(values, mean, out=scratch)
    spread = _largest(centred)
    if not np.isfinite(spread):
        centred = np.nan_to_num(centred)
        spread = _largest(centred)
    if spread == 0:
        return mean, 0.0
    centred /= spread
    return mean, float(np.sqrt(np.mean(np.square(centred, out=centred)))) * spread


def _largest(values: Floats) -> float:
    """The greatest magnitude."""
    return max(-float(values.min()), float(values.max()))


def is_constant(mean: float, deviation: float) -> bool:
    """Whether the deviation is no more than rounding."""
    return deviation <= max(NEARLY_CONSTANT * abs(mean), float(np.finfo(np.float64).tiny))
