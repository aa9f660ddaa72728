"""What data promises and a model expects: the shape of an example, and what is to be predicted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Flat:
    """A flat vector of numbers for each example."""

    features: int

    @property
    def size(self) -> int:
        """Numbers in an example."""
        return self.features

    def __str__(self) -> str:
        return f"{self.features:,}"


@dataclass(frozen=True)
class Image:
    """An image for each example: float [batch, channels, height, width]."""

    channels: int
    height: int
    width: int

    @property
    def features(self) -> int:
        """What a norm or a convolution counts: the channels."""
        return self.channels

    @property
    def size(self) -> int:
        """Numbers in an example."""
        return self.channels * self.height * self.width

    def __str__(self) -> str:
        return f"{self.channels:,} x {self.height:,} x {self.width:,}"


@dataclass(frozen=True)
class Sequence:
    """A vector for each step in time: float [batch, time, features]."""

    time: int
    features: int

    @property
    def size(self) -> int:
        """Numbers in an example."""
        return self.time * self.features

    def __str__(self) -> str:
        return f"{self.time:,} x {self.features:,}"


@dataclass(frozen=True)
class Tokens:
    """A code for each step in time: integers [batch, time], each below `vocabulary`.

    padded: whether code 0 fills what is behind the end of a text.
    """

    time: int
    vocabulary: int
    padded: bool = False

    @property
    def features(self) -> int:
        """Numbers at each step: the code."""
        return 1

    @property
    def size(self) -> int:
        """Numbers in an example."""
        return self.time

    def __str__(self) -> str:
        return f"{self.time:,} tokens"


Shape = Flat | Image | Sequence | Tokens
"""Every shape that a layer can take or give."""


def describe_shape(shape: Shape) -> str:
    """The shape in words, for messages."""
    match shape:
        case Flat():
            return f"a flat vector of {shape.features:,} numbers"
        case Image():
            return f"an image of {shape} (channels, height, width)"
        case Sequence():
            return f"a sequence of {shape} (time, features)"
        case Tokens():
            return f"a sequence of {shape.time:,} tokens"


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
    """One number or several; of a series each number at each step ahead, named `name+step`."""

    names: tuple[str, ...]

    @property
    def num_outputs(self) -> int:
        """One output for each number."""
        return len(self.names)


@dataclass(frozen=True)
class NextTarget:
    """The next token, at every step of a sequence of tokens."""

    vocabulary: int

    @property
    def num_outputs(self) -> int:
        """One logit for each token of the vocabulary, at every step."""
        return self.vocabulary


Target = ClassTarget | LabelTarget | NumberTarget | NextTarget


def output_names(target: Target) -> tuple[str, ...]:
    """Of each output of a network: its class, of a single output for two classes the second; () of next tokens."""
    match target:
        case ClassTarget(classes, binary):
            return classes[1:] if binary else classes
        case LabelTarget(names) | NumberTarget(names):
            return names
        case NextTarget():
            return ()


@dataclass(frozen=True)
class TableExample:
    """`numbers` columns of numbers, then one column of codes for each embedded category: float32 [width].

    embedded: for each of these categories how many codes it has (0 is an unseen level). window: rows of an example of a
    series, float32 [window, width]; None where an example is one row.
    """

    numbers: int
    embedded: tuple[int, ...] = ()
    window: int | None = None

    @property
    def width(self) -> int:
        """Columns of the encoded table."""
        return self.numbers + len(self.embedded)


@dataclass(frozen=True)
class ImageExample:
    """Pixels: uint8 [channels, height, width]. The network sees (pixel - mean) / deviation, for each channel."""

    channels: int
    height: int
    width: int
    means: tuple[float, ...]
    deviations: tuple[float, ...]


@dataclass(frozen=True)
class TokenExample:
    """Codes: integers [time]. Where `padded`, code 0 fills what is behind the end of a text."""

    time: int
    vocabulary: int
    padded: bool


Example = TableExample | ImageExample | TokenExample


@dataclass(frozen=True)
class Signature:
    """What an encoded example looks like, and what is to be predicted from it."""

    example: Example
    target: Target
