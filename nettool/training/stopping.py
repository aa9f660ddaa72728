"""When a number has improved, and when to give up waiting for it. Plain numbers, never tensors."""

from __future__ import annotations

import math

from nettool.config.optimization import EarlyStopping
from nettool.training.metrics import METRICS, Mode


def mode_of(monitor: str) -> Mode:
    """Which way a monitored number, validation_loss, train_loss or a metric, is better."""
    return METRICS[monitor].mode if monitor in METRICS else "min"


def cost(value: float | None, mode: Mode) -> float:
    """What is the smaller the better the value is; without one, the worst."""
    if value is None:
        return math.inf
    return value if mode == "min" else -value


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
    """Says when a number, `monitor`, given once an epoch, has not improved for `patience` epochs.

    Progress is measured against the last value that counted as an improvement, so that many steps smaller
    than `min_delta` add up to one.
    """

    def __init__(self, patience: int, min_delta: float = 0.0, monitor: str = "validation_loss") -> None:
        self.patience = patience
        self.min_delta = min_delta
        self.monitor = monitor
        self.best: float | None = None
        self.bad_epochs = 0

    def update(self, value: float) -> bool:
        """Take the epoch's number. True: stop now."""
        if improved(value, self.best, mode_of(self.monitor), self.min_delta):
            self.best = value
            self.bad_epochs = 0
        else:
            self.bad_epochs += 1
        return self.bad_epochs >= self.patience


def build_stopper(spec: EarlyStopping | None) -> EarlyStopper | None:
    """The stopper of a config, or none."""
    return None if spec is None else EarlyStopper(spec.patience, spec.min_delta, spec.monitor)
