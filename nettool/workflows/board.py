"""What TensorBoard shows of a run: what each epoch measured, how the weights lie, and what was set.

Its three folders are three curves of one chart: `train`, `validation`, and `best`, which has the one epoch whose
weights are kept, and the hyperparameters. The step is the epoch.

A run that goes on begins them anew, so that no epoch is there twice: with what its history knows, and the histograms of
the file before. Times are those of training, the seconds of the epochs behind each other: a pause does not show.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from nettool.config.load import PATH_KEYS
from nettool.errors import UsageError
from nettool.workflows.changes import flat_settings
from nettool.workflows.done import COMPLETE

if TYPE_CHECKING:
    from nettool.runs.directory import RunDirectory
    from nettool.runs.events import EventFile
    from nettool.training.history import EpochResult
    from nettool.training.state import TrainingState
    from nettool.workflows.prepare import Prepared

Events = dict["EventFile", list[bytes]]
"""What is to be added to each file."""
NO_SETTINGS = (("name",), ("runtime",), ("checkpoint",), *(("data", key) for key in PATH_KEYS))
"""Keys that say how and where is trained, not what."""


def check_board() -> None:
    """Before anything is trained. Raises UsageError where tensorboard is not installed."""
    try:
        from nettool.runs import events  # noqa: F401
    except ImportError:
        raise UsageError(
            "--log tensorboard needs tensorboard, which is not installed: pip install 'nettool[tensorboard]'."
        ) from None


def has_histograms(epoch: int) -> bool:
    """Whether an epoch's weights are shown: those of each of the first 32, then of sixteen in every doubling."""
    return epoch % (1 << max(0, epoch.bit_length() - 5)) == 0


class Board:
    """Sees every epoch of one run. What it has seen is written with the next checkpoint, and at the end."""

    def __init__(self, run: RunDirectory, prepared: Prepared, state: TrainingState, record: Mapping[str, Any]) -> None:
        """Begin with what the history knows. record: the run's."""
        from nettool.runs.events import EventFile, begun

        self._network = state.network
        self._start = self._time = datetime.fromisoformat(record["started"]).timestamp()
        self._train, self._best = EventFile(run.events / "train"), EventFile(run.events / "best")
        self._validation = EventFile(run.events / "validation") if state.history.with_validation else None
        self._seen: Events = {}
        kept = self._kept()
        self._best.begin([begun(self._start, settings_of(prepared, record))])
        self._train.begin(self._past(state, kept, self._of_training))
        if self._validation is not None:
            self._validation.begin(self._past(state, {}, self._of_validation))
        self._train_loss: float | None = None
        for result in state.history:
            self._time, self._train_loss = self._time + result.seconds, result.train_loss
        if not state.update and has_histograms(state.epoch) and state.epoch not in kept:
            self._add(self._train, self._histograms(state.epoch))

    def _kept(self) -> dict[int, bytes]:
        """The histograms of the file before, by epoch. A history does not know them."""
        from nettool.runs import events

        return {event.step: event.SerializeToString() for event in self._train.stored() if events.has_histograms(event)}

    def _past(
        self, state: TrainingState, kept: Mapping[int, bytes], measured: Callable[[EpochResult, float], bytes]
    ) -> Iterator[bytes]:
        """Every epoch so far, in one file."""
        time = self._start
        yield from (kept[epoch] for epoch in kept if epoch == 0)
        for result in state.history:
            time += result.seconds
            yield measured(result, time)
            if result.epoch and result.epoch in kept:
                yield kept[result.epoch]

    def see(self, result: EpochResult) -> None:
        """An epoch has ended, and the network is as it was then."""
        self._time, self._train_loss = self._time + result.seconds, result.train_loss
        self._add(self._train, self._of_training(result, self._time))
        if self._validation is not None:
            self._add(self._validation, self._of_validation(result, self._time))
        if result.epoch and has_histograms(result.epoch):  # epoch 0 has been shown as training began
            self._add(self._train, self._histograms(result.epoch))

    def _add(self, file: EventFile, event: bytes) -> None:
        self._seen.setdefault(file, []).append(event)

    def _of_training(self, result: EpochResult, time: float) -> bytes:
        from nettool.runs.events import scalars

        speed = round(result.examples_per_second, 1)  # as in metrics.csv
        how = {"training/lr": result.lr, "training/examples_per_second": speed}
        return scalars(result.epoch, time, {**_tagged(loss=result.train_loss), **how})

    def _of_validation(self, result: EpochResult, time: float) -> bytes:
        from nettool.runs.events import scalars

        assert result.validation_loss is not None
        return scalars(result.epoch, time, _tagged(loss=result.validation_loss, **result.metrics))

    def _histograms(self, epoch: int) -> bytes:
        """Of every weight, by the name that it has in best.safetensors. Reads them, and no more."""
        from nettool.runs.events import histograms

        weights = {f"weights/{name}": each.detach().cpu().numpy() for name, each in self._network.named_parameters()}
        return histograms(epoch, self._time, weights)

    def prepare(self) -> Events:
        """What is not written yet; it is the caller's to write now."""
        seen, self._seen = self._seen, {}
        return seen

    def write(self, events: Events) -> None:
        """Make it durable. Raises ResourceError."""
        for file, added in events.items():
            file.append(added)

    def end(self, record: Mapping[str, Any]) -> None:
        """Write the rest, and what the best epoch has reached. record: the run's last."""
        from nettool.runs.events import ended, scalars

        self.write(self.prepare())
        reached = {name: value for name, value in record["metrics"].items() if value is not None}
        loss = reached.pop("validation_loss", None if self._validation else self._train_loss)
        values = _tagged(**reached) if loss is None else _tagged(loss=loss, **reached)
        events = [] if record["best_epoch"] is None else [scalars(record["best_epoch"], self._time, values)]
        if record["status"] != "interrupted":  # which goes on
            events.append(ended(self._time, well=record["status"] in COMPLETE))
        self._best.append(events)


def _tagged(**measured: float) -> dict[str, float]:
    """By the tags that all three have in common. TensorBoard unfolds the first two groups of charts: these first."""
    return {f"metrics/{name}": value for name, value in measured.items()}


def settings_of(prepared: Prepared, record: Mapping[str, Any]) -> dict[str, float | str]:
    """Every setting that decides the result, by its dotted key: numbers, truths, names, and lists as text."""
    experiment = prepared.loaded.experiment
    flat = flat_settings(experiment)
    flat |= {("optimizer", "lr"): experiment.optimizer.rate, ("batch_size",): prepared.batch_size}  # resolved
    found: dict[str, float | str] = {"overrides": " ".join(record["overrides"])} if record["overrides"] else {}
    for path, value in flat.items():
        if value is not None and not any(path[: len(key)] == key for key in NO_SETTINGS):
            found[".".join(map(str, path))] = (
                value if isinstance(value, int | float | str) else ", ".join(map(str, value))
            )
    return found
