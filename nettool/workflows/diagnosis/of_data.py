"""Checks of the data: features that know the answer, classes that are rare."""

from __future__ import annotations

import numpy as np

from nettool.analysis.verdicts import Verdict
from nettool.config.signature import ClassTarget
from nettool.data.suspects import find_suspects
from nettool.workflows.diagnosis.patient import Patient, section
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
    rare = [place for place, share in enumerate(shares) if share < RARE / len(target.classes)]
    counts = {place: int((true == place).sum()) for place in rare}
    if rare and max(counts.values()) < FEWEST:
        raise Unsuitable("validation has hardly any example of the rare classes")
    overlooked = []
    for place in rare:
        found = float((said[true == place] == place).mean()) if counts[place] >= FEWEST else 1.0
        if found < FOUND:
            overlooked.append((target.classes[place], shares[place], found, counts[place]))
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
        _against_imbalance(patient),
    )


def _against_imbalance(patient: Patient) -> str:
    loss = patient.experiment.loss
    metrics = "metrics: [balanced_accuracy, f1, accuracy]   # accuracy alone does not show it"
    if getattr(loss, "class_weights", None) is not None:
        return f"# Their class_weights are too small, or there is too little to tell them by.\n{metrics}"
    settings = {"name": loss.name, **loss.model_dump(exclude_defaults=True), "class_weights": "balanced"}
    return f"{section('loss', settings)}   # all classes count the same\n{metrics}"


def _shares(patient: Patient, target: ClassTarget) -> np.ndarray:
    train = patient.subject.train.target
    assert isinstance(train, np.ndarray)
    counts = np.bincount(train.reshape(-1).astype(np.int64), minlength=len(target.classes))
    shares: np.ndarray = counts / counts.sum()
    return shares
