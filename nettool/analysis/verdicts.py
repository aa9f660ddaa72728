"""What an examination of a run may find."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Verdict:
    """Something is the matter. name: in a word or two. text: what it is, a sentence. evidence: what was measured, a
    sentence each. cure: what to change, as lines of the config, each with its reason behind a `#`.
    """

    name: str
    text: str
    evidence: tuple[str, ...]
    cure: str
