"""The pictures of docs/gallery.md: `python docs/draw_gallery.py` trains the examples and draws each kind of one."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from nettool.analysis.activations import responses
from nettool.plots.activations import activations
from nettool.plots.figures import as_png

HERE = Path(__file__).parent
GALLERY = HERE / "gallery"
CONFIGS = HERE.parent / "configs"
NETTOOL = Path(sys.executable).with_name("nettool")
SHOWN = {
    "digits": ("curves", "confusion", "weights", "activations", "gradients", "line"),
    "circles": ("boundary",),
    "will_i_pass": ("network", "landscape", "roc", "pr", "calibration", "gains", "mistakes"),
    "diabetes": ("importance", "predicted-vs-true", "residuals"),
}
"""Which pictures are of which example."""
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
    """Train in a temporary folder, and replace the pictures."""
    for path in GALLERY.glob("*.png"):
        path.unlink()
    (GALLERY / "activation-functions.png").write_bytes(as_png(activations(responses())))
    with tempfile.TemporaryDirectory() as folder:

        def nettool(*command: object) -> None:
            subprocess.run([NETTOOL, *map(str, command)], cwd=folder, check=True)

        for name, kinds in SHOWN.items():
            nettool("train", CONFIGS / f"{name}.yaml", "--run-dir", name, "--quiet")
            nettool("plot", name, *kinds, "--format", "png", "--to", GALLERY)
        for name, (config, *changes) in OTHERS.items():
            nettool("train", CONFIGS / f"{config}.yaml", *changes, "--run-dir", name, "--quiet")
        for name, (run, kind, *options) in COMPARED.items():
            nettool("plot", run, kind, *options, "--format", "png", "--to", name)
            shutil.copyfile(Path(folder) / name / f"{kind}.png", GALLERY / f"{name}.png")


if __name__ == "__main__":
    main()
