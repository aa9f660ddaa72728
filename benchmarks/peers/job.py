"""What a peer is to train, read from the file that the harness wrote, and what it hands back."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Job:
    """A network for a table of numbers, softmax cross-entropy, Adam.

    train: an npz with x float32 [rows, features] and y int64 [rows]. held_out: another, for the predictions. first: an
    npz with the weights to begin with. widths: from the features to the classes, all hidden layers relu.
    """

    train: str
    held_out: str
    first: str
    widths: list[int]
    batch_size: int
    dropout: float
    lr: float
    epochs: int
    result: str

    @classmethod
    def from_command_line(cls) -> Job:
        """The file that is named as the only argument."""
        return cls(**json.loads(Path(sys.argv[1]).read_text()))

    def examples(self) -> tuple[np.ndarray, np.ndarray]:
        """What to train with."""
        with np.load(self.train) as arrays:
            return arrays["x"], arrays["y"]

    def held_out_features(self) -> np.ndarray:
        """What to predict for."""
        with np.load(self.held_out) as arrays:
            return arrays["x"]

    def first_weights(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Weights [inputs, units] and biases [units] of each layer."""
        with np.load(self.first) as arrays:
            return [(arrays[f"weight{index}"], arrays[f"bias{index}"]) for index in range(len(self.widths) - 1)]

    def finish(self, seconds: list[float], logits: np.ndarray) -> None:
        """Hand back the seconds of each epoch and the logits (or log-probabilities) of the held-out rows."""
        np.savez(self.result, seconds=np.array(seconds), logits=logits)


class Stopwatch:
    """The seconds of each epoch: training alone."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._began = 0.0

    def start(self) -> None:
        """An epoch begins."""
        self._began = time.perf_counter()

    def stop(self) -> None:
        """It is over."""
        self.seconds.append(time.perf_counter() - self._began)


class EpochTimes:
    """For the callbacks of a library that calls these two: put it before the library's own class."""

    def __init__(self, stopwatch: Stopwatch) -> None:
        super().__init__()
        self.stopwatch = stopwatch

    def on_epoch_begin(self, *_: object, **__: object) -> None:
        """Start."""
        self.stopwatch.start()

    def on_epoch_end(self, *_: object, **__: object) -> None:
        """Stop."""
        self.stopwatch.stop()
