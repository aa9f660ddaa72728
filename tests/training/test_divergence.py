"""Training that leaves the finite numbers: where, from which layer, and with what kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from nettool.errors import DivergedError
from nettool.training import epochs
from nettool.training.divergence import check_weights
from nettool.training.history import EpochResult
from nettool.training.loop import fit
from tests.training.conftest import Build, Built


@pytest.fixture(autouse=True)
def _no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(epochs, "PROGRESS_SECONDS", 1e9)


def told(built: Built) -> str:
    with pytest.raises(DivergedError) as caught:
        list(fit(*built))
    assert caught.value.exit_code == 3
    assert "clip_norm" in str(caught.value)
    return str(caught.value)


def spoil(built: Built, layer: int, value: float) -> None:
    with torch.no_grad():
        built[1].network.layers[layer].product.weight.fill_(value)


def test_weights_that_an_update_ruined_are_named_with_the_update(build: Build) -> None:
    job, state = built = build(epochs=50)
    events = fit(job, state)
    for event in events:
        if isinstance(event, EpochResult) and event.epoch == 3:
            break
    spoil(built, 1, float("inf"))
    with pytest.raises(DivergedError) as caught:
        list(events)
    assert str(caught.value).startswith(
        "the loss is nan in epoch 4, at step 22: step 21 had taken the weights of layers.1 (dense) out of the finite "
        "numbers. Training diverged: "
    )
    assert state.best is not None
    assert all(tensor.isfinite().all() for tensor in state.best.weights.values())


@pytest.mark.parametrize(
    ("layer", "name"), [(0, "layers.0 (dense)"), (1, "layers.1 (dense)"), (2, "layers.2 (output)")]
)
def test_an_output_that_overflows_names_its_layer(build: Build, layer: int, name: str) -> None:
    built = build()
    spoil(built, layer, 1e308)
    message = told(built)
    assert message.startswith("the loss is ")
    assert f"in epoch 1, at step 1: the output of {name} is not finite." in message


@pytest.mark.parametrize("is_training", [lambda layer: layer.training, lambda layer: torch.is_grad_enabled()])
def test_a_layer_that_only_training_takes_out_of_the_finite_numbers_is_named(build: Build, is_training: Any) -> None:
    built = build()
    built[1].network.layers[1].register_forward_hook(
        lambda layer, inputs, output: output * (float("inf") if is_training(layer) else 1.0)
    )
    assert "at step 1: the output of layers.1 (dense) is not finite." in told(built)


def test_a_loss_that_overflows_of_finite_outputs_is_named(build: Build) -> None:
    built = build(loss="cross_entropy", epochs=1)
    job, _ = built
    job.train.features.fill_(1.0)
    object.__setattr__(job.step.loss, "mean", lambda *arguments: torch.tensor(float("inf"), requires_grad=True))
    assert "at step 1: every output is finite, but the loss that is made of them is not." in told(built)


@pytest.mark.parametrize("accumulate", [1, 3])
def test_the_weights_are_those_from_before_the_loss_that_was_not_finite(build: Build, accumulate: int) -> None:
    job, state = build(accumulate=accumulate)
    job.train.features[-1] = float("nan")  # in one batch of the epoch, wherever it falls
    with pytest.raises(DivergedError, match="the input is not finite"):
        list(fit(job, state))
    check_weights(state)
    assert state.step < job.steps_per_epoch


def test_a_gradient_that_is_not_finite_names_the_layer_it_came_from(build: Build) -> None:
    job, state = build(epochs=2)
    middle = state.network.layers[1].product.weight
    step, count = job.step.optimizer.step, 0

    def spoiled(gradients: list[torch.Tensor], lr: float) -> None:
        nonlocal count
        count += 1
        if count == 5:
            last = next(index for index, p in enumerate(job.step.parameters) if p is middle)
            gradients = [g * float("nan") if index <= last else g for index, g in enumerate(gradients)]
        step(gradients, lr)

    job.step.optimizer.step = spoiled  # type: ignore[method-assign]
    assert "at step 6: step 5 had taken the weights of layers.1 (dense) and before out of" in told((job, state))


def test_the_last_update_of_an_epoch_is_looked_at_too(build: Build) -> None:
    built = build(epochs=1, batch_size="full", optimizer={"name": "sgd", "lr": 1e308})
    built[0].train.features.mul_(1e6)
    assert told(built).startswith("step 1 in epoch 1 took the weights of every layer out of the finite numbers.")


def test_where_a_look_at_each_step_is_slow_the_sum_tells_of_it(build: Build) -> None:
    job, state = build(epochs=1)
    job.step._looks = False  # as on cuda
    job.train.features[3] = float("inf")
    message = told((replace(job), state))
    assert message.startswith("the training loss is nan in epoch 1, at or before step 7: the weights of every layer")


def test_weights_whose_squares_overflow_are_finite_all_the_same(build: Build) -> None:
    _, state = built = build()
    spoil(built, 1, 1e200)
    check_weights(state)
    spoil(built, 1, float("nan"))
    with pytest.raises(DivergedError, match=r"took the weights of layers\.1"):
        check_weights(state)


def test_a_constant_that_is_infinite_is_no_weight(build: Build) -> None:
    built = job, state = build(epochs=1)
    state.network.register_buffer("mask", torch.tensor([0.0, float("-inf")]))
    list(fit(*built))
    check_weights(state)
    assert state.epoch == job.epochs


def test_running_means_that_left_the_finite_numbers_are_found(build: Build) -> None:
    _, state = build(layers=[{"dense": {"units": 4, "norm": "batch_norm"}}, "output"])
    buffers = dict(state.network.named_buffers())
    next(buffer for name, buffer in buffers.items() if name.endswith("running_var")).fill_(float("inf"))
    with pytest.raises(DivergedError, match=r"layers\.0 \(dense\)"):
        check_weights(state)
