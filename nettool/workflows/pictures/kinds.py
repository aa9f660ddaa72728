"""Every kind of picture by its name.

Adding one: a function that registers in one of these collections, its numbers in analysis, its figure in plots.
"""

from __future__ import annotations

from nettool.workflows.pictures.networks import OF_NETWORKS
from nettool.workflows.pictures.registry import Kind
from nettool.workflows.pictures.results import OF_RESULTS

KINDS: dict[str, Kind] = {**OF_RESULTS, **OF_NETWORKS}
