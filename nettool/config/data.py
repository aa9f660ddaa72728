"""The data section: which file, which columns, which split."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from nettool.config.spec import Spec

ColumnKind = Literal["number", "category", "boolean", "date", "ignore"]
Scale = Literal["standard", "minmax", "none"]
SplitName = Literal["train", "validation", "test"]
Fraction = Annotated[float, Field(ge=0, le=1)]


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


class DataSpec(Spec):
    """Where the examples come from and how their columns are read."""

    path: str | None = None
    """A table to be split: csv or tsv (also .gz, .bz2, .zst), jsonl, parquet or npz. Relative to this file."""
    train: str | None = None
    """The training table, where the splits come as files of their own."""
    validation: str | None = None
    """The validation table. Without it, `split.validation` of the training table is used."""
    test: str | None = None
    """The test table, read by `nettool eval` alone."""
    target: Annotated[tuple[str, ...], Field(min_length=1)]
    """The column to predict. Several are several numbers, or several yes/no labels."""
    features: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """The columns to predict it from. Default: all others."""
    columns: dict[str, ColumnKind] = {}
    """The kind of a column where the inferred one is wrong: number, category, boolean, date or ignore."""
    scale: Scale = "standard"
    """How number columns are scaled, by what the training split shows: standard (mean 0, deviation 1), minmax
    (0 to 1) or none."""
    weights: str | None = None
    """A column that says how much each example counts; 1 is usual, 0 leaves the example out of the loss."""
    limit: Annotated[int, Field(ge=1)] | Annotated[float, Field(gt=0, le=1)] | None = None
    """Use only so many training examples (a whole number), or this fraction of them (a decimal up to 1.0).
    Validation and test stay as they are, so that results compare."""
    split: SplitSpec = SplitSpec()
    """How one table becomes three."""

    @model_validator(mode="after")
    def _names_make_sense(self) -> Self:
        if (self.path is None) == (self.train is None):
            raise ValueError("name one table with `path`, or a table for each split: `train`, `validation`, `test`")
        if self.path is not None and (self.validation or self.test):
            raise ValueError("`path` is one table to be split; beside `validation` or `test`, call it `train`")
        for name in self.target:
            if self.features is not None and name in self.features:
                raise ValueError(f'"{name}" is the target and a feature; the network would only have to copy it')
            if name == self.weights:
                raise ValueError(f'"{name}" is the target and the weights; it can only be one')
        for names in (self.target, self.features or ()):
            if twice := {name for name in names if names.count(name) > 1}:
                raise ValueError(f"{', '.join(sorted(twice))}: named twice")
        return self
