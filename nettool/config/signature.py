"""What data promises and a model expects: the width of an example, and what is to be predicted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Flat:
    """A flat vector of numbers for each example."""

    features: int

    def __str__(self) -> str:
        return f"{self.features:,}"


Shape = Flat
"""Every shape that a layer can take or give."""


@dataclass(frozen=True)
class ClassTarget:
    """One class out of several; a target with two classes and one output is `binary`."""

    classes: tuple[str, ...]
    binary: bool

    @property
    def num_outputs(self) -> int:
        """One logit for each class, or a single one for two classes."""
        return 1 if self.binary else len(self.classes)


@dataclass(frozen=True)
class LabelTarget:
    """Several yes/no labels, each with a logit of its own."""

    labels: tuple[str, ...]

    @property
    def num_outputs(self) -> int:
        """One logit for each label."""
        return len(self.labels)


@dataclass(frozen=True)
class NumberTarget:
    """One number or several."""

    names: tuple[str, ...]

    @property
    def num_outputs(self) -> int:
        """One output for each number."""
        return len(self.names)


Target = ClassTarget | LabelTarget | NumberTarget


@dataclass(frozen=True)
class Signature:
    """An encoded example: `numbers` columns of numbers, then one column of codes for each embedded category.

    embedded: for each of these categories how many codes it has (0 is an unseen level).
    """

    numbers: int
    embedded: tuple[int, ...]
    target: Target

    @property
    def width(self) -> int:
        """Columns of the encoded example."""
        return self.numbers + len(self.embedded)
