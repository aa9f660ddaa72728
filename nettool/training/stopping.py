"""When a number has improved, and when to give up waiting for it. Plain numbers, never tensors."""

from __future__ import annotations

import math
from collections.abc import Mapping

from nettool.training.metrics import METRICS, Mode


def mode_of(monitor: str) -> Mode:
    """Which way a monitored number, validation_loss, train_loss or a metric, is better."""
    return METRICS[monitor].mode if monitor in METRICS else "min"


def improved(value: float, best: float | None, mode: Mode = "min", min_delta: float = 0.0) -> bool:
    """Whether `value` is better than `best` by more than `min_delta`; anything finite is better than None.

    NaN and infinities never are an improvement.
    """
    if not math.isfinite(value):
        return False
    if best is None:
        return True
    return value < best - min_delta if mode == "min" else value > best + min_delta


class EarlyStopper:
    """Says when a number, given once an epoch, has not improved for `patience` epochs.

    Progress is measured against the last value that counted as an improvement, so that many steps smaller
    than `min_delta` add up to one.
    """

    def __init__(self, patience: int, min_delta: float = 0.0, mode: Mode = "min") -> None:
        self.patience = patience
        self.min_delta = min_delta
        self.mode = mode
        self.best: float | None = None
        self.bad_epochs = 0

    def update(self, value: float) -> bool:
        """Take the epoch's number. True: stop now."""
        if improved(value, self.best, self.mode, self.min_delta):
            self.best = value
            self.bad_epochs = 0
        else:
            self.bad_epochs += 1
        return self.bad_epochs >= self.patience

    def state(self) -> dict[str, float | int]:
        """What `load_state` needs to go on. `best` is left out until there is one."""
        return {"bad_epochs": self.bad_epochs} | ({} if self.best is None else {"best": self.best})

    def load_state(self, state: Mapping[str, float | int]) -> None:
        """Take up where `state` left off. Raises ValueError when it is not a stopper's state."""
        if "bad_epochs" not in state or not state.keys() <= {"bad_epochs", "best"}:
            raise ValueError(f"not the state of early stopping: {sorted(state)}")
        self.bad_epochs = int(state["bad_epochs"])
        self.best = float(state["best"]) if "best" in state else None
