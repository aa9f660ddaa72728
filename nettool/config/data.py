"""The data section: which file, which columns, which split."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from nettool.config.inputs import AugmentSpec, ImageSpec, TextSpec, WindowSpec
from nettool.config.spec import Spec

ColumnKind = Literal["number", "category", "boolean", "date", "text", "image", "ignore"]
Scale = Literal["standard", "minmax", "none"]
SplitName = Literal["train", "validation", "test"]
Fraction = Annotated[float, Field(ge=0, le=1)]


TABLE_ENDINGS = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".pq", ".npz")
COMPRESSIONS = (".gz", ".bz2", ".xz", ".zst")
NEXT = ("next",)
"""The target of a text: at every step the token after it."""


class SplitSpec(Spec):
    """Which example is for training, for validation and for the test.

    The three fractions add up to 1. The split depends on `seed` and on the content of the rows, never on their
    order; rows that are equal fall on one side.
    """

    train: Annotated[float, Field(gt=0, le=1)] = 0.7
    """Fraction of the rows that the weights are fitted to."""
    validation: Fraction = 0.15
    """Fraction of the rows that early stopping and the choice of the best weights look at. 0 for none."""
    test: Fraction = 0.15
    """Fraction of the rows kept for `nettool eval`; never read while training. 0 for none."""
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0
    """Another number gives another split. The experiment's own `seed` leaves the split as it is."""
    folds: Annotated[int, Field(ge=2, le=1000)] | None = None
    """For cross-validation: what is not for the test is cut into so many parts, one of which is the validation split,
    in place of the fractions above. `nettool sweep --folds 5` trains with each of them in turn."""
    fold: Annotated[int, Field(ge=1)] = 1
    """Which of the `folds` is the validation split, from 1 on."""
    by: str | None = None
    """A column whose equal values stay on one side of the split (a patient, a household). It is no feature unless
    `features` names it."""

    @model_validator(mode="after")
    def _fractions_add_up(self) -> Self:
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-6:
            raise ValueError(
                f"train {self.train:g}, validation {self.validation:g} and test {self.test:g} add up to {total:g}, "
                "not to 1; name all three"
            )
        return self

    @model_validator(mode="after")
    def _fold_is_one_of_them(self) -> Self:
        if self.fold > (self.folds or 1):
            there = f"there are {self.folds} folds" if self.folds else "there are no `folds`"
            raise ValueError(f"fold {self.fold}: {there}")
        return self

    @property
    def held_out(self) -> float:
        """The fraction for validation."""
        return (1 - self.test) / self.folds if self.folds else self.validation


class DataSpec(Spec):
    """Where the examples come from and how their columns are read."""

    path: str | None = None
    """What is to be split: a table (csv or tsv, also .gz, .bz2, .zst; jsonl, parquet or npz), a folder with a folder of
    images for each class, a folder with MNIST's four files, or a text. Relative to this file."""
    train: str | None = None
    """The training data, where the splits come as files or folders of their own."""
    validation: str | None = None
    """The validation data. Without it, `split.validation` of the training data is used."""
    test: str | None = None
    """The test data, read by `nettool eval` alone."""
    target: Annotated[tuple[str, ...], Field(min_length=1)] = ()
    """The column to predict. Several are several numbers, or several yes/no labels. `next` for a text: the next
    character, byte or word. Folders of images and arrays have one by default: their class, or `y`."""
    features: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """The columns to predict it from. Default: all others."""
    columns: dict[str, ColumnKind] = {}
    """The kind of a column where the inferred one is wrong: number, category, boolean, date, text (read as tokens, see
    `data.text`), image (a path, relative to the table) or ignore."""
    scale: Scale = "standard"
    """How number columns are scaled, by what the training split shows: standard (mean 0, deviation 1), minmax
    (0 to 1) or none."""
    weights: str | None = None
    """A column that says how much each example counts; 1 is usual, 0 leaves the example out of the loss."""
    limit: Annotated[int, Field(ge=1)] | Annotated[float, Field(gt=0, le=1)] | None = None
    """Use only so many training examples (a whole number), or this fraction of them (a decimal up to 1.0).
    Validation and test stay as they are, so that results compare."""
    split: SplitSpec = SplitSpec()
    """How one table becomes three. A text and a table with a `window` are cut in time order."""
    image: ImageSpec | None = None
    """How images become numbers. Default: every setting at its own default."""
    augment: AugmentSpec | None = None
    """Random changes to the training images."""
    text: TextSpec | None = None
    """How text becomes tokens."""
    window: WindowSpec | None = None
    """Makes the table a series: each example is a stretch of rows, and the target lies behind it."""

    @property
    def files(self) -> dict[str, Path]:
        """The files and folders that it names, by their keys."""
        named = {"path": self.path, "train": self.train, "validation": self.validation, "test": self.test}
        return {key: Path(path) for key, path in named.items() if path is not None}

    @property
    def is_table(self) -> bool:
        """Whether its file is a table, by its name; else it is a folder, a text or an IDX file."""
        name = (self.path or self.train or "").lower()
        for ending in COMPRESSIONS:
            name = name.removesuffix(ending)
        return name.endswith(TABLE_ENDINGS)

    @property
    def is_stream(self) -> bool:
        """Whether it is one long text, of which every next token is to be predicted."""
        return self.target == NEXT and not self.is_table

    @property
    def text_settings(self) -> TextSpec:
        """How text becomes tokens, where the config says nothing of it by default."""
        return self.text or TextSpec()

    @model_validator(mode="after")
    def _names_make_sense(self) -> Self:
        if (self.path is None) == (self.train is None):
            raise ValueError("name one table with `path`, or a table for each split: `train`, `validation`, `test`")
        if self.path is not None and (self.validation or self.test):
            raise ValueError("`path` is one table to be split; beside `validation` or `test`, call it `train`")
        return self

    @field_validator("target", "features")
    @classmethod
    def _once_each(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if twice := {name for name in names or () if (names or ()).count(name) > 1}:
            raise ValueError(f"{', '.join(sorted(twice))}: named twice")
        return names

    @field_validator("weights")
    @classmethod
    def _weights_are_not_the_target(cls, weights: str | None, info: ValidationInfo) -> str | None:
        if weights in info.data.get("target", ()):
            raise ValueError(f'"{weights}" is the target and the weights; it can only be one')
        return weights

    @model_validator(mode="after")
    def _features_are_not_the_target(self) -> Self:
        for name in self.target if self.window is None else ():  # a series is predicted from its own past
            if name in (self.features or ()):
                raise ValueError(f'"{name}" is the target and a feature; the network would only have to copy it')
        return self
