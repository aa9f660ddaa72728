"""The command line, called in this process, in a folder of its own with a small table in it."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from nettool_cli import main

CONFIGS = Path(__file__).parents[2] / "configs"


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


Nettool = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def nettool(folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Nettool:
    def call(*arguments: str | Path) -> Result:
        monkeypatch.setattr(sys, "argv", ["nettool", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as left:
            main.main()
        out, err = capfd.readouterr()
        assert isinstance(left.value.code, int)
        return Result(left.value.code, out, err)

    return call


@pytest.fixture
def table(folder: Path) -> Path:
    """200 students: passed is yes where lectures and hours are many; group alternates."""
    lines = ["lectures,hours,group,passed"]
    for index in range(200):
        lectures, hours = index % 11, (index * 7) % 13
        lines.append(f"{lectures},{hours}.{index % 10},{'ab'[index % 2]},{'yes' if lectures + hours > 10 else 'no'}")
    path = folder / "students.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def config(folder: Path, table: Path) -> Path:
    path = folder / "students.yaml"
    path.write_text(
        "data: {path: students.csv, target: passed}\n"
        "layers:\n"
        "  - dense: 8\n"
        "  - output\n"
        "loss: binary_cross_entropy\n"
        "optimizer: {name: adam, lr: 0.05}\n"
        "epochs: 15\n"
    )
    return path
