"""Check of the learning rate: where the losses look as if it were wrong, others are tried."""

from __future__ import annotations

import math
from dataclasses import dataclass

from nettool.analysis.verdicts import Verdict
from nettool.config.load import load
from nettool.training.rate_race import LEAST, MOST, rounded
from nettool.workflows.diagnosis.patient import Patient, sized
from nettool.workflows.pictures.subject import Unsuitable
from nettool.workflows.prepare import prepare_training
from nettool.workflows.rate import try_rates

GAINING = 0.03
"""Of all that was gained: a training whose last fifth brought so much was not over."""
JUMPY = 0.1
"""Of the baseline's loss, up or down from epoch to epoch."""
BETTER = 0.1
"""Of the baseline's loss: so much better with another rate is not chance."""
LITTLE = 0.3
"""Of the baseline's loss: a training that came down by more has not stood still."""
FEWEST_EPOCHS = 5
"""Of which anything can be said of how a loss went."""
FACTORS = ((3.0, 10.0, 100.0, 1000.0), (1e4, 1e5, 1e6))
"""Times the rate, or fractions of it, that are tried where it seems too low, or too high; the second ones where the
last of the first is the best.
"""
MOST_FLOPS = 3e11
"""Of all that is trained to find out."""


def learning_rate(patient: Patient) -> Verdict | str:
    """Whether the learning rate is too low or too high, or training was only too short."""
    learning = patient.learning
    if len(learning.train) < FEWEST_EPOCHS:
        raise Unsuitable(f"nothing can be said of how the loss went in fewer than {FEWEST_EPOCHS} epochs")
    if learning.jumpiness > JUMPY:
        return _perhaps_too_high(patient)
    if learning.still_gaining > GAINING:
        return _too_low_or_too_short(patient)
    return f"{patient.rate:g}; the loss jumps by {learning.jumpiness:.1%} of the baseline's from epoch to epoch"


def _perhaps_too_high(patient: Patient) -> Verdict | str:
    baseline, text = patient.naive_loss, "Every step overshoots."
    size = sized(patient.learning.jumpiness * baseline)
    jumps = f"From epoch to epoch the training loss jumps by about {size}; the baseline's is {baseline:.4g}."
    tried = _try(patient, -1)
    if tried is None:
        cure = f"{patient.optimizer(lr=rounded(patient.rate / 3))}   # or ask `nettool find-lr`, which tries some"
        return Verdict("learning rate too high", text, (jumps,), cure)
    if tried.gained < BETTER * patient.naive_loss:
        return f"{patient.rate:g}; the loss jumps, but does so with lower rates, too"
    return Verdict("learning rate too high", text, (jumps, tried.told(patient)), tried.cure(patient))


def _too_low_or_too_short(patient: Patient) -> Verdict:
    if patient.record["status"] not in ("finished", "stopped early"):
        raise Unsuitable("the run has not come to its end")
    share, losses = patient.learning.still_gaining, patient.learning.judged
    gained = (
        f"The loss went from {losses[0]:.4g} to {losses[-1]:.4g} in {len(losses)} epochs and was still falling: the "
        f"last fifth of them brought {share:.0%} of that."
    )
    tried = _try(patient, 1)
    has_hardly_moved = float(losses[0] - losses.min()) < LITTLE * patient.naive_loss
    if has_hardly_moved and tried is not None and tried.gained >= BETTER * patient.naive_loss:
        text = "Every step is too small to get anywhere."
        return Verdict("learning rate too low", text, (gained, tried.told(patient)), tried.cure(patient))
    epochs = 3 * patient.experiment.epochs
    more = f"epochs: {epochs}   # to go on: nettool train --resume {patient.subject.run.path} epochs={epochs}"
    text = "The loss was still falling when training ended."
    faster = "\n# or a higher learning rate, if `nettool find-lr` finds one"
    return Verdict("stopped while it was still learning", text, (gained,), more + faster)


@dataclass(frozen=True)
class _Tried:
    """What short trainings came to. own: the loss of the run's own rate, infinite where it diverged."""

    rate: float
    loss: float
    own: float
    num_steps: int

    @property
    def gained(self) -> float:
        return self.own - self.loss if math.isfinite(self.loss) else 0.0

    def told(self, patient: Patient) -> str:
        reached = f"{self.own:.4g}" if math.isfinite(self.own) else "none: it diverges"
        return (
            f"Trained for {self.num_steps:,} steps, the rate {patient.rate:g} reaches a loss of {reached}, and "
            f"the rate {self.rate:g} one of {self.loss:.4g}."
        )

    def cure(self, patient: Patient) -> str:
        return f"{patient.optimizer(lr=self.rate)}   # or ask `nettool find-lr`, which looks closer"


def _try(patient: Patient, power: int) -> _Tried | None:
    """The best of higher rates, or of lower ones, beside that of the run; None where it would take too long to train
    with them. power: of the factors, 1 or -1.
    """
    prepared = prepare_training(load(patient.subject.run.config, patient.subject.overrides))
    own, best, num_steps, outermost = None, None, 0, patient.rate
    for factors in FACTORS:
        rates = [rounded(patient.rate * factor**power) for factor in factors]
        rates = [rate for rate in rates if LEAST <= rate <= MOST]
        if not rates or (best is not None and best.rate != outermost):
            break
        laps, num_steps = try_rates(prepared, [patient.rate, *rates], MOST_FLOPS)
        if not laps:
            break
        own, outermost = laps[0], rates[-1]
        best = min([*laps[1:], *([best] if best else [])], key=lambda lap: lap.loss)
    return None if own is None or best is None else _Tried(best.rate, best.loss, own.loss, num_steps)
