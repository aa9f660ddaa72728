"""The weights of past epochs, as far as they fit."""

from __future__ import annotations

import pytest
import torch

from nettool.training.trace import MOST_EPOCHS, Trace, path_of
from tests.training.conftest import Build


def moved(trace: Trace, network: torch.nn.Module, first: int, last: int) -> None:
    """Epochs, after each of which every weight is the number of the epoch."""
    for epoch in range(first, last + 1):
        for parameter in network.parameters():
            parameter.data.fill_(float(epoch))
        trace.see(epoch)


def test_every_epoch_is_kept_with_the_weights_that_it_had(build: Build) -> None:
    _, state = build()
    trace = Trace(state.network)
    moved(trace, state.network, 0, 9)
    epochs, weights = path_of(trace.to_tensors())
    assert epochs == list(range(10))
    assert weights.keys() == state.network.state_dict().keys()
    for tensor in weights.values():
        assert [float(one.flatten()[0]) for one in tensor] == epochs


def test_with_no_more_room_every_second_is_kept_then_every_fourth(build: Build) -> None:
    _, state = build()
    trace = Trace(state.network)
    moved(trace, state.network, 0, MOST_EPOCHS - 1)
    assert len(trace) == MOST_EPOCHS
    moved(trace, state.network, MOST_EPOCHS, 2 * MOST_EPOCHS - 1)
    assert path_of(trace.to_tensors())[0] == list(range(0, 2 * MOST_EPOCHS, 2))
    moved(trace, state.network, 2 * MOST_EPOCHS, 3 * MOST_EPOCHS)
    assert path_of(trace.to_tensors())[0] == list(range(0, 3 * MOST_EPOCHS + 1, 4))


@pytest.mark.parametrize("cut", [3, MOST_EPOCHS - 10, MOST_EPOCHS + 7])
def test_a_trace_that_was_cut_is_the_same_in_the_end(build: Build, cut: int) -> None:
    _, state = build()
    whole, before, after = (Trace(state.network) for _ in range(3))
    moved(whole, state.network, 0, 2 * MOST_EPOCHS + 30)
    moved(before, state.network, 0, MOST_EPOCHS + 40)  # further than the checkpoint that is gone back to
    after.restore(before.to_tensors(), cut)
    moved(after, state.network, cut + 1, 2 * MOST_EPOCHS + 30)
    expected = whole.to_tensors()
    for name, tensor in after.to_tensors().items():
        assert torch.equal(tensor, expected[name]), name


def test_a_network_for_which_there_is_no_room_has_none(build: Build) -> None:
    _, state = build()
    size = sum(tensor.element_size() * tensor.numel() for tensor in state.network.state_dict().values())
    for room, kept in ((8 * size, 5), (8 * size - 1, 0)):
        trace = Trace(state.network, room)
        moved(trace, state.network, 0, 4)
        assert len(trace) == kept
    assert trace.to_tensors() == {}
    assert trace.newest == -1


def test_what_is_no_trace_of_this_network_is_refused(build: Build) -> None:
    _, state = build()
    trace = Trace(state.network)
    moved(trace, state.network, 0, 2)
    good = trace.to_tensors()
    name = next(name for name in good if name != "epochs")
    cases = [
        {"weights.a": torch.zeros(3)},
        {**good, "epochs": torch.tensor([0, 2, 1])},
        {**good, "epochs": torch.tensor([0.0, 1.0, 2.0])},
        {**good, name: good[name][:2]},
        {**good, name: torch.zeros(3, 99)},
        {other: good[other] for other in good if other != name},
    ]
    for tensors in cases:
        with pytest.raises(ValueError, match=r"it is no trace|ascend|each epoch|another network"):
            trace.restore(tensors, 9)
