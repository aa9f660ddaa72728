"""Losses: torch.nn's numbers and gradients, with example weights and class weights on top."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nettool.config.losses import (
    BinaryCrossEntropy,
    CrossEntropy,
    Huber,
    LossSpec,
    MeanAbsoluteError,
    MeanSquaredError,
)
from nettool.config.signature import ClassTarget, LabelTarget, NextTarget, NumberTarget, Target
from nettool.model.losses import Loss, build_loss

THREE = ClassTarget(("a", "b", "c"), binary=False)
TWO = ClassTarget(("no", "yes"), binary=True)
LABELS = LabelTarget(("x", "y", "z"))
NUMBERS = NumberTarget(("p", "q"))
B = 8

CASES: list[tuple[LossSpec, Target, nn.Module]] = [
    (CrossEntropy(), THREE, nn.CrossEntropyLoss()),
    (CrossEntropy(label_smoothing=0.2), THREE, nn.CrossEntropyLoss(label_smoothing=0.2)),
    (BinaryCrossEntropy(), TWO, nn.BCEWithLogitsLoss()),
    (BinaryCrossEntropy(), LABELS, nn.BCEWithLogitsLoss()),
    (MeanSquaredError(), NUMBERS, nn.MSELoss()),
    (MeanAbsoluteError(), NUMBERS, nn.L1Loss()),
    (Huber(), NUMBERS, nn.HuberLoss()),
    (Huber(delta=0.3), NUMBERS, nn.HuberLoss(delta=0.3)),
]
every_case = pytest.mark.parametrize(
    ("spec", "target", "reference"),
    CASES,
    ids=[f"{spec.name} of {type(target).__name__} {index}" for index, (spec, target, _) in enumerate(CASES)],
)


def draw(target: Target, num_examples: int = B, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Logits that require gradients, and a truth, in float64."""
    generator = torch.Generator().manual_seed(seed)
    shape = (num_examples, target.num_outputs)
    logits = (2 * torch.randn(shape, generator=generator, dtype=torch.float64)).requires_grad_()
    if isinstance(target, NumberTarget):
        return logits, torch.randn(shape, generator=generator, dtype=torch.float64)
    if isinstance(target, ClassTarget) and not target.binary:
        return logits, torch.randint(3, (num_examples,), generator=generator)
    return logits, torch.randint(2, shape, generator=generator).double()


def weights_of(num_examples: int = B) -> Tensor:
    return torch.arange(num_examples, dtype=torch.float64) / 3


def gradient(value: Tensor, logits: Tensor) -> Tensor:
    return torch.autograd.grad(value, [logits], retain_graph=True)[0]


def assert_equal_with_gradients(ours: Tensor, theirs: Tensor, logits: Tensor) -> None:
    assert ours.shape == ()
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(gradient(ours, logits), gradient(theirs, logits), rtol=1e-12, atol=1e-14)


def each(reference: nn.Module, logits: Tensor, truth: Tensor) -> Tensor:
    """The loss of each example alone, by torch.nn."""
    return torch.stack([reference(logits[i : i + 1], truth[i : i + 1]) for i in range(len(logits))])


@every_case
def test_the_mean_loss_and_its_gradient_are_those_of_torch_nn(
    spec: LossSpec, target: Target, reference: nn.Module
) -> None:
    logits, truth = draw(target)
    assert_equal_with_gradients(build_loss(spec, target, None).mean(logits, truth), reference(logits, truth), logits)


@every_case
def test_example_weights_make_a_weighted_mean(spec: LossSpec, target: Target, reference: nn.Module) -> None:
    logits, truth = draw(target)
    weights = weights_of()
    theirs = (weights * each(reference, logits, truth)).sum() / weights.sum()
    assert_equal_with_gradients(build_loss(spec, target, None).mean(logits, truth, weights), theirs, logits)


@every_case
def test_an_example_of_weight_zero_changes_nothing(spec: LossSpec, target: Target, reference: nn.Module) -> None:
    logits, truth = draw(target)
    weights = torch.tensor([1.0, 1, 1, 1, 1, 0, 0, 0], dtype=torch.float64)
    assert_equal_with_gradients(
        build_loss(spec, target, None).mean(logits, truth, weights), reference(logits[:5], truth[:5]), logits
    )


@every_case
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_a_batch_without_any_weight_has_loss_and_gradient_zero(
    spec: LossSpec, target: Target, reference: nn.Module, dtype: torch.dtype
) -> None:
    logits, truth = draw(target)
    logits = logits.detach().to(dtype).requires_grad_()
    truth = truth.to(dtype) if truth.is_floating_point() else truth
    value = build_loss(spec, target, None).mean(logits, truth, torch.zeros(B, dtype=dtype))
    assert value.item() == 0
    assert not gradient(value, logits).any()


@every_case
@pytest.mark.parametrize("weighted", [False, True], ids=["unweighted", "weighted"])
@given(cuts=st.lists(st.integers(0, 20), max_size=4))
@settings(max_examples=10, deadline=None)
def test_sums_over_batches_give_the_mean_of_the_whole_however_it_is_cut(
    spec: LossSpec, target: Target, reference: nn.Module, weighted: bool, cuts: list[int]
) -> None:
    loss = build_loss(spec, target, None)
    logits, truth = draw(target, 20)
    weights = weights_of(20) if weighted else None
    total, count = torch.zeros(()).double(), torch.zeros(()).double()
    edges = sorted([0, *cuts, 20])
    for start, stop in itertools.pairwise(edges):
        part = slice(start, stop)
        batch_sum, batch_count = loss.sum_and_weight(
            logits[part], truth[part], None if weights is None else weights[part]
        )
        total, count = total + batch_sum, count + batch_count
    torch.testing.assert_close(total / count, loss.mean(logits, truth, weights), rtol=1e-12, atol=1e-14)


@every_case
def test_gradients_are_those_of_finite_differences(spec: LossSpec, target: Target, reference: nn.Module) -> None:
    loss = build_loss(spec, target, None)
    logits, truth = draw(target, 3)
    assert torch.autograd.gradcheck(lambda x: loss.mean(x, truth), logits)
    assert torch.autograd.gradcheck(lambda x: loss.mean(x, truth, weights_of(3)), logits)


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_class_weights_of_cross_entropy_are_those_of_torch_nn(smoothing: float) -> None:
    class_weights = torch.tensor([0.5, 1.0, 3.0], dtype=torch.float64)
    logits, truth = draw(THREE)
    loss = build_loss(CrossEntropy(label_smoothing=smoothing), THREE, class_weights)
    reference = nn.CrossEntropyLoss(class_weights, label_smoothing=smoothing)
    assert_equal_with_gradients(loss.mean(logits, truth), reference(logits, truth), logits)
    assert torch.autograd.gradcheck(lambda x: loss.mean(x, truth), logits)


def weighted_by_class(losses: Tensor, truth: Tensor, class_weights: Tensor, weights: Tensor | None) -> Tensor:
    counts = class_weights[truth.flatten().long()] * (1 if weights is None else weights)
    return (losses * counts).sum() / counts.sum()


@pytest.mark.parametrize("weights", [None, weights_of()], ids=["unweighted", "weighted"])
@pytest.mark.parametrize(("spec", "target"), [(CrossEntropy(), THREE), (BinaryCrossEntropy(), TWO)])
def test_a_class_weight_multiplies_the_weight_of_its_examples(
    spec: LossSpec, target: ClassTarget, weights: Tensor | None
) -> None:
    class_weights = torch.tensor([0.5, 2.0, 3.0], dtype=torch.float64)[: len(target.classes)]
    reference = nn.CrossEntropyLoss() if target is THREE else nn.BCEWithLogitsLoss()
    logits, truth = draw(target)
    loss = build_loss(spec, target, class_weights)
    theirs = weighted_by_class(each(reference, logits, truth), truth, class_weights, weights)
    assert_equal_with_gradients(loss.mean(logits, truth, weights), theirs, logits)
    total, count = loss.sum_and_weight(logits, truth, weights)
    torch.testing.assert_close(total / count, theirs)
    torch.testing.assert_close(loss.weight_of(truth, weights), count)
    assert loss.class_weights is not None


def test_two_classes_give_one_loss_as_one_output_or_as_two() -> None:
    class_weights = torch.tensor([0.5, 2.0], dtype=torch.float64)
    logits, truth = draw(TWO)
    one = build_loss(BinaryCrossEntropy(label_smoothing=0.1), TWO, class_weights=None)
    pair = build_loss(CrossEntropy(label_smoothing=0.1), ClassTarget(("no", "yes"), binary=False), None)
    both = torch.cat([torch.zeros_like(logits), logits], dim=1)
    torch.testing.assert_close(one.mean(logits, truth), pair.mean(both, truth[:, 0].long()))
    one = build_loss(BinaryCrossEntropy(), TWO, class_weights)
    pair = build_loss(CrossEntropy(), ClassTarget(("no", "yes"), binary=False), class_weights)
    torch.testing.assert_close(one.mean(logits, truth), pair.mean(both, truth[:, 0].long()))


@pytest.mark.parametrize("target", [TWO, LABELS], ids=["one output", "three labels"])
def test_smoothing_moves_yes_and_no_half_of_it_towards_each_other(target: Target) -> None:
    logits, truth = draw(target)
    loss = build_loss(BinaryCrossEntropy(label_smoothing=0.2), target, None)
    smoothed = torch.full_like(truth, 0.9).where(truth == 1, torch.full_like(truth, 0.1))
    assert_equal_with_gradients(loss.mean(logits, truth), nn.BCEWithLogitsLoss()(logits, smoothed), logits)


def test_a_class_of_weight_zero_alone_in_a_batch_has_loss_zero() -> None:
    class_weights = torch.tensor([0.0, 1.0, 1.0])
    logits = torch.randn(2, 3, requires_grad=True)
    value = build_loss(CrossEntropy(), THREE, class_weights).mean(logits, torch.tensor([0, 0]))
    assert value.item() == 0
    assert not gradient(value, logits).any()


@every_case
def test_an_empty_batch_has_no_loss_and_no_weight(spec: LossSpec, target: Target, reference: nn.Module) -> None:
    logits, truth = draw(target, 0)
    total, count = build_loss(spec, target, None).sum_and_weight(logits, truth)
    assert (total.item(), count.item()) == (0, 0)


@pytest.mark.parametrize(
    ("spec", "target", "expected"),
    [
        (CrossEntropy(), THREE, lambda logits: torch.softmax(logits, 1)),
        (BinaryCrossEntropy(), TWO, torch.sigmoid),
        (BinaryCrossEntropy(), LABELS, torch.sigmoid),
        (MeanSquaredError(), NUMBERS, lambda logits: logits),
        (Huber(), NUMBERS, lambda logits: logits),
    ],
)
def test_predictions_are_probabilities_or_the_numbers_themselves(
    spec: LossSpec, target: Target, expected: Callable[[Tensor], Tensor]
) -> None:
    logits, _ = draw(target)
    torch.testing.assert_close(build_loss(spec, target, None).predictions(logits), expected(logits))


@every_case
def test_one_update_without_weights_costs_one_fused_call(spec: LossSpec, target: Target, reference: nn.Module) -> None:
    logits, truth = draw(target)

    def num_operations(compute: Callable[[], Any]) -> int:
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
            compute()
        return sum(event.count for event in profile.key_averages())

    loss = build_loss(spec, target, None)
    assert num_operations(lambda: loss.mean(logits, truth)) == num_operations(lambda: reference(logits, truth))


@pytest.mark.parametrize(
    ("spec", "target"),
    [
        (CrossEntropy(), TWO),
        (CrossEntropy(), LABELS),
        (BinaryCrossEntropy(), THREE),
        (BinaryCrossEntropy(), NUMBERS),
        (MeanSquaredError(), THREE),
    ],
)
def test_a_loss_that_contradicts_the_target_is_refused(spec: LossSpec, target: Target) -> None:
    with pytest.raises(ValueError, match=f"the loss {spec.name} does not fit"):
        build_loss(spec, target, None)


@pytest.mark.parametrize(("spec", "target"), [(BinaryCrossEntropy(), LABELS), (MeanSquaredError(), NUMBERS)])
def test_class_weights_without_classes_are_refused(spec: LossSpec, target: Target) -> None:
    with pytest.raises(ValueError, match="one target with classes"):
        build_loss(spec, target, torch.ones(3))


def test_a_loss_without_class_weights_says_so_and_counts_its_examples() -> None:
    loss: Loss = build_loss(CrossEntropy(), THREE, None)
    assert loss.class_weights is None
    assert loss.weight_of(torch.tensor([0, 1, 1])).item() == 3
    assert loss.weight_of(torch.tensor([0, 1, 1]), torch.tensor([0.5, 0.0, 2.0])).item() == 2.5


@every_case
def test_the_loss_of_each_example_is_that_of_a_batch_of_it_alone(
    spec: LossSpec, target: Target, reference: nn.Module
) -> None:
    logits, truth = draw(target)
    ours = build_loss(spec, target, None).each(logits, truth)
    torch.testing.assert_close(ours, each(reference, logits, truth), rtol=1e-12, atol=1e-14)


def test_the_loss_of_a_text_is_the_mean_over_its_steps() -> None:
    loss = build_loss(CrossEntropy(), NextTarget(5), None)
    generator = torch.Generator().manual_seed(0)
    logits, truth = torch.randn(3, 4, 5, generator=generator), torch.randint(5, (3, 4), generator=generator)
    found = loss.each(logits, truth)
    assert found.shape == (3,)
    assert float(found[1]) == pytest.approx(float(loss.mean(logits[1:2], truth[1:2])))
