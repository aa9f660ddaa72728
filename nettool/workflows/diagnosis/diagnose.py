"""nettool diagnose: what is the matter with a run, and what to change. A check is a function, and a line here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from nettool.analysis.verdicts import Verdict
from nettool.errors import DataError, RunError
from nettool.workflows.diagnosis import of_data, of_layers, of_learning, of_rate
from nettool.workflows.diagnosis.patient import Patient
from nettool.workflows.pictures.subject import Subject, Unsuitable


@dataclass(frozen=True)
class Check:
    """Looks at one thing. look: a verdict or, where all is well, what was seen. of_ending: whether it looks at what was
    learned, which is nothing where training diverged or never began.
    """

    name: str
    look: Callable[[Patient], Verdict | str]
    of_ending: bool = True


@dataclass(frozen=True)
class Looked:
    """What came of a check. verdict: None where all is well, or where nothing can be said. seen: what was measured, or
    why nothing was.
    """

    check: str
    verdict: Verdict | None
    seen: str
    is_told: bool = True


CHECKS = (
    Check("divergence", of_learning.divergence, of_ending=False),
    Check("leakage", of_data.leakage, of_ending=False),
    Check("linear by mistake", of_layers.linearity, of_ending=False),
    Check("gradients", of_layers.reach_of_gradients, of_ending=False),
    Check("learning rate", of_rate.learning_rate),
    Check("baseline", of_learning.beside_baseline),
    Check("underfitting", of_learning.underfitting),
    Check("overfitting", of_learning.overfitting),
    Check("amount of data", of_learning.too_little_data),
    Check("class imbalance", of_data.imbalance),
    Check("dead units", of_layers.dead_units),
    Check("saturated units", of_layers.saturated_units),
    Check("noise of batches", of_layers.noise_of_batches),
    Check("validation beside training", of_learning.noise_of_training),
)
"""In the order of causes: what comes first may be the reason of what follows."""


def examine(subject: Subject) -> Iterator[Looked]:
    """Look at everything, one thing after another; what cannot be looked at says why.

    Raises UsageError for overrides that are none of where the data are.
    """
    patient = Patient(subject)
    has_diverged, is_untrained = patient.record["status"] == "diverged", patient.record.get("epochs") == 0
    why = "the training diverged" if has_diverged else "nothing was trained" if is_untrained else ""
    for check in CHECKS:
        if why and check.of_ending:
            yield Looked(check.name, None, why, is_told=False)
            continue
        try:
            found = check.look(patient)
        except (Unsuitable, DataError, RunError) as error:
            yield Looked(check.name, None, str(error), is_told=False)
            continue
        if isinstance(found, Verdict):
            patient.found.append(found.name)
            yield Looked(check.name, found, found.text)
        else:
            yield Looked(check.name, None, found)


def diagnose(subject: Subject) -> tuple[Verdict, ...]:
    """What is the matter with a run; nothing where all is well."""
    return tuple(looked.verdict for looked in examine(subject) if looked.verdict is not None)
