"""Checks of the data: features that know the answer, classes that are rare."""

from __future__ import annotations

import numpy as np

from nettool.analysis.verdicts import Verdict
from nettool.config.signature import ClassTarget
from nettool.data.suspects import find_suspects
from nettool.workflows.diagnosis.patient import Patient
from nettool.workflows.pictures.subject import Unsuitable

RARE = 0.25
"""Of what each class would have if all were as common."""
FOUND = 0.5
"""Of a rare class: fewer found are too few."""
FEWEST = 3
"""Examples of it in validation, of which a share means something."""


def leakage(patient: Patient) -> Verdict | str:
    """Whether a feature gives the answer away."""
    found = find_suspects(patient.subject.train, patient.trained.encoders)
    if not found:
        return "no feature tells the target nearly alone"
    names = ", ".join(f"{suspect.feature!r}: ignore" for suspect in found)
    return Verdict(
        "a feature gives the answer away",
        "A feature tells the target nearly alone. It may be the target in other words, or be known only afterwards.",
        tuple(suspect.sentence.split(". Is it known")[0] + "." for suspect in found),
        f"data: {{columns: {{{names}}}}}   # if it is not known before the answer is",
    )


def imbalance(patient: Patient) -> Verdict | str:
    """Whether rare classes are overlooked."""
    target = patient.trained.target
    if not isinstance(target, ClassTarget):
        raise Unsuitable("only classes can be rare, and this run predicts none")
    shares = _shares(patient, target)
    validation = patient.validation
    said = patient.said(validation)
    assert isinstance(validation.target, np.ndarray)
    true = validation.target.reshape(-1).astype(np.int64)
    overlooked = []
    for place, name in enumerate(target.classes):
        of_class = true == place
        found = float((said[of_class] == place).mean()) if of_class.any() else 1.0
        if shares[place] < RARE / len(target.classes) and of_class.sum() >= FEWEST and found < FOUND:
            overlooked.append((name, shares[place], found, int(of_class.sum())))
    if not overlooked:
        rarest = int(shares.argmin())
        return f"the rarest class, {target.classes[rarest]}, is {shares[rarest]:.1%} of the training examples"
    return Verdict(
        "rare classes are overlooked",
        "Classes that are rare in training are mostly taken for others: being wrong about them costs little.",
        tuple(
            f"{name}: {share:.1%} of the training examples; {found:.0%} of {num:,} are found in validation."
            for name, share, found, num in overlooked
        ),
        f"loss: {{name: {patient.experiment.loss.name}, class_weights: balanced}}   # all classes count the same\n"
        "metrics: [balanced_accuracy, f1, accuracy]   # accuracy alone does not show it",
    )


def _shares(patient: Patient, target: ClassTarget) -> np.ndarray:
    train = patient.subject.train.target
    assert isinstance(train, np.ndarray)
    counts = np.bincount(train.reshape(-1).astype(np.int64), minlength=len(target.classes))
    shares: np.ndarray = counts / counts.sum()
    return shares
