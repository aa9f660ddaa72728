"""Data that several trainings share are read and encoded once."""

from __future__ import annotations

from nettool.config.data import DataSpec
from nettool.config.losses import LossSpec
from nettool.data.bundle import TrainingData
from nettool.data.prepare import prepare

MOST_KEPT = 4
"""Of different data: a sweep over `data.limit` need not hold all of them in memory."""


class SharedData:
    """What was read last. `read` stands for `nettool.data.prepare.prepare`."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str, int | None], TrainingData] = {}

    def read(self, spec: DataSpec, loss: LossSpec, *, rows: int | None = None) -> TrainingData:
        """What training needs of the data. How a target is read depends on the kind of the loss alone."""
        key = (spec.model_dump_json(), loss.name, rows)
        if key not in self._kept:
            while len(self._kept) >= MOST_KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = prepare(spec, loss, rows=rows)
        return self._kept[key]
