"""From the blocks of a page to HTML that needs nothing else, and lets nothing else in."""

from __future__ import annotations

import base64
import hashlib
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from nettool.workflows.report.blocks import Page, shown

FOLDER = Path(__file__).parent
GENERATOR = '<meta name="generator" content="nettool'
"""How a page of ours is known again: it stands in its first lines."""


def as_html(page: Page) -> str:
    """The same page gives the same text. Whatever is no part of the template is escaped."""
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_harmless,
    )
    style, script = ((FOLDER / name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
    policy = f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)}"
    return environment.get_template("template.html.j2").render(
        page=page,
        policy=f"{policy}; base-uri 'none'; form-action 'none'",
        style=style,
        script=script,
        version=version("nettool"),
    )


def _harmless(value: Any) -> Any:
    """Texts, before they are escaped; what is markup by now stays as it is."""
    return shown(value) if type(value) is str else value


def _hash(text: str) -> str:
    """By which a browser knows our own style and script, and refuses any other."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
