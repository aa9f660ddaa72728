"""Training throughput of nettool beside the same network written by hand in PyTorch, interleaved in one process.

    python benchmarks/throughput.py --mnist FOLDER --text FILE [--rounds 5] [--steps 20] [--threads 2]

Both train in float32 with resident tensors, the same batch and the same dropout. By hand: nn modules as one writes
them, torch.optim.Adam (the fused one, the fastest that torch has), one gather and one update a step. A round trains so
many steps of each; the table shows the median examples a second over rounds and the ratio of the medians. The first
round warms up and does not count.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from tables import spread, table
from torch import Tensor, nn

from nettool.config.load import load
from nettool.workflows.build import build_job
from nettool.workflows.prepare import prepare_training

TITLE = "Convolutions and an LSTM"

CONFIGS = Path(__file__).parent.parent / "configs"
OURS, BY_HAND = "nettool", "by hand, fused Adam"
Steps = Callable[[int], int]
"""Trains so many steps, and says how many examples there were: the last batch of an epoch may be short."""


def nettool_steps(config: str, *overrides: str) -> tuple[Steps, Any]:
    """What `nettool train` does with an example config, and what it prepared for it."""
    prepared = prepare_training(load(CONFIGS / config, overrides))
    job, state = build_job(prepared)
    batches = _for_ever(lambda epoch: job.batching.batches(job.train, epoch))
    job.step.network.train()

    def run(count: int) -> int:
        num_examples = 0
        for _ in range(count):
            batch = next(batches)
            job.step(iter([batch]), 1, state.schedule.rate(0))
            num_examples += len(batch.features)
        return num_examples

    return run, prepared


def _for_ever(epoch_of: Callable[[int], Iterator[Any]]) -> Iterator[Any]:
    epoch = 0
    while True:
        yield from epoch_of(epoch)
        epoch += 1


def steps_by_hand(network: nn.Module, lr: float, batches: Iterator[tuple[Tensor, Tensor]]) -> Steps:
    """The loop that everyone writes."""
    optimizer = torch.optim.Adam(network.parameters(), lr=lr, fused=True)
    network.train()

    def run(count: int) -> int:
        num_examples = 0
        for _ in range(count):
            x, y = next(batches)
            optimizer.zero_grad(set_to_none=True)
            logits = network(x)
            F.cross_entropy(logits.flatten(0, -2), y.flatten()).backward()
            optimizer.step()
            num_examples += len(x)
        return num_examples

    return run


def convolutional() -> nn.Module:
    """mnist_cnn.yaml."""

    def block(inputs: int, filters: int) -> list[nn.Module]:
        return [nn.Conv2d(inputs, filters, 3, padding=1), nn.BatchNorm2d(filters), nn.ReLU()]

    return nn.Sequential(
        *block(1, 32), nn.MaxPool2d(2), *block(32, 64), nn.MaxPool2d(2), *block(64, 64), nn.Flatten(), nn.Dropout(0.25),
        nn.Linear(64 * 49, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Dropout(0.4), nn.Linear(128, 10),
    )  # fmt: skip


class Recurrent(nn.Module):
    """music_lstm.yaml."""

    def __init__(self, vocabulary: int, width: int = 256, units: int = 512, dropout: float = 0.5) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.lstm = nn.LSTM(width, units, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(units, vocabulary)

    def forward(self, codes: Tensor) -> Tensor:
        """Logits of the next character at every step."""
        out: Tensor = self.output(self.dropout(self.lstm(self.embedding(codes))[0]))
        return out


def image_batches(prepared: Any, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Resident pixels as float32, standardised once; a gather a step."""
    split = prepared.data.splits["train"]
    pixels = torch.from_numpy(split.features).float()
    pixels = (pixels - pixels.mean()) / pixels.std()
    labels = torch.from_numpy(split.target)
    while True:
        for chosen in torch.randperm(len(pixels)).split(size)[:-1]:
            yield pixels[chosen], labels[chosen]


def text_batches(prepared: Any, size: int, length: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Random stretches of the resident codes, as the lab has them."""
    codes = torch.from_numpy(prepared.data.splits["train"].features.source).long()
    while True:
        starts = torch.randint(len(codes) - length, (size,))
        stretches = codes[starts[:, None] + torch.arange(length + 1)]
        yield stretches[:, :-1], stretches[:, 1:]


def race(contenders: dict[str, Steps], rounds: int, steps: int) -> dict[str, list[float]]:
    """Examples a second of each, one number a round, the order turned round every time."""
    speeds: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name in list(contenders)[:: 1 if number % 2 else -1]:
            start = time.perf_counter()
            num_examples = contenders[name](steps)
            if number:
                speeds[name].append(num_examples / (time.perf_counter() - start))
    return speeds


def measure(
    rounds: int, steps: int = 20, mnist: Path | None = None, text: Path | None = None
) -> dict[str, dict[str, list[float]]]:
    """Examples a second of both networks. mnist, text: other data than the samples of the examples."""
    torch.manual_seed(0)
    path = [f"data.path={mnist.resolve()}"] if mnist else []
    ours, prepared = nettool_steps("mnist_cnn.yaml", *path, "data.augment=null", "optimizer=adam")
    batches = image_batches(prepared, prepared.batch_size)
    conv = {OURS: ours, BY_HAND: steps_by_hand(convolutional(), 0.003, batches)}
    speeds = {"convolutions (mnist_cnn.yaml, no augmentation)": race(conv, rounds, steps)}

    path = [f"data.path={text.resolve()}"] if text else []
    ours, prepared = nettool_steps("music_lstm.yaml", *path, "optimizer.clip_norm=null")
    encoder = prepared.data.encoders.features
    stretches = text_batches(prepared, prepared.batch_size, encoder.length)
    lstm = {OURS: ours, BY_HAND: steps_by_hand(Recurrent(encoder.vocabulary.size), 0.003, stretches)}
    return speeds | {"LSTM (music_lstm.yaml)": race(lstm, rounds, max(steps // 4, 1))}


def ratio(speeds: Mapping[str, list[float]]) -> float:
    """How many times as fast as by hand nettool is."""
    return statistics.median(speeds[OURS]) / statistics.median(speeds[BY_HAND])


def section(measured: Mapping[str, Mapping[str, list[float]]]) -> str:
    """A row for each network."""
    rows = [
        (network, spread(speeds[OURS], ",.0f"), spread(speeds[BY_HAND], ",.0f"), f"{ratio(speeds):.2f}")
        for network, speeds in measured.items()
    ]
    return table(("examples a second", OURS, BY_HAND, "ratio"), rows)


def main() -> None:
    """Both networks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mnist", type=Path, help="MNIST's folder; default: the sample of the examples")
    parser.add_argument("--text", type=Path, help="a text; default: the sample of the examples")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    print(f"torch {torch.__version__}, {given.threads} threads, {given.rounds} rounds of {given.steps} steps")
    print(section(measure(given.rounds, given.steps, given.mnist, given.text)))


if __name__ == "__main__":
    main()
