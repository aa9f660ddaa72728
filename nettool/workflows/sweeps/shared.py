"""Data that several trainings share are read and encoded once."""

from __future__ import annotations

from nettool.config.data import DataSpec
from nettool.config.losses import LossSpec
from nettool.data.bundle import TrainingData
from nettool.data.prepare import prepare


class SharedData:
    """What was read last, and no more: a sweep over `data.limit` or folds would hold all of them in memory."""

    def __init__(self) -> None:
        self._key = ""
        self._data: TrainingData | None = None

    def key(self, spec: DataSpec, loss: LossSpec) -> str:
        """Equal where the data are. How a target is read depends on the kind of the loss alone."""
        return f"{loss.name} {spec.model_dump_json()}"

    def read(self, spec: DataSpec, loss: LossSpec, *, rows: int | None = None) -> TrainingData:
        """What training needs of the data, as `nettool.data.prepare.prepare`."""
        key = f"{rows} {self.key(spec, loss)}"
        if self._data is None or key != self._key:
            self._data = None  # before others take its place in memory
            self._key, self._data = key, prepare(spec, loss, rows=rows)
        return self._data
