"""A real browser, without a window: what it makes of a page, what it says of it, whom it asks for more."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

PROGRAM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)

needs_chromium = pytest.mark.skipif(not PROGRAM, reason="no chromium is installed, which looks at pages")


class Browser:
    """folder: for its profile, and for copies of pages."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open(self, page: Path, *flags: str) -> tuple[str, list[str]]:
        """The document as it stands after its scripts ran, and the lines on its console."""
        command = [
            PROGRAM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
            "--enable-logging=stderr", "--v=0", f"--user-data-dir={self._folder / 'profile'}", *flags, "--dump-dom",
        ]  # fmt: skip
        done = subprocess.run([*command, page.as_uri()], capture_output=True, text=True, timeout=120, check=False)
        assert "</html>" in done.stdout, done.stderr
        return done.stdout, [line for line in done.stderr.splitlines() if ":CONSOLE" in line]

    def ask(self, page: Path, script: str, width: int = 1280, is_dark: bool = False) -> Any:
        """What a function of this body returns in the page, which is a frame of so many pixels."""
        text = page.read_text()
        own = re.sub(r"script-src [^;]*;?[^;]*sha256-[^;]*;", "script-src 'unsafe-inline';", text.replace("&#39;", "'"))
        told = (
            f"<script>addEventListener('load', () => parent.postMessage(JSON.stringify((() => {{{script}}})()), '*'))"
        )
        inner, outer = self._folder / "inner.html", self._folder / "outer.html"
        inner.write_text(own.replace("</body>", f"{told}</script></body>"))
        outer.write_text(
            f"<style>body {{ margin: 0 }} iframe {{ border: 0 }}</style><iframe width={width} height=900 src=inner.html>"
            "</iframe><script>onmessage = (event) => { const answer = document.createElement('pre');"
            "answer.id = 'answer'; answer.textContent = event.data; document.body.append(answer); }</script>"
        )
        scheme = f"--blink-settings=preferredColorScheme={0 if is_dark else 1}"
        document, console = self.open(outer, "--window-size=1400,1000", "--hide-scrollbars", scheme)
        answer = re.search(r'<pre id="answer">(.*?)</pre>', document, re.DOTALL)
        assert answer is not None, console
        return json.loads(html.unescape(answer[1]))
