"""How a run went, in words: how it ended, and what came of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nettool.config.signature import LabelTarget, NumberTarget, Target
from nettool.workflows.report.blocks import Tone, isolated, number, share, whole
from nettool.workflows.words import plural

TONES: Mapping[str, Tone] = {"finished": "good", "stopped early": "good", "running": "plain", "interrupted": "warn"}
"""How a status is to be taken; any other is bad news."""
_CALLED = {"running": "still running"}


def status_of(record: Mapping[str, Any]) -> tuple[str, Tone]:
    """What the status is called, and how it is to be taken."""
    status = str(record["status"])
    if status == "finished" and record.get("epochs") == 0:
        return "untrained", "warn"
    return _CALLED.get(status, status), TONES.get(status, "bad")


def ending_of(record: Mapping[str, Any], num_rows: int) -> str:
    """How it came to an end, in a sentence or two. num_rows: epochs in the journal."""
    status, why = str(record["status"]), str(record.get("why") or "")
    epochs = plural(whole(record, "epochs") or num_rows, "epoch")
    best = whole(record, "best_epoch")
    kept = f" The weights of epoch {best:,}, the best, were kept." if best else ""
    match status:
        case "finished" if record.get("epochs") == 0:
            return "The config asks for no epochs: these are the weights that training would begin with."
        case "finished":
            return f"All {epochs} were trained.{kept}"
        case "stopped early":
            return f"Training stopped early after {epochs}: {why}.{kept}"
        case "running":
            return f"Training goes on; this is how it stood after {epochs}."
        case "killed":
            return f"The process that trained it was killed after {epochs}; {why}."
        case "interrupted" | "diverged" | "failed":
            told = "It was interrupted" if status == "interrupted" else f"It {status}"
            return _sentence(f"{told} after {epochs}", why) + kept
        case _:
            return _sentence("What the run says of itself cannot be read", why)


def _sentence(told: str, why: str) -> str:
    text = f"{told}: {why}" if why else told
    return text if text.endswith((".", "!", "?")) else f"{text}."


@dataclass(frozen=True)
class Judged:
    """What an answer is about. num: how many examples; None where only the run's own record is known. target: None
    where it is not known. is_series: whether the naive model says that nothing changes.
    """

    metrics: Mapping[str, float | None]
    baseline: Mapping[str, float | None]
    split: str
    num: int | None = None
    target: Target | None = None
    is_series: bool = False
    is_weighted: bool = False

    @property
    def examples(self) -> str:
        """`90 validation examples`."""
        counted = "the " if self.num is None else f"{self.num:,} "
        return f"{counted}{self.split} {'example' if self.num == 1 else 'examples'}"


def answer_of(judged: Judged) -> str:
    """How good it is beside a model that has learned next to nothing, in a sentence."""
    known = {name: value for name, value in judged.metrics.items() if value is not None and math.isfinite(value)}
    naive = {name: value for name, value in judged.baseline.items() if value is not None and math.isfinite(value)}
    if not known:
        return "What it predicts are no finite numbers, so it cannot be judged." if judged.metrics else ""
    if "bits_per_character" in known:
        beside = naive.get("bits_per_character")
        rest = f"; knowing only how often each occurs: {number(beside)}" if beside is not None else ""
        return f"{number(known['bits_per_character'])} bits for each character of the {judged.split} text{rest}."
    if "accuracy" in known:
        return _of_classes(judged, known["accuracy"], naive.get("accuracy"))
    for name, told in (("mae", "on average"), ("rmse", "root mean square"), ("median_absolute_error", "in the middle")):
        if name in known:
            return _of_numbers(judged, known[name], told, naive.get(name))
    name, value = next(iter(known.items()))
    rest = f"; the baseline: {number(naive[name])}" if name in naive else ""
    return f"{name} is {number(value)} on {judged.examples}{rest}."


def _of_classes(judged: Judged, accuracy: float, naive: float | None) -> str:
    labels = isinstance(judged.target, LabelTarget)
    of = f"of all labels of {judged.examples}" if labels else f"of {judged.examples}"
    told = f"{share(accuracy)} {of} right{', by weight' if judged.is_weighted else ''}"
    commonest = "always saying what is commoner" if labels else "always saying the commonest class"
    return f"{told}; {commonest}: {share(naive)}." if naive is not None else f"{told}."


def _of_numbers(judged: Judged, error: float, how: str, naive: float | None) -> str:
    names: Sequence[str] = judged.target.names if isinstance(judged.target, NumberTarget) else ()
    what = isolated(names[0]) if len(names) == 1 else f"each of {len(names)} numbers" if names else "the target"
    told = f"Off by {number(error)} {how} in predicting {what}, on {judged.examples}"
    beside = "saying that nothing changes" if judged.is_series else "always saying the mean"
    return f"{told}; {beside}: {number(naive)}." if naive is not None else f"{told}."
