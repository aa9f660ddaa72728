"""What run.json says as a run begins, and as it goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nettool.config.experiment import Experiment
from nettool.workflows.done import experiment_fingerprint

if TYPE_CHECKING:
    from nettool.workflows.prepare import Prepared
    from nettool.workflows.resume import Saved

ENDING = ("why", "finished", "seconds", "epochs", "best_epoch", "metrics", "baseline")
"""What a record says of the end of a run. When it goes on, none of it holds any more."""


@dataclass(frozen=True)
class Origin:
    """Where a run comes from, and for whom it leaves more than its own files.

    git_commit: of the current folder's repository. tags: what the user groups runs by. board: TensorBoard's event files
    are wanted.
    """

    git_commit: str | None
    tags: Mapping[str, str] = field(default_factory=dict)
    board: bool = False


def first_record(prepared: Prepared, saved: Saved | None, here: Mapping[str, Any], origin: Origin) -> dict[str, Any]:
    """The record of a run that begins, or goes on from what is saved. here: the machine, see `machine.describe`."""
    experiment, asked = prepared.loaded.experiment, prepared.asked
    now = datetime.now(UTC).isoformat(timespec="seconds")
    overrides = list(prepared.loaded.overrides)

    def fingerprint(asked: Experiment) -> str:
        return experiment_fingerprint(asked, prepared.data.fingerprint)

    record = {
        "status": "running",
        "name": experiment.name,
        "overrides": overrides,
        "seed": experiment.seed,
        **here,
        "git_commit": origin.git_commit,
        "data": prepared.data.fingerprint,
        "fingerprint": fingerprint(asked),
        **({"found": {"optimizer.lr": experiment.optimizer.rate}} if asked.optimizer.lr == "auto" else {}),
        **({"tags": dict(origin.tags)} if origin.tags else {}),
        "started": now,
    }
    if saved is None or not (saved.record or saved.facts):
        return record
    position = saved.facts.state.position if saved.facts else None
    epoch, step = (position.epoch, position.step) if position else (0, 0)
    stay = {"at": now, "epoch": epoch, "step": step, "overrides": overrides, **here}
    before = saved.record or record  # which is lost: so much is known of it
    begun = {key: value for key, value in before.items() if key not in ENDING}
    if "found" in before:  # the config that was asked for leaves the rate open
        record["fingerprint"] = fingerprint(experiment.with_rate("auto"))
    now_is = {"status": "running", "fingerprint": record["fingerprint"]}
    return {**begun, **now_is, "resumed": [*before.get("resumed", []), stay]}
