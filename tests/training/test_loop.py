import itertools
import math
from dataclasses import replace

import pytest
import torch

from nettool.training import epochs
from nettool.training.epochs import Progress
from nettool.training.history import EpochResult
from nettool.training.loop import fit
from tests.same_run import timeless
from tests.training.conftest import Build


def epochs_of(job: object, state: object) -> list[EpochResult]:
    return [event for event in fit(job, state) if isinstance(event, EpochResult)]  # type: ignore[arg-type]


def test_training_lowers_the_loss_and_counts_epochs_and_steps(build: Build) -> None:
    job, state = build(epochs=20, optimizer={"name": "adam", "lr": 0.01})
    results = epochs_of(job, state)
    assert [result.epoch for result in results] == list(range(1, 21))
    assert [result.step for result in results] == [7 * epoch for epoch in range(1, 21)]  # 100 examples, batches of 16
    assert results[-1].train_loss < 0.7 * results[0].train_loss
    assert {"accuracy"} == results[-1].metrics.keys()


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(build: Build) -> None:
    first, again, other = (epochs_of(*build(seed=seed, dropout=0.3)) for seed in (1, 1, 2))
    losses = [[(result.train_loss, result.validation_loss) for result in results] for results in (first, again, other)]
    assert losses[0] == losses[1]
    assert losses[0] != losses[2]


def test_torchs_global_generator_is_neither_read_nor_moved(build: Build) -> None:
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    first = epochs_of(*build(dropout=0.3))
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(2)
    assert epochs_of(*build(dropout=0.3))[-1].train_loss == first[-1].train_loss


def test_a_full_batch_is_gradient_descent(build: Build) -> None:
    job, state = build(batch_size="full", epochs=3, optimizer={"name": "sgd", "lr": 0.1})
    network = torch.nn.Sequential(*(torch.nn.Sequential(*layer) for layer in state.network.layers))
    by_hand = {name: tensor.detach().clone().requires_grad_() for name, tensor in network.named_parameters()}
    for _ in range(3):
        logits = torch.func.functional_call(network, by_hand, (job.train.features,))
        loss = torch.nn.functional.cross_entropy(logits, job.train.target)
        gradients = torch.autograd.grad(loss, list(by_hand.values()))
        for tensor, gradient in zip(by_hand.values(), gradients, strict=True):
            tensor.data -= 0.1 * gradient
    results = epochs_of(job, state)
    assert [result.step for result in results] == [1, 2, 3]
    for expected, trained in zip(by_hand.values(), state.network.parameters(), strict=True):
        torch.testing.assert_close(trained, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_accumulated_batches_equal_one_of_their_size(build: Build, weighted: bool) -> None:
    together = build(batch_size=32, num_examples=96, weighted=weighted)
    piecewise = build(batch_size=8, accumulate=4, num_examples=96, weighted=weighted)
    for one, four in zip(epochs_of(*together), epochs_of(*piecewise), strict=True):
        assert one.step == four.step
        assert one.train_loss == pytest.approx(four.train_loss, abs=1e-12)
    for one, four in zip(together[1].network.parameters(), piecewise[1].network.parameters(), strict=True):
        torch.testing.assert_close(one, four, rtol=0, atol=1e-10)


def test_examples_of_weight_zero_leave_no_trace(build: Build) -> None:
    changes = {"batch_size": "full", "epochs": 3, "optimizer": {"name": "sgd", "lr": 0.5}}
    job, state = build(num_examples=100, **changes)
    weights = (torch.arange(100) < 80).double()
    object.__setattr__(job.train, "weights", weights)
    epochs_of(job, state)
    smaller, expected = build(num_examples=80, **changes)
    for name in ("features", "target"):
        object.__setattr__(smaller.train, name, getattr(job.train, name)[:80])
    epochs_of(smaller, expected)
    for one, other in zip(state.network.parameters(), expected.network.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


def test_the_best_weights_are_those_of_the_best_epoch(build: Build) -> None:
    job, state = build(epochs=40, optimizer={"name": "adam", "lr": 0.05})
    snapshots = {}
    for event in fit(job, state):
        if isinstance(event, EpochResult):
            snapshots[event.epoch] = (event.validation_loss, state.weights())
    assert state.best is not None
    best_epoch = min(snapshots, key=lambda epoch: snapshots[epoch][0])
    assert 1 < best_epoch < 40, "the data no longer overfit: the test shows nothing"
    assert state.best.epoch == best_epoch
    for name, tensor in state.best.weights.items():
        assert torch.equal(tensor, snapshots[best_epoch][1][name])


def test_a_metric_to_be_raised_can_be_monitored(build: Build) -> None:
    job, state = build(epochs=15, early_stopping={"patience": 50, "monitor": "accuracy"})
    results = epochs_of(job, state)
    assert state.best is not None
    assert state.best.value == max(result.metrics["accuracy"] for result in results)


def test_early_stopping_stops_after_its_patience_and_says_why(build: Build) -> None:
    job, state = build(epochs=200, optimizer={"name": "adam", "lr": 0.05}, early_stopping=4)
    results = epochs_of(job, state)
    assert state.best is not None
    assert results[-1].epoch == state.best.epoch + 4 < 200
    assert results[-1].stopped == state.stopped == "validation_loss has not improved for 4 epochs"
    assert not any(result.stopped for result in results[:-1])


def test_the_training_loss_can_be_watched_until_convergence(build: Build) -> None:
    stopping = {"patience": 2, "monitor": "train_loss", "min_delta": 0.02}
    job, state = build(with_validation=False, epochs=500, early_stopping=stopping)
    results = epochs_of(job, state)
    assert len(results) < 500
    assert state.stopped == "train_loss has not improved for 2 epochs"


def test_without_validation_the_best_is_the_last(build: Build) -> None:
    job, state = build(with_validation=False, epochs=3)
    results = epochs_of(job, state)
    assert all(result.is_best and result.validation_loss is None and not result.metrics for result in results)
    assert state.best is not None
    assert state.best.epoch == 3
    assert torch.equal(state.best.weights["layers.0.product.weight"], state.weights()["layers.0.product.weight"])


def test_zero_epochs_keep_and_measure_the_untrained_network(build: Build) -> None:
    job, state = build(epochs=0)
    before = state.weights()
    (result,) = epochs_of(job, state)
    assert (result.epoch, result.step, result.is_best) == (0, 0, True)
    assert math.isfinite(result.train_loss)
    assert state.best is not None
    for name, tensor in before.items():
        assert torch.equal(state.best.weights[name], tensor)


def test_progress_comes_in_time_with_a_consistent_position(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(epochs, "PROGRESS_SECONDS", 0.0)
    job, state = build(epochs=2)
    fractions = [event.fraction for event in fit(job, state) if isinstance(event, Progress)]
    # The last one of each epoch comes twice: after its last update, and during validation.
    assert fractions == [update / 7 for _ in range(2) for update in (*range(1, 8), 7)]


def test_progress_comes_after_so_many_steps_where_a_save_may_be_due(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(epochs, "PROGRESS_SECONDS", 1e9)
    job, state = build(epochs=2)
    steps = [state.step for event in fit(replace(job, yield_every=4), state) if isinstance(event, Progress)]
    assert steps == [4, 8, 12]


@pytest.mark.parametrize("cut", [1, 4, 7, 10, 17, 24])
@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": "adam", "dropout": 0.2, "schedule": {"name": "cosine", "warmup": 0.5}},
        {
            "optimizer": {"name": "sgd", "momentum": 0.9},
            "schedule": {"name": "plateau", "patience": 0},
            "accumulate": 2,
        },
        {
            "early_stopping": 1,
            "optimizer": {"lr": 0.05},
            "layers": [{"dense": {"units": 8, "norm": "batch_norm"}}, "output"],
        },
    ],
)
def test_a_state_brought_back_anywhere_goes_on_to_the_same_bits(
    build: Build, monkeypatch: pytest.MonkeyPatch, cut: int, changes: dict[str, object]
) -> None:
    monkeypatch.setattr(epochs, "PROGRESS_SECONDS", 0.0)
    uncut_job, uncut = build(**changes)
    expected = list(fit(uncut_job, uncut))
    job, state = build(**changes)
    before = list(itertools.islice(fit(job, state), cut))
    tensors, facts = state.to_tensors()
    resumed_job, resumed = build(**changes)
    resumed.restore(tensors, facts)
    after = list(fit(resumed_job, resumed))

    def bits(events: list[Progress | EpochResult]) -> list[object]:
        return [replace(event, seconds=0, examples_per_second=0) for event in events if isinstance(event, EpochResult)]

    assert bits(before + after) == bits(expected)
    assert len(bits(expected)) == len(resumed.history) == resumed.epoch > 0
    (tensors, facts), (expected_tensors, expected_facts) = (
        timeless(tensors, {"state": facts}) for tensors, facts in (resumed.to_tensors(), uncut.to_tensors())
    )
    assert facts == expected_facts
    assert tensors.keys() == expected_tensors.keys()
    for name, tensor in expected_tensors.items():
        assert torch.equal(tensor, tensors[name]), name


def test_a_state_of_another_device_is_taken_up_with_new_masks(build: Build) -> None:
    job, state = build(dropout=0.3)
    for event in fit(job, state):
        if isinstance(event, EpochResult):
            break
    tensors, facts = state.to_tensors()
    elsewhere = {**tensors, "dropout_generator": torch.zeros(16, dtype=torch.uint8)}  # as a generator of cuda has it
    elsewhere["device_generator"] = torch.zeros(16, dtype=torch.uint8)
    again_job, again = build(dropout=0.3)
    again.restore(elsewhere, facts)
    assert len(epochs_of(again_job, again)) == 4
    assert torch.equal(again.history.to_tensor()[0, :3], tensors["history"][0, :3])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_the_generators_of_a_device_are_brought_back(build: Build) -> None:
    _, state = build()
    state.network.dropout_generator = torch.Generator("cuda").manual_seed(3)
    state.device = torch.device("cuda")
    tensors, facts = state.to_tensors()
    expected = torch.rand(4, device="cuda"), torch.rand(4, device="cuda", generator=state.network.dropout_generator)
    state.restore(tensors, facts)
    again = torch.rand(4, device="cuda"), torch.rand(4, device="cuda", generator=state.network.dropout_generator)
    assert all(torch.equal(one, other) for one, other in zip(expected, again, strict=True))
