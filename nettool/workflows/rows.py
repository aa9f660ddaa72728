"""Epochs as rows of metrics.csv, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nettool.training.history import EpochResult


def columns(metric_names: Sequence[str]) -> tuple[str, ...]:
    """The names in the first line of metrics.csv."""
    measured = ("train_loss", "validation_loss", *metric_names)
    return ("epoch", "step", *measured, "lr", "seconds", "examples_per_second")


def journal_row(result: EpochResult, metric_names: Sequence[str]) -> dict[str, object]:
    """An epoch as it stands in metrics.csv."""
    return {
        "epoch": result.epoch,
        "step": result.step,
        "train_loss": result.train_loss,
        "validation_loss": result.validation_loss,
        **{name: result.metrics.get(name) for name in metric_names},  # none without a validation split
        "lr": result.lr,
        "seconds": round(result.seconds, 6),
        "examples_per_second": round(result.examples_per_second, 1),
    }


def epoch_result(row: Mapping[str, float | None], metric_names: Sequence[str]) -> EpochResult:
    """The epoch of a row, as far as it stands there."""
    numbers = {name: value for name, value in row.items() if value is not None}
    return EpochResult(
        int(numbers["epoch"]),
        int(numbers["step"]),
        numbers["train_loss"],
        numbers.get("validation_loss"),
        {name: numbers[name] for name in metric_names if name in numbers},
        numbers["lr"],
        numbers.get("seconds", 0.0),
        numbers.get("examples_per_second", 0.0),
        is_best=False,
    )
