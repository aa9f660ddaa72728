"""Check of the learning rate: where the losses look as if it were wrong, others are tried."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from nettool.analysis.verdicts import Verdict
from nettool.config.load import load
from nettool.training.rate_race import LEAST, MOST, rounded
from nettool.workflows.diagnosis.patient import Patient
from nettool.workflows.pictures.subject import Unsuitable
from nettool.workflows.prepare import prepare_training
from nettool.workflows.rate import try_rates

GAINING = 0.03
"""Of all that was gained: a training whose last fifth brought so much was not over."""
JUMPY = 0.1
"""Of the naive model's loss, up or down from epoch to epoch."""
BETTER = 0.1
"""Of the naive model's loss: so much better with another rate is not chance."""
FEWEST_EPOCHS = 5
"""Of which anything can be said of how a loss went."""
FACTORS = (3.0, 10.0, 100.0, 1000.0)
"""Times the rate, or fractions of it, that are tried where it seems too low, or too high."""
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
    return f"{patient.rate:g}; the loss moves by {learning.jumpiness:.1%} of the naive model's from epoch to epoch"


def _perhaps_too_high(patient: Patient) -> Verdict | str:
    jumps = (
        f"The training loss jumps by {patient.learning.jumpiness:.0%} of the naive model's loss from epoch to epoch."
    )
    text = "Every step overshoots."
    tried = _try(patient, [patient.rate / factor for factor in FACTORS])
    if tried is None:
        cure = f"{patient.optimizer(lr=rounded(patient.rate / 3))}   # or ask `nettool find-lr`, which tries some"
        return Verdict("learning rate too high", text, (jumps,), cure)
    if tried.gained < BETTER * patient.naive_loss:
        return f"{patient.rate:g}; the loss jumps, but does so with lower rates, too"
    return Verdict("learning rate too high", text, (jumps, tried.told(patient)), tried.cure(patient))


def _too_low_or_too_short(patient: Patient) -> Verdict:
    share, done, epochs = patient.learning.still_gaining, len(patient.learning.train), 3 * patient.experiment.epochs
    gained = f"The last fifth of the {done} epochs brought {share:.0%} of all that was gained."
    tried = _try(patient, [patient.rate * factor for factor in FACTORS])
    if tried is not None and tried.gained >= BETTER * patient.naive_loss:
        text = "Every step is too small to get anywhere."
        return Verdict("learning rate too low", text, (gained, tried.told(patient)), tried.cure(patient))
    go_on = f"nettool train --resume {patient.subject.run.path} epochs={epochs}"
    more = f"epochs: {epochs}   # to go on where it stopped: {go_on}"
    return Verdict(
        "stopped while it was still learning",
        "The loss was still falling when training ended.",
        (gained,) if tried is None else (gained, "No other learning rate is clearly faster."),
        f"{more}\n# or a higher learning rate, if `nettool find-lr` finds one" if tried is None else more,
    )


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
            f"In trainings of {self.num_steps:,} steps the rate {patient.rate:g} comes to a loss of {reached}, "
            f"{self.rate:g} to {self.loss:.4g}."
        )

    def cure(self, patient: Patient) -> str:
        return f"{patient.optimizer(lr=self.rate)}   # or ask `nettool find-lr`, which looks closer"


def _try(patient: Patient, rates: Sequence[float]) -> _Tried | None:
    """The best of these rates beside the one that the run had; None where it would take too long to train with them."""
    others = [rounded(rate) for rate in rates if LEAST <= rate <= MOST]
    loaded = load(patient.subject.run.config, patient.subject.overrides)
    laps, steps = try_rates(prepare_training(loaded), [patient.rate, *others], MOST_FLOPS)
    if len(laps) < 2:
        return None
    best = min(laps[1:], key=lambda lap: lap.loss)
    return _Tried(best.rate, best.loss, laps[0].loss, steps)
