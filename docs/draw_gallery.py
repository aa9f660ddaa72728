"""The pictures of docs/gallery.md: `python docs/draw_gallery.py` trains the examples and draws each kind of one."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
CONFIGS = HERE.parent / "configs"
NETTOOL = Path(sys.executable).with_name("nettool")
SHOWN = {
    "digits": ("curves", "confusion", "weights", "activations", "gradients"),
    "circles": ("boundary",),
    "will_i_pass": ("network", "landscape", "roc", "pr", "calibration", "gains", "mistakes"),
    "diabetes": ("importance", "predicted-vs-true", "residuals"),
}
"""Which pictures are of which example."""


def main() -> None:
    """Train in a temporary folder, and replace the pictures."""
    for path in (HERE / "gallery").glob("*.png"):
        path.unlink()
    with tempfile.TemporaryDirectory() as folder:
        for name, kinds in SHOWN.items():
            for command in (
                ["train", CONFIGS / f"{name}.yaml", "--run-dir", name, "--quiet"],
                ["plot", name, *kinds, "--format", "png", "--to", HERE / "gallery"],
            ):
                subprocess.run([NETTOOL, *map(str, command)], cwd=folder, check=True)
        _photograph_report(Path(folder))


def _photograph_report(folder: Path) -> None:
    """The top of a page of `nettool report`, as a browser shows it."""
    for command in (["train", CONFIGS / "overfit.yaml", "--quiet"], ["report"]):
        subprocess.run([NETTOOL, *map(str, command)], cwd=folder, check=True)
    browser = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1180,805"]
    page = folder / "runs" / "overfit-0001" / "report.html"
    subprocess.run([*browser, f"--screenshot={HERE / 'gallery' / 'report.png'}", page.as_uri()], check=True)


if __name__ == "__main__":
    main()
