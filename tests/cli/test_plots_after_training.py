"""`nettool train --plots`."""

from __future__ import annotations

import json
from pathlib import Path

from nettool.workflows.pictures.draw import TELLING
from nettool.workflows.pictures.kinds import KINDS
from tests.cli.conftest import Nettool
from tests.cli.test_plot import OF_ALL, OF_CLASSES, RUN, names


def test_what_is_drawn_after_each_training_is_among_the_kinds() -> None:
    assert set(TELLING) < set(KINDS)


def test_training_draws_at_the_end_where_that_is_asked_for(nettool: Nettool, config: Path) -> None:
    result = nettool("train", config, "--plots", "epochs=2")
    assert result.code == 0
    assert result.out == f"{RUN}\n"
    telling = (OF_CLASSES | OF_ALL) & set(TELLING)
    assert f"{len(telling)} pictures in {RUN}/plots" in result.err
    assert names(RUN / "plots") == telling
    assert not names(RUN / "plots", ".svg")


def test_a_run_that_is_done_gets_the_pictures_that_it_lacks_and_no_others_are_touched(
    nettool: Nettool, config: Path
) -> None:
    nettool("train", config, "--quiet", "epochs=2")
    result = nettool("train", config, "--skip-done", "--plots", "epochs=2")
    assert result.code == 0
    assert result.out == f"{RUN}\n"
    telling = (OF_CLASSES | OF_ALL) & set(TELLING)
    assert names(RUN / "plots") == telling
    assert f"{len(telling)} more pictures in {RUN}/plots" in result.err
    (RUN / "plots/roc.png").unlink()
    (RUN / "plots/curves.png").write_bytes(b"as it was")
    result = nettool("train", config, "--skip-done", "--plots", "epochs=2")
    assert f"1 more picture in {RUN}/plots" in result.err
    assert (RUN / "plots/roc.png").stat().st_size > 1000
    assert (RUN / "plots/curves.png").read_bytes() == b"as it was"
    assert f"its pictures are in {RUN}/plots" in nettool("train", config, "--skip-done", "--plots", "epochs=2").err


def test_nothing_is_trained_so_nothing_is_drawn(nettool: Nettool, config: Path) -> None:
    result = nettool("train", config, "--dry-run", "--plots")
    assert result.code == 2
    assert "leave --plots out" in result.err
    assert not Path("runs").exists()


def test_a_run_that_diverged_has_its_curves(nettool: Nettool, config: Path) -> None:
    result = nettool("train", config, "--plots", "--quiet", "optimizer={name: sgd, lr: 1e20}")
    assert result.code == 3
    assert result.out == f"{RUN}\n"
    assert json.loads((RUN / "run.json").read_text())["status"] == "diverged"
