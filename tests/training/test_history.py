"""The history holds every number of every epoch, to the bit."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nettool.training.history import EpochResult, History

numbers = st.floats(allow_nan=False) | st.just(math.inf)


@given(st.lists(st.tuples(numbers, numbers, numbers, numbers), max_size=8), st.booleans())
def test_epochs_come_back_to_the_bit(rows: list[tuple[float, float, float, float]], with_validation: bool) -> None:
    history = History(("accuracy", "f1"), with_validation)
    results = [
        EpochResult(
            epoch, 10 * epoch, a, b if with_validation else None, {"accuracy": c, "f1": d} if with_validation else {},
            lr=abs(a), seconds=0.5, examples_per_second=1e6, is_best=epoch % 2 == 0,
        )
        for epoch, (a, b, c, d) in enumerate(rows, start=1)
    ]  # fmt: skip
    for result in results:
        history.append(result)
    again = History(("accuracy", "f1"), with_validation)
    again.load_tensor(history.to_tensor())
    assert list(again) == list(history) == results
    assert len(again) == len(rows)


def test_what_was_copied_out_does_not_change_any_more() -> None:
    history = History((), with_validation=False)
    history.append(EpochResult(1, 1, 0.5, None, {}, 0.1, 1.0, 1.0, True))
    copy = history.to_tensor()
    history.append(EpochResult(2, 2, 0.25, None, {}, 0.1, 1.0, 1.0, True))
    assert copy.shape == (1, 7)


@pytest.mark.parametrize("numbers", [torch.zeros(2, 3), torch.zeros(3, dtype=torch.float64), torch.zeros(1, 9)])
def test_the_history_of_another_run_is_refused(numbers: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="the saved history is"):
        History(("accuracy",), with_validation=True).load_tensor(numbers)
