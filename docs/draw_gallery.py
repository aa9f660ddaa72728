"""The pictures of docs/gallery.md: `python docs/draw_gallery.py` trains the examples and draws each kind of one."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
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
    Shown("digits", ("curves", "confusion", "weights", "activations", "gradients")),
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


def main() -> None:
    """Train each in a temporary folder, and replace the pictures."""
    gallery = HERE / "gallery"
    for path in gallery.glob("*.png"):
        path.unlink()
    for shown in SHOWN:
        with tempfile.TemporaryDirectory() as folder:
            for command in (
                ["train", CONFIGS / f"{shown.config}.yaml", *shown.changes, "--run-dir", shown.config, "--quiet"],
                ["plot", shown.config, *shown.kinds, "--format", "png", "--to", "pictures"],
            ):
                subprocess.run([NETTOOL, *map(str, command)], cwd=folder, check=True)
            for path in Path(folder, "pictures").iterdir():
                (gallery / f"{path.stem}{shown.of}.png").write_bytes(path.read_bytes())


if __name__ == "__main__":
    main()
