"""Which options say something to which kinds of pictures, and to each other: one that nothing heeds is a mistake."""

from __future__ import annotations

from collections.abc import Sequence

from nettool.errors import UsageError
from nettool.workflows.pictures.subject import Wishes

OF_ALL_EXAMPLES = (
    "curves",
    "network",
    "weights",
    "activations",
    "gradients",
    "landscape",
    "line",
    "embeddings",
    "samples",
)
"""Of the training itself, of the network, or of training examples: --split makes no difference to them."""


def check_heeded(wishes: Wishes, names: Sequence[str]) -> None:
    """Raise UsageError for options that leave each other without effect, and for one that is for none of these kinds.

    Without any names all kinds are meant.
    """
    if wishes.weights and wishes.directions != "auto":
        raise UsageError("a landscape is either over two --weights or in --directions: leave one of them out.")
    if wishes.others and wishes.directions == "random":
        raise UsageError("--with: a way lies nowhere near two random directions. Leave --directions random out.")
    if not names:
        return
    asked = {
        "--features": (wishes.features, ("boundary",)),
        "--directions": (wishes.directions != "auto", ("landscape",)),
        "--weights": (wishes.weights, ("landscape",)),
        "--with": (wishes.others, ("landscape", "line")),
        "--beside": (wishes.beside, ("landscape",)),
    }
    for option, (is_given, kinds) in asked.items():
        if is_given and not set(kinds) & set(names):
            raise UsageError(f"{option} is for {' and '.join(kinds)}, and makes no difference to {_list(names)}.")
    if wishes.split is not None and set(names) <= set(OF_ALL_EXAMPLES):
        raise UsageError(f"--split is for pictures of single examples, and makes no difference to {_list(names)}.")


def _list(names: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(names))
