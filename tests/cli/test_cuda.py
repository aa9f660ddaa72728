"""On a CUDA device the promises are those of the cpu: a run repeats, goes on and is evaluated to the bit."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

import nettool as library
from nettool.config.layers import CUSTOM_LAYERS
from nettool.model.compile import CUSTOM_BUILDERS
from tests.cli.conftest import CONFIGS, Nettool
from tests.same_run import assert_same_run

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")

IMAGES = "data: {path: images.npz, target: y, columns: {x: image}, augment: {flip: horizontal, shift: 2}}"
TEXTS = "data: {path: texts.csv, target: y, columns: {text: text}, text: {length: 60}}"
TABLE = "data: {path: table.csv, target: y}"
NETWORKS = {
    "table": (TABLE, "[{dense: {units: 64, norm: batch_norm}}, {dense: {units: 32, norm: layer_norm}}, output]"),
    "cnn": (IMAGES, "[{conv2d: {filters: 16, norm: batch_norm}}, max_pool, {conv2d: 16}, flatten, output]"),
    "overlapping pools": (
        IMAGES,
        "[{conv2d: 16}, {max_pool: {size: 3, stride: 2, padding: 1}}, {avg_pool: 2}, {conv2d: 16}, flatten, output]",
    ),
    "resnet": (IMAGES, "[{conv2d: 16}, {residual: {layers: [{conv2d: 16}, {conv2d: 16}]}}, global_avg_pool, output]"),
    "rnn": (TEXTS, "[{embedding: 32}, {rnn: 32}, output]"),
    "gru both ways": (TEXTS, "[{embedding: 32}, {gru: {units: 32, bidirectional: true}}, output]"),
    "lstm": (TEXTS, "[{embedding: 32}, {lstm: {units: 32, layers: 2}}, output]"),
    "conv1d": (
        TEXTS,
        "[{embedding: 32}, {conv1d: {filters: 32, size: 3, norm: batch_norm}}, max_pool, global_avg_pool, output]",
    ),
    "transformer": (TEXTS, "[{embedding: 32}, positional, {transformer: {heads: 4}}, global_avg_pool, output]"),
    "attention": (TEXTS, "[{embedding: 32}, {attention: {heads: 4}}, flatten, output]"),
}
REST = """
loss: binary_cross_entropy
optimizer: {name: adam, lr: 0.01}
dropout: 0.2
batch_size: 64
epochs: 3
checkpoint: {every: 1 epochs}
"""


@pytest.fixture
def data(folder: Path) -> None:
    """Enough examples that kernels which add in any order show it: 600 images, texts and rows."""
    chance = np.random.default_rng(1)
    images = chance.integers(0, 200, (600, 24, 24, 3), dtype=np.uint8)
    np.savez(folder / "images.npz", x=images, y=images.mean(axis=(1, 2, 3)) > 99.5)
    texts, rows = ["text,y"], ["a,category,y"]
    for number in range(600):
        words = chance.choice(["good", "bad", "it", "was", "a", "film"], chance.integers(3, 40))
        texts.append(f"{' '.join(words)} {number},{'yes' if words[0] == 'good' else 'no'}")
        category = chance.integers(60)
        rows.append(f"{chance.normal():.3f},c{category},{category > 30}")
    (folder / "texts.csv").write_text("\n".join(texts) + "\n")
    (folder / "table.csv").write_text("\n".join(rows) + "\n")


def write(name: str) -> str:
    section, layers = NETWORKS[name]
    Path("net.yaml").write_text(f"{section}\nlayers: {layers}{REST}")
    return "net.yaml"


@pytest.mark.parametrize("name", NETWORKS)
def test_a_run_repeats_to_the_bit(nettool: Nettool, data: None, name: str) -> None:
    config = write(name)
    for run in ("first", "second"):
        result = nettool("train", config, "--run-dir", run, "--quiet")
        assert result.code == 0, result.err
    assert_same_run(Path("first"), Path("second"))
    assert json.loads(Path("first/run.json").read_text())["gpu"] == torch.cuda.get_device_name()


@pytest.mark.parametrize("name", ["mnist_cnn", "music_lstm", "music_gpt", "digits", "series"])
def test_an_example_repeats_to_the_bit(nettool: Nettool, name: str) -> None:
    for run in ("first", "second"):
        result = nettool("train", CONFIGS / f"{name}.yaml", "--run-dir", run, "--quiet", "epochs=2")
        assert result.code == 0, result.err
    assert_same_run(Path("first"), Path("second"))


@pytest.mark.parametrize("name", NETWORKS)
def test_a_run_goes_on_to_the_bits_of_an_uncut_one(nettool: Nettool, data: None, name: str) -> None:
    config = write(name)
    assert nettool("train", config, "--run-dir", "whole", "--quiet").code == 0
    assert nettool("train", config, "--run-dir", "part", "--quiet", "epochs=1").code == 0
    result = nettool("train", "--resume", "part", "--quiet", "epochs=3")
    assert result.code == 0, result.err
    assert_same_run(Path("whole"), Path("part"))


@pytest.mark.parametrize("name", NETWORKS)
def test_a_run_is_evaluated_and_verified_to_the_bit(nettool: Nettool, data: None, name: str) -> None:
    assert nettool("train", write(name), "--run-dir", "run", "--quiet").code == 0
    recorded = json.loads(Path("run/run.json").read_text())["metrics"]
    answer = json.loads(nettool("eval", "run", "--split", "validation", "--json").out)
    measured = {"validation_loss": answer["loss"], **answer["metrics"]}
    assert {key: measured[key] for key in recorded} == recorded
    result = nettool("verify", "run")
    assert result.code == 0, result.err
    assert "to train again would give the same bits" in result.out


def test_kernels_that_may_differ_are_told_of(nettool: Nettool, data: None) -> None:
    config = write("cnn")
    assert nettool("train", config, "--run-dir", "run", "--quiet", "runtime.deterministic=false").code == 0
    out = nettool("verify", "run").out
    assert "made with kernels that may differ each time (runtime.deterministic: false)" in out
    assert "the same bits" not in out


def test_a_run_from_cuda_goes_on_on_the_cpu_and_says_so(nettool: Nettool, data: None) -> None:
    assert nettool("train", write("lstm"), "--run-dir", "run", "--quiet", "epochs=1").code == 0
    result = nettool("train", "--resume", "run", "--device", "cpu", "epochs=2")
    assert result.code == 0, result.err
    assert "note: the run began on device cuda (here cpu): the last digits may differ" in result.err


def test_memory_that_runs_out_names_the_layer_and_a_batch_that_fits(nettool: Nettool, data: None) -> None:
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction((1 << 29) / torch.cuda.get_device_properties(0).total_memory)
    try:
        wide = "layers=[{conv2d: 512}, {conv2d: 512}, flatten, output]"
        result = nettool("train", write("cnn"), "--run-dir", "run", "--quiet", wide, "batch_size=400")
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
        torch.cuda.empty_cache()
    assert result.code == 4, (result.code, result.err)
    assert re.search(
        r"nettool: out of memory in layers\.\d \(.*\), .* GB more: .* Try `batch_size: \d+`", result.err
    ), result.err
    assert result.err.count("\n") == 1, result.err


def test_divergence_names_the_layer(nettool: Nettool, data: None) -> None:
    result = nettool("train", write("table"), "--run-dir", "run", "--quiet", "optimizer={name: sgd, lr: 1e30}")
    assert result.code == 3, result.err
    assert "at or before step" in result.err or "out of the finite numbers" in result.err
    assert "layers." in result.err or "every layer" in result.err
    assert json.loads(Path("run/run.json").read_text())["status"] == "diverged"


class Sums(library.LayerSettings):
    """A layer whose kernel on cuda adds in any order."""

    def output_features(self, features: int) -> int:
        return features


class SumsModule(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        bins = torch.arange(x.shape[1], device=x.device) // 2
        return torch.zeros_like(x).put_(bins.expand(len(x), -1).flatten(), x.flatten(), accumulate=False)


def test_a_layer_that_has_no_deterministic_kernel_is_answered(
    nettool: Nettool, data: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CUSTOM_LAYERS, "sums", Sums)
    monkeypatch.setitem(CUSTOM_BUILDERS, "sums", lambda spec, features: SumsModule())
    config = write("table")
    result = nettool("train", config, "--run-dir", "run", "--quiet", "layers=[{dense: 8}, sums, output]")
    assert result.code == 2, (result.code, result.err)
    assert "has no kernel on cuda that gives the same bits each time" in result.err
