"""How much an example of each class counts in the loss. Numbers from a config, never tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nettool.config.hints import nearest
from nettool.config.losses import BinaryCrossEntropy, CrossEntropy, LossSpec
from nettool.errors import ConfigError, Mistake

_PATH = ("loss", "class_weights")


def class_weights_from(spec: LossSpec, classes: Sequence[str], counts: Sequence[float]) -> list[float] | None:
    """The weight of each class, in the order of `classes`, or None where the config asks for none.

    counts: training examples of each class (or the sum of their weights). `balanced` gives n / (C x n_c), so
    that all classes together weigh the same (King and Zeng 2001); C counts the classes that occur, and a
    class that does not has weight 1. Raises ConfigError when a map names a class that the data lacks, or
    leaves one out.
    """
    if not isinstance(spec, (CrossEntropy, BinaryCrossEntropy)) or spec.class_weights is None:
        return None
    if spec.class_weights == "balanced":
        num_present = sum(count > 0 for count in counts)
        total = sum(counts)
        return [total / (num_present * count) if count > 0 else 1.0 for count in counts]
    mistakes = _mistakes(spec.class_weights, classes)
    if mistakes:
        raise ConfigError(mistakes)
    return [spec.class_weights[name] for name in classes]


def _mistakes(weights: Mapping[str, float], classes: Sequence[str]) -> list[Mistake]:
    """Classes that the data lacks, classes left out, or nothing left to learn from."""
    mistakes = []
    missing = [name for name in classes if name not in weights]
    listed = ", ".join(classes[:20]) + (", ..." if len(classes) > 20 else "")
    for name in weights:
        if name not in classes:
            hint = nearest(name, missing) or nearest(name, classes)
            text = f'the target has no class "{name}".{hint} Its classes are {listed}.'
            mistakes.append(Mistake((*_PATH, name), text))
    for name in missing:
        text = f'class "{name}" has no weight. Give it one; 1 is usual, 0 leaves the class out of the loss.'
        mistakes.append(Mistake((*_PATH, name), text))
    if not mistakes and not any(weights[name] for name in classes):
        mistakes.append(Mistake(_PATH, "every class has weight 0, so there is nothing to learn from."))
    return mistakes
