"""Metrics of next tokens, added up chunk by chunk: the probabilities of a whole text would not fit in memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass
class TokenCounts:
    """Sums over the tokens seen so far. nats: of -log of the true token's probability."""

    tokens: int = 0
    nats: float = 0.0
    right: int = 0
    in_top_5: int = 0

    def add(self, logits: Tensor, target: Tensor) -> None:
        """Count some more. logits: float [..., vocabulary]. target: int64 [...]."""
        logits, target = logits.flatten(0, -2), target.flatten()
        true = logits.gather(1, target[:, None])
        above = (logits > true).sum(dim=1)
        self.tokens += len(target)
        # Each in float32 as the training loss, their sum in float64, which no number of them wears out.
        self.nats += float(F.cross_entropy(logits, target, reduction="none").double().sum())
        self.right += int((logits.argmax(dim=1) == target).sum())
        self.in_top_5 += int((above < 5).sum())

    def metrics(self, names: Sequence[str]) -> dict[str, float]:
        """The named metrics; NaN where nothing was counted."""
        if not self.tokens:
            return dict.fromkeys(names, float("nan"))
        return {name: _METRICS[name](self) for name in names}


def _perplexity(counts: TokenCounts) -> float:
    """Exp of the mean cross-entropy in nats: among how many equally likely tokens the network still chooses."""
    mean = counts.nats / counts.tokens
    return math.exp(mean) if mean < 700 else math.inf


_METRICS: Mapping[str, Callable[[TokenCounts], float]] = {
    "bits_per_character": lambda counts: counts.nats / counts.tokens / math.log(2),
    "perplexity": _perplexity,
    "accuracy": lambda counts: counts.right / counts.tokens,
    "top_5_accuracy": lambda counts: counts.in_top_5 / counts.tokens,
}


def unigram_metrics(names: Sequence[str], shares: Sequence[float], occurrences: Sequence[float]) -> dict[str, float]:
    """What a model reaches that predicts each token by its share of the training text alone.

    shares: of each token. occurrences: how often it is met. A token that training lacks has the smallest probability
    that a float64 tells from 0.
    """
    share, count = np.array(shares), np.array(occurrences, np.float64)
    nats = -float((count * np.log(share.clip(np.finfo(np.float64).eps))).sum())
    ranked = np.argsort(-share, kind="stable")
    counts = TokenCounts(
        tokens=int(count.sum()), nats=nats, right=int(count[ranked[0]]), in_top_5=int(count[ranked[:5]].sum())
    )
    return counts.metrics(names)


def token_shares(codes: Tensor, vocabulary: int) -> list[float]:
    """The share of each token of a text: what a model knows that knows frequencies alone."""
    counted = torch.bincount(codes.flatten().long().cpu(), minlength=vocabulary).double()
    shares: list[float] = (counted / counted.sum()).tolist()
    return shares
