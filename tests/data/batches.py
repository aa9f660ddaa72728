"""Batches to look at together."""

from collections.abc import Iterable

from nettool.data.dataset import Batch


def copies(batches: Iterable[Batch]) -> list[Batch]:
    """Each is good until the next is taken."""
    return [Batch(*(None if part is None else part.clone() for part in batch)) for batch in batches]
