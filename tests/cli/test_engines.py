"""The step's engine as users meet it: recorded, forced, changed on the way."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import CONFIGS, Nettool
from tests.same_run import journal

RUN = Path("runs/students-0001")


def engine_of(run: Path) -> str:
    engine: str = json.loads((run / "run.json").read_text())["engine"]
    return engine


def files_of(run: Path) -> dict[str, bytes]:
    """All but the lock, which says who had it last."""
    return {path.name: path.read_bytes() for path in run.iterdir() if path.name != ".lock"}


def test_a_run_says_which_engine_trained_it(nettool: Nettool, config: Path) -> None:
    assert nettool("train", config, "--quiet", "epochs=2").code == 0
    assert engine_of(RUN) == "closed_form"
    assert nettool("train", config, "--quiet", "epochs=2", "runtime.engine=autograd").code == 0
    assert engine_of(Path("runs/students-0002")) == "autograd"


def test_both_engines_learn_the_same_from_the_same_masks(nettool: Nettool, config: Path) -> None:
    for engine in ("closed_form", "autograd"):
        assert nettool("train", config, "--quiet", "epochs=3", "dropout=0.3", f"runtime.engine={engine}").code == 0
    losses = [[float(row[2]) for row in journal(Path(f"runs/students-000{number}"))[1:]] for number in (1, 2)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adadelta", "adagrad", "rmsprop"])
def test_a_run_goes_on_with_another_engine_and_says_so(nettool: Nettool, config: Path, optimizer: str) -> None:
    nettool("train", config, "--quiet", "epochs=4", f"optimizer={optimizer}")
    nettool("train", config, "--quiet", "epochs=2", f"optimizer={optimizer}")
    run = Path("runs/students-0002")
    result = nettool("train", "--resume", run, "epochs=4", "runtime.engine=autograd")
    assert result.code == 0
    assert "note: the run was made with engine closed_form (here autograd) so far" in result.err
    uncut, changed = ([float(row[2]) for row in journal(path)[1:]] for path in (RUN, run))
    assert changed == pytest.approx(uncut, rel=1e-4)
    assert "engine closed_form (here autograd)" in nettool("verify", run).out


def test_a_layer_without_a_closed_form_is_named_with_its_line(nettool: Nettool, folder: Path) -> None:
    text = (CONFIGS / "digits_cnn.yaml").read_text().replace("data/", f"{CONFIGS}/data/")
    Path("cnn.yaml").write_text(text + "runtime: {engine: closed_form}\n")
    line = len(text.splitlines()) + 1
    for command in (["train"], ["train", "--dry-run"], ["check"]):
        result = nettool(*command, "cnn.yaml")
        assert result.code == 2
        assert f"cnn.yaml:{line}:11  runtime.engine: there is a closed form of dense, " in result.err
        assert "none of layers.0 (reshape)." in " ".join(result.err.split())
    assert not Path("runs").exists()


def test_a_complete_run_stays_as_it_is_whatever_would_train_it(nettool: Nettool, config: Path) -> None:
    nettool("train", config, "--quiet", "epochs=2")
    before = files_of(RUN)
    result = nettool("train", "--resume", RUN, "runtime.engine=autograd", "checkpoint=5 epochs")
    assert result.code == 0
    assert "is complete" in result.err
    assert files_of(RUN) == before


def test_the_engine_stands_in_the_first_line(nettool: Nettool, config: Path) -> None:
    assert "cpu, 1 thread, closed form\n" in nettool("train", config, "epochs=1").err
    assert "cpu, 1 thread, autograd\n" in nettool("train", config, "epochs=1", "runtime.engine=autograd").err


def test_what_bfloat16_trained_evaluates_to_the_same_bits(nettool: Nettool, config: Path) -> None:
    assert nettool("train", config, "--quiet", "epochs=2", "runtime.precision=bfloat16").code == 0
    assert engine_of(RUN) == "autograd in bfloat16"
    assert "the same to the bit" in nettool("verify", RUN).out


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_a_compiled_run_learns_what_the_others_learn(nettool: Nettool, config: Path) -> None:
    settings = ("--quiet", "epochs=2", "dropout=0.3", "batch_size=64", "runtime.engine=autograd")
    assert nettool("train", config, *settings).code == 0
    result = nettool("train", config, *settings[1:], "runtime.compile=true")
    assert result.code == 0
    assert "note: compiled in " in result.err
    run = Path("runs/students-0002")
    assert engine_of(run) == "compiled"
    plain, compiled = ([float(row[2]) for row in journal(path)[1:]] for path in (RUN, run))
    assert compiled == pytest.approx(plain, rel=1e-4)


def test_without_a_compiler_the_cure_is_told(
    nettool: Nettool, config: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import torch._inductor.config

    monkeypatch.setattr(torch._inductor.config.cpp, "cxx", (None, "no-such-compiler"))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))
    torch.compiler.reset()
    result = nettool("train", config, "--quiet", "epochs=2", "runtime.compile=true", "layers.0.units=7")
    assert result.code == 2
    assert "On the cpu it needs a C++ compiler, g++ or clang++. Without compiling: runtime.compile=false" in result.err


def test_a_loss_that_is_not_finite_while_compiling_is_a_divergence(
    nettool: Nettool, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(torch, "compile", lambda function, **settings: function)
    result = nettool("train", config, "--quiet", "runtime.compile=true", "optimizer={name: sgd, lr: 1e38}", "epochs=2")
    assert result.code == 3
    weights = "layers.0.weights=[[1e38, 1e38, 1e38, 1e38]]"
    result = nettool("train", config, "--quiet", "runtime.compile=true", "layers.0.units=1", weights)
    assert result.code == 3, result.err
    assert "(output) is not finite" in result.err or "(dense) is not finite" in result.err


def test_memory_that_runs_out_in_the_closed_form_names_the_layer(
    nettool: Nettool, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nettool.training.closed_form import units

    def fail(*arguments: object, **settings: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8000000 bytes.")

    monkeypatch.setattr(units.Product, "__init__", fail)
    result = nettool("train", config, "--quiet")
    assert result.code == 4
    assert "out of memory in layers.0 (dense)" in result.err
