"""All that is known of a run, as far as it can be had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from nettool.config.experiment import Experiment
from nettool.config.load import load
from nettool.config.signature import NextTarget
from nettool.errors import DataError, NettoolError, UsageError
from nettool.model.plans import NetworkPlan
from nettool.runs.directory import RunDirectory
from nettool.runs.journal import read_metrics
from nettool.workflows.check import check_config
from nettool.workflows.evaluate import Evaluation, measure
from nettool.workflows.pictures.subject import Subject
from nettool.workflows.report.blocks import Picture
from nettool.workflows.report.missing import Missing
from nettool.workflows.report.pictures import pictures_of
from nettool.workflows.report.use import shown_path
from nettool.workflows.runs import record_or_damage
from nettool.workflows.trained import Trained

OF_WHAT_WAS_ASKED = ("network",)
OF_WHAT_HAPPENED = ("curves", "landscape", "line", "samples")
OF_THE_INSIDE = ("weights", "activations", "gradients", "filters", "embeddings", "attention")
"""Which pictures stand where; all others say how good it is."""


@dataclass
class Gathered:
    """The parts of it; what could not be had is None, and in `missing`."""

    run: RunDirectory
    subject: Subject
    record: dict[str, Any]
    missing: Missing
    rows: list[dict[str, float | None]] = field(default_factory=list)
    experiment: Experiment | None = None
    trained: Trained | None = None
    plan: NetworkPlan | None = None
    evaluation: Evaluation | None = None
    pictures: dict[str, Picture] = field(default_factory=dict)

    @property
    def is_of_text(self) -> bool:
        """Whether it predicts the next token."""
        return self.trained is not None and isinstance(self.trained.target, NextTarget)

    @cached_property
    def gallery_of(self) -> Mapping[str, Sequence[Picture]]:
        """The pictures of each section."""
        places = dict.fromkeys(OF_WHAT_WAS_ASKED, "asked") | dict.fromkeys(OF_WHAT_HAPPENED, "happened")
        places |= dict.fromkeys(OF_THE_INSIDE, "inside")
        found: dict[str, list[Picture]] = {}
        for name, picture in self.pictures.items():
            found.setdefault(places.get(name, "quality"), []).append(picture)
        return found


def gather(run: RunDirectory, subject: Subject) -> Gathered:
    """Raises UsageError for a split that the data have not, and for an override that is none of theirs."""
    missing = Missing({str(run.path): shown_path(run.path)})
    found = Gathered(run, subject, record_or_damage(run), missing)
    with missing.noting("the epochs"):
        found.rows = read_metrics(run)
    with missing.noting("the settings"):
        found.experiment = subject.experiment
    try:
        found.trained = subject.trained
        found.plan = found.trained.plan
    except UsageError:
        raise
    except NettoolError as error:
        missing.add_all("all that needs its weights", str(error))
        with Missing({}).noting("the network"):  # which its config and data tell as well, if they are there
            found.plan = check_config(load(run.config), all_rows=False).plan
    else:
        _look_at_data(subject, missing)
        with missing.noting("the metrics"):
            found.evaluation = measure(found.trained, subject.examples, subject.split)
    found.pictures = pictures_of(subject, missing)
    return found


def _look_at_data(subject: Subject, missing: Missing) -> None:
    """Raise UsageError for a split that the data have not; data that are gone cannot tell, and are missing."""
    try:
        _ = subject.split, subject.examples
    except DataError as error:
        missing.add_all("all that needs its data", str(error))
