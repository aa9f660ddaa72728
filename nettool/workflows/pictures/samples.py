"""What a network wrote as it learned: the same beginning, the same seed, the weights of several epochs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nettool.config.signature import NextTarget
from nettool.data.examples import spread_early
from nettool.data.text_encoder import StreamEncoder
from nettool.runs.journal import read_metrics
from nettool.training.trace import MOST_BYTES
from nettool.workflows.generate import generate
from nettool.workflows.pictures.path import past_weights
from nettool.workflows.pictures.subject import Subject, Unsuitable
from nettool.workflows.trained import Trained

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from nettool.plots.samples import Sample

MOST_TEXTS = 7
"""Beside that of the best weights."""
LONGEST, SHORTEST, MOST_FLOPS = 320, 80, 5e10
"""Tokens of a text, and the arithmetic that all texts together may cost."""
SEED = 0


def samples_of(subject: Subject) -> Figure:
    """Raises Unsuitable for a run that does not predict text."""
    from nettool.plots.samples import Sample, samples

    trained = subject.trained
    if not isinstance(trained.target, NextTarget):
        raise Unsuitable(
            "samples: only a run with `target: next` writes text; of what this one predicts, look at mistakes."
        )
    epochs, past = past_weights(subject.run)
    earlier = {epoch: place for place, epoch in enumerate(epochs) if epoch < trained.epoch}
    chosen = _spread(sorted(earlier))
    length = _length(trained, len(chosen) + 1)
    losses = {int(row["epoch"] or 0): row.get("validation_loss") for row in read_metrics(subject.run)}
    found = [
        Sample(epoch, _written(subject.trained_with(past[earlier[epoch]]), length), losses.get(epoch))
        for epoch in chosen
    ]
    found.append(Sample(trained.epoch, _written(trained, length), losses.get(trained.epoch), is_best=True))
    assert isinstance(trained.encoders.features, StreamEncoder)
    unit = trained.encoders.features.vocabulary.unit
    return samples(found, _told(found, bool(epochs), trained.experiment.checkpoint.keep, unit))


def _told(found: list[Sample], has_past: bool, keep: str, unit: str) -> str:
    known = [sample for sample in found if sample.loss is not None]
    if not has_past:
        why = f"a trace of this network would be over {MOST_BYTES / 1e6:.0f} MB" if keep == "trace" else f"keep: {keep}"
        told = f"what it writes with its best weights. Earlier ones were not kept ({why})"
        return f"{told}: train with checkpoint.keep=all to see how it learned to write"
    span = f"from epoch {found[0].epoch} to {found[-1].epoch}"
    if len(known) > 1:
        return f"what it writes {span}: validation loss {known[0].loss:.3g} to {known[-1].loss:.3g} a {unit}"
    return f"what it writes {span}, from the same beginning with the same seed"


def _spread(epochs: list[int]) -> list[int]:
    if len(epochs) <= MOST_TEXTS:
        return epochs
    return [epochs[place] for place in spread_early(len(epochs), MOST_TEXTS).tolist()]


def _length(trained: Trained, num: int) -> int:
    """Of each text, in tokens: as long as is read, and as is written soon."""
    return int(min(LONGEST, max(SHORTEST, MOST_FLOPS // (num * max(trained.plan.flops, 1)))))


def _written(trained: Trained, length: int) -> str:
    """As `nettool generate --length LENGTH` writes it."""
    return "".join(generate(trained, "", length, 1.0, SEED))
