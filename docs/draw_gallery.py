"""The pictures of docs/gallery.md: `python docs/draw_gallery.py` trains the examples and draws each kind of one."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from nettool.analysis.activations import responses
from nettool.plots.activations import activations
from nettool.plots.figures import as_png

HERE = Path(__file__).parent
GALLERY = HERE / "gallery"
CONFIGS = HERE.parent / "configs"
NETTOOL = Path(sys.executable).with_name("nettool")


@dataclass(frozen=True)
class Shown:
    """Pictures of one example. changes: to its config, for a network that is small and quick. of: what the names of
    these pictures end in, where there is one of that kind already.
    """

    config: str
    kinds: tuple[str, ...]
    changes: tuple[str, ...] = ()
    of: str = ""


SHOWN = (
    Shown("digits", ("curves", "confusion", "weights", "activations", "gradients", "line")),
    Shown("digits", ("mistakes",), of="-of-pixels"),
    Shown("circles", ("boundary",)),
    Shown("will_i_pass", ("network", "landscape", "roc", "pr", "calibration", "gains", "mistakes")),
    Shown("diabetes", ("importance", "predicted-vs-true", "residuals")),
    Shown("digits_cnn", ("filters",)),
    Shown("mnist_cnn", ("importance",), ("epochs=4",), of="-of-images"),
    Shown("music_lstm", ("embeddings", "samples"), ("layers.0.width=24", "layers.1.units=128", "epochs=15")),
    Shown(
        "music_gpt",
        ("attention",),
        ("layers.0.width=64", "layers.2.times=2", "layers.2.layers.0.heads=2", "data.text.length=64", "epochs=20"),
    ),
)


_DEEP = ("dropout=0", "epochs=30", "early_stopping=null", "optimizer.lr=0.002")
_BLOCK = "residual: {layers: [dense: 16, dense: {units: 16, activation: linear}]}"
OTHERS = {
    "another_seed": ("digits", "seed=1"),
    "plain": ("digits", *_DEEP, "layers=[dense: 16, repeat: {times: 12, layers: [dense: 16, dense: 16]}, output]"),
    "residual": (
        "digits",
        *_DEEP,
        f"layers=[dense: 16, repeat: {{times: 12, layers: [{_BLOCK}, activation: relu]}}, output]",
    ),
}
"""Runs that are there to be compared: the example and what is changed about it. The last two are 26 layers deep and 16
neurons narrow, one of them with a shortcut around every second layer.
"""
COMPARED = {
    "line-between": ("digits", "line", "--with", "another_seed"),
    "landscape-beside": ("plain", "landscape", "--beside", "residual"),
}
"""Pictures of two runs, by the name of the file."""


def main() -> None:
    """Train each in a temporary folder, and replace the pictures."""
    for path in GALLERY.glob("*.png"):
        path.unlink()
    (GALLERY / "activation-functions.png").write_bytes(as_png(activations(responses())))
    for shown in SHOWN:
        with tempfile.TemporaryDirectory() as folder:
            _train(folder, shown.config, shown.config, *shown.changes)
            _draw(folder, shown.config, *shown.kinds)
            for path in Path(folder, "pictures").iterdir():
                shutil.copyfile(path, GALLERY / f"{path.stem}{shown.of}.png")
    with tempfile.TemporaryDirectory() as folder:
        _train(folder, "digits", "digits")
        for name, (config, *changes) in OTHERS.items():
            _train(folder, config, name, *changes)
        for name, (run, kind, *options) in COMPARED.items():
            _draw(folder, run, kind, *options)
            shutil.copyfile(Path(folder, "pictures", f"{kind}.png"), GALLERY / f"{name}.png")
        _photograph_report(folder)


def _photograph_report(folder: str) -> None:
    """The top of a page of `nettool report`, as a browser shows it."""
    run = "runs/overfit-0001"
    _train(folder, "overfit", run)
    _nettool(folder, "report", run)
    browser = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1180,805"]
    page = Path(folder, run, "report.html").as_uri()
    subprocess.run([*browser, f"--screenshot={GALLERY / 'report.png'}", page], check=True)


def _train(folder: str, config: str, run: str, *changes: str) -> None:
    _nettool(folder, "train", str(CONFIGS / f"{config}.yaml"), *changes, "--run-dir", run, "--quiet")


def _draw(folder: str, run: str, *what: str) -> None:
    _nettool(folder, "plot", run, *what, "--format", "png", "--to", "pictures")


def _nettool(folder: str, *command: str) -> None:
    subprocess.run([NETTOOL, *command], cwd=folder, check=True)


if __name__ == "__main__":
    main()
