"""Metrics of next tokens against NumPy, and what lies behind an average against scikit-learn."""

from __future__ import annotations

import math
import warnings
from typing import Any, get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax  # type: ignore[import-untyped]
from sklearn import metrics as sk  # type: ignore[import-untyped]
from torch import Tensor, nn

from nettool.config.experiment import NextMetric
from nettool.config.losses import CrossEntropy
from nettool.config.signature import ClassTarget, LabelTarget, NextTarget, NumberTarget
from nettool.data.dataset import Dataset, Stretches
from nettool.model.losses import build_loss
from nettool.training.evaluation import Evaluator, Measured
from nettool.training.metrics import all_metrics, compute_metrics
from nettool.training.token_metrics import TokenCounts, token_shares, unigram_metrics
from nettool.workflows.breakdown import parts_of

NAMES = get_args(NextMetric)
quick = settings(max_examples=25, deadline=None)
sizes = given(n=st.integers(1, 60), vocabulary=st.integers(2, 12), seed=st.integers(0, 10**6))


def drawn(n: int, vocabulary: int, seed: int) -> tuple[Tensor, Tensor]:
    """Logits [n, vocabulary], no two of a row the same, and the true tokens [n]."""
    random = np.random.default_rng(seed)
    logits = random.permuted(np.arange(vocabulary)[None].repeat(n, axis=0), axis=1) * random.uniform(0.1, 2)
    return torch.tensor(logits, dtype=torch.float32), torch.tensor(random.integers(0, vocabulary, n))


def counted(logits: Tensor, target: Tensor) -> dict[str, float]:
    counts = TokenCounts()
    counts.add(logits, target)
    return counts.metrics(NAMES)


# Next tokens


@sizes
@quick
def test_they_are_what_numpy_makes_of_the_probabilities(n: int, vocabulary: int, seed: int) -> None:
    logits, target = drawn(n, vocabulary, seed)
    nats = -log_softmax(logits.double().numpy(), axis=1)[np.arange(n), target]
    rank = (logits > logits.gather(1, target[:, None])).sum(dim=1).numpy()
    expected = {
        "bits_per_character": np.mean(nats) / np.log(2),
        "perplexity": np.exp(np.mean(nats)),
        "accuracy": np.mean(rank == 0),
        "top_5_accuracy": np.mean(rank < 5),
    }
    assert counted(logits, target) == pytest.approx(expected, rel=1e-5)


@sizes
@quick
def test_the_sums_of_chunks_are_those_of_one_pass(n: int, vocabulary: int, seed: int) -> None:
    logits, target = drawn(n, vocabulary, seed)
    counts = TokenCounts()
    for start in range(0, n, 7):
        counts.add(logits[start : start + 7], target[start : start + 7])
    whole = counted(logits, target)
    assert counts.tokens == n
    found = counts.metrics(NAMES)
    assert (found["accuracy"], found["top_5_accuracy"]) == (whole["accuracy"], whole["top_5_accuracy"])
    assert found == pytest.approx(whole, rel=1e-12)


def test_steps_of_stretches_count_one_by_one() -> None:
    logits, target = drawn(24, 9, 0)
    assert counted(logits.view(2, 3, 4, 9), target.view(2, 3, 4)) == counted(logits, target)


def test_uniform_probabilities_have_the_vocabularys_perplexity() -> None:
    found = counted(torch.zeros(10, 32), torch.arange(10))
    assert found["bits_per_character"] == pytest.approx(5, rel=1e-6)
    assert found["perplexity"] == pytest.approx(32, rel=1e-6)


def test_a_certain_mistake_is_infinitely_perplexing_and_raises_nothing() -> None:
    found = counted(torch.tensor([[2000.0, 0.0]]), torch.tensor([1]))
    assert found["perplexity"] == math.inf
    assert found["bits_per_character"] == pytest.approx(2000 / math.log(2))


def test_nothing_counted_is_nan() -> None:
    assert all(math.isnan(value) for value in TokenCounts().metrics(NAMES).values())
    assert list(TokenCounts().metrics(NAMES)) == list(NAMES)


def test_every_metric_of_the_next_token_is_measured() -> None:
    assert all_metrics(NextTarget(30)) == NAMES
    with pytest.raises(ValueError, match="counted chunk by chunk"):
        compute_metrics((), torch.zeros(2, 3), torch.zeros(2), NextTarget(3))


class Table(nn.Module):
    """Logits of the next token by the last one alone."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.randn(vocabulary, vocabulary, generator=torch.Generator().manual_seed(0)))

    def forward(self, x: Tensor) -> Tensor:
        return self.logits[x.long()]


def measured(smoothing: float, chunk: int, names: tuple[str, ...] = NAMES) -> tuple[float, dict[str, float]]:
    codes = torch.tensor(np.random.default_rng(0).integers(0, 9, 101), dtype=torch.uint8)
    starts = torch.arange(10) * 10
    dataset = Dataset(Stretches(codes, starts, 10), Stretches(codes[1:], starts, 10))
    loss = build_loss(CrossEntropy(label_smoothing=smoothing), NextTarget(9), None)
    return Evaluator(loss, NextTarget(9), names, lambda values: values, chunk)(Table(9), dataset)


def test_label_smoothing_changes_the_loss_and_no_metric() -> None:
    (plain, metrics), (smoothed, same) = measured(0.0, 4), measured(0.2, 4)
    assert metrics == same
    assert smoothed != plain
    assert plain == pytest.approx(metrics["bits_per_character"] * math.log(2), rel=1e-6)


def test_a_dataset_measured_in_chunks_has_the_numbers_of_one_pass() -> None:
    (loss, metrics), (other_loss, other) = measured(0.1, 3), measured(0.1, 10)
    assert loss == pytest.approx(other_loss, rel=1e-6)
    assert metrics == pytest.approx(other, rel=1e-6)


# What a model reaches that knows frequencies alone


def test_the_shares_are_those_of_the_text() -> None:
    codes = torch.tensor([3, 1, 1, 0, 3, 3, 3, 1], dtype=torch.uint8)
    assert token_shares(codes, 5) == [1 / 8, 3 / 8, 0, 1 / 2, 0]


@given(st.lists(st.integers(0, 7), min_size=1, max_size=50), st.lists(st.integers(0, 7), min_size=1, max_size=50))
@quick
def test_the_baseline_is_a_model_whose_logits_are_the_training_shares(train: list[int], seen: list[int]) -> None:
    shares = np.array(token_shares(torch.tensor(train), 8))
    probabilities = shares.clip(np.finfo(np.float64).eps)
    nats = -np.log(probabilities[seen])
    ranked = np.argsort(-shares, kind="stable")
    expected = {
        "bits_per_character": nats.mean() / np.log(2),
        "perplexity": np.exp(nats.mean()),
        "accuracy": np.mean(np.array(seen) == ranked[0]),
        "top_5_accuracy": np.mean(np.isin(seen, ranked[:5])),
    }
    assert unigram_metrics(NAMES, shares.tolist(), np.bincount(seen, minlength=8).tolist()) == pytest.approx(expected)


def test_a_text_of_one_token_is_no_riddle_and_an_unknown_one_no_infinity() -> None:
    assert unigram_metrics(NAMES, [0, 1], [0, 5]) == {
        "bits_per_character": 0, "perplexity": 1, "accuracy": 1, "top_5_accuracy": 1,
    }  # fmt: skip
    assert unigram_metrics(("bits_per_character",), [0, 1], [5, 0]) == pytest.approx({"bits_per_character": 52})
    assert math.isnan(unigram_metrics(("accuracy",), [0.5, 0.5], [0, 0])["accuracy"])


# Classes


@pytest.mark.parametrize("weighted", [False, True], ids=["unweighted", "weighted"])
@given(n=st.integers(2, 60), classes=st.integers(6, 12), seed=st.integers(0, 10**6))
@quick
def test_top_5_accuracy_of_classes_is_that_of_scikit_learn(weighted: bool, n: int, classes: int, seed: int) -> None:
    logits, truth = drawn(n, classes, seed)
    weights = torch.tensor(np.random.default_rng(seed).integers(1, 9, n) / 2) if weighted else None
    target = ClassTarget(tuple(map(str, range(classes))), binary=False)
    probabilities = torch.softmax(logits.double(), dim=1)
    found = compute_metrics(("top_5_accuracy",), probabilities, truth, target, weights)["top_5_accuracy"]
    expected = sk.top_k_accuracy_score(truth, probabilities, k=5, labels=range(classes), sample_weight=weights)
    assert found == pytest.approx(expected, rel=1e-9)


def test_top_5_accuracy_is_left_out_where_there_are_no_more_than_five() -> None:
    assert "top_5_accuracy" in all_metrics(ClassTarget(tuple("abcdef"), binary=False))
    for target in (ClassTarget(tuple("abcde"), binary=False), LabelTarget(tuple("abcdefg")), NumberTarget(("x",))):
        assert "top_5_accuracy" not in all_metrics(target)


@pytest.mark.parametrize("weighted", [False, True], ids=["unweighted", "weighted"])
@given(n=st.integers(1, 60), present=st.integers(1, 5), seed=st.integers(0, 10**6))
@quick
def test_the_table_of_classes_is_that_of_scikit_learn(weighted: bool, n: int, present: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    probabilities, truth = random.dirichlet(np.ones(5), n), random.integers(0, present, n)
    weights = random.integers(0, 4, n) / 2 if weighted else np.ones(n)
    weights[0] = 1
    parts = parts_of(
        ClassTarget(tuple("abcde"), binary=False),
        Measured(0.0, {}, torch.tensor(probabilities), torch.tensor(truth)),
        torch.tensor(weights) if weighted else None,
    )
    counts = weights > 0  # an example of weight 0 counts as absent
    pair = truth[counts], probabilities.argmax(axis=1)[counts]
    kwargs: dict[str, Any] = {"labels": range(5), "average": None, "sample_weight": weights[counts]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        precision, *_ = sk.precision_recall_fscore_support(*pair, zero_division=0, **kwargs)
        _, recall, f1, _ = sk.precision_recall_fscore_support(*pair, zero_division=np.nan, **kwargs)
    assert [part.value for part in parts] == list("abcde")
    assert [part.num_examples for part in parts] == np.bincount(pair[0], minlength=5).tolist()
    for name, expected in (("precision", precision), ("recall", recall), ("f1", f1)):
        assert [part.metrics[name] for part in parts] == pytest.approx(expected.tolist(), nan_ok=True), name


def test_numbers_of_weight_0_are_not_counted_either() -> None:
    predictions, truth = torch.tensor([[1.0, 2.0], [3.0, 9.0], [5.0, 5.0]]), torch.zeros(3, 2)
    weights = torch.tensor([1.0, 0.0, 1.0])
    first, second = parts_of(NumberTarget(("p", "q")), Measured(0.0, {}, predictions, truth), weights)
    assert (first.metrics["mae"], second.metrics["mae"]) == (3, 3.5)
    assert (first.num_examples, second.num_examples) == (2, 2)


@pytest.mark.parametrize(
    "target", [ClassTarget(("a", "b"), binary=True), LabelTarget(("a", "b")), NumberTarget(("x",))]
)
def test_what_has_no_parts_has_no_table(target: Any) -> None:
    assert parts_of(target, Measured(0.0, {}, torch.zeros(3, 1), torch.zeros(3, 1)), None) == ()
    assert parts_of(target, Measured(0.0, {}, None, None), None) == ()
