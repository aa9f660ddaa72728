"""A sweep as sweep.json keeps it: enough to go on with it in another process, or on another day."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version

from nettool.config.load import source_of_mapping
from nettool.config.ranges import Axis
from nettool.runs.sweeps import AxisRecord, SweepRecord
from nettool.training.stopping import mode_of
from nettool.workflows.sweeps.points import Sweep


def record_of(sweep: Sweep, monitor: str, tags: Mapping[str, str]) -> SweepRecord:
    """What is known of a sweep that begins now."""
    return SweepRecord(
        nettool=version("nettool"),
        name=sweep.source.default_name,
        source=sweep.path,
        config=sweep.source.plain(),
        axes=[AxisRecord(key=axis.key, is_log=axis.is_log) for axis in sweep.axes],
        points=[list(point) for point in sweep.points],
        tags=dict(tags),
        monitor=monitor,
        mode=mode_of(monitor),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def stored_sweep(record: SweepRecord) -> Sweep:
    """The sweep that `record_of` was given. Raises ConfigError where a stranger's hand has been in it."""
    axes = tuple(Axis(axis.key, (), axis.is_log) for axis in record.axes)
    points = tuple(tuple(point) for point in record.points)
    source = source_of_mapping(record.config, record.name)
    return Sweep(source, record.source, axes, points)
