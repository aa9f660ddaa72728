"""nettool from Python: the same workflows as the command line, with pandas and torch objects."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from nettool.analysis.verdicts import Verdict
from nettool.config.layers import CUSTOM_LAYERS, LAYERS, LayerSettings
from nettool.config.load import Loaded, load_mapping
from nettool.config.load import load as load_config
from nettool.errors import DataError, InterruptedRun, UsageError
from nettool.model.compile import CUSTOM_BUILDERS
from nettool.runs.directory import RunDirectory
from nettool.runs.find import find_run
from nettool.runs.journal import read_record
from nettool.runs.sweeps import SweepDirectory
from nettool.workflows import evaluate as evaluation
from nettool.workflows import generate as generation
from nettool.workflows import predict as prediction
from nettool.workflows import train as training
from nettool.workflows.diagnosis.diagnose import diagnose
from nettool.workflows.pictures.draw import check_kinds
from nettool.workflows.pictures.kinds import KINDS
from nettool.workflows.pictures.options import check_heeded
from nettool.workflows.pictures.subject import Subject, Wishes
from nettool.workflows.prepare import prepare_training
from nettool.workflows.report import report as reporting
from nettool.workflows.sweeps import sweep as sweeping
from nettool.workflows.sweeps.points import Request
from nettool.workflows.sweeps.watch import SweepWatcher
from nettool.workflows.trained import Trained, load_trained
from nettool.workflows.watch import Watcher

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from torch import nn

    from nettool.config.data import SplitName

Overrides = Mapping[str, Any] | Sequence[str]
"""{"optimizer.lr": 0.01}, or ["optimizer.lr=0.01"] as on the command line."""


class Run:
    """A run directory: what was asked, what happened, and the trained network."""

    def __init__(self, directory: RunDirectory) -> None:
        self._directory = directory

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r}, {self.record['status']})"

    @property
    def path(self) -> Path:
        """The run directory."""
        return self._directory.path

    @property
    def record(self) -> dict[str, Any]:
        """run.json: status, versions, times, best epoch, final metrics."""
        return read_record(self._directory)

    @property
    def metrics(self) -> pd.DataFrame:
        """metrics.csv: a row an epoch."""
        import pandas as pd

        return pd.read_csv(self._directory.metrics)

    @cached_property
    def _trained(self) -> Trained:
        return load_trained(self.path)

    @property
    def network(self) -> nn.Module:
        """The network with its best weights, in evaluation mode: float [batch, width] in, logits out."""
        return self._trained.network

    def predict(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The frame with the columns of the predictions appended; its index is kept.

        Raises DataError where a feature is missing or a value does not read as what training saw.
        """
        if not hasattr(frame, "columns"):
            raise UsageError(f"predict takes a pandas DataFrame, not {type(frame).__name__}: pandas.DataFrame([...])")
        names = [name for name in prediction.feature_names(self._trained) if name in frame.columns]
        try:
            table = pa.Table.from_pandas(frame[names], preserve_index=False)
        except pa.ArrowException as error:
            raise DataError(f"the frame holds values of several types in one column: {error}") from None
        added = prediction.predicted_columns(self._trained, table, "the frame")
        prediction.check_names(added, frame.columns, "the frame")
        return frame.assign(**{name: column.to_pandas().to_numpy() for name, column in added.items()})

    def generate(self, prompt: str = "", length: int = 400, temperature: float = 1.0, seed: int = 0) -> str:
        """The prompt and what the network writes after it: `length` characters, bytes or words.

        Raises UsageError for a run that does not predict the next token, and for a prompt with unknown characters.
        """
        return "".join(generation.generate(self._trained, prompt, length, temperature, seed))

    def evaluate(self, split: SplitName | None = None, file: str | Path | None = None) -> evaluation.Evaluation:
        """Measure the best weights on a split (default: test) or on another file."""
        return evaluation.evaluate(self._trained, split=split, file=Path(file) if file else None)

    def plot(self, kind: str, split: SplitName | None = None, features: Sequence[str] = ()) -> Figure:
        """A picture of this kind as a matplotlib figure; see `nettool plot --kinds`.

        split: of which examples (default: validation). features: the two of a boundary. Raises UsageError for a kind
        that there is not, or that says nothing of this run, and for what makes no difference to it.
        """
        check_kinds([kind])
        wishes = Wishes(split, tuple(features))
        check_heeded(wishes, [kind])
        return KINDS[kind].draw(Subject(self._directory, wishes))

    def diagnose(self) -> tuple[Verdict, ...]:
        """What is the matter with the run, with the evidence and what to change; () where nothing is."""
        return diagnose(Subject(self._directory, Wishes()))

    def report(self, to: str | Path | None = None, split: SplitName | None = None) -> Path:
        """Write all about the run as one page of HTML (default: report.html in its directory); return its path.

        split: of which examples (default: validation). Raises UsageError where another file would be replaced.
        """
        return reporting.report([self.path], Path(to) if to else None, split).path


class Sweep:
    """A sweep's directory: its points, what they reached, and the best of them."""

    def __init__(self, directory: SweepDirectory) -> None:
        self._directory = directory

    def __repr__(self) -> str:
        return f"Sweep({str(self.path)!r})"

    @property
    def path(self) -> Path:
        """The sweep's directory."""
        return self._directory.path

    @property
    def results(self) -> pd.DataFrame:
        """sweep.csv: a row a point, with what was varied, its status and its metrics."""
        import pandas as pd

        return pd.read_csv(self._directory.table)

    @property
    def best(self) -> Run:
        """The best point of the best setting. Raises RunError where none has come to its end."""
        return Run(find_run(self.path))

    def report(self, to: str | Path | None = None) -> Path:
        """Write a page of HTML that puts its points beside each other; return its path, as that of a run."""
        return reporting.report([self.path], Path(to) if to else None).path


def sweep(
    config: str | Path,
    ranges: Sequence[str] = (),
    *,
    seeds: int | None = None,
    folds: int | None = None,
    random: int | None = None,
    sweep_dir: str | Path | None = None,
) -> Sweep:
    """Train a config with every combination of what is varied, as `nettool sweep` does.

    ranges: as they are typed there, ["optimizer.lr=1e-4..1e-1:log:16", "dropout=0,0.5"].

    A point that diverges or fails is told in `results`. Raises NettoolError for mistakes of any point, before anything
    is trained, and where the disk refuses.
    """
    request = Request(tuple(ranges), seeds, folds, random)
    outcome = sweeping.sweep(Path(config), request, SweepWatcher(), Path(sweep_dir) if sweep_dir else None)
    if isinstance(outcome.error, InterruptedRun):
        raise outcome.error
    return Sweep(outcome.directory)


def train(
    config: str | Path | Mapping[str, Any],
    overrides: Overrides = (),
    *,
    run_dir: str | Path | None = None,
    watcher: Watcher | None = None,
) -> Run:
    """Train from a config file, or from the same as nested dicts and lists; return the finished run.

    run_dir: the run's directory, instead of the next free one under runs/. watcher: told how it goes.

    Raises NettoolError for mistakes, divergence and interruption; the run directory then holds what was learned up to
    there.
    """
    outcome = training.train(
        prepare_training(_loaded(config, overrides)),
        watcher or Watcher(),
        Path(run_dir) if run_dir else None,
    )
    if outcome.error is not None:
        raise outcome.error
    return Run(outcome.run)


def resume(run: str | Path | None = None, overrides: Overrides = (), *, watcher: Watcher | None = None) -> Run:
    """Go on with a run, the newest where none is named, as if it had never stopped; return it when it has ended.

    overrides: how far it goes, {"epochs": 200} or {"early_stopping.patience": 50}. Raises NettoolError as `train` does.
    """
    outcome = training.resume(Path(run) if run else None, _texts(overrides), watcher or Watcher())
    if outcome.error is not None:
        raise outcome.error
    return Run(outcome.run)


def load(run: str | Path | None = None) -> Run:
    """A run that is there already: its directory or its name under runs/; the newest where nothing is said."""
    return Run(find_run(Path(run) if run else None))


def register_layer(name: str, spec: type[LayerSettings], build: Callable[[Any, int], nn.Module]) -> None:
    """Add a layer that configs may name from now on, in this process.

    spec: its settings, a subclass of nettool.LayerSettings, whose methods also tell the layer's width and size. build:
    takes the settings and the number of input features, returns a module float [batch, features] to
    float [batch, spec.output_features(features)]. Its weights are drawn by the module itself. Raises UsageError where
    the name is taken or no name.
    """
    if not name.isidentifier():
        raise UsageError(f"{name!r} can't be a layer's name: use letters, digits and _.")
    if name in LAYERS or name in CUSTOM_LAYERS:
        raise UsageError(f"there is a layer {name} already; choose another name.")
    CUSTOM_LAYERS[name] = spec
    CUSTOM_BUILDERS[name] = build


def _plain(value: Any) -> Any:
    """Paths as text, numbers of numpy as Python's."""
    return value.item() if hasattr(value, "item") else str(value)


def _texts(overrides: Overrides) -> Sequence[str]:
    """As they are written on a command line."""
    if isinstance(overrides, Mapping):
        return [f"{key}={json.dumps(value, default=_plain)}" for key, value in overrides.items()]
    return overrides


def _loaded(config: str | Path | Mapping[str, Any], overrides: Overrides) -> Loaded:
    overrides = _texts(overrides)
    if isinstance(config, Mapping):
        return load_mapping(config, overrides)
    return load_config(Path(config), overrides)
