"""Event files, as TensorBoard reads them: messages one after another, each framed by its length and checksums.

Messages and framing are tensorboard's own, which is an extra: whoever imports this module needs it. They are written
through `durable`, as every file of a run.
"""

from __future__ import annotations

import errno
import io
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary, SummaryMetadata
from tensorboard.compat.tensorflow_stub.errors import OpError
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import PyRecordReader_New
from tensorboard.plugins.hparams import metadata as hparams
from tensorboard.plugins.hparams.api_pb2 import Status
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionEndInfo, SessionStartInfo
from tensorboard.summary.writer.record_writer import RecordWriter

from nettool.runs import durable
from nettool.runs.directory import remove_leftovers

MARK = "events.out.tfevents."
"""TensorBoard takes a file for one of its own that has `tfevents` in its name."""
_NAME = re.compile(re.escape(MARK) + r"(\d{4,})")
BUCKETS = 30
"""Of a histogram: as many as TensorBoard draws."""


class EventFile:
    """The events of one of TensorBoard's runs, in a folder that is theirs alone.

    Begun again, it is another file with the next number, and the one before is emptied: a TensorBoard that reads along
    takes up a newer file, but never comes to its end where the older one has gone.
    """

    def __init__(self, folder: Path) -> None:
        """Raises ResourceError where a link stands in the folder's place: it would lead to somebody's other files."""
        self._folder = folder
        with durable.one_line_errors(folder):
            if folder.is_symlink() or folder.parent.is_symlink():
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        self._path = folder / f"{MARK}0001"

    def _files(self) -> list[tuple[int, Path]]:
        """Those that are there, the oldest first."""
        names = ((_NAME.fullmatch(path.name), path) for path in self._folder.glob(f"{MARK}*"))
        return sorted((int(match[1]), path) for match, path in names if match and path.is_file())

    def stored(self) -> Iterator[Any]:
        """The events that are there, up to the first that is cut off or damaged."""
        files = self._files()
        if not files:
            return
        reader = PyRecordReader_New(str(files[-1][1]))
        while True:
            try:
                reader.GetNext()
                event = Event.FromString(reader.record())
            except (OpError, OSError, DecodeError):
                return
            yield event

    def begin(self, events: Iterable[bytes]) -> None:
        """A file with these, durably, in the place of all before."""
        durable.make_folders(self._folder)
        remove_leftovers(self._folder)
        before = self._files()
        number = 1 + max((number for number, _ in before), default=0)
        self._path = self._folder / f"{MARK}{number:04d}"
        durable.write_file(self._path, _framed([_VERSION, _RESTART, *events]))
        for _, path in before[:-1]:
            durable.remove(path)
        for _, path in before[-1:]:
            durable.write_file(path, b"")

    def append(self, events: Sequence[bytes]) -> None:
        """Add these, durably; nothing for nothing."""
        if events:
            file = durable.Appender(self._path)
            try:
                for record in _framed(events):
                    file.append(record)
            finally:
                file.close()


def _framed(events: Iterable[bytes]) -> Iterator[bytes]:
    """Each as it stands in a file."""
    for event in events:
        buffer = io.BytesIO()
        RecordWriter(buffer).write(event)
        yield buffer.getvalue()


# --- events ------------------------------------------------------------------------------------------------

_VERSION = Event(file_version="brain.Event:2").SerializeToString()
_RESTART = Event(session_log=SessionLog(status=SessionLog.START), step=0).SerializeToString()
"""Tells a TensorBoard that has read the file before to forget it."""


def scalars(epoch: int, time: float, values: Mapping[str, float]) -> bytes:
    """Numbers by their tags. time: in seconds since 1970.

    In single precision, since TensorBoard shows no others: its fast loader passes over doubles without a word.
    """
    return _event(epoch, time, [Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()])


def histograms(epoch: int, time: float, values: Mapping[str, NDArray[Any]]) -> bytes:
    """The distributions of numbers by their tags; each at least one number, all finite."""
    return _event(epoch, time, [Summary.Value(tag=tag, histo=_histogram(each)) for tag, each in values.items()])


def _histogram(values: NDArray[Any]) -> Any:
    numbers = values.astype(np.float64).ravel()  # in float32, edges close to each other would fall together
    counts, edges = np.histogram(numbers, BUCKETS)
    return HistogramProto(
        min=edges[0], max=edges[-1], num=len(numbers), sum=numbers.sum(), sum_squares=np.square(numbers).sum(),
        bucket_limit=edges[1:].tolist(), bucket=counts.tolist(),
    )  # fmt: skip


def has_histograms(event: Any) -> bool:
    """Whether it is one that `histograms` made."""
    return any(value.HasField("histo") for value in event.summary.value)


def begun(time: float, settings: Mapping[str, float | str]) -> bytes:
    """Training begins with these hyperparameters: numbers, truths and texts."""
    start = SessionStartInfo(start_time_secs=time)
    for name, value in settings.items():
        kind = "bool_value" if isinstance(value, bool) else "string_value" if isinstance(value, str) else "number_value"
        setattr(start.hparams[name], kind, value)
    return _of_session(time, hparams.SESSION_START_INFO_TAG, HParamsPluginData(session_start_info=start))


def ended(time: float, well: bool) -> bytes:
    """Training has come to its end, or something has ended it."""
    status = Status.STATUS_SUCCESS if well else Status.STATUS_FAILURE
    end = SessionEndInfo(status=status, end_time_secs=time)
    return _of_session(time, hparams.SESSION_END_INFO_TAG, HParamsPluginData(session_end_info=end))


def _of_session(time: float, tag: str, content: Any) -> bytes:
    plugin = SummaryMetadata.PluginData(plugin_name=hparams.PLUGIN_NAME, content=_serialized(content))
    metadata = SummaryMetadata(plugin_data=plugin)
    return _event(0, time, [Summary.Value(tag=tag, metadata=metadata, tensor=hparams.NULL_TENSOR)])


def _event(epoch: int, time: float, values: Sequence[Any]) -> bytes:
    return _serialized(Event(step=epoch, wall_time=time, summary=Summary(value=values)))


def _serialized(message: Any) -> bytes:
    """The same bytes for the same message: else its mappings are in any order."""
    return bytes(message.SerializeToString(deterministic=True))
