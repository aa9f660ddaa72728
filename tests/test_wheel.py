"""The wheel, as a user meets it: built, installed in a new environment, used outside of the checkout."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

pytestmark = pytest.mark.wheel


def output_of(command: Sequence[str | Path], folder: Path) -> str:
    """Run a command in a folder; give back its standard output, or fail with all that it said."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.fail(f"{' '.join(map(str, command))} gave {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    output_of([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT], folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def nettool(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `nettool` command of a new environment that has the wheel, what it depends on, and nothing else."""
    environment = tmp_path_factory.mktemp("environment")
    venv.create(environment, with_pip=True)
    pip = environment / "bin" / "pip"
    output_of([pip, "install", "--quiet", "--constraint", ROOT / "constraints.txt", wheel], environment)
    return environment / "bin" / "nettool"


def test_wheel_has_two_packages_and_nothing_else_at_the_top(wheel: Path) -> None:
    names = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    version = wheel.name.split("-")[1]
    assert names == {"nettool", "nettool_cli", f"nettool-{version}.dist-info"}


def test_wheel_carries_every_example_and_its_data(wheel: Path) -> None:
    prefix = "nettool/templates/"
    templates = {name.removeprefix(prefix) for name in zipfile.ZipFile(wheel).namelist() if prefix in name}
    configs = ROOT / "configs"
    examples = [file.relative_to(configs) for file in configs.rglob("*") if file.is_file()]
    assert templates == {file.as_posix() for file in examples if "__pycache__" not in file.parts}


def test_installed_wheel_trains_and_evaluates_a_template_outside_of_the_checkout(nettool: Path, tmp_path: Path) -> None:
    output_of([nettool, "init", "will_i_pass"], tmp_path)
    assert (tmp_path / "will_i_pass.yaml").is_file()
    assert (tmp_path / "data" / "will_i_pass.csv").is_file()

    run = tmp_path / output_of([nettool, "train", "will_i_pass.yaml"], tmp_path).strip()
    assert (run / "best.safetensors").is_file()

    assert "accuracy" in output_of([nettool, "eval", run], tmp_path)
    page = tmp_path / output_of([nettool, "report", run], tmp_path).strip()
    assert "</html>" in page.read_text(), "the template, style and script of the page are in the wheel"
