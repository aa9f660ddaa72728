"""Held-out bits per character of music_lstm.yaml beside the same network and budget written by hand in PyTorch.

    python benchmarks/music.py --text irish.abc [--seeds 0 1] [KEY=VALUE ...]

Both train on the same stretch of the text with the same network, batch, number of updates, Adam, cosine schedule,
gradient clipping and dropout, in one process after another, and both keep the weights of their best epoch. By hand the
stretches begin anywhere, as in the lab that the song book comes from; weights start as torch's modules draw them.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from throughput import CONFIGS, Recurrent, text_batches
from torch import Tensor, nn

from nettool.config.load import load
from nettool.training.loop import fit
from nettool.workflows.build import build_job
from nettool.workflows.prepare import prepare_training


def by_nettool(overrides: list[str], seed: int) -> tuple[float, float]:
    """Bits per character at the best epoch, and seconds."""
    start = time.perf_counter()
    prepared = prepare_training(load(CONFIGS / "music_lstm.yaml", [*overrides, f"seed={seed}"]))
    job, state = build_job(prepared)
    for _ in fit(job, state):
        pass
    assert state.best is not None
    return state.best.metrics["bits_per_character"], time.perf_counter() - start


def by_hand(overrides: list[str], seed: int) -> tuple[float, float]:
    """The same of a loop as one writes it."""
    start = time.perf_counter()
    prepared = prepare_training(load(CONFIGS / "music_lstm.yaml", overrides))
    experiment, encoder = prepared.loaded.experiment, prepared.data.encoders.features
    torch.manual_seed(seed)
    dropout = next(layer.dropout for layer in prepared.plan.layers if layer.spec.layer == "lstm")
    network = Recurrent(encoder.vocabulary.size, dropout=dropout)
    lr, clip = experiment.optimizer.lr, experiment.optimizer.clip_norm
    optimizer = torch.optim.Adam(network.parameters(), lr=lr, fused=True)
    batches = text_batches(prepared, prepared.batch_size, encoder.length)
    steps = math.ceil(len(prepared.data.splits["train"]) / prepared.batch_size)
    total, best, update = steps * experiment.epochs, math.inf, 0
    for _ in range(experiment.epochs):
        network.train()
        for _ in range(steps):
            for group in optimizer.param_groups:
                group["lr"] = lr * 0.5 * (1 + math.cos(math.pi * update / max(total - 1, 1)))
            x, y = next(batches)
            optimizer.zero_grad(set_to_none=True)
            F.cross_entropy(network(x).flatten(0, -2), y.flatten()).backward()
            nn.utils.clip_grad_norm_(network.parameters(), clip)
            optimizer.step()
            update += 1
        best = min(best, held_out_bits(network, prepared.data.splits["validation"]))
    return best, time.perf_counter() - start


@torch.no_grad()
def held_out_bits(network: nn.Module, split: Any) -> float:
    """Bits per character of the validation stretch, cut as nettool cuts it."""
    network.eval()
    codes = torch.from_numpy(split.features.source).long()
    stretches: Tensor = codes[
        torch.from_numpy(split.features.starts)[:, None] + torch.arange(split.features.length + 1)
    ]
    sums = [
        F.cross_entropy(network(part[:, :-1]).flatten(0, -2), part[:, 1:].flatten(), reduction="sum").item()
        for part in stretches.split(64)
    ]
    return sum(sums) / stretches[:, 1:].numel() / math.log(2)


def main() -> None:
    """Every seed, one after the other way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path, help="a text; default: the sample of the examples")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("overrides", nargs="*")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    overrides = [*([f"data.path={given.text.resolve()}"] if given.text else []), *given.overrides]
    found: dict[str, list[float]] = {"nettool": [], "by hand": []}
    for seed in given.seeds:
        for name, train in (("nettool", by_nettool), ("by hand", by_hand)):
            bits, seconds = train(overrides, seed)
            found[name].append(bits)
            print(f"seed {seed}  {name:<8} {bits:.4f} bits per character  {seconds:7.1f} s", flush=True)
    for name, bits_of_all in found.items():
        print(f"{name:<8} median {statistics.median(bits_of_all):.4f} bits per character")


if __name__ == "__main__":
    main()
