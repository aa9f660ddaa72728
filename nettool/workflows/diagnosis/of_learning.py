"""Checks of how training went: whether it learned what there is to learn, and no more."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from nettool.analysis.neighbours import NEIGHBOURS, means, nearest, votes
from nettool.analysis.outcomes import Array
from nettool.analysis.verdicts import Verdict
from nettool.config.signature import ClassTarget, ImageExample, NumberTarget, TokenExample
from nettool.training.divergence import CURE
from nettool.training.rate_race import rounded
from nettool.workflows.diagnosis.patient import Losses, Patient, sized
from nettool.workflows.pictures.columns import in_memory
from nettool.workflows.pictures.subject import Unsuitable
from nettool.workflows.words import capitalised, plural

FAR_OFF = 1000
"""Times the usual learning rate: a tenth of it would not do."""
SURE = 3.0
"""Standard errors: what lies so far off is no chance."""
LOST = 0.1
"""Of what was gained: a validation loss that has lost so much of it again."""
GAP = 0.25
"""Of what the training loss lies below the baseline's: so much of it missing in validation is learned by heart."""
WORSE = 1.25
"""Times the errors of the neighbours' word."""


def divergence(patient: Patient) -> Verdict | str:
    """Whether the numbers stayed finite."""
    record = patient.record
    if record["status"] != "diverged":
        return "all numbers stayed finite"
    usual = type(patient.experiment.optimizer)().rate
    is_far_off = patient.rate > FAR_OFF * usual
    lower = (usual, "what it is by default") if is_far_off else (rounded(patient.rate / 10), "a tenth")
    cure = [f"{patient.optimizer(lr=lower[0])}   # {lower[1]}; or ask `nettool find-lr`"]
    if patient.experiment.optimizer.clip_norm is None and not is_far_off:
        cure.append(f"# or, if single steps were too long, {patient.optimizer(clip_norm=1)}")
    return Verdict(
        "diverged",
        "Training left the finite numbers.",
        (str(record["why"]).replace(f" {CURE}", ""), f"The learning rate was {patient.rate:g}."),
        "\n".join(cure),
    )


def beside_baseline(patient: Patient) -> Verdict | str:
    """Whether it is better than always saying the same."""
    own, naive = patient.validation_losses, patient.naive_losses
    better = naive.less(own)
    losses = f"validation loss {own.mean:.4g}, of the baseline {naive.mean:.4g}"
    if better.mean > 2 * better.error:
        return losses
    return Verdict(
        "no better than the baseline",
        f"On the validation split it is {'not surely' if better.mean > 0 else 'no'} better than {_baseline(patient)}.",
        (f"{capitalised(losses)}; the difference is {-better.mean:+.2g} with a standard error of {better.error:.2g}.",),
        patient.first_the_causes()
        or "# Can it learn 100 examples by heart? nettool train CONFIG data.limit=100 epochs=1000\n"
        "# If not, it is the network or the learning rate; if so, do the features hold the answer?",
    )


def _baseline(patient: Patient) -> str:
    target = patient.trained.target
    if patient.validation.naive is not None:
        return "always saying that all stays as it is"
    if isinstance(target, ClassTarget):
        return "always saying how common each class is"
    return "always saying the mean" if isinstance(target, NumberTarget) else "always saying how common each is"


def overfitting(patient: Patient) -> Verdict | str:
    """Whether it learned by heart, and since when."""
    learning, train, validation = patient.learning, patient.train_losses, patient.validation_losses
    gap, error = validation.mean - train.mean, math.hypot(validation.error, train.error)
    is_gap = gap > max(SURE * error, GAP * (patient.naive_loss - train.mean)) and train.mean < patient.naive_loss
    rose = learning.lost_again > LOST and learning.gain > 0 and learning.train_fell_since
    losses = f"{train.mean:.4g} in training and {validation.mean:.4g} in validation, both without dropout"
    if not is_gap and not rose:
        return f"loss {losses}"
    best = int(learning.epochs[learning.best])
    evidence = [f"The best weights, of epoch {best}, have a loss of {losses}."]
    if rose:
        evidence.insert(
            0,
            f"The validation loss was lowest in epoch {best} ({learning.validation[learning.best]:.4g}) and was "
            f"{learning.validation[-1]:.4g} at the end; the training loss went on falling, from "
            f"{learning.train[learning.best]:.4g} to {learning.train[-1]:.4g}.",
        )
    since = f" since epoch {best}" if rose else ""
    text = "It learned the training examples by heart: what it knows of them does not hold for others."
    return Verdict(f"overfitting{since}", text, tuple(evidence), "\n".join(_against_overfitting(patient, rose)))


def _against_overfitting(patient: Patient, rose: bool) -> Iterator[str]:
    experiment = patient.experiment
    if rose and experiment.early_stopping is None:
        yield "early_stopping: {patience: 20}   # the best weights are kept either way; this saves the time"
    if not any(layer.dropout for layer in patient.trained.plan.leaves()):
        yield "dropout: 0.3   # no neuron can rely on the others to remember an example"
    elif not experiment.optimizer.weight_decay:
        yield f"{patient.optimizer(weight_decay=0.001)}   # keeps the weights small"
    example = patient.trained.encoders.signature.example
    if isinstance(example, ImageExample) and experiment.data.augment is None:
        yield "data: {augment: {shift: 2, rotate: 10}}   # more pictures out of the same ones"
    yield "# or fewer units; or more data, which is the best cure"


def too_little_data(patient: Patient) -> Verdict | str:
    """Whether there are enough examples to learn from, and to judge by."""
    num = len(patient.subject.train)
    weights = patient.trained.plan.num_parameters
    own, naive = patient.validation_losses, patient.naive_losses
    better = naive.less(own)
    seen = math.sqrt(len(own.each) / max(len(patient.subject.validation or ()), 1))  # where only some were looked at
    unsure = 2 * own.error * seen / better.mean if better.mean > 2 * better.error else 0.0
    unsure = math.inf if len(own.each) < 2 else unsure
    size = f"{plural(num, 'example')} to train {weights:,} weights"
    by_heart = any(name.startswith("overfitting") for name in patient.found) and weights > num
    if not by_heart and unsure < 0.5:
        return f"{size}; validation loss {own.mean:.3g} ± {sized(2 * own.error)}"
    measured = f"The validation loss is {own.mean:.3g} ± {sized(2 * own.error)}." if unsure >= 0.5 else ""
    evidence = [f"{size}." if by_heart else "", measured]
    text = "There is too little data to learn so many weights from." if by_heart else ""
    whole = len(patient.subject.validation or ())
    judged = f"The validation split ({plural(whole, 'example')}) is too small to judge by." if unsure >= 0.5 else ""
    cure = ["# More data; until then fewer units, or dropout."] if by_heart else []
    cure += ["# Judge by every example once: nettool sweep CONFIG --folds 5"]
    told = " ".join(filter(None, (text, judged)))
    return Verdict("too little data", told, tuple(filter(None, evidence)), "\n".join(cure))


def underfitting(patient: Patient) -> Verdict | str:
    """Whether there is more to learn than it has: held against the word of the nearest training examples."""
    own, train, theirs = _errors(patient)
    difference = own.less(theirs)
    what = "wrong" if isinstance(patient.trained.target, ClassTarget) else "squared error"
    num = min(NEIGHBOURS, len(patient.train))
    neighbours = f"taking the answer of the {num} nearest training examples instead"
    told = f"{_amount(patient, own)} {what} in validation; {neighbours} {_amount(patient, theirs)}"
    missed = difference.mean > SURE * difference.error and own.mean > WORSE * theirs.mean
    if not missed or train.mean <= WORSE * theirs.mean:
        return told
    return Verdict(
        "underfitting",
        "There is more to learn than the network has learned, even of its own training examples.",
        (
            f"{_amount(patient, own)} {what} in validation, {_amount(patient, train)} in training.",
            f"{capitalised(neighbours)}, which takes no learning: {_amount(patient, theirs)}.",
        ),
        patient.first_the_causes() or "\n".join(_against_underfitting(patient)),
    )


def _amount(patient: Patient, losses: Losses) -> str:
    return f"{losses.mean:.1%}" if isinstance(patient.trained.target, ClassTarget) else f"{losses.mean:.3g}"


def _errors(patient: Patient) -> tuple[Losses, Losses, Losses]:
    """In validation, in training, and of the neighbours in validation: 1 for a wrong class; of numbers the square, in
    standardised units.
    """
    target, example = patient.trained.target, patient.trained.encoders.signature.example
    if isinstance(example, TokenExample) or not isinstance(target, ClassTarget | NumberTarget):
        raise Unsuitable("it is held against the nearest examples, and texts and labels have none")
    if patient.has_weights or patient.trained.plan.embeddings:
        why = "some count more" if patient.has_weights else "embedded categories are near to nothing"
        raise Unsuitable(f"it is held against the nearest examples, where all count the same, and here {why}")
    train, validation = patient.train, patient.validation
    known, asked = in_memory(train), in_memory(validation)
    places = nearest(known, asked)
    assert train.target is not None
    assert validation.target is not None
    truths = [np.asarray(one.target).reshape(len(one), -1) for one in (validation, train)]
    said = [patient.said(one) for one in (validation, train)]
    if isinstance(target, ClassTarget):
        own, of_train = (_even(a != b[:, 0]) for a, b in zip(said, truths, strict=True))
        word = votes(places, truths[1][:, 0].astype(np.int64), len(target.classes))
        return own, of_train, _even(word != truths[0][:, 0])
    own, of_train = (_even(np.square(a - b).mean(axis=1)) for a, b in zip(said, truths, strict=True))
    return own, of_train, _even(np.square(means(places, truths[1]) - truths[0]).mean(axis=1))


def _even(each: Array) -> Losses:
    return Losses(each.astype(np.float64), np.ones(len(each)))


def _against_underfitting(patient: Patient) -> Iterator[str]:
    experiment = patient.experiment
    if len(list(patient.trained.plan.leaves())) == 1:
        yield "layers: [dense: 32, output]   # one straight line is too little"
    else:
        yield "# more units, or one more layer"
    if experiment.dropout:
        yield f"dropout: {rounded(experiment.dropout / 2):g}   # less of it"
    if experiment.optimizer.weight_decay:
        yield f"{patient.optimizer(weight_decay=0)}"


def noise_of_training(patient: Patient) -> Verdict | str:
    """Whether a validation loss below that of training has its reason in dropout."""
    learning = patient.learning
    if not len(learning.validation):
        raise Unsuitable("there is no validation split")
    shown, validation = float(learning.train[learning.best]), float(learning.validation[learning.best])
    measured = patient.train_losses.mean
    rates = [layer.dropout for layer in patient.trained.plan.leaves() if layer.dropout]
    is_lower = shown - validation > max(patient.validation_losses.error, 0.05 * patient.naive_loss)
    if not is_lower or not rates or shown - measured < 0.5 * (shown - validation):
        return f"{validation:.4g} in validation, {shown:.4g} in training"
    return Verdict(
        "validation better than training",
        "That is dropout, not a mistake: in training, neurons are silenced; in validation, none is.",
        (
            f"In epoch {int(learning.epochs[learning.best])} the loss was {shown:.4g} in training with dropout of "
            f"{max(rates):g}, and {validation:.4g} in validation.",
            f"Measured without dropout, the training loss is {measured:.4g}.",
        ),
        f"# Nothing has to be changed. With less dropout the two come nearer: dropout: {rounded(max(rates) / 2):g}",
    )
