"""Pictures of single columns: which of them matter, and the plane of two."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch

from nettool.analysis.boundary import PlaneOfFeatures, can_be_axis
from nettool.analysis.columns import encoded_columns
from nettool.analysis.importance import Importance, permutation_importance
from nettool.analysis.outcomes import Array
from nettool.config.signature import LabelTarget, NextTarget
from nettool.data.columns import near_names
from nettool.data.dataset import to_tensor
from nettool.data.encoders import TableEncoder
from nettool.data.examples import Split, Windows, spread
from nettool.errors import UsageError
from nettool.training.metrics import METRICS
from nettool.workflows.pictures.subject import Subject, Unsuitable

MOST_EXAMPLES = 2000
"""That are shuffled: more of them take longer and hardly change the order of the columns."""
MOST_COLUMNS, MOST_SHUFFLES = 2000, 4000
"""Of all columns together: where there are many, each is shuffled fewer times."""
FEW_REPEATS = 3
"""Where only the two most important columns are looked for."""


def column_importance(subject: Subject, repeats: int) -> tuple[list[Importance], float, int]:
    """Each column's, the most important first; the metric with all of them as they are; of how many examples."""
    columns = encoded_columns(subject.trained.encoders.features)
    if not columns:
        raise Unsuitable(
            "importance: columns are shuffled one by one, and this run sees text. Look at attention and samples."
        )
    if len(columns) > MOST_COLUMNS:
        raise Unsuitable(
            f"importance: each of {len(columns):,} columns would be shuffled; {MOST_COLUMNS:,} are the most."
        )
    repeats = max(1, min(repeats, MOST_SHUFFLES // len(columns)))
    examples = subject.examples.take(spread(len(subject.examples), MOST_EXAMPLES))
    features = np.array(in_memory(examples))
    sign = -1.0 if METRICS[subject.metric].mode == "max" else 1.0

    def cost(changed: Array) -> float:
        return sign * subject.metric_of(replace(examples, features=changed))

    reached = sign * cost(features)
    if math.isnan(reached):
        raise Unsuitable(f"importance: {subject.metric} is no number on {len(examples):,} examples of {subject.split}.")
    return permutation_importance(columns, features, cost, repeats), reached, len(examples)


def in_memory(examples: Split) -> Array:
    """The encoded features of each example: float32 [n, ..., width], or uint8 of images."""
    if not isinstance(examples.features, Windows):
        return examples.features
    stretches = to_tensor(examples.features, torch.device("cpu"))
    features: Array = stretches[0 : len(examples)].numpy()
    return features


def plane_of(subject: Subject) -> PlaneOfFeatures:
    """Of the two features that were asked for, or of the two of most effect. Raises Unsuitable, UsageError."""
    encoder, target = subject.trained.encoders.features, subject.trained.target
    if not isinstance(encoder, TableEncoder):
        raise Unsuitable(
            "boundary: it is drawn over two columns of a table, and this run sees images, text or a series."
        )
    if isinstance(target, LabelTarget | NextTarget):
        raise Unsuitable("boundary: it is drawn of one target, and this run predicts several labels.")
    if subject.pixels is not None and not subject.wishes.features:
        raise Unsuitable(
            "boundary: the columns are pixels, of which no two say much. Look at importance, or choose two: --features."
        )
    able = [column.name for column in encoder.columns if can_be_axis(column)]
    if len(able) < 2:
        text = "it is drawn over two features, and this run has only one that can be an axis"
        raise Unsuitable(f"boundary: {text}: {', '.join(able) or 'none'}. Look at predicted-vs-true or gains.")
    return PlaneOfFeatures(encoder, in_memory(subject.examples), _two_of(subject, able))


def _two_of(subject: Subject, able: list[str]) -> tuple[str, str]:
    asked = subject.wishes.features
    for name in asked:
        if name not in able:
            raise UsageError(f"--features: {name} is no feature that can be an axis.{near_names(name, able)}")
    if asked:
        if len(set(asked)) != 2:
            raise UsageError(f"--features: name two different ones, such as --features {able[0]},{able[1]}.")
        return asked[0], asked[1]
    if len(able) == 2:
        return able[0], able[1]
    found, *_ = column_importance(subject, FEW_REPEATS)
    first, second, *_ = [each.name for each in found if each.name in able]
    return first, second
